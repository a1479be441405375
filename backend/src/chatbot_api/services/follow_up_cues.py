"""What tells a follow-up: words that open it, words that point back, and questions that leave their subject out.

Made for English; a few cues of German, French, Spanish, Portuguese and Italian are here because they are plain. What these rules
don't know is for a model to tell.
"""

import re

_OPENING = re.compile(
    r"(?:(?:ok(?:ay)?|thanks?(?: you)?|thx|great|cool|hm+|yes|no|well|sorry|please)\b[\s,.!:;-]*)*"
    r"(?P<cue>(?:and|or|but|so|also|then|now)\b[\s,]*)*(?P<about>(?:what|how) about\b|what of\b|same for\b)?\s*",
    re.IGNORECASE,
)
_EXPLETIVE_IT = re.compile(
    r"\b(?:is|was|would|will|isn't|wouldn't)\s+it\s+(?:be\s+)?(?!(?:able|going|supposed|meant|used|designed|ready|allowed)\b)"
    r"(?:\w+\s+){1,3}?(?:to|that|if|when)\b"
    r"|\b(?:does|do|did|will|would|can)\s+it\s+(?:take|make\s+sense|matter|cost|help)\b.*\b(?:to|if|whether)\s"
    r"|\bit(?:\s+is|'s)\s+(?!(?:able|going|supposed|meant|used|designed|ready)\b)\w+\s+(?:to|that)\b",
    re.IGNORECASE,
)
_THERE_IS = re.compile(r"\b(?:is|are|was|were|isn't|aren't)\s+there\b|\bthere(?:'s|\s+(?:is|are|was|were))\b", re.IGNORECASE)
_POINTS_BACK = re.compile(
    r"\b(?:it|its|it's|itself|they|them|their|theirs|these|those|the\s+(?:former|latter|above))\b"
    r"|\bthis\b(?!\s+(?:site|page|project|service|tool|book|documentation|docs|library|app|software|product)\b)"
    r"|\b(?:do|does|did|doing|is|isn't|was|are|will|would|can|could|should|about|of|for|with|like|than|after|before|by|from)\s+that\b"
    r"|\bthat\s*(?:$|[?.!,])|\bthat\s+(?!\w+(?:s|ed)\b)\w+\s*[?.!]*$"
    r"|\b(?:which|the|this|that|another|other|every|first|second|last|new|old)\s+ones?\b|\bones?\s*(?:$|[?.!,])"
    r"|\bthere\b|\b(?:any|some|every|no)(?:thing|one|body|where)?\s+else\b|\b(?:what|who|how|where)\s+else\b"
    r"|\binstead\b(?!\s+of\b)|\b(?:the\s+)?others?\s*(?:$|[?.!,])|\banother\s*(?:$|[?.!,])|\bthe\s+same\s*(?:$|[?.!,]|thing|way|for|with)",
    re.IGNORECASE,
)
_CLAUSE_ENDS = re.compile(r",|\b(?:and|then|when|if|before|after|so|but|while|until|because|that|which)\b", re.IGNORECASE)
_OTHER_LANGUAGES = re.compile(
    r"[¿¡]?(?:(?:und|oder|aber|auch|et|ou|mais|aussi|y|pero|también|e|mas|também|ma|anche|o)\s+(?:\S+\s*){1,5}$)"
    r"|(?:(?:warum|wieso|weshalb|pourquoi|por qué|por que|porquê|perché)(?:\s+(?:nicht|pas|no|não|non))?\s*\W*$)"
    r"|.*\b(?:damit|dafür|davon|dazu|dabei|dort|stattdessen|cela|ça|celui-ci|celle-ci|eso|esto|allí|isso|isto|aquilo|lì|ciò)\b|.*\bdas\s*\W*$",
    re.IGNORECASE,
)
_PREPOSITION = frozenset(
    re.findall(
        r"\S+",
        "on in with for without to from under at by via using behind as inside through against of",
    )
)
_ASKS = frozenset(
    re.findall(
        r"\S+",
        "what which who whose when where why how is are was were do does did can could should would will has have",
    )
)
_FUNCTION = frozenset(
    re.findall(
        r"\S+",
        "a an the i me my mine we us our you your he she his her it its it's itself they them their this that these those "
        "there here and or but so also then now if than as at by for from in into of off on onto out over to up down with "
        "without via about per be been being am is are was were do does did doing done has have had having can could may "
        "might must shall should will would not no yes don't doesn't isn't can't what which who whom whose when where why "
        "how else instead same other others another one ones any some all each every both too very just only even still "
        "again more most much many less least such please ok okay thanks let's lets let tell show give explain say see "
        "know want like get got there's that's what's i'm",
    )
)
"""Words that name nothing to search for."""
_GENERIC = frozenset(
    re.findall(
        r"\S+",
        "example examples sample samples default defaults value values detail details difference reason purpose step "
        "steps thing things way ways case cases mean means meant work works working happen happens cost costs price take "
        "takes long often big fast slow need needs needed use used using uses change changed make made set possible "
        "required necessary mandatory optional first next last further elaborate continue go enable disable turn possible "
        "supported support supports help look alternative alternatives limit limits option options syntax format size "
        "type version versions time memory disk space question answer do it",
    )
)
"""Words that say something about a subject, and are none."""
_WORD = re.compile(r"[^\W_]+(?:['’._/-][^\W_]+)*")
_FRAGMENT_WORDS = 5
_NAMED_WORDS = 2
_UNKNOWN_WORDS, _UNKNOWN_CHARS = 4, 40


