"""Collections written by the real libraries of others, in an environment of their own, are recognised and read over TCP.

Its interpreter is FOREIGN_PYTHON, else the one in ``backend/.foreign-venv`` (``make foreign-venv``). Without it the tests are
skipped; REQUIRE_FOREIGN=1 makes that a failure.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from chatbot_api.config import Settings
from chatbot_api.models.index_models import Passage
from chatbot_api.services.foreign_payload import ForeignKeys, ForeignShape, VectorShape, detect, passage_of
from conftest import KEY, Service, with_gemini
from gemini_standin import GeminiStandin
from processes import ran
from qdrant_standin import QdrantStandin, qdrant_standin

WRITERS = Path(__file__).parent / "foreign_writers"
OWN_PYTHON = Path(__file__).parents[1] / ".foreign-venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LONGEST_S = 240
SIZE = 128
PAIRING = "How do I pair a lamp with the button?"
FILES = {
    "01-start/02-install.md": "# Installation\n\nInstall the hub.\n\n## With Docker\n\nRun the image.\n\n"
    "### On a Pi\n\nUse the small image.\n",
    "lamps.md": "# Lamps\n\nHold the button to pair.\n",
}
ANCHORS = {"/docs/start/install": {"with-docker", "on-a-pi"}, "/docs/lamps": set[str]()}
SPLIT = {
    ("Installation", (), "/docs/start/install", "", "Install the hub."),
    ("Installation", ("With Docker",), "/docs/start/install", "with-docker", "Run the image."),
    ("Installation", ("With Docker", "On a Pi"), "/docs/start/install", "on-a-pi", "Use the small image."),
    ("Lamps", (), "/docs/lamps", "", "Hold the button to pair."),
}
"""Title, headings, address, anchor and last line of every passage, where the writer's splitter was used."""
WHOLE = {
    ("Installation", (), "/docs/start/install", "", "Use the small image."),
    ("Lamps", (), "/docs/lamps", "", "Hold the button to pair."),
}
"""The same, where a page is one passage."""


@dataclass(frozen=True)
class Written:
    """A collection a writer leaves, and what is to be found in it."""

    writer: str
    collection: str
    maker: str
    vector: str
    sparse: tuple[str, ...]
    passages: set[tuple[str, tuple[str, ...], str, str, str]]


COLLECTIONS = [
    Written("langchain", "langchain", "langchain", "", (), SPLIT),
    Written("langchain", "langchain-hybrid", "langchain", "", ("langchain-sparse",), SPLIT),
    Written("llama_index", "llama-index", "llama-index", "", (), SPLIT),
    Written("llama_index", "llama-index-hybrid", "llama-index", "text-dense", ("text-sparse-new",), SPLIT),
    Written("haystack", "haystack", "haystack", "", (), SPLIT),
    Written("haystack", "haystack-sparse", "haystack", "text-dense", ("text-sparse",), SPLIT),
    Written("mcp_server", "mcp-server", "mcp-server-qdrant", "fast-letters-128", (), WHOLE),
    Written(
        "mcp_server",
        "mcp-server-bare",
        "mcp-server-qdrant",
        "fast-letters-128",
        (),
        {(*one[:2], "", "", one[4]) for one in WHOLE},
    ),
    Written("client_add", "client-add", "fastembed client.add", "fast-letters-128", (), WHOLE),
]


@pytest.fixture(scope="session")
def foreign_python() -> Path:
    """The interpreter of the environment with the libraries."""
    python = Path(os.environ.get("FOREIGN_PYTHON") or OWN_PYTHON)
    if not python.is_file():
        reason = "no environment with the libraries of others: run `make foreign-venv`, or set FOREIGN_PYTHON"
        if os.environ.get("REQUIRE_FOREIGN") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return python


