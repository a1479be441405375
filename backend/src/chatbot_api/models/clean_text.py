"""Text without the characters a reader cannot see: controls, lone surrogates, bidi, zero-width and tag characters.

Such characters carry hidden instructions to a model (OWASP LLM01:2026) or break an encoder. They are removed on the way in
(questions, passages) and on the way out (the model's text).
"""

import re

from pydantic import BeforeValidator

_UNSEEN = re.compile(
    "["
    "\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"  # controls but tab, line feed, carriage return
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, joiners, fillers
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero-width space, bidi controls, BOM
    "\ufe00-\ufe0e\U000e0100-\U000e01ef"  # variation selectors, but for U+FE0F, which emoji need
    "\U000e0000-\U000e007f"  # tag characters
    "\ud800-\udfff"  # lone surrogates
    "]"
)


def clean(text: str) -> str:
    """The text without unseen characters; line ends become line feeds. U+200C and U+200D stay: scripts and emoji need them."""
    return _UNSEEN.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def _clean_if_text(value: object) -> object:
    return clean(value).strip() if isinstance(value, str) else value


CLEANED = BeforeValidator(_clean_if_text)
"""Every string of the API is ``Annotated[str, Field(max_length=...), CLEANED]``: cleaned and stripped first, measured after.

CLEANED stands last: what stands behind it would be measured by another rule, which raises TypeError on null.
"""
