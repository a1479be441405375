"""Every setting from the environment and from a .env file, and what is sound among them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from chatbot_api.config import Settings, load_settings
from chatbot_api.errors import StartRefused

CANARY = "canary-key-0123456789-never-shown"
GIVEN: dict[str, tuple[str, Any]] = {
    "gemini_api_key": (CANARY, SecretStr(CANARY)),
    "provider": ("offline", "offline"),
    "gemini_sdk": ("google-generativeai", "google-generativeai"),
    "generative_model": ("gemini-9-flash", "gemini-9-flash"),
    "thinking_level": ("none", "none"),
    "temperature": ("0.5", 0.5),
    "first_text_timeout_s": ("3.5", 3.5),
    "max_output_tokens": ("800", 800),
    "embedding_model": ("gemini-embedding-2", "gemini-embedding-2"),
    "embedding_dimensions": ("1536", 1536),
    "gemini_base_url": ("https://proxy.example/gemini", "https://proxy.example/gemini"),
    "on_model_failure": ("error", "error"),
    "local_embedder": ("false", False),
    "qdrant_host": ("https://qdrant.example", "https://qdrant.example"),
    "qdrant_api_key": (f"  {CANARY}-q\t", SecretStr(f"{CANARY}-q")),
    "qdrant_collection_name": ("book_content", "book_content"),
    "qdrant_grpc_port": ("6334", 6334),
    "qdrant_vector_name": ("text-dense", "text-dense"),
    "qdrant_text_key": ("body.text", "body.text"),
    "qdrant_url_key": ("metadata.source", "metadata.source"),
    "qdrant_title_key": ("metadata.title", "metadata.title"),
    "qdrant_section_key": ("metadata.heading", "metadata.heading"),
    "qdrant_filter": (" tenant_id = kb-1 ,,metadata.lang=en", {"tenant_id": "kb-1", "metadata.lang": "en"}),
    "answer_cache_ttl_s": ("60", 60),
    "answer_cache_size": ("50", 50),
    "embedding_cache_size": ("0", 0),
    "data_dir": ("some/folder", Path("some/folder")),
    "top_k": ("8", 8),
    "rrf_k": ("60", 60),
    "relevance_gate": ("0.4", 0.4),
    "bm25_language": ("german", "german"),
    "site": ("handbook", "handbook"),
    "site_title": ("the Example handbook", "the Example handbook"),
    "site_url": ("https://docs.example.com", "https://docs.example.com"),
    "demo_docs": ("website/docs", Path("website/docs")),
    "demo_page": ("0", False),
    "site_build": ("website/build", Path("website/build")),
    "database_url": (
        " postgresql://ask:secret@db.example.com/ask_ai ",
        SecretStr("postgresql://ask:secret@db.example.com/ask_ai"),
    ),
    "conversation_ttl_days": ("7", 7),
    "store_questions": ("false", False),
    "store_timeout_s": ("0.5", 0.5),
    "history_tokens": ("0", 0),
    "follow_up_timeout_s": ("0.8", 0.8),
    "migrate_at_start": ("no", False),
    "visitor_cookie_secret": (f"{CANARY}-cookie-0123456789", SecretStr(f"{CANARY}-cookie-0123456789")),
    "chatkit_enabled": ("1", True),
    "mcp_enabled": ("true", True),
    "mcp_ask_enabled": ("on", True),
    "mcp_allowed_hosts": (" ask.example.com ,,API.example.com:8443", ["ask.example.com", "api.example.com:8443"]),
    "openai_compat_enabled": ("yes", True),
    "ai_sdk_enabled": ("1", True),
    "llms_txt_enabled": ("on", True),
    "rate_limit_per_visitor": (" 5/second;50/hour ", "5/second;50/hour"),
    "rate_limit_per_address": ("none", "none"),
    "limits_url": (f" redis://:{CANARY}@limits.example.com:6379/0 ", SecretStr(f"redis://:{CANARY}@limits.example.com:6379/0")),
    "max_answers_in_flight": ("16", 16),
    "daily_token_budget": ("1000000", 1_000_000),
    "daily_cost_budget_usd": ("1.5", 1.5),
    "price_input_usd_per_mtok": ("0.75", 0.75),
    "price_output_usd_per_mtok": ("3.75", 3.75),
    "trusted_proxy_hops": ("2", 2),
    "site_key": (f"{CANARY}-site-key", SecretStr(f"{CANARY}-site-key")),
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("9000", 9000),
    "cors_origins": (
        " https://docs.example.com ,http://localhost:3000,,http://[::1]:3000",
        ["https://docs.example.com", "http://localhost:3000", "http://[::1]:3000"],
    ),
    "cors_allow_credentials": ("yes", True),
    "embed_timeout_s": ("0.7", 0.7),
    "deadline_s": ("20", 20.0),
    "search_timeout_s": ("2", 2.0),
    "log_level": ("warning", "warning"),
    "web_concurrency": ("2", 2),
    "pin_workers": ("false", False),
    "replicas": ("3", 3),
    "drain_delay_s": ("3", 3.0),
    "metrics_token": (f"{CANARY}-metrics", SecretStr(f"{CANARY}-metrics")),
    "metrics_port": ("9464", 9464),
    "metrics_host": ("0.0.0.0", "0.0.0.0"),
    "api_docs": ("off", False),
}
"""Setting -> how it is written, and what it means: each differs from the default."""
NEEDED = {
    "qdrant_api_key": ("QDRANT_HOST",),
    "qdrant_grpc_port": ("QDRANT_HOST",),
    "web_concurrency": ("LIMITS_URL",),
    "replicas": ("QDRANT_HOST", "DATABASE_URL", "LIMITS_URL"),
}
"""Settings that are refused alone, and what they go with."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory without a .env file."""
    monkeypatch.chdir(tmp_path)