def leans_on_history(query: str) -> bool:
    """Whether the question can't be understood without the turns before it.

    It points back with a word that nothing in it explains, it is a part of a question, or it names nothing to ask about.
    """
    opening = _OPENING.match(query)
    rest = query[opening.end() :] if opening else query
    if opening and opening["about"]:
        return True
    if _OTHER_LANGUAGES.match(query):
        return True
    return _points_back(rest) or _is_part(rest, bool(opening and opening["cue"])) or not has_subject(rest)


def may_lean(query: str) -> bool:
    """Whether a model is to be asked what the question means: it leans by the rules, or is short and not in English."""
    if leans_on_history(query):
        return True
    if any(letter.isalpha() and ord(letter) > 0x24F for letter in query):
        return len(query) <= _UNKNOWN_CHARS
    words = _words(query)
    return len(words) <= _UNKNOWN_WORDS and not any(word in _FUNCTION for word in words)


def has_subject(query: str) -> bool:
    """Whether the question has a word of its own to search for: "on Windows?" has, "why?" and "an example?" have not."""
    return bool(subject_words(query))


def subject_words(query: str) -> list[str]:
    """The question's own words to search for."""
    return [word for word in content(query) if word not in _GENERIC]


def content(text: str) -> list[str]:
    """The text's words that name something, in lower case and order, each once."""
    return list(dict.fromkeys(word for word in _words(text) if word not in _FUNCTION))


def without_opening(query: str) -> str:
    """The follow-up without "and", "what about" and the like; as it is when nothing else is in it."""
    opening = _OPENING.match(query)
    return (query[opening.end() :] if opening else query).strip() or query


def _points_back(text: str) -> bool:
    found = _POINTS_BACK.search(_THERE_IS.sub(" ", _EXPLETIVE_IT.sub(" ", text)))
    return found is not None and not _names_before(found.string[: found.start()])


def _names_before(text: str) -> bool:
    """Whether a clause before a pronoun names something, so that the question itself says what the pronoun stands for."""
    ends = [found.start() for found in _CLAUSE_ENDS.finditer(text)]
    return bool(ends) and len(subject_words(text[: ends[-1]])) >= _NAMED_WORDS


def _is_part(text: str, follows_cue: bool) -> bool:
    """Whether it is less than a question: "on Windows?", "the port?", "which languages?"."""
    words = _words(text)
    if not words or len(words) > _FRAGMENT_WORDS:
        return False
    if words[0] in _PREPOSITION:
        return True
    asked, *others = words
    if asked in _ASKS:
        return len(words) <= 3 and not any(word in _ASKS or word in ("i", "to") for word in others)
    return follows_cue or (text.rstrip().endswith("?") and len(words) <= 2) or (asked in ("the", "a", "an") and len(words) <= 4)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
