"""Words to BM25 sparse vectors, code-aware: the same encoder for documents and queries, on every engine.

Weights are BM25's term-frequency part; the engine multiplies the inverse document frequency at query time (``modifier: idf``).
Identifiers are found by their parts and as a whole: ``useDocusaurusContext``, ``QDRANT_HOST``, ``docusaurus.config.js`` and
``--out-dir`` each add their parts and their letters joined (``outdir``), since the tokenizer splits at every sign.
"""

import re
from dataclasses import dataclass
from typing import Any

import qdrant_edge as edge

K, B, AVERAGE_LENGTH = 1.2, 0.75, 256.0
_EXPANSION = "identifier-parts-1"
_IDENTIFIER = re.compile(r"\w+(?:[._\-/]+\w+)*")
_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_LONGEST_IDENTIFIER = 120


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Token ids and their weights, the same length."""

    indices: list[int]
    values: list[float]


class SparseEncoder:
    """BM25 with the stemming and stop words of one language."""

    def __init__(self, language: str) -> None:
        """``language``: a Snowball language in English: ``english``, ``german``. Raises ValueError for an unknown one."""
        self._language = language
        config = edge.Bm25Config(k=K, b=B, avg_len=AVERAGE_LENGTH, tokenizer=edge.TokenizerType.Word, language=language)
        self._bm25 = edge.Bm25(config)

    @property
    def settings(self) -> dict[str, Any]:
        """What an index has to be searched with, for its marker."""
        return {
            "k": K,
            "b": B,
            "avg_len": AVERAGE_LENGTH,
            "tokenizer": "word",
            "language": self._language,
            "expansion": _EXPANSION,
        }

    def query(self, text: str) -> SparseVector:
        """A question: every different token weighs 1."""
        return _ours(self._bm25.embed_query(expand(text)))

    def document(self, text: str) -> SparseVector:
        """A passage: tokens weigh by their frequency and the passage's length."""
        return _ours(self._bm25.embed_document(expand(text)))


def expand(text: str) -> str:
    """The text, each compound identifier followed by its parts and its joined letters."""
    words: list[str] = []
    for match in _IDENTIFIER.finditer(text):
        word = match.group()
        words.append(word)
        if word.isalpha() and word.islower() and word.isascii():  # most are, and have no parts
            continue
        pieces = re.split(r"[._\-/]+", word)
        parts = [part for piece in pieces for part in (_PARTS.findall(piece) if piece.isascii() else [piece])]
        if len(parts) > 1 and len(word) <= _LONGEST_IDENTIFIER:
            if parts != pieces:
                words.extend(parts)
            if len(pieces) > 1:
                words.append("".join(pieces))
    return " ".join(words)


def _ours(vector: edge.SparseVector) -> SparseVector:
    return SparseVector(list(vector.indices), list(vector.values))
