"""Ranking and words as properties: any candidates, any text."""

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot_api.models.index_models import Passage
from chatbot_api.services.ranking import CHANGES_WEIGHT, MOST_OF_ONE_PAGE, lists_changes, ranked
from chatbot_api.services.sparse_encoder import SparseEncoder, expand
from index_engines import SPARSE, passage


def _candidates() -> st.SearchStrategy[list[tuple[Passage | None, float]]]:
    pages = st.integers(0, 4)
    scores = st.sampled_from([0.1, 0.2, 0.25, 0.3])
    return st.lists(st.tuples(pages, scores), min_size=1, max_size=40).map(
        lambda rows: [(passage(f"p{page}", "x", ordinal=at), score) for at, (page, score) in enumerate(rows)]
    )


@given(_candidates(), st.integers(1, 20), st.randoms(use_true_random=False))
def test_ranking_does_not_depend_on_the_order_it_is_given_hits_in(
    candidates: list[tuple[Passage | None, float]], limit: int, shuffler: random.Random
) -> None:
    cosines = {one.id: one.ordinal % 3 / 3 for one, _ in candidates if one and one.ordinal % 4}
    words = {one.id: one.ordinal / 9 for one, _ in candidates if one and one.ordinal % 5}
    hits = ranked(candidates, cosines, words, limit)
    shuffled = list(candidates)
    shuffler.shuffle(shuffled)
    assert ranked([*shuffled, (None, 9.0)], cosines, words, limit) == hits
    pages = [hit.passage.page_id for hit in hits]
    of_pages = {
        one.page_id: sum(other.page_id == one.page_id for other, _ in candidates if other) for one, _ in candidates if one
    }
    assert len(hits) == min(limit, sum(min(MOST_OF_ONE_PAGE, count) for count in of_pages.values()))
    assert all(pages.count(page) <= MOST_OF_ONE_PAGE for page in pages)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(hit.cosine == cosines.get(hit.passage.id) for hit in hits)
    assert all(hit.words == words.get(hit.passage.id, 0.0) for hit in hits)


@given(_candidates(), st.integers(1, 20), st.randoms(use_true_random=False), st.sampled_from(["lamp", "which version"]))
def test_putting_lists_of_changes_back_does_not_depend_on_the_order_either_and_loses_no_hit(
    candidates: list[tuple[Passage | None, float]], limit: int, shuffler: random.Random, question: str
) -> None:
    hits = ranked(candidates, {}, {}, limit, question)
    shuffled = list(candidates)
    shuffler.shuffle(shuffled)
    assert ranked(shuffled, {}, {}, limit, question) == hits
    assert len(hits) == len(ranked(candidates, {}, {}, limit))
    scores = {one.id: score for one, score in candidates if one}
    assert all(hit.score == scores[hit.passage.id] for hit in hits)


def order(candidates: Sequence[tuple[Passage | None, float]], question: str | None) -> list[str]:
    return [hit.passage.url for hit in ranked(candidates, {}, {}, 9, question)]


@pytest.mark.parametrize("question", ["How do lamps glow?", "a new lamp"])
def test_a_list_of_changes_counts_less(question: str) -> None:
    found = [(passage("release-notes", "x"), 0.1), (passage("lamps", "x"), 0.1 * CHANGES_WEIGHT + 0.001)]
    assert order(found, question) == ["/lamps", "/release-notes"]


@pytest.mark.parametrize(
    "question", ["Which version made lamps glow?", "what's new for lamps", "Is the lamp deprecated?", "changelog of lamps"]
)
def test_a_list_of_changes_keeps_its_place_where_changes_are_asked_for(question: str) -> None:
    found = [(passage("release-notes", "x"), 0.1), (passage("lamps", "x"), 0.1 * CHANGES_WEIGHT + 0.001)]
    assert order(found, question) == ["/release-notes", "/lamps"]


@pytest.mark.parametrize(
    ("url", "title", "expected"),
    [
        ("/docs/release-notes", "Notes", True),
        ("/docs/changelog/", "Lamps", True),
        ("/docs/x", "What's new in 3.0", True),
        ("/docs/x", "What’s New", True),
        ("/docs/x", "Change Log", True),
        ("/docs/releases", "Lamps", True),
        ("/docs/releases/lamps", "Lamps", False),
        ("/docs/x", "Releasing a lamp", False),
        ("/docs/exchange", "Changing a lamp", False),
    ],
)
def test_a_list_of_changes_is_told_by_its_title_or_the_end_of_its_address(url: str, title: str, expected: bool) -> None:
    assert lists_changes(replace(passage("x", "x"), url=url, title=title)) is expected


@given(st.text(max_size=300))
def test_any_text_can_be_encoded_and_no_token_stands_twice(text: str) -> None:
    for vector in (SPARSE.query(text), SPARSE.document(text)):
        assert len(vector.indices) == len(vector.values) == len(set(vector.indices))
        assert all(value > 0 for value in vector.values)


@given(st.text(alphabet=st.sampled_from("aZß9_.-/ é@"), max_size=60))
def test_expanding_keeps_every_word_and_adds_only_pieces_of_them(text: str) -> None:
    words = re.findall(r"\w+", text)
    expanded = re.findall(r"\w+", expand(text))
    assert not Counter(words) - Counter(expanded)
    letters = re.sub(r"[._\-/]", "", text)
    assert all(re.sub(r"_", "", word) in letters for word in expanded)


def test_an_unknown_language_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="klingon"):
        SparseEncoder("klingon")
