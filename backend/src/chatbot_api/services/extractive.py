"""An answer made of the passages' own sentences and code: what offline mode says, and what stands in for a model that fails.

A passage is scored by how near it, its headings and its units are to the question; the best units of the best passages are given
in reading order, each passage's numbered to its source. No word is added.

The weights were chosen on 120 questions about two other sites' docs: with them the first passage told is of a right page for 80 %
and under the right heading for 56 %; by the nearest sentence alone it is 74 % and 44 %.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

from chatbot_api.models.index_models import Passage
from chatbot_api.services.markdown_units import Unit, units_of

Scorer = Callable[[Sequence[str]], Sequence[float]]
"""Texts -> how near each is to the question, higher is nearer, of the order of a cosine."""

UNIT_WEIGHT, PASSAGE_WEIGHT, HEADING_WEIGHT = 0.3, 0.4, 0.3
LEAD_BONUS = 0.05
"""For a section's first unit: documentation says the main thing first."""
RANK_PENALTY = 0.01
"""Per place in the search's order, which knows rare words that a meaning does not."""
MOST_PASSAGES = 3
PASSAGE_MARGIN = 0.06
"""How far below the best passage another may be and still be told."""
UNIT_MARGIN = 0.14
"""How far below a passage's best unit its others may be."""
LEAD_MARGIN = 0.3
"""The same for a section's first unit, without which the others often hang in the air."""
WORDS_OF_FIRST, WORDS_OF_OTHERS = 80, 45
"""Of prose: together what a reader takes in at a glance."""
MOST_CODE_BLOCKS = 3
TOLD_PENALTY = 0.2
"""Of a unit that the answer before told: more than lies between a good unit and the best of another section."""

_LEANS_BACK = re.compile(r"(?:This|It|They|These|Those|That|Then|Otherwise|However|So|But|And|Such|Both|Also)\b")
_LABEL = re.compile(r"\*\*[^*]+\*\*:?")
"""A tab's or a code block's title: it says nothing that wants a source."""
_WORD = re.compile(r"\w+")


@dataclass(slots=True)
class _Candidate:
    number: int
    """The passage's position, from 0."""
    units: Sequence[Unit]
    nearness: list[float]
    """Of the units."""
    score: float


def extract(
    question: str,
    passages: Sequence[Passage],
    scorer: Scorer | None = None,
    nearness: Sequence[float | None] = (),
    told_before: str = "",
) -> str:
    """Markdown with ``[n]`` markers, n from 1 in the passages' order; empty only when there are no passages.

    ``scorer`` compares by meaning; without it words are compared. ``nearness``: the passages' own cosines where they are known.
    ``told_before``: the answer before, for a follow-up: who asks on wants to read something else.
    """
    score = scorer or by_words(question)
    candidates = [_candidate(number, passage, score, nearness, told_before) for number, passage in enumerate(passages)]
    candidates = sorted((one for one in candidates if one.units), key=lambda one: -one.score)
    told = [one for one in candidates if one.score >= candidates[0].score - PASSAGE_MARGIN][:MOST_PASSAGES]
    chosen: dict[int, set[int]] = {}
    said: set[str] = set()
    code = 0
    for place, one in enumerate(told):
        picked = _pick(one, WORDS_OF_FIRST if place == 0 else WORDS_OF_OTHERS, MOST_CODE_BLOCKS - code)
        picked = set[int]() if all(one.units[position].text in said for position in picked) else picked
        said.update(one.units[position].text for position in picked)
        code += sum(one.units[position].kind == "code" for position in picked)
        chosen[one.number] = picked
    pages = list(dict.fromkeys(passages[one.number].page_id for one in told))
    told.sort(key=lambda one: (pages.index(passages[one.number].page_id), passages[one.number].ordinal))
    return "\n\n".join(_told(one.units, chosen[one.number], one.number + 1) for one in told if chosen[one.number])


