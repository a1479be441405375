"""One contract, two engines: what a search owes, embedded and on a Qdrant server over TCP."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from chatbot_api.errors import SearchBadResponse
from chatbot_api.models.index_models import Passage, Scope
from index_engines import (
    EVERYWHERE,
    WORDS,
    Engine,
    cosine,
    embedded,
    library,
    names,
    on_server,
    opened,
    passage,
    vector_of,
)
from indexed_texts import SIZE

pytest_plugins = ["index_engine_fixtures"]


async def test_a_published_passage_is_found_with_every_field_it_was_written_with(engine: Engine) -> None:
    written = passage(
        "guide",
        "Hold the button `x`.\n\n```sh\nrun\n```",
        anchor="höhe",
        title="Títle",
        heading_path=("One", "Two"),
        ordinal=3,
        version="1.10",
        locale="pt-BR",
    )
    reader = await opened(engine, [written, passage("other", "about lamps")])
    hits = await reader.search(vector_of(written.text), "button", EVERYWHERE, 5)
    assert hits[0].passage == written
    assert hits[0].cosine == pytest.approx(1.0, abs=1e-5)


async def test_both_arms_are_fused_and_what_both_find_stands_above_what_one_finds(engine: Engine) -> None:
    asked = vector_of("the question")
    near, far = [0.9 * value for value in asked], [-value for value in asked]
    near[0] += 0.1
    passages = [passage("words", "radio"), passage("both", "radio reach"), passage("meaning", "distance")]
    others = [passage(f"other{at}", f"something else {at}") for at in range(60)]
    writer = engine.writer()
    await writer.begin()
    await writer.add(passages, [far, near, asked])
    await writer.add(others, [[a + 0.5 * b for a, b in zip(asked, vector_of(one.text), strict=True)] for one in others])
    await writer.publish()
    await writer.close()
    reader = engine.reader()
    await reader.check()
    found = names(await reader.search(asked, "radio", EVERYWHERE, 5))
    assert found[0] == "both"
    assert set(found[1:3]) == {"meaning", "words"}, "the first of either arm tie"
    assert names(await reader.search(asked, "", EVERYWHERE, 2)) == ["meaning", "both"]
    assert names(await reader.search(None, "radio", EVERYWHERE, 5)) == ["words", "both"]


async def test_without_a_vector_words_alone_are_searched_and_no_hit_has_a_cosine(engine: Engine) -> None:
    reader = await opened(engine, library(8))
    hits = await reader.search(None, "battery firmware", EVERYWHERE, 5)
    assert len(hits) == 5
    assert all(hit.cosine is None for hit in hits)
    assert all({"battery", "firmware"} & set(hit.passage.text.split()) for hit in hits)


async def test_without_a_text_the_vector_alone_is_searched_nearest_first(engine: Engine) -> None:
    passages = library(8)
    reader = await opened(engine, passages)
    asked = vector_of("anything")
    hits = await reader.search(asked, "", EVERYWHERE, 6)
    nearest = sorted(passages, key=lambda one: -cosine(asked, vector_of(one.text)))
    assert [hit.passage.id for hit in hits] == [one.id for one in nearest[:6]]


async def test_a_search_without_vector_and_words_finds_nothing_and_is_no_failure(engine: Engine) -> None:
    reader = await opened(engine, library(3))
    for text in ("", "the of and", "?!", "   "):
        assert await reader.search(None, text, EVERYWHERE, 5) == []
        assert len(await reader.search(vector_of("x"), text, EVERYWHERE, 5)) == 5


async def test_every_hit_bears_the_real_cosine_even_one_that_only_the_words_found(engine: Engine) -> None:
    passages = [*library(60, 1), passage("rare", "zirconium lamp")]
    asked = [-value for value in vector_of("zirconium lamp")]
    reader = await opened(engine, passages)
    hits = await reader.search(asked, "zirconium", EVERYWHERE, 20)
    assert "rare" in names(hits), "the farthest of 61, beyond what the dense arm looks at"
    for hit in hits:
        assert hit.cosine == pytest.approx(cosine(asked, vector_of(hit.passage.text)), abs=1e-5)


SCOPES = [
    Scope(site="docs"),
    Scope(site="blog"),
    Scope(version="2.0"),
    Scope(locale="de"),
    Scope("docs", "2.0", "en"),
    Scope("blog", "2.0", "de"),
    Scope(site="nobody"),
    Scope(last_version=True),
    Scope("docs", last_version=True),
    Scope("docs", last_version=False),
]


def fits(one: Passage, scope: Scope) -> bool:
    pairs = ((scope.site, one.site), (scope.version, one.version), (scope.locale, one.locale))
    last = scope.last_version in (None, one.is_last_version)
    return last and all(wanted in (None, value) for wanted, value in pairs)


async def test_a_scope_lets_through_what_fits_it_and_nothing_else(engine: Engine) -> None:
    passages = library(30, 1)
    reader = await opened(engine, passages)
    for scope in SCOPES:
        fitting = {one.id for one in passages if fits(one, scope)}
        for vector, text in ((vector_of("q"), " ".join(WORDS)), (None, " ".join(WORDS)), (vector_of("q"), "")):
            found = {hit.passage.id for hit in await reader.search(vector, text, scope, 20)}
            assert found <= fitting, scope
            assert len(found) == min(20, len(fitting)), scope


async def test_no_page_gives_more_than_three_hits_so_that_the_second_best_page_is_seen(engine: Engine) -> None:
    long = [passage("long", "lamp " * (9 - at) + f"number{at}", ordinal=at) for at in range(9)]
    others = [passage("short", "a lamp and words"), passage("last", "a lamp and " + "words " * 40)]
    reader = await opened(engine, [*long, *others])
    hits = await reader.search(None, "lamp", EVERYWHERE, 5)
    assert names(hits) == ["long", "long", "long", "short", "last"]
    assert [hit.passage.ordinal for hit in hits[:3]] == [0, 1, 2]


async def test_no_more_hits_are_given_than_asked_for(engine: Engine) -> None:
    reader = await opened(engine, library())
    for limit in (1, 3, 7, 20):
        assert len(await reader.search(vector_of("q"), "lamp hub", EVERYWHERE, limit)) == limit
        assert len(await reader.search(None, "lamp hub", EVERYWHERE, limit)) == limit


IDENTIFIERS = {
    "camel": "useDocusaurusContext",
    "snake": "widget_sort_order",
    "constant": "QDRANT_HOST",
    "dotted": "sidebar.config.js",
    "flag": "--out-folder",
    "scoped": "@lantern/plugin-content-pages",
    "initials": "HTTPServerFactory",
    "path": "radio.channelWidth",
}


ASKED = [
    ("useDocusaurusContext", "camel"),
    ("docusaurus", "camel"),
    ("usedocusauruscontext", "camel"),
    ("widget_sort_order", "snake"),
    ("widget sort", "snake"),
    ("widgetSortOrder", "snake"),
    ("QDRANT_HOST", "constant"),
    ("qdrant", "constant"),
    ("qdrantHost", "constant"),
    ("sidebar.config.js", "dotted"),
    ("sidebar", "dotted"),
    ("--out-folder", "flag"),
    ("folder", "flag"),
    ("outFolder", "flag"),
    ("@lantern/plugin-content-pages", "scoped"),
    ("plugin content", "scoped"),
    ("HTTPServerFactory", "initials"),
    ("factory", "initials"),
    ("http server", "initials"),
    ("radio.channelWidth", "path"),
    ("channelWidth", "path"),
    ("channel_width", "path"),
    ("width", "path"),
]


async def test_an_identifier_is_found_by_its_parts_and_as_a_whole(engine: Engine) -> None:
    reader = await opened(engine, [passage(key, f"Set {identifier} here.") for key, identifier in IDENTIFIERS.items()])
    found = [(asked, names(await reader.search(None, asked, EVERYWHERE, 3))[:1]) for asked, _ in ASKED]
    assert found == [(asked, [name]) for asked, name in ASKED]


async def test_the_whole_identifier_ranks_above_one_that_shares_a_part(engine: Engine) -> None:
    reader = await opened(engine, [passage("part", "Call useContext with it."), passage("whole", "Call useDocusaurusContext.")])
    assert names(await reader.search(None, "useDocusaurusContext", EVERYWHERE, 3)) == ["whole", "part"]


async def test_ties_come_in_the_same_order_every_time(engine: Engine) -> None:
    passages = [passage(f"p{at}", "lamp " * (at + 1) + "and other words") for at in range(6)]
    writer = engine.writer()
    await writer.begin()
    asked = [1.0] + [0.0] * (SIZE - 1)
    await writer.add(passages, [[1.0, float(at)] + [0.0] * (SIZE - 2) for at in range(6)])
    await writer.publish()
    await writer.close()
    reader = engine.reader()
    await reader.check()
    orders = {tuple(names(await reader.search(asked, "lamp", EVERYWHERE, 6))) for _ in range(20)}
    assert orders == {("p0", "p5", "p1", "p4", "p2", "p3")}, "nearest by words is farthest by meaning: each pair ties"


async def test_a_point_without_text_is_passed_over(engine: Engine) -> None:
    textless = replace(passage("broken", "lamp"), text=None)  # type: ignore[arg-type]
    writer = engine.writer()
    await writer.begin()
    whole = passage("whole", "a lamp")
    await writer.add([textless, whole], [vector_of("q"), vector_of("r")])
    await writer.publish()
    await writer.close()
    reader = engine.reader()
    assert await reader.check() == 2
    assert names(await reader.search(vector_of("q"), "lamp", EVERYWHERE, 5)) == ["whole"]
    assert [one.passage.url async for one in engine.writer().stored()] == ["/whole"]


async def test_points_of_which_none_bears_a_text_are_a_failure_and_not_an_empty_result(engine: Engine) -> None:
    writer = engine.writer()
    await writer.begin()
    await writer.add([replace(passage("broken", "lamp"), text=None)], [vector_of("q")])  # type: ignore[arg-type]
    await writer.publish()
    await writer.close()
    reader = engine.reader()
    await reader.check()
    with pytest.raises(SearchBadResponse):
        await reader.search(vector_of("q"), "lamp", EVERYWHERE, 5)


async def test_both_engines_give_the_same_hits_in_the_same_order(tmp_path: Path) -> None:
    async with embedded(tmp_path / "index") as edge, on_server() as server:
        passages = library()
        local, remote = await opened(edge, passages), await opened(server, passages)
        scopes = [EVERYWHERE, Scope("docs"), Scope("docs", "2.0"), Scope("blog", None, "en")]
        questions = ["lamp", "battery of the sensor", "How do I switch the room's scene?", "gateway network bridge", ""]
        for scope, question, vector, limit in product(scopes, questions, (vector_of("q"), None), (3, 5, 20)):
            one = await local.search(vector, question, scope, limit)
            other = await remote.search(vector, question, scope, limit)
            assert [hit.passage for hit in one] == [hit.passage for hit in other], (scope, question, vector is None, limit)
            assert [hit.words for hit in one] == pytest.approx([hit.words for hit in other], abs=1e-4)
            assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other], abs=1e-5)
            if vector:
                assert [hit.cosine for hit in one] == pytest.approx([hit.cosine for hit in other], abs=1e-5)


async def test_passages_are_had_by_their_ids_in_that_order_and_those_gone_or_of_another_site_are_left_out(engine: Engine) -> None:
    one, two, other = passage("one", "about lamps"), passage("two", "about hubs"), passage("other", "of a blog", site="blog")
    reader = await opened(engine, [one, two, other])
    gone = ("00000000-0000-4000-8000-000000000000", "no id at all", "7", "9" * 40, "")
    assert await reader.passages([two.id, *gone, other.id, one.id, two.id], "docs") == [two, one]
    assert await reader.passages(gone, "docs") == []
    assert await reader.passages([], "docs") == []