def defaults() -> Settings:
    return Settings(_env_file=None)  # type: ignore[call-arg]


# --- where the settings come from


def test_the_list_here_has_every_setting_with_a_value_of_its_own() -> None:
    assert set(GIVEN) == set(Settings.model_fields)
    standard = defaults()
    assert [name for name, (_, meaning) in GIVEN.items() if getattr(standard, name) == meaning] == []


@pytest.mark.parametrize("name", GIVEN)
def test_a_setting_is_read_from_the_environment(with_environment: Callable[..., Settings], name: str) -> None:
    needed = {part: GIVEN[part.lower()][0] for part in NEEDED.get(name, ())}
    assert getattr(with_environment({**needed, name.upper(): GIVEN[name][0]}), name) == GIVEN[name][1]


def test_all_settings_are_read_from_a_file(with_environment: Callable[..., Settings]) -> None:
    apart = {"chatkit_enabled", "web_concurrency"}  # forbidden by STORE_QUESTIONS=false, and by METRICS_TOKEN
    together = {name: given for name, given in GIVEN.items() if name not in apart}
    lines = [f'{name.upper()}="{written}"' for name, (written, _) in together.items()]
    settings = with_environment({}, "\n".join(["# a comment", "", *lines, "UNKNOWN_NAME=1"]))
    assert {name: getattr(settings, name) for name in together} == {name: meaning for name, (_, meaning) in together.items()}


def test_the_environment_wins_over_the_file(with_environment: Callable[..., Settings]) -> None:
    settings = with_environment({"TOP_K": "7", "port": "7000"}, "TOP_K=9\nPORT=9000\nRRF_K=9\n")
    assert (settings.top_k, settings.port, settings.rrf_k) == (7, 7000, 9)


def test_without_a_file_named_the_one_in_the_working_directory_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOP_K=9\n", encoding="utf-8")
    assert load_settings().top_k == 9


@pytest.mark.parametrize(
    ("written", "pairs"),
    [
        ("group_id=kb-1", {"group_id": "kb-1"}),
        (" a = 1 , metadata.b = two words ,", {"a": "1", "metadata.b": "two words"}),
        ("a=b=c", {"a": "b=c"}),
        (",", {}),
    ],
)
def test_a_filter_is_read_as_pairs(with_environment: Callable[..., Settings], written: str, pairs: dict[str, str]) -> None:
    assert with_environment({"QDRANT_FILTER": written}).qdrant_filter == pairs


@pytest.mark.parametrize("name", GIVEN)
def test_an_empty_value_counts_as_not_set(with_environment: Callable[..., Settings], name: str) -> None:
    settings = with_environment({name.upper(): ""}, f"{name.upper()}=\n")
    assert getattr(settings, name) == getattr(defaults(), name)


@pytest.mark.parametrize(
    ("env_file", "top_k"),
    [
        (b"\xef\xbb\xbfTOP_K=9\n", 9),
        (b"TOP_K=9\r\n", 9),
        (b"export TOP_K=9", 9),
        (b"TOP_K = 9   # more passages\n", 9),
        (b"TOP_K='9'", 9),
        (b"top_k=9", 9),
        (b"", 5),
    ],
)
def test_a_file_is_read_as_people_write_it(with_environment: Callable[..., Settings], env_file: bytes, top_k: int) -> None:
    assert with_environment({}, env_file).top_k == top_k


