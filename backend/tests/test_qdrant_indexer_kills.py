"""An indexer that is killed or interrupted at any moment: the old index goes on serving, and the next run resumes."""

import random
import signal
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from index_engines import EVERYWHERE, Edge, Engine, embedded, names, on_server, passage, publish, vector_of
from processes import LIMIT_S, running
from slow_indexer import Slow, site

pytest_plugins = ["index_engine_fixtures"]

TESTS = Path(__file__).parent
PAGES = 2000
OLD = [*site(40), passage("old", "a lantern")]
QUESTION = (vector_of("q"), "lantern", EVERYWHERE, 3)


def indexing(engine: Engine, written: Path, seconds: float, pages: int = PAGES) -> list[str]:
    place = str(engine.folder) if isinstance(engine, Edge) else engine.standin.url
    return [str(TESTS / "slow_indexer.py"), place, str(written), str(pages), str(seconds)]


def ended_by(number: int, stage: str, after_s: float, command: list[str], folder: Path) -> int:
    """Signal a run some time after it said that it reached a stage (started, embedding); its exit code."""
    with running(command, folder) as process:
        assert process.stdout
        assert stage in (line.strip() for line in process.stdout)
        time.sleep(after_s)
        process.send_signal(number)
        process.communicate(timeout=LIMIT_S)
        return process.returncode


def completed(command: list[str], folder: Path) -> str:
    with running(command, folder) as process:
        told, failed = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, failed
        return told


def embedded_texts(written: Path) -> list[str]:
    return written.read_text().split() if written.exists() else []


async def serves_the_old(engine: Engine, answer: list[str]) -> None:
    reader = engine.reader()
    assert await reader.check() == len(OLD)
    assert names(await reader.search(*QUESTION)) == answer
    await reader.close()


async def holds_the_new(engine: Engine) -> None:
    writer = engine.writer()
    stored = {one.passage.id: one async for one in writer.stored()}
    await writer.close()
    assert {key: one.passage for key, one in stored.items()} == {one.id: one for one in site(PAGES)}
    for one in stored.values():
        assert one.vector == pytest.approx(vector_of(one.passage.text), abs=1e-5), "no vector under another passage's name"
    assert len(engine.runs()) == 2, "nothing is left behind"


async def test_killed_twenty_times_the_old_index_serves_and_the_work_is_not_done_twice(tmp_path: Path) -> None:
    await _killed(tmp_path, embedded(tmp_path / "index"), kills=20)


async def test_killed_three_times_on_a_server_too(tmp_path: Path) -> None:
    await _killed(tmp_path, on_server(), kills=3)


async def _killed(tmp_path: Path, opening: AbstractAsyncContextManager[Engine], kills: int) -> None:
    written, moments = tmp_path / "embedded", random.Random(20)
    async with opening as engine:
        await publish(engine, OLD)
        reader = engine.reader()
        await reader.check()
        answer = names(await reader.search(*QUESTION))
        assert answer[0] == "old"
        for number in range(kills):
            stage, after_s = ("embedding", "started")[number % 2], moments.uniform(0.0, 0.8)
            code = ended_by(signal.SIGKILL, stage, after_s, indexing(engine, written, 0.05), tmp_path)
            assert code == -signal.SIGKILL, "the site is too small: a run was done before it was killed"
            await serves_the_old(engine, answer)
        before = len(embedded_texts(written))
        told = completed(indexing(engine, written, 0.0), tmp_path)
        last = len(embedded_texts(written)) - before
        print(f"\n{kills} kills: {before} embedded by killed runs, {last} by the last one of {PAGES - 40} new; {told}")
        assert before > 100, "some got somewhere"
        assert last < PAGES - 40 - before // 2, "at least half of what killed runs embedded was not embedded again"
        await holds_the_new(engine)


async def test_ctrl_c_leaves_what_was_embedded_to_the_next_run(engine: Engine, tmp_path: Path) -> None:
    written = tmp_path / "embedded"
    await publish(engine, OLD)
    assert ended_by(signal.SIGINT, "embedding", 0.5, indexing(engine, written, 0.05), tmp_path) != 0
    before = embedded_texts(written)
    assert before
    assert len(engine.runs()) == 2
    completed(indexing(engine, written, 0.0), tmp_path)
    texts = embedded_texts(written)
    assert len(texts) <= PAGES - 40 + Slow.batch_size
    await holds_the_new(engine)
