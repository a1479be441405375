"""The relevance gate: what its value is made of, the same on both engines, and what it decides over this project's own docs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import log
from typing import Any

import pytest

from chatbot_api.config import Settings
from chatbot_api.models.index_models import Embedder, Hit, Passage, Scope
from chatbot_api.services.coverage import MOST_WORDS, NAME, UNKNOWN, weighed
from chatbot_api.services.minilm import MiniLM
from chatbot_api.services.offline_service import GATE, LEXICAL, WORDS_WEIGHT, OfflineService
from conftest import Service, serving
from index_engines import (
    EVERYWHERE,
    SPARSE,
    Engine,
    cosine,
    library,
    opened,
    passage,
    vector_of,
)

pytest_plugins = ["index_engine_fixtures"]

EMBEDDER = Embedder("model-a", 16, "plain", gate=0.5, words_weight=0.1)


# --- what the value is made of


def hit(nearness: float | None, share: float) -> Hit:
    return Hit(passage("page", "text"), 0.1, nearness, covered=share)


def test_the_best_cosine_and_the_greatest_share_of_covered_words_count_though_two_passages_have_them() -> None:
    hits = [hit(0.2, 0.3), hit(0.4, 0.0), hit(None, 0.5)]
    assert EMBEDDER.relevance(hits) == pytest.approx(0.4 + 0.1 * 0.5)
    assert EMBEDDER.relevance(hits[::-1]) == EMBEDDER.relevance(hits)
    assert replace(EMBEDDER, words_weight=0.0).relevance(hits) == 0.4
    assert EMBEDDER.relevance([hit(-0.3, 0.0)]) == -0.3


def test_where_only_words_were_compared_there_is_no_relevance() -> None:
    assert EMBEDDER.relevance([hit(None, 5.0), hit(None, 0.0)]) is None
    assert EMBEDDER.relevance([]) is None


def test_the_offline_model_has_a_gate_and_a_weight_of_its_own_and_words_alone_have_none(embedder_there: None) -> None:
    embedder = OfflineService(MiniLM()).embedder
    assert (embedder.gate, embedder.words_weight) == (GATE, WORDS_WEIGHT)
    assert OfflineService(MiniLM(), gate=0.2).embedder.gate == 0.2
    assert (LEXICAL.gate, LEXICAL.words_weight) == (None, 0.0)


# --- the score by words, on both engines


def bm25(question: str, one: Passage, collection: Sequence[Passage]) -> float:
    """The score by the book: each token's weight in the passage times its inverse document frequency in the collection."""
    weights = [SPARSE.document(other.embedded_text) for other in collection]
    own = SPARSE.document(one.embedded_text)
    weight = dict(zip(own.indices, own.values, strict=True))
    score = 0.0
    for token in SPARSE.query(question).indices:
        bearing = sum(token in other.indices for other in weights)
        score += weight.get(token, 0.0) * log(1 + (len(weights) - bearing + 0.5) / (bearing + 0.5))
    return score


QUESTIONS = ["lamp", "battery of the sensor", "How do I switch the room's scene?", "radio xylophone zebra", "xylophone", ""]
SCOPES = [EVERYWHERE, Scope("docs", "2.0"), Scope("docs", last_version=True)]


async def test_a_hits_score_by_words_is_bm25_for_each_token_of_the_question(engine: Engine) -> None:
    collection = [
        *library(12),
        passage("silent", "Nothing of the kind."),
        passage("mute", "Rien du tout.", is_last_version=False),
    ]
    reader = await opened(engine, collection)
    for question, scope, vector in product(QUESTIONS, SCOPES, (vector_of("q"), None)):
        tokens = len(SPARSE.query(question).indices)
        for found in await reader.search(vector, question, scope, 50):
            expected = bm25(question, found.passage, collection) / tokens if tokens else 0.0
            assert found.words == pytest.approx(expected, abs=1e-4), (question, scope, found.passage.url)


async def test_a_passage_that_only_its_meaning_found_scores_0_by_words(engine: Engine) -> None:
    reader = await opened(engine, [passage("both", "The radio reaches the hub."), passage("none", "Lamps shine at night.")])
    words = {one.passage.url: one.words for one in await reader.search(vector_of("q"), "radio hub", EVERYWHERE, 5)}
    assert words["/none"] == 0.0
    assert words["/both"] > 0.0


async def test_the_relevance_of_a_search_is_its_best_cosine_and_the_share_of_words_its_first_three_hits_cover(
    engine: Engine,
) -> None:
    collection = library(12, 1)
    reader = await opened(engine, collection)
    vector, question = vector_of("q"), "battery firmware"
    hits = await reader.search(vector, question, EVERYWHERE, 50)
    assert len(hits) == len(collection)
    nearest = max(cosine(vector, vector_of(one.text)) for one in collection)
    assert EMBEDDER.relevance(hits) == pytest.approx(nearest + 0.1 * share(question, hits[:3], collection), abs=1e-4)
    assert EMBEDDER.relevance(await reader.search(None, question, EVERYWHERE, 50)) is None


# --- the share of the question's words, on both engines


def share(question: str, hits: Sequence[Hit], collection: Sequence[Passage], names: Sequence[str] = ()) -> float:
    """The share by the book: a word weighs its best BM25 score in the collection, or UNKNOWN, twice that for a name."""
    doubled = {token for name in names for token in SPARSE.query(name).indices}
    weights: dict[int, float] = {}
    for word in question.split():
        for token in SPARSE.query(word).indices:
            best = max(bm25(word, one, collection) for one in collection)
            weights[token] = best or UNKNOWN * (NAME if token in doubled else 1)
    borne = {token for one in hits for token in SPARSE.document(one.passage.embedded_text).indices}
    return sum(weight for token, weight in weights.items() if token in borne) / sum(weights.values())


