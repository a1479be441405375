"""What a follow-up means: made to stand alone by a rule, or by a model whose words are checked; and what it may be answered from.

The rule puts behind the follow-up the question that the conversation is about, and the turn before. Of thirteen ways to join
them over 24 dialogues of three questions about two sites' docs, this and one that can't be read found the right pages most often
(69 of 72 turns); with the cited headings in it, it was 60 to 64.
"""

import re
from collections.abc import Sequence

from chatbot_api.models.clean_text import clean
from chatbot_api.models.conversation_models import StoredTurn
from chatbot_api.models.index_models import Hit, Passage
from chatbot_api.services.follow_up_cues import content, has_subject, subject_words, without_opening

MOST_SUBJECT_CHARS = 200
"""Of each of the two questions put behind a follow-up: more would drown it."""
_STANDALONE = re.compile(r".+? \((?P<root>.+?)(?: – [^–]+)?\)", re.DOTALL)
"""A question as ``rewritten`` makes it."""
LONGEST_REWRITE = 300
"""Characters; a longer one is an answer, or repeats the conversation."""
_NO_QUESTION = re.compile(r"\[\d+\]|```|https?://|[.!:;]\s+\S+\s+\S+.*[.!]$|\bNOT_IN_DOCS\b|<<<|>>>")
_LABEL = re.compile(r"^(?:(?:standalone|rewritten|newest)?\s*(?:question|message)\s*:\s*)", re.IGNORECASE)
_KEPT_SHARE = 0.5
"""Of the reader's own words that a rewrite must still hold: it adds what they leave out, and replaces pronouns alone."""
_STEM = 5


def rewritten(query: str, history: Sequence[StoredTurn]) -> str:
    """The question made to stand alone; itself when the turns before name no subject.

    A refused turn is passed over while there is another: what the docs do not answer is not what the reader is after now. The
    first question of a chain of follow-ups stays in it and only the newest of the others, so that it never grows.
    """
    answered = [turn for turn in history if turn.done is None or turn.done.outcome != "not_in_docs"]
    turns = [turn for turn in answered or history if _subject(turn)]
    if not turns:
        return query
    first = len(turns) - 1
    while first and turns[first].standalone:
        first -= 1
    about = [_root(turns[first])]
    if first < len(turns) - 1 and content(turns[-1].question or ""):
        about.append(without_opening(turns[-1].question or ""))
    return f"{without_opening(query)} ({' – '.join(_cut(one) for one in about)})"


def _subject(turn: StoredTurn) -> str:
    """What a turn was about: its question, else the heading that its answer cites first."""
    if turn.question or turn.standalone:
        return turn.question or turn.standalone or ""
    done = turn.done
    if not done or not done.sources:
        return ""
    cited = {source.id: source for source in done.sources}
    first = next((cited[one.source_id] for one in done.citations if one.source_id in cited), done.sources[0])
    return " > ".join(dict.fromkeys((first.title, first.heading_path[-1]) if first.heading_path else (first.title,)))


def _root(turn: StoredTurn) -> str:
    """The question a chain began with, though it be older than the turns at hand: the first of them still holds it."""
    made = _STANDALONE.fullmatch(turn.standalone or "")
    return made["root"] if made else turn.standalone or _subject(turn)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_SUBJECT_CHARS else line[:MOST_SUBJECT_CHARS].rsplit(None, 1)[0]


def accepted(said: str | None, query: str, history: Sequence[StoredTurn]) -> str | None:
    """A model's rewrite, fit to be searched for; None when it is no question made of the reader's words and these turns."""
    lines = [line.strip() for line in clean(said or "").splitlines() if line.strip()]
    if len(lines) != 1:
        return None
    line = _LABEL.sub("", lines[0]).strip().strip('"“”«»`*').strip()
    if not line or len(line) > max(LONGEST_REWRITE, len(query)) or _NO_QUESTION.search(line):
        return None
    if query.rstrip().endswith("?") and not line.endswith(("?", "？", "؟", ";")):
        return None
    words, own = _stems(line), _stems(without_opening(query))
    if own and len(own & words) < _KEPT_SHARE * len(own):
        return None
    told = " ".join(f"{turn.question} {turn.standalone} {turn.response} {_subject(turn)}" for turn in history)
    # Every word of it has to come from somewhere: what is neither asked nor told before is the model's own, or its answer.
    strange = words - own - _stems(told)
    return line if len(strange) <= len(words) / 2 else None


def _stems(text: str) -> set[str]:
    """Words that name something, cut to their stems' length; the signs of scripts without spaces one by one."""
    return {part for word in content(text) for part in (list(word) if ord(word[0]) > 0x2E7F else [word[:_STEM]])}


def unmet_words(question: str, asked: str, hits: Sequence[Hit]) -> str:
    """The reader's own words in a question that the rule made, when no hit bears any of them; else empty.

    The question before them was answered, so what both found says nothing of them: "and the weather in Paris?".
    """
    own = without_opening(asked)
    if not question.startswith(f"{own} (") or not has_subject(own):
        return ""
    told = _stems(" ".join(hit.passage.embedded_text for hit in hits))
    return "" if _stems(" ".join(subject_words(own))) & told else own


def with_earlier(hits: Sequence[Hit], near: bool, kept: Sequence[Passage], asked: str) -> tuple[list[Hit], bool]:
    """The hits with the earlier answer's passages behind them, and whether they are to be answered from.

    Those open the gate only to a question without a subject of its own ("why?"): any other has to be found near enough itself.
    """
    found = {hit.passage.id: hit for hit in hits}
    added = [Hit(passage, 0.0, None) for passage in kept if passage.id not in found]
    if near:
        return [*hits, *added], True
    if not kept or has_subject(asked):
        return list(hits), False
    return [found[passage.id] for passage in kept if passage.id in found] + added, True
