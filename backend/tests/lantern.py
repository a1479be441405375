"""A service over BOOK that a whole test file shares: answered by the Gemini stand-in, searched in the embedded index."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import uvicorn
from fastapi import FastAPI

from chatbot_api.config import Settings
from chatbot_api.models.index_models import Passage
from conftest import Service, index_book, serving, with_gemini
from gemini_standin import GeminiStandin, gemini_standin
from threaded_server import in_thread


def settings_in(folder: Path, **values: Any) -> Settings:
    """Settings with a data folder below ``folder``, no .env file and no embedder."""
    unlimited = {"rate_limit_per_visitor": "none", "rate_limit_per_address": "none"}  # tests ask a lot, and from one address
    forgetful = {"answer_cache_ttl_s": 0, "embedding_cache_size": 0}  # ... the same things, and count what the model is asked
    base = {"data_dir": folder / "data", "local_embedder": False, "log_level": "error", "site_title": "Lantern", **unlimited}
    return Settings(_env_file=None, **{**base, **forgetful, **values})  # type: ignore[call-arg]


@contextmanager
def lantern(folder: Path, book: Path, **values: Any) -> Iterator[tuple[Service, GeminiStandin]]:
    """The running service and its model. ``values``: settings that differ."""
    with gemini_standin() as gemini:
        settings = settings_in(folder, **with_gemini(gemini, **values))
        index_book(settings, book)
        with serving(settings) as service:
            yield service, gemini


def healed(gemini: GeminiStandin) -> GeminiStandin:
    """The stand-in as a test wants to find it: well, and asked nothing yet."""
    gemini.heal()
    gemini.answer(["Answer from ", "the stand-in [1]."])
    gemini.requests.clear()
    return gemini


def prompts(gemini: GeminiStandin) -> str:
    """All that the model was asked to write from."""
    return "".join(json.dumps(one.body, ensure_ascii=False) for one in gemini.requests if one.kind == "generate")


def passage(text: str, **values: Any) -> Passage:
    """A passage of the site ``docs``, alone on its page."""
    url = values.pop("url", f"/docs/{values.get('version') or 'current'}/{values.get('locale', 'en')}")
    base: dict[str, Any] = {"anchor": "", "title": "Lantern", "heading_path": (), "page_id": url, "ordinal": 0, "site": "docs"}
    return Passage(id=str(uuid5(NAMESPACE_URL, f"{url}{text}")), text=text, url=url, **{**base, **values})


@contextmanager
def serving_app(app: FastAPI) -> Iterator[str]:
    """The address of an app that uvicorn serves in a thread."""
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    with in_thread(uvicorn.Server(config)) as url:
        yield url
