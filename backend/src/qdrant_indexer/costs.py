"""What embedding would take, estimated without a call: tokens, money and time, and by which rule each was estimated."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from chatbot_api.models.index_models import Passage

DOLLARS_PER_MILLION = {"gemini-embedding-001": 0.15, "gemini-embedding-2": 0.20}
"""Input price of a million tokens in the paid tier; a free key pays in waiting for its quota."""
_CHARACTERS_PER_TOKEN = 4
"""What Google's guide to tokens says of English text; code has fewer characters a token."""
_LOCAL_PER_SECOND = 26.0
"""3,000 passages in 115 s on one core; see website/docs/index-your-site.md."""
_REMOTE_S_PER_BATCH = 1.0
"""Of a batch that no quota holds back: an assumption."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of embedding so many passages."""

    tokens: int
    dollars: float | None
    """None: the model's price is not known here."""
    seconds: float
    method: str

    @property
    def words(self) -> str:
        """For a person."""
        price = "its price is not known here" if self.dollars is None else f"${self.dollars:.4f}"
        return f"about {self.tokens} tokens, {price}, {self.seconds:.0f} s ({self.method})"


def estimate(passages: Sequence[Passage], model: str, batch_size: int) -> Estimate:
    """What embedding these passages by this model (of an ``Embedder``) takes, ``batch_size`` a call; nothing is called."""
    tokens = sum(ceil(len(passage.embedded_text) / _CHARACTERS_PER_TOKEN) for passage in passages)
    rule = f"{_CHARACTERS_PER_TOKEN} characters a token"
    if model == "none":
        return Estimate(0, 0.0, 0.0, "the index is lexical: nothing is embedded")
    if not model.startswith("gemini-"):
        seconds = len(passages) / _LOCAL_PER_SECOND
        return Estimate(tokens, 0.0, round(seconds, 1), f"{rule}, {_LOCAL_PER_SECOND:.0f} passages a second on this machine")
    price = next((price for name, price in DOLLARS_PER_MILLION.items() if model.startswith(name)), None)
    dollars = None if price is None else round(tokens * price / 1_000_000, 6)
    seconds = ceil(len(passages) / batch_size) * _REMOTE_S_PER_BATCH
    method = f"{rule}, {_REMOTE_S_PER_BATCH:.0f} s for each {batch_size} passages; waiting for a quota comes on top"
    return Estimate(tokens, dollars, seconds, method)
