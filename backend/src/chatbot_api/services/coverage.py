"""How many of the question's words the best passages bear: what the relevance gate counts beside the cosine.

Words are the sparse encoder's tokens: stemmed, without stop words. Measured in website/docs/retrieval-quality.md.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from chatbot_api.models.index_models import Hit
from chatbot_api.services.sparse_encoder import SparseEncoder, SparseVector

MOST_WORDS = 32
"""Words of a question that are weighed; each costs a small query of the engine."""
PASSAGES = 3
"""Passages that may answer a question together."""
UNKNOWN = 12.0
"""Weight of a word that no passage bears: about the best BM25 score of a word that one passage in a thousand bears."""
NAME = 2.0
"""How much more a name weighs when no passage bears it: other words have synonyms, a product's name has none."""
_NAME = re.compile(r"(?<=[A-Za-z0-9,/(] )[A-Z][A-Za-z0-9]*")
"""A capital within the sentence."""


def weighed(words: SparseVector) -> list[SparseVector]:
    """The question's words one by one: to be searched by the lexical arm, each for its best score alone."""
    return [SparseVector([token], [1.0]) for token in words.indices[:MOST_WORDS]]


def covered(
    hits: Sequence[Hit], question: str, words: SparseVector, best: Sequence[float | None], sparse: SparseEncoder
) -> list[Hit]:
    """The hits, each with the share of the question's words that it and those before it bear, PASSAGES of them at most.

    ``best``: each weighed word's best BM25 score, in step; None where no passage bears it. It is the word's weight in the
    share: high for a rare word, low for one that is everywhere.
    """
    names = {token for name in _NAME.findall(question) for token in sparse.query(name).indices}
    tokens = words.indices[:MOST_WORDS]
    weights = {
        token: UNKNOWN * (NAME if token in names else 1.0) if score is None else score
        for token, score in zip(tokens, best, strict=True)
    }
    whole = sum(weights.values())
    missing = set(weights)
    shares: list[float] = []
    for hit in hits[:PASSAGES]:
        missing -= set(sparse.document(hit.passage.embedded_text).indices)
        shares.append(1 - sum(weights[token] for token in missing) / whole if whole else 0.0)
    return [replace(hit, covered=shares[min(place, len(shares) - 1)]) for place, hit in enumerate(hits)]
