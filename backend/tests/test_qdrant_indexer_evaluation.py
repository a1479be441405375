"""The scores of retrieval, against values computed by hand."""

from math import log2
from typing import Any

import pytest

from chatbot_api.models.index_models import Hit
from index_engines import passage
from qdrant_indexer.evaluation import Asked, Question, judged, read_question, scores_of


def hit(url: str, *headings: str, title: str = "Title") -> Hit:
    return Hit(passage(f"{url} {headings}", "Text.", url=url, title=title, heading_path=headings), 1.0, 0.5)


def question(*addresses: str, heading: str | None = None) -> Question:
    return Question("How?", "howto", True, frozenset(addresses), heading)


def asked(rank: int, relevance: float | None = 0.5, *, kind: str = "howto", heading: bool | None = None) -> Asked:
    return Asked(kind, True, rank, heading, relevance)


def open_question(relevance: float | None) -> Asked:
    return Asked("unanswerable", False, 0, None, relevance)


def test_a_page_stands_at_the_rank_of_its_first_passage() -> None:
    hits = [hit("/a"), hit("/a"), hit("/b"), hit("/a"), hit("/c")]
    assert [judged(question(url), hits, 0.5).rank for url in ("/a", "/b", "/c", "/d")] == [1, 2, 3, 0]


def test_of_several_right_pages_the_first_found_counts() -> None:
    assert judged(question("/c", "/b"), [hit("/a"), hit("/b"), hit("/c")], 0.5).rank == 2


def test_recall_mrr_and_ndcg_are_means_over_the_answerable_questions_within_ten_pages() -> None:
    scores = scores_of([asked(1), asked(3), asked(6), asked(11), asked(0), open_question(0.1)])
    assert scores.recall == {1: 1 / 5, 3: 2 / 5, 5: 2 / 5, 10: 3 / 5}
    assert scores.mrr == pytest.approx((1 + 1 / 3 + 1 / 6) / 5)
    assert scores.ndcg == pytest.approx((1 / log2(2) + 1 / log2(4) + 1 / log2(7)) / 5)
    assert (scores.answerable, scores.unanswerable) == (5, 1)


@pytest.mark.parametrize(
    ("labelled", "stored", "right"),
    [
        ("Via `ts-jest`", "Via ts-jest", True),
        ("`--watch` \\<path\\>", "--watch &lt;path&gt;", True),
        ("See [the **guide**](./guide.md)", "See the guide", True),
        ("Install", "Installing", False),
    ],
)
def test_headings_are_compared_without_the_marks_of_markdown(labelled: str, stored: str, right: bool) -> None:
    assert judged(question("/a", heading=labelled), [hit("/a", "Above", stored)], 0.5).heading is right


def test_a_heading_counts_on_a_right_page_among_the_first_five_passages_alone() -> None:
    wanted = question("/a", heading="Here")
    others = [hit("/b", "Here")] * 4
    assert judged(wanted, [*others, hit("/a", "Here")], 0.5).heading is True
    assert judged(wanted, [*others, hit("/b"), hit("/a", "Here")], 0.5).heading is False
    assert judged(wanted, [hit("/a", title="Here")], 0.5).heading is True
    assert judged(question("/a"), [hit("/a", "Here")], 0.5).heading is None


def test_heading_at_5_is_a_mean_over_the_questions_that_have_one() -> None:
    scores = scores_of([asked(1, heading=True), asked(1, heading=False), asked(1, heading=True), asked(1)])
    assert scores.heading == pytest.approx(2 / 3)


def test_auroc_counts_pairs_in_the_right_order_and_ties_by_half() -> None:
    # 0.9 beats both; 0.5 ties with one and beats the other; 0.2 loses to one and loses to the other: 2 + 1.5 + 0 of 6.
    scores = scores_of([asked(1, 0.9), asked(1, 0.5), asked(1, 0.2), open_question(0.5), open_question(0.3)])
    assert scores.auroc == pytest.approx(3.5 / 6)


def test_refused_is_what_the_highest_gate_declines_that_keeps_95_percent() -> None:
    # 19 of 20 are kept: the gate stands at the second lowest, 0.31.
    answerable = [asked(1, 0.3 + number / 100) for number in range(20)]
    scores = scores_of([*answerable, *(open_question(value) for value in (0.1, 0.305, 0.31, 0.4))])
    assert scores.refused == 2


def test_words_alone_and_a_set_without_open_questions_have_no_gate_to_measure() -> None:
    for results in ([asked(1, None), open_question(None)], [asked(1)]):
        scores = scores_of(results)
        assert (scores.auroc, scores.refused) == (None, None)


def test_recall_is_told_for_each_kind() -> None:
    scores = scores_of([asked(5), asked(6), asked(1, kind="typo"), asked(0, kind="typo"), asked(2, kind="typo")])
    assert scores.by_kind == {"howto": (1, 2), "typo": (2, 3)}


def test_without_an_answerable_question_there_is_nothing_to_score() -> None:
    with pytest.raises(ValueError, match="answerable"):
        scores_of([open_question(0.5)])


def test_a_question_names_pages_by_address_or_by_file() -> None:
    by_address = read_question({"question": "How?", "gold_urls": ["/docs/a"]}, None)
    by_file = read_question({"question": "How?", "gold_files": ["docs/a.md", "docs/not-built.md"]}, {"docs/a.md": "/docs/a"})
    assert by_address == by_file == Question("How?", "question", True, frozenset({"/docs/a"}), None)
    unanswerable = read_question({"question": "Why?", "gold_files": [], "gold_heading": None, "answerable": False}, None)
    assert (unanswerable.answerable, unanswerable.addresses) == (False, frozenset())


@pytest.mark.parametrize(
    ("line", "addresses", "fault"),
    [
        ({}, None, "no question"),
        ({"question": " "}, None, "no question"),
        ({"question": "How?", "answerable": True}, None, "neither gold_urls nor gold_files"),
        ({"question": "How?", "answerable": "yes"}, None, "true nor false"),
        ({"question": "How?", "gold_urls": "/docs/a"}, None, "no list"),
        ({"question": "How?", "gold_files": ["a.md"]}, None, "--permalinks"),
        ({"question": "How?", "gold_files": ["a.md"]}, {"b.md": "/b"}, "a.md has no address"),
    ],
)
def test_a_line_that_can_not_be_asked_is_told(line: dict[str, Any], addresses: dict[str, str] | None, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_question(line, addresses)
