"""A service that is asked without a pause while new runs of its index go live: not one reader sees a failure."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from chatbot_api.config import Settings
from conftest import serving, write_index
from index_engines import passage

ASKING, QUESTIONS = 4, 1000


def test_a_thousand_questions_during_two_swaps_are_all_answered(settings_of: Callable[..., Settings]) -> None:
    settings = settings_of()

    def publish(run: str) -> None:
        pages = [
            passage(f"page{at}", f"Reset lamp number{at} by its button, says {run}.", site=settings.site) for at in range(150)
        ]
        asyncio.run(write_index(settings, pages))

    seen: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    counting, done = threading.Lock(), threading.Event()

    def ask(url: str) -> None:
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
            while not done.is_set() or sum(statuses.values()) < QUESTIONS:
                reply = client.post("/chat", json={"query": "How do I reset lamp number7?"})
                with counting:
                    statuses[reply.status_code] += 1
                    seen.update(run for run in ("first", "second", "third") if run in reply.text)

    def until(run: str) -> None:
        limit = time.monotonic() + 20
        while not seen[run]:
            assert time.monotonic() < limit, f"the {run} run was not taken up: {seen} {statuses}"
            time.sleep(0.05)

    publish("first")
    with serving(settings) as service, ThreadPoolExecutor(ASKING) as threads:
        asking = [threads.submit(ask, service.url) for _ in range(ASKING)]
        try:
            until("first")
            for run in ("second", "third"):
                publish(run)
                until(run)
        finally:
            done.set()
        for one in asking:
            one.result(60)
    print(f"\n{dict(statuses)} {dict(seen)}")
    assert set(statuses) == {200}
    assert sum(statuses.values()) >= QUESTIONS
    assert sum(seen.values()) == sum(statuses.values()), "every answer was made of one whole run"
