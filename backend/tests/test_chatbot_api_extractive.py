"""The extractive answer, whatever the passages: it says nothing that they do not say, cites every sentence, and ends in time."""

import re
from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from chatbot_api.models.index_models import Passage
from chatbot_api.services.extractive import MOST_CODE_BLOCKS, MOST_PASSAGES, extract
from index_engines import passage


@dataclass(frozen=True)
class Told:
    """A passage's Markdown, and the least pieces that may be told of it."""

    markdown: str
    pieces: frozenset[str]


WORD = st.sampled_from(["Lamp", "hub", "radio", "the", "switch", "Pair", "`run`", "reach", "phone", "e.g.", "3.5", "naïve", "灯"])
PHRASE = st.lists(WORD, min_size=1, max_size=9).map(" ".join)


@st.composite
def sentences(draw: st.DrawFn) -> Told:
    lead = draw(
        st.sampled_from(["", "See [the guide](/docs/guide#a) to ", "![A lamp](./lamp.png) shows ", "This <b>bold</b> is "])
    )
    plain_lead = {"See": "See the guide to ", "![A": "A lamp shows ", "This": "This bold is "}.get(lead.split(" ")[0], "")
    told = [
        (f"{lead}{words}.", f"{plain_lead}{words}.")
        for words in draw(st.lists(PHRASE.map("The ".__add__), min_size=1, max_size=4))
    ]
    return Told(draw(st.sampled_from([" ", "\n"])).join(one for one, _ in told), frozenset(plain for _, plain in told))


@st.composite
def lists(draw: st.DrawFn) -> Told:
    sign = draw(st.sampled_from(["-", "*", "1."]))
    items = [f"{sign} {words}" for words in draw(st.lists(PHRASE, min_size=1, max_size=14))]
    return Told("\n".join(items), frozenset(items))


@st.composite
def tables(draw: st.DrawFn) -> Told:
    rows = draw(st.lists(st.tuples(PHRASE, PHRASE), min_size=1, max_size=4))
    markdown = "\n".join(["| Name | Means |", "| --- | :-: |", *(f"| {one} | {other} |" for one, other in rows)])
    return Told(markdown, frozenset(f"{one} — {other}" for one, other in rows))


@st.composite
def fences(draw: st.DrawFn) -> Told:
    sign = draw(st.sampled_from(["```", "~~~~", "````"]))
    inner = draw(st.lists(st.sampled_from(["docker run", "  [1] x", "", "- no item", "``", "<b>", "# no heading"]), max_size=4))
    code = "\n".join([f"{sign}bash", *inner, sign])
    return Told(code, frozenset([code]))


@st.composite
def passages_of_a_book(draw: st.DrawFn) -> list[tuple[Passage, Told]]:
    made: list[tuple[Passage, Told]] = []
    for number in range(draw(st.integers(1, 6))):
        blocks = draw(st.lists(st.one_of(sentences(), sentences(), lists(), tables(), fences()), min_size=1, max_size=5))
        told = Told("\n\n".join(block.markdown for block in blocks), frozenset().union(*(block.pieces for block in blocks)))
        heading = draw(PHRASE)
        page = draw(st.sampled_from(["one", "two", "three"]))
        made.append((passage(page, told.markdown, ordinal=number, heading_path=(heading,)), told))
    return made


CODE = re.compile(r"^(`{3,}|~{3,})bash\n(?:.*\n)*?\1$", re.MULTILINE)
MARKERS = re.compile(r" ?(?<!\\)\[(\d+)\]$")


@hypothesis_settings(max_examples=150, deadline=None)
@given(
    passages_of_a_book(),
    PHRASE,
    st.lists(st.one_of(st.none(), st.floats(-1, 1)), max_size=6),
    st.booleans(),
)
def test_an_extractive_answer_says_nothing_that_its_passages_do_not_say(
    made: list[tuple[Passage, Told]], question: str, nearness: list[float | None], by_length: bool
) -> None:
    scorer = (lambda texts: [1 / (1 + len(text)) for text in texts]) if by_length else None
    answer = extract(question, [one for one, _ in made], scorer, nearness)
    assert answer
    codes = [match.group() for match in CODE.finditer(answer)]
    assert set(codes) <= {piece for _, told in made for piece in told.pieces}, "code stands in it whole"
    prose = CODE.sub("", answer)
    assert "```" not in prose
    assert "~~~" not in prose
    told_of: set[int] = set()
    for paragraph in filter(None, (part.strip() for part in prose.split("\n\n"))):
        marker = MARKERS.search(paragraph)
        assert marker, f"no marker after {paragraph!r}"
        number = int(marker[1])
        told_of.add(number)
        assert 1 <= number <= len(made)
        rest, known = MARKERS.sub("", paragraph), made[number - 1][1].pieces
        for line in filter(None, rest.split("\n")):
            assert line in known or _whole_sentences(line, known), (line, known)
    assert 1 <= len(told_of) <= MOST_PASSAGES
    assert len(codes) <= MOST_CODE_BLOCKS + 2, "a block that a sentence announces comes with it"


def _whole_sentences(line: str, known: frozenset[str]) -> bool:
    """Whether a line is made of known sentences alone."""
    if not line:
        return True
    return any(line == one or (line.startswith(f"{one} ") and _whole_sentences(line[len(one) + 1 :], known)) for one in known)


ANY = st.text(alphabet=st.sampled_from("abC1 \n\t`~[]()!<>|-*#.:\\é灯"), max_size=120)


@hypothesis_settings(deadline=None)
@given(st.lists(ANY, min_size=1, max_size=4), ANY)
def test_whatever_the_passages_hold_no_letter_is_told_that_they_do_not_hold(texts: list[str], question: str) -> None:
    answer = extract(question, [passage(f"p{number}", text) for number, text in enumerate(texts)])
    held = Counter(sign for text in texts for sign in text if sign.isalpha())
    assert Counter(sign for sign in answer if sign.isalpha()) <= held
    assert answer or not any(re.fullmatch(r"\w[\w ]*", text) for text in texts), "plain words are always told"


def test_no_passages_give_no_answer() -> None:
    assert extract("How?", []) == ""
    assert extract("How?", [passage("empty", " \n ")]) == ""


def test_who_asks_on_is_not_told_the_same_again() -> None:
    text = "Run the image to install Lantern.\n\nThe image to install is signed by the makers of Lantern."
    found = [passage("p0", text)]
    first = extract("install the Lantern image", found)
    assert first.startswith("Run the image to install Lantern.")
    again = extract("signed? (install the Lantern image)", found, told_before="Run the image to install Lantern.")
    assert again.startswith("The image to install is signed")
