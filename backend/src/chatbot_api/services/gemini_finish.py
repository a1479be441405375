"""How an answer ended, by the name that the Gemini API gives its reason."""

from chatbot_api.models.chat_models import FinishReason

_BLOCKED = {
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "LANGUAGE",
    "MODEL_ARMOR",
    "JAILBREAK",
    "IMAGE_SAFETY",
}


def finish_named(name: str) -> FinishReason | None:
    """None when the answer goes on; reasons that nobody knows yet count as an ordinary end. ``name``: in capitals."""
    if name in ("FINISH_REASON_UNSPECIFIED", ""):
        return None
    return "blocked" if name in _BLOCKED else "length" if name == "MAX_TOKENS" else "stop"