PAGES = [
    passage("hub", "The hub talks to lamps by radio."),
    passage("sensor", "A sensor wakes, measures and sleeps."),
    passage("scene", "A scene sets many lamps at once."),
    passage("room", "Rooms hold lamps and scenes."),
    passage("old", "Firmware updates by cable.", version="1.0", is_last_version=False),
]


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("radio", ()),
        ("radio sensor", ()),
        ("radio sensor scene room lamps", ()),
        ("radio zebra", ()),
        ("can lamps use Zigbee radio", ("Zigbee",)),
        ("Zigbee radio lamps", ()),
        ("lamps of the Hub", ()),
    ],
)
async def test_hits_tell_how_many_of_the_questions_words_they_and_the_better_ones_cover(
    engine: Engine, question: str, names: tuple[str, ...]
) -> None:
    reader = await opened(engine, PAGES)
    for vector in (vector_of("q"), None):
        hits = await reader.search(vector, question, EVERYWHERE, 5)
        for place, found in enumerate(hits, start=1):
            expected = share(question, hits[: min(place, 3)], PAGES, names)
            assert found.covered == pytest.approx(expected, abs=1e-4), (question, place)


async def test_a_word_that_only_another_version_has_is_not_covered(engine: Engine) -> None:
    reader = await opened(engine, PAGES)
    older, newer = [
        (await reader.search(vector_of("q"), "firmware lamps", scope, 5))[-1].covered
        for scope in (Scope("docs", "1.0"), Scope("docs", last_version=True))
    ]
    assert older is not None
    assert newer is not None
    assert 0.0 < newer < 0.5
    assert 0.0 < older < 1.0


async def test_a_question_without_a_word_to_compare_has_no_share(engine: Engine) -> None:
    reader = await opened(engine, PAGES)
    assert {one.covered for one in await reader.search(vector_of("q"), "is it the", EVERYWHERE, 5)} == {0.0}


async def test_only_so_many_words_of_a_long_question_are_weighed(engine: Engine) -> None:
    reader = await opened(engine, PAGES)
    question = " ".join(f"word{number}" for number in range(3 * MOST_WORDS))
    hits = await reader.search(vector_of("q"), question, EVERYWHERE, 5)
    assert {one.covered for one in hits} == {0.0}
    assert len(weighed(SPARSE.query(question))) == MOST_WORDS


# --- what it decides over this project's docs

ANSWERED = [
    ("How do I index my own site?", ("/docs/index-your-site", "/docs/quickstart")),
    ("How do I connect to Qdrant Cloud?", ("/docs/qdrant",)),
    ("Which endpoint should my uptime probe call?", ("/docs/health-and-logs",)),
    ("What does degraded mean?", ("/docs/how-an-answer-is-made",)),
    ("How do I change the port?", ("/docs/configuration", "/docs/quickstart")),
    ("Does my data go to Google?", ("/docs/gemini",)),
    ("How do I deploy behind nginx?", ("/docs/deploying",)),
    ("Is there rate limiting?", ("/docs/limits", "/docs/security")),
    ("How do I run the tests?", ("/docs/development",)),
    ("Why do I get a 503 index-missing error?", ("/docs/errors", "/docs/troubleshooting")),
    ("Can I use it without an API key?", ("/docs/offline-mode", "/docs/")),
    ("What is the relevance gate?", ("/docs/how-an-answer-is-made", "/docs/retrieval-quality")),
    ("How long may a question be?", ("/docs/widget-contract",)),
    ("Which setting sets the Gemini model?", ("/docs/configuration", "/docs/gemini")),
]
"""Question -> the pages of which an answer cites one."""
DECLINED = [
    "How do I bake a sourdough bread?",
    "Who won the football world cup in 1990?",
    "How do I set up SSO login with Okta?",
    "Can readers log in with SAML single sign-on?",
    "Is there a Helm chart?",
    "How do I install the Helm chart?",
    "How do I send invoices to an S3 bucket?",
    "Does it support Elasticsearch as a vector store?",
    "What is the capital of Mongolia?",
]


@pytest.fixture(scope="session")
def handbook(over_own_docs: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without a model over this project's docs, as its readers meet it."""
    with serving(over_own_docs(tmp_path_factory.mktemp("handbook"))) as service:
        yield service


def ask(handbook: Service, question: str) -> dict[str, Any]:
    return handbook.ask(question).json()


@pytest.mark.parametrize(("question", "pages"), ANSWERED)
def test_a_question_the_docs_answer_is_answered_from_the_page_that_does(
    handbook: Service, question: str, pages: tuple[str, ...]
) -> None:
    body = ask(handbook, question)
    assert (body["outcome"], body["degraded"]) == ("answered", [])
    cited = {source["url"].split("#")[0] for source in body["sources"]}
    assert cited & set(pages), cited
    assert body["citations"]


@pytest.mark.parametrize("question", DECLINED)
def test_a_question_the_docs_leave_open_is_declined_with_the_nearest_sections(handbook: Service, question: str) -> None:
    body = ask(handbook, question)
    assert (body["outcome"], body["sources"], body["citations"]) == ("not_in_docs", [], [])
    assert len(body["nearest"]) == 3
    assert handbook.client.post("/search", json={"query": question}).json()["answerable"] is False