@pytest.mark.parametrize("env_file", ["TOP_K=9\n".encode("utf-16"), b"SITE_TITLE=Caf\xe9\n"], ids=["UTF-16", "Latin-1"])
def test_a_file_that_is_no_utf8_is_refused_in_words(with_environment: Callable[..., Settings], env_file: bytes) -> None:
    with pytest.raises(StartRefused) as refused:
        with_environment({}, env_file)
    assert refused.value.problems == ("The .env file can't be read as UTF-8 text; save it as UTF-8.",)


def test_settings_cannot_be_changed_once_they_are_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        defaults().top_k = 9  # type: ignore[misc]


# --- what is sound

SOUND: list[dict[str, str]] = [
    {"PROVIDER": "offline", "GEMINI_API_KEY": CANARY},
    {"PROVIDER": "gemini", "GEMINI_API_KEY": CANARY},
    {"CORS_ORIGINS": "*"},
    {"CORS_ORIGINS": "*,https://docs.example.com"},
    {"CORS_ORIGINS": ","},
    {"CORS_ORIGINS": "https://xn--bcher-kva.example:8443", "CORS_ALLOW_CREDENTIALS": "true"},
    {"SITE_URL": "https://docs.example.com/book/"},
    {"GEMINI_BASE_URL": "http://127.0.0.1:8080/v1"},
    {"PORT": "0"},
    {"SITE_TITLE": " the Ünïcode “handbook” "},
    {"DATA_DIR": "not/there/yet"},
]


@pytest.mark.parametrize("environment", SOUND, ids=str)
def test_a_sound_setting_is_taken(with_environment: Callable[..., Settings], environment: dict[str, str]) -> None:
    assert with_environment(environment)


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("", ""),
        ("qdrant", "http://qdrant:6333"),
        ("qdrant:7000", "http://qdrant:7000"),
        ("127.0.0.1", "http://127.0.0.1:6333"),
        ("http://qdrant", "http://qdrant:6333"),
        ("http://qdrant:80", "http://qdrant:80"),
        ("https://x.cloud.example", "https://x.cloud.example:6333"),
        ("https://x.cloud.example/", "https://x.cloud.example:6333"),
        ("https://x.cloud.example:443", "https://x.cloud.example:443"),
        ("https://proxy.example/qdrant", "https://proxy.example:6333/qdrant"),
        ("https://proxy.example:8443/a/b/", "https://proxy.example:8443/a/b"),
        ("proxy.example/qdrant", "http://proxy.example:6333/qdrant"),
        ("[::1]", "http://[::1]:6333"),
        ("[::1]:7000", "http://[::1]:7000"),
        ("http://[fe80::1]/q", "http://[fe80::1]:6333/q"),
        ("  qdrant\t", "http://qdrant:6333"),
    ],
)
def test_the_qdrant_server_may_be_named_in_many_ways(with_environment: Callable[..., Settings], written: str, url: str) -> None:
    assert with_environment({"QDRANT_HOST": written}).qdrant_url == url


@pytest.mark.parametrize(
    ("provider", "key", "effective"),
    [
        ("auto", "", "offline"),
        ("auto", CANARY, "gemini"),
        ("auto", "   ", "offline"),
        ("gemini", CANARY, "gemini"),
        ("offline", "", "offline"),
        ("offline", CANARY, "offline"),
    ],
)
def test_who_answers_is_decided_by_the_provider_and_the_key(
    with_environment: Callable[..., Settings], provider: str, key: str, effective: str
) -> None:
    assert with_environment({"PROVIDER": provider, "GEMINI_API_KEY": key}).effective_provider == effective


def test_the_data_lies_in_the_checkout_by_default_wherever_one_stands() -> None:
    settings = defaults()
    assert settings.data_dir == Path(__file__).resolve().parents[1] / "data"
    assert settings.index_dir == settings.data_dir / "index"


def test_keys_are_never_shown() -> None:
    settings = Settings(_env_file=None, gemini_api_key=CANARY, qdrant_api_key=f"{CANARY}-q", qdrant_host="h")  # type: ignore[call-arg, arg-type]
    assert settings.gemini_api_key.get_secret_value() == CANARY
    shown = (repr(settings), str(settings), settings.model_dump_json(), json.dumps(settings.model_dump(), default=str))
    assert [text for text in shown if CANARY in text] == []


def test_every_setting_is_described_in_a_sentence() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith((".", "`")), name