@pytest.fixture(scope="session")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book") / "docs"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def written(
    foreign_python: Path, docs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], QdrantStandin]]:
    """Runs a writer against one stand-in, each writer once."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "SYSTEMROOT", "TEMP", "TMP"}}
    quiet = {"HOME": str(home), "HAYSTACK_TELEMETRY_ENABLED": "False", "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1"}
    done: set[str] = set()
    with qdrant_standin() as standin:

        def run(writer: str) -> QdrantStandin:
            if writer not in done:
                command = [str(foreign_python), str(WRITERS / f"write_{writer}.py"), standin.url, str(docs)]
                result = subprocess.run(command, env=kept | quiet, capture_output=True, text=True, timeout=LONGEST_S, check=False)
                assert result.returncode == 0, result.stderr[-2000:]
                done.add(writer)
            return standin

        yield run


def shapes_of(params: models.VectorParams | dict[str, models.VectorParams] | None) -> dict[str, VectorShape]:
    named = params if isinstance(params, dict) else {"": params} if params else {}
    return {name: VectorShape(name, one.size, one.distance.value) for name, one in named.items()}


def points_of(standin: QdrantStandin, one: Written) -> tuple[ForeignShape, list[Passage | None], int]:
    """The collection's shape, its passages, and how many points it has."""
    client = QdrantClient(url=standin.url, check_compatibility=False)
    try:
        params = client.get_collection(one.collection).config.params
        points, _ = client.scroll(one.collection, limit=100)
    finally:
        client.close()
    sparse = tuple(params.sparse_vectors or {})
    assert sparse == one.sparse
    payloads: list[dict[str, Any]] = [point.payload or {} for point in points]
    shape = detect(shapes_of(params.vectors), sparse, payloads[:2], ForeignKeys())
    read = [
        passage_of(str(point.id), point.payload, shape, site="book", known_anchors=lambda url: ANCHORS[url]) for point in points
    ]
    return shape, read, len(points)


@pytest.mark.parametrize("one", COLLECTIONS, ids=lambda one: one.collection)
def test_a_collection_written_by_the_real_library_is_read(one: Written, written: Callable[[str], QdrantStandin]) -> None:
    shape, read, count = points_of(written(one.writer), one)
    assert (shape.maker, shape.vector) == (one.maker, VectorShape(one.vector, SIZE, "Cosine"))
    passages = [passage for passage in read if passage]
    assert count == len(passages) == len(one.passages)
    found = {(each.title, each.heading_path, each.url, each.anchor, each.text.split("\n")[-1]) for each in passages}
    assert found == one.passages
    assert len({passage.page_id for passage in passages}) == len(FILES)


@pytest.mark.parametrize("one", COLLECTIONS, ids=lambda one: one.collection)
def test_questions_are_answered_from_a_collection_written_by_the_real_library(
    one: Written,
    written: Callable[[str], QdrantStandin],
    gemini: GeminiStandin,
    settings_of: Callable[..., Settings],
    serve: Callable[[Settings], Service],
) -> None:
    gemini.answer("Hold the button [1].")
    theirs = {"qdrant_host": written(one.writer).url, "qdrant_collection_name": one.collection}
    if one.vector.startswith("fast-"):  # the vector's name says which model made it
        theirs["embedding_model"] = one.vector.removeprefix("fast-")
    service = serve(settings_of(**with_gemini(gemini, embedding_dimensions=SIZE, relevance_gate=0.1, **theirs)))
    body = service.ask(PAIRING).json()
    (address,) = {url for title, _, url, _, _ in one.passages if title == "Lamps"}
    assert (body["outcome"], [source["title"] for source in body["sources"]]) == ("answered", ["Lamps"])
    assert body["sources"][0]["url"] == address


@pytest.mark.parametrize("one", COLLECTIONS, ids=lambda one: one.collection)
def test_probe_tells_how_a_collection_written_by_the_real_library_is_read(
    one: Written, written: Callable[[str], QdrantStandin], gemini: GeminiStandin, tmp_path: Path
) -> None:
    settings = {
        "QDRANT_HOST": written(one.writer).url,
        "GEMINI_API_KEY": KEY,
        "GEMINI_BASE_URL": gemini.url,
        "EMBEDDING_DIMENSIONS": str(SIZE),
    }
    ended = ran(["-m", "qdrant_indexer", "probe", "--collection", one.collection, "--json"], tmp_path, **settings)
    found = json.loads(ended.stdout)
    assert (found["maker"], found["points"]) == (one.maker, len(one.passages)), ended.stderr
    assert {mapped["title"] for mapped in found["mapping"]} == {title for title, *_ in one.passages}