def by_words(question: str) -> Scorer:
    """A scorer by shared words, the rarer the better: the share of the question's word weight that a text holds, 0..1."""

    def score(texts: Sequence[str]) -> list[float]:
        held = [_stems(text) for text in texts]
        weight = {word: log(1 + len(texts) / (1 + sum(word in words for words in held))) for word in _stems(question)}
        total = sum(weight.values()) or 1.0
        return [sum(value for word, value in weight.items() if word in words) / total for words in held]

    return score


def _candidate(number: int, passage: Passage, score: Scorer, nearness: Sequence[float | None], told_before: str) -> _Candidate:
    units = units_of(passage.text)
    known = nearness[number] if number < len(nearness) else None
    heading = passage.heading_path[-1] if passage.heading_path else passage.title
    texts = [f"{heading}: {unit.text}" for unit in units]
    whole = [] if known is not None else [passage.embedded_text]
    of_heading, *others = score([passage.breadcrumb, *texts, *whole])
    of_units = list(others[: len(units)])
    of_passage = others[-1] if known is None else known
    if of_units:
        of_units[0] += LEAD_BONUS
    of_units = [near - TOLD_PENALTY * (unit.text in told_before) for unit, near in zip(units, of_units, strict=True)]
    best = max(of_units, default=0.0)
    total = UNIT_WEIGHT * best + PASSAGE_WEIGHT * of_passage + HEADING_WEIGHT * of_heading - RANK_PENALTY * number
    return _Candidate(number, units, of_units, total)


def _pick(candidate: _Candidate, most_words: int, most_code: int) -> set[int]:
    """Positions of the units to tell: the best, with what it needs, then the next best while there is room."""
    units, nearness = candidate.units, candidate.nearness
    best = max(nearness)
    picked: set[int] = set()
    by_nearness = sorted(range(len(units)), key=lambda position: -nearness[position])
    near = [position for position in by_nearness if nearness[position] >= best - UNIT_MARGIN]
    lead = [0] if nearness[0] >= best - LEAD_MARGIN else []
    for position in [near[0], *lead, *near[1:]]:
        group = picked | _with_what_it_needs(units, position)
        words = sum(units[index].words for index in group)
        code = sum(units[index].kind == "code" for index in group)
        if not picked or (words <= most_words and code <= most_code):
            picked = group
    return picked


def _with_what_it_needs(units: Sequence[Unit], position: int) -> set[int]:
    """The unit with what it can't be understood without: what it announces, what announces it, what it leans back on."""
    group = {position}
    unit = units[position]
    if position + 1 < len(units) and (unit.text.endswith(":") or units[position + 1].kind == "code"):
        group.add(position + 1)
    leans = unit.kind in ("code", "list") or (unit.kind == "sentence" and _LEANS_BACK.match(unit.text))
    if position and leans and units[position - 1].kind != "code":
        group.add(position - 1)
    return group


def _told(units: Sequence[Unit], chosen: set[int], number: int) -> str:
    """The chosen units of one passage as Markdown, with the passage's marker after each run of prose."""
    told: list[str] = []
    marker = f" [{number}]"
    previous: int | None = None
    for position in sorted(chosen):
        unit = units[position]
        follows = previous is not None and units[previous].block == unit.block
        if told and follows and unit.kind == "sentence":
            told[-1] = f"{told[-1].removesuffix(marker)} {unit.text}{marker}"
        elif told and follows and unit.kind in ("list", "row"):
            told[-1] = f"{told[-1].removesuffix(marker)}\n{unit.text}{marker}"
        else:
            told.append(unit.text if unit.kind == "code" or _LABEL.fullmatch(unit.text) else unit.text + marker)
        previous = position
    if not any(text.endswith(marker) for text in told):
        told.append(marker.strip())
    return "\n\n".join(told)


def _stems(text: str) -> set[str]:
    """Lower-case words cut to six letters: enough to join plurals and verb forms of most European languages."""
    return {word[:6] for word in _WORD.findall(text.lower()) if len(word) > 2}
