"""What the tests share: a real service on a real socket, a small book indexed by the real indexer, and the stand-ins."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from chatbot_api.config import Settings, load_settings
from chatbot_api.engines import marker_of, provider_of, sparse_of, writer_of
from chatbot_api.main import create_app
from chatbot_api.models.index_models import Passage
from chatbot_api.services.minilm import EmbedderUnavailable, MiniLM
from gemini_standin import GeminiStandin, gemini_standin
from qdrant_indexer.chunks import passages_of
from qdrant_indexer.docusaurus import read_docs
from qdrant_indexer.sync import Report, sync
from qdrant_standin import QdrantStandin, qdrant_standin
from sdk_under_test import SDK
from threaded_server import in_thread

pytest_plugins = [
    "postgres_server",
    "redis_server",
    "store_databases",
    "fleet_fixtures",
    "lantern_fixtures",
    "qdrant_search_fixtures",
    "rag_fixtures",
    "indexer_process",
    "own_docs_index",
    "slowest_first",
]
SHARED = Path(__file__).resolve().parents[3] / "shared" / "retrieval"
KEY = "canary-key-0123456789-never-shown"
SETTINGS_NAMES = [name.upper() for name in Settings.model_fields]
BOOK = {
    "intro.md": "---\nslug: /\ntitle: Lantern\n---\n\nLantern is a hub that switches lamps in a house.\n\n"
    "## What do I need?\n\nYou need a hub, a lamp and a phone.\n",
    "install.md": "---\ntitle: Install\n---\n\nInstall Lantern on a small computer.\n\n## Install with Docker\n\n"
    "Run the image to install Lantern with Docker:\n\n```bash\ndocker run lantern/hub\n```\n\n"
    "## Install on Windows\n\nDownload the installer and open it to install Lantern on Windows.\n",
    "lamps.md": "---\ntitle: Lamps\n---\n\n## Pair a lamp\n\n"
    "Hold the button of the lamp for three seconds to pair it with the hub.\n\n"
    "## Reset a lamp\n\nSwitch the lamp off and on five times to reset it.\n\n"
    "## Lamp settings\n\nThe setting `radio.channelWidth` changes how far the radio of a lamp reaches.\n",
}
"""Three pages, seven headings: enough to be right or wrong about."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in SETTINGS_NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def embedder_there() -> None:
    """Skip, visibly, where the local embedder can't be had; REQUIRE_EMBEDDER=1 turns the skip into a failure."""
    try:
        MiniLM()
    except EmbedderUnavailable as error:
        if os.environ.get("REQUIRE_EMBEDDER") == "1":
            pytest.fail(str(error))
        pytest.skip(f"local embedder: {error}")


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of BOOK."""
    folder = tmp_path_factory.mktemp("book") / "docs"
    folder.mkdir()
    for name, text in BOOK.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def gemini() -> Iterator[GeminiStandin]:
    """A Gemini API that can fail on demand."""
    with gemini_standin() as standin:
        yield standin


@pytest.fixture
def qdrant() -> Iterator[QdrantStandin]:
    """A Qdrant server that can fail on demand."""
    with qdrant_standin() as standin:
        yield standin


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., Settings]:
    """Settings for a test: a data folder of its own, no model, words alone; anything overridden by name."""

    def make(**values: Any) -> Settings:
        base: dict[str, Any] = {
            "data_dir": tmp_path / "data",
            "local_embedder": False,
            "log_level": "debug",
            "site_title": "Lantern",
            "rate_limit_per_visitor": "none",  # tests ask a lot, and from one address
            "rate_limit_per_address": "none",
            "answer_cache_ttl_s": 0,  # ... the same things, and count what the model is asked
            "embedding_cache_size": 0,
        }
        return Settings(_env_file=None, **{**base, **values})  # type: ignore[call-arg]

    return make


@pytest.fixture
def with_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Settings]:
    """Loads the settings from these variables and this .env file alone."""

    monkeypatch.chdir(tmp_path)  # where no other .env file is

    def load(environment: dict[str, str], env_file: str | bytes = "") -> Settings:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        path = tmp_path / "settings.env"
        path.write_bytes(env_file if isinstance(env_file, bytes) else env_file.encode())
        return load_settings(path)

    return load


def with_gemini(gemini: GeminiStandin, **values: Any) -> dict[str, Any]:
    """Settings that make the stand-in the model."""
    base = {"gemini_api_key": KEY, "gemini_base_url": gemini.url, "gemini_sdk": SDK}
    return {**base, "embedding_dimensions": 256, "relevance_gate": 0.2, **values}


async def write_index(settings: Settings, passages: Sequence[Passage], *, force: bool = True) -> Report:
    """Publish these passages by the real embedder and writer of the settings, whatever is lost by it."""
    model = provider_of(settings)
    sparse = sparse_of(settings)
    writer = writer_of(settings, marker_of(model.embedder, sparse), sparse)
    try:
        return await sync(passages, settings.site, model, writer, lambda _done, _all: None, force=force)
    finally:
        await writer.close()
        await model.close()


def index_book(settings: Settings, book: Path) -> list[Passage]:
    """Index BOOK for these settings; its passages."""
    passages = [passage for page in read_docs(book).pages for passage in passages_of(page, settings.site)]
    asyncio.run(write_index(settings, passages))
    return passages


class Service:
    """A running service and a client of it."""

    def __init__(self, url: str, client: httpx.Client) -> None:
        self.url, self.client = url, client

    def ask(self, query: str = "How do I install Lantern with Docker?", **fields: Any) -> httpx.Response:
        return self.client.post("/chat", json={"query": query, **fields})

    def events(self, query: str = "How do I install Lantern with Docker?", **fields: Any) -> list[dict[str, Any]]:
        """The data of all events of a streamed answer."""
        with self.client.stream("POST", "/chat/stream", json={"query": query, **fields}) as reply:
            assert reply.status_code == 200, reply.read()
            return [json.loads(line[5:]) for line in reply.iter_lines() if line.startswith("data:")]


@contextmanager
def serving(settings: Settings) -> Iterator[Service]:
    """The real app by uvicorn in a thread, on a socket of its own."""
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            log_config=None,
            access_log=False,
            lifespan="on",
            proxy_headers=False,  # or it believes any X-Forwarded-For that comes from this machine
            timeout_graceful_shutdown=2,
        )
    )
    with in_thread(server) as url, httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
        yield Service(url, client)


@pytest.fixture
def serve() -> Iterator[Callable[[Settings], Service]]:
    """Starts services that are stopped when the test ends."""
    with ExitStack() as stack:
        yield lambda settings: stack.enter_context(serving(settings))


@pytest.fixture
def gemini_service(
    gemini: GeminiStandin, settings_of: Callable[..., Settings], book: Path, serve: Callable[[Settings], Service]
) -> Callable[..., Service]:
    """Starts a service over BOOK, answered by the Gemini stand-in, searched in the embedded index."""

    def start(**values: Any) -> Service:
        settings = settings_of(**with_gemini(gemini, **values))
        index_book(settings, book)
        gemini.requests.clear()
        return serve(settings)

    return start


@pytest.fixture
def over_qdrant(
    qdrant: QdrantStandin, settings_of: Callable[..., Settings], book: Path, serve: Callable[[Settings], Service]
) -> Callable[..., Service]:
    """Starts a service over BOOK in the Qdrant stand-in."""

    def start(**values: Any) -> Service:
        settings = settings_of(qdrant_host=qdrant.url, demo_page=False, **values)
        index_book(settings, book)
        qdrant.requests.clear()
        return serve(settings)

    return start
