"""Collections that other tools made, through the real service: answered from, narrowed, refused in words, never written to."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import pytest
from qdrant_client import models

from chatbot_api.config import Settings
from chatbot_api.reliability import Deadline
from chatbot_api.wiring import open_services
from foreign_framework_rows import FRAMEWORKS
from foreign_rows import BACKENDS, BODY, PREDECESSOR, Row
from foreign_world import OTHERS, QUESTION, World, filled_as, found, plain, slug_of, told_otherwise
from gemini_standin import GeminiStandin
from qdrant_standin import QdrantStandin


@pytest.fixture
def world(qdrant: QdrantStandin, gemini: GeminiStandin, settings_of: Callable[..., Settings]) -> World:
    return World(qdrant, gemini, settings_of)


# --- every tool


@pytest.mark.parametrize("row", [*BACKENDS, *FRAMEWORKS], ids=lambda row: row.id)
def test_a_question_is_answered_from_any_known_tools_collection_and_nothing_is_written(world: World, row: Row) -> None:
    filled_as(world, row)
    model = {"embedding_model": row.model} if row.model else {}
    with world.serving(qdrant_filter=dict(row.keys.only), **model) as service:
        ready = service.client.get("/health/ready")
        health = service.client.get("/health").json()
        reply = service.ask(QUESTION).json()
    assert ready.status_code == 200
    assert health["index"] == {"engine": "qdrant", "ready": True, "passages": 3}
    assert (reply["outcome"], reply["degraded"]) == ("answered", [])
    (cited,) = reply["sources"]
    assert (cited["snippet"], cited["title"]) == (BODY, row.title)
    assert cited["url"] == (f"{row.url}#{row.anchor}" if row.anchor else row.url)
    assert cited["heading_path"] == [row.title, *row.headings]
    assert all(
        method == "GET" or (method == "POST" and path.endswith(("/points/query", "/points/scroll")))
        for method, path in world.qdrant.requests
    ), world.qdrant.requests


def test_keys_of_ones_own_are_taken_from_the_settings(world: World) -> None:
    payload = {"words": {"inner": BODY}, "place": "docs/01-install.md", "called": "Setup", "below": "With Docker", "text": "no"}
    world.fill([(BODY, payload), *((text, told_otherwise(payload, at)) for at, text in enumerate(OTHERS))])
    keys = {"text": "words.inner", "url": "place", "title": "called", "section": "below"}
    with world.serving(**{f"qdrant_{name}_key": key for name, key in keys.items()}) as service:
        first = found(service)[0]
    assert (first["snippet"], first["url"], first["heading_path"]) == (BODY, "/docs/install", ["Setup", "With Docker"])


# --- what does not fit is refused


async def test_a_collection_of_another_size_is_refused_with_both_sizes_and_the_line_that_mends_it(world: World) -> None:
    filled_as(world, PREDECESSOR)
    refused = await world.refusal(embedding_dimensions=768)
    assert "the collection has 256, the settings say 768" in refused
    assert "set EMBEDDING_DIMENSIONS=256" in refused
    assert "qdrant_indexer index" not in refused, "another tool's collection is not to be indexed again by ours"


async def test_without_a_key_the_refusal_names_the_local_model_and_the_key(world: World) -> None:
    filled_as(world, PREDECESSOR)
    refused = await world.refusal(gemini_api_key="")
    assert "the collection has 256, the settings say 0 (none); set EMBEDDING_DIMENSIONS=256" in refused
    assert "GEMINI_API_KEY" in refused


async def test_a_collection_stamped_with_another_model_is_refused_with_both_names(world: World) -> None:
    world.fill([plain(BODY, embedding_model="text-embedding-3-small")])
    refused = await world.refusal()
    assert "the collection says text-embedding-3-small, the settings say gemini-embedding-001" in refused


@pytest.mark.usefixtures("embedder_there")
async def test_a_collection_of_the_local_model_by_fastembed_is_read_without_a_key(world: World) -> None:
    world.fill([plain(BODY)], names=("fast-all-minilm-l6-v2",), size=384)
    async with open_services(world.settings(gemini_api_key="", local_embedder=True)) as services:
        assert services.watch.problem is None


@pytest.mark.parametrize("stamp", ["models/gemini-embedding-001", "Gemini-Embedding-001", "google/gemini-embedding-001"])
def test_the_same_model_may_be_written_in_another_way(world: World, stamp: str) -> None:
    world.fill([plain(BODY, embedding_model=stamp)])
    with world.serving() as service:
        assert found(service)[0]["snippet"] == BODY


async def test_a_collection_with_several_dense_vectors_needs_the_name_of_one(world: World) -> None:
    world.fill([plain(BODY)], names=("title", "body"))
    assert "set QDRANT_VECTOR_NAME to one of 'body', 'title'" in await world.refusal()
    assert "no vector 'text'" in await world.refusal(qdrant_vector_name="text")
    with world.serving(qdrant_vector_name="body") as service:
        assert found(service)[0]["snippet"] == BODY


async def test_an_empty_collection_is_refused_as_empty(world: World) -> None:
    world.fill([])
    assert "holds 0 points" in await world.refusal()


@pytest.mark.parametrize("tenants", [("kb-1", "kb-2"), (1, 2)], ids=["texts", "numbers"])
async def test_a_shared_collection_is_refused_without_a_filter_and_read_through_it(world: World, tenants: Sequence[Any]) -> None:
    mine, theirs = tenants
    world.fill([plain(OTHERS[0], tenant_id=mine), plain(BODY, tenant_id=theirs), plain(OTHERS[1], tenant_id=mine)])
    refused = await world.refusal()
    assert "told apart by tenant_id" in refused
    assert "QDRANT_FILTER" in refused
    with world.serving(qdrant_filter={"tenant_id": str(mine)}) as service:
        assert {one["snippet"] for one in found(service)} == set(OTHERS)
    with world.serving(qdrant_filter={"tenant_id": str(theirs)}) as service:
        assert {one["snippet"] for one in found(service)} == {BODY}


async def test_a_filter_that_no_point_passes_is_refused_as_such(world: World) -> None:
    world.fill([plain(BODY, tenant_id="kb-1")])
    assert "none of the 1 points has tenant_id=kb-9: mend QDRANT_FILTER" in await world.refusal(
        qdrant_filter={"tenant_id": "kb-9"}
    )


def test_a_part_of_a_collection_is_sampled_by_its_own_points(world: World) -> None:
    theirs = [plain(f"{text} {number}", group_id="a") for number in range(10) for text in OTHERS]
    mine = (BODY, {"passage_body": BODY, "body": BODY, "url": "/docs/install", "group_id": "b"})
    world.fill([*theirs, mine])
    with world.serving(qdrant_filter={"group_id": "b"}) as service:
        assert [one["url"] for one in found(service)] == ["/docs/install"]


# --- the search


def test_without_the_questions_vector_there_is_no_search(world: World) -> None:
    filled_as(world, PREDECESSOR)
    with world.serving() as service:
        world.gemini.fail("503", on="embed")
        reply = service.ask(QUESTION)
        assert (reply.status_code, slug_of(reply)) == (503, "search-unavailable")
        world.gemini.heal()
        assert service.client.get("/health/ready").status_code == 200


def test_a_text_that_is_there_many_times_is_told_once_and_hides_no_other(world: World) -> None:
    world.fill([*[plain(BODY)] * 30, plain(OTHERS[0]), plain(OTHERS[1])])
    with world.serving() as service:
        told = [one["snippet"] for one in found(service)]
    assert told[0] == BODY
    assert sorted(told) == sorted([BODY, *OTHERS])


def test_points_without_a_text_are_passed_over(world: World) -> None:
    nothing = [(BODY, {"url": "/docs/a"}), (BODY, {"text": "  ", "url": "/docs/b"}), (BODY, {"text": 7}), (BODY, {})]
    world.fill([*nothing, plain(BODY), plain(OTHERS[0])])
    with world.serving() as service:
        assert [one["snippet"] for one in found(service)] == [BODY, OTHERS[0]]


def test_cosines_are_shown_and_decide_whether_the_docs_answer(world: World) -> None:
    world.fill([plain(BODY), plain(OTHERS[0])])
    with world.serving() as service:
        near, far = found(service)
        assert near["score"] > 0.8 > 0.2 > far["score"]
        assert service.ask("Which colour has a violin?").json()["outcome"] == "not_in_docs"


@pytest.mark.parametrize("distance", [models.Distance.EUCLID, models.Distance.MANHATTAN, models.Distance.DOT])
def test_other_distances_put_the_nearest_first_and_are_not_taken_for_cosines(world: World, distance: models.Distance) -> None:
    halfway = "Install the lamp and its button."
    world.fill([plain(OTHERS[1]), plain(halfway), plain(BODY)], distance=distance)
    with world.serving() as service:
        results = found(service)
    assert [one["snippet"] for one in results] == [BODY, halfway, OTHERS[1]]
    assert [one["score"] for one in results] == [None] * 3


def test_a_language_asked_for_is_searched_where_the_points_say_theirs(world: World) -> None:
    world.fill([plain(BODY, locale="en"), plain(f"{BODY} Auf Deutsch.", locale="de")])
    with world.serving() as service:
        german = found(service, context={"locale": "de"})
        assert [one["locale"] for one in german] == ["de"]
        assert len(found(service)) == 2


# --- what happens to the collection meanwhile


async def test_a_missing_collection_is_told_with_the_names_of_those_there(world: World) -> None:
    filled_as(world, PREDECESSOR)
    async with open_services(world.settings(qdrant_collection_name="book_content")) as services:
        problem = services.watch.problem
        assert problem is not None
        assert (problem.slug, problem.cause) == ("index-missing", "no collection book_content; there are: made")
    with world.serving(qdrant_collection_name="book_content") as service:
        reply = service.ask(QUESTION)
        assert (reply.status_code, slug_of(reply)) == (503, "index-missing")


async def test_a_collection_is_missing_also_where_the_others_are_not_told(world: World) -> None:
    world.qdrant.fail("404", on="all")
    async with open_services(world.settings()) as services:
        problem = services.watch.problem
        assert problem is not None
        assert (problem.slug, problem.cause) == ("index-missing", "no collection made; there are: not told (index-missing)")


async def test_a_collection_made_anew_is_looked_at_anew(world: World) -> None:
    filled_as(world, PREDECESSOR)
    async with open_services(world.settings()) as services:
        assert services.watch.problem is None
        world.qdrant.client.delete_collection("made")
        world.fill([(BODY, {"page_content": BODY, "metadata": {"source": "docs/again.md"}})], names=("dense",))
        await services.watch.look()
        assert services.watch.problem is None
        hits = await services.rag.find(QUESTION, None, 3, Deadline(5.0))
        assert [source.url for source in hits.sources] == ["/docs/again"]


def test_a_server_that_refuses_the_key_is_left_alone_and_shows_in_the_health(world: World) -> None:
    filled_as(world, PREDECESSOR)
    with world.serving() as service:
        world.qdrant.fail("401")
        assert slug_of(service.ask(QUESTION)) == "search-misconfigured"
        assert "search: search-misconfigured" in service.client.get("/health").json()["problems"]


def test_a_server_that_does_not_reply_is_not_waited_for(world: World) -> None:
    filled_as(world, PREDECESSOR)
    with world.serving(search_timeout_s=0.4) as service:
        world.qdrant.fail("hang", seconds=5)
        begun = monotonic()
        assert slug_of(service.ask(QUESTION)) == "search-unavailable"
        assert monotonic() - begun < 1.5


async def test_the_passages_of_an_earlier_answer_are_had_by_their_ids(world: World) -> None:
    filled_as(world, PREDECESSOR)
    async with open_services(world.settings()) as services:
        found = await services.rag.find(QUESTION, None, 3, Deadline(5.0))
        ids = [one.id for one in found.passages]
        assert ids
        kept = await services.index.passages([*reversed(ids), "no id"], "docs")
        assert [one.id for one in kept] == ids[::-1]
        assert kept[-1] == found.passages[0]
