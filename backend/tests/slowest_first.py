"""Where several processes share the test files out, the files that take longest begin first, or all would wait for them."""

from pathlib import Path

import pytest

SLOWEST = (
    "test_chatbot_api_follow_up_dialogues",
    "test_qdrant_indexer_kills",
    "test_chatbot_api_foreign_writers",
    "test_chatbot_api_fleet_outages",
    "test_chatbot_api_fleet",
    "test_chatbot_api_store_kills",
    "test_benchmarks_speed",
    "test_chatbot_api_indexed_pages",
    "test_chatbot_api_gate",
    "test_chatbot_api_slow_clients",
    "test_chatbot_api_demo_browser",
    "test_chatbot_api_chatkit_upstream",
    "test_chatbot_api_foreign_index",
    "test_chatbot_api_amplification",
    "test_chatbot_api_shutdown",
    "test_qdrant_indexer_sync",
)
"""By `make test` on two busy processors; the rest keep the order of their names."""

assert all(Path(__file__).with_name(f"{name}.py").is_file() for name in SLOWEST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the files into that order; the tests of a file keep theirs."""
    ranks = {name: rank for rank, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(SLOWEST)))
