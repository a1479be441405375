"""This project's own documentation, indexed with the local embedder once for all tests that ask about it."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatbot_api.config import Settings
from conftest import write_index
from lantern import settings_in
from qdrant_indexer.chunks import passages_of
from qdrant_indexer.docusaurus import read_docs

DOCS = Path(__file__).resolve().parents[2] / "website" / "docs"


@pytest.fixture(scope="session")
def over_own_docs(embedder_there: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    """Gives settings with a copy of that index in a data folder below the one that is given."""
    made = settings_in(tmp_path_factory.mktemp("own-docs"), local_embedder=True)
    passages = [passage for page in read_docs(DOCS).pages for passage in passages_of(page, made.site)]
    asyncio.run(write_index(made, passages))

    def copied(folder: Path, **values: Any) -> Settings:
        settings = settings_in(folder, local_embedder=True, **values)
        shutil.copytree(made.data_dir, settings.data_dir)
        return settings

    return copied
