"""Several workers on one socket: all answer, all end well together, a dead one is begun anew, a new index reaches each."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from secrets import token_urlsafe

import httpx
import pytest

from chatbot_api.worker_cpus import share_of
from conftest import KEY, index_book, write_index
from gemini_standin import GeminiStandin
from index_engines import passage
from lantern import settings_in
from processes import environment
from rounds_of_shutdown import SERVER, environment_of, one_round
from worker_processes import PATIENCE_S, UNLIMITED, until, workers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers share a socket, which Windows does otherwise")
QUESTION = {"query": "How do I install Lantern with Docker?"}


@pytest.fixture
def book_settings(tmp_path: Path, book: Path) -> dict[str, str]:
    settings = settings_in(tmp_path)
    index_book(settings, book)
    return {"DATA_DIR": str(settings.data_dir)}


# --- serving


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system keeps no process to a processor")
@pytest.mark.parametrize("pinned", [True, False])
def test_each_worker_keeps_to_processors_of_its_own(tmp_path: Path, book_settings: dict[str, str], pinned: bool) -> None:
    all_of_them = os.sched_getaffinity(0)
    with workers(tmp_path, PIN_WORKERS=str(pinned).lower(), **book_settings) as running:
        allowed = [os.sched_getaffinity(pid) for pid in running.pids]
        threads = [int(name) for pid in running.pids for name in os.listdir(f"/proc/{pid}/task")]
        of_threads = [os.sched_getaffinity(thread) for thread in threads]
    if pinned and len(all_of_them) > 1:
        assert not allowed[0] & allowed[1]
        assert allowed[0] | allowed[1] == all_of_them
        assert all(one in allowed for one in of_threads)
    else:
        assert allowed == [all_of_them, all_of_them]


@pytest.mark.parametrize(
    ("many", "processors", "shares"),
    [
        (2, (0, 1), [{0}, {1}]),
        (2, (3, 5, 8, 9), [{3, 5}, {8, 9}]),
        (3, (0, 1, 2, 3), [{0}, {1}, {2, 3}]),
        (3, (0, 1), [{0, 1}] * 3),
        (2, (4,), [{4}] * 2),
    ],
)
def test_processors_are_shared_out_where_there_are_as_many_as_workers(many, processors, shares) -> None:
    assert [share_of(number, many, processors) for number in range(many)] == shares


def test_both_workers_answer_and_share_the_conversations_of_one_file(tmp_path: Path, book_settings: dict[str, str]) -> None:
    visitor = {"X-Visitor-Id": "v_" + token_urlsafe(16)}
    told: dict[str, list[str]] = {}

    def converse(number: int) -> None:
        ids: list[str] = []
        conversation: dict[str, str] = {}
        for _ in range(5):
            # A connection for each question, so that either worker may get it.
            reply = httpx.post(running.url + "/chat", json={**QUESTION, **conversation}, headers=visitor, trust_env=False)
            assert reply.status_code == 200, reply.text
            assert "history" not in reply.json()["degraded"]
            conversation = {"conversation_id": reply.json()["conversation_id"]}
            ids.append(reply.json()["message_id"])
        told[conversation["conversation_id"]] = ids

    with workers(tmp_path, STORE_TIMEOUT_S="20", DEADLINE_S="60", **book_settings) as running:
        rounds = 0
        while not rounds or min(running.asked_of_each("/chat")) == 0:
            asking = [threading.Thread(target=converse, args=(number,)) for number in range(8)]
            for thread in asking:
                thread.start()
            for thread in asking:
                thread.join(PATIENCE_S)
            rounds += 1
            assert len(told) == 8 * rounds, "a question failed"
            assert rounds < 20, f"one worker got nothing: {running.asked_of_each('/chat')}"
        for conversation, ids in told.items():
            read = httpx.get(f"{running.url}/conversations/{conversation}", headers=visitor, trust_env=False).json()
            assert [turn["message_id"] for turn in read["turns"]] == ids
        assert sum(running.asked_of_each("/chat")) == 40 * rounds
        print(f"questions of each: {running.asked_of_each('/chat')}")


def test_connections_that_a_proxy_keeps_open_are_shared_out(tmp_path: Path, book_settings: dict[str, str]) -> None:
    def ask(clients: list[httpx.Client]) -> list[int]:
        before = running.asked_of_each("/chat")
        asking = [threading.Thread(target=client.post, args=("/chat",), kwargs={"json": QUESTION}) for client in clients]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join(PATIENCE_S)
        return [after - earlier for after, earlier in zip(running.asked_of_each("/chat"), before, strict=True)]

    with workers(tmp_path, **book_settings) as running:
        rounds: list[list[int]] = []
        # A worker may be late once, for others use the machine too; one that takes all it can get is never.
        while not rounds or min(rounds[-1]) < 4:
            assert len(rounds) < 20, rounds
            clients = [httpx.Client(base_url=running.url, trust_env=False, timeout=PATIENCE_S) for _ in range(16)]
            rounds.append(ask(clients))
            for client in clients:
                client.close()
        print(f"sixteen connections, shared out: {rounds[-1]}")


def test_a_new_index_is_taken_up_by_both_workers_while_they_answer(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)

    def publish(run: str) -> None:
        pages = [
            passage(f"page{at}", f"Reset lamp number{at} by its button, says {run}.", site=settings.site) for at in range(50)
        ]
        asyncio.run(write_index(settings, pages))

    def says(run: str) -> bool:
        """Of twenty new connections in a row; a worker that missed it would give itself away."""
        replies = [httpx.post(running.url + "/chat", json={"query": "reset lamp number7"}, trust_env=False) for _ in range(20)]
        assert {reply.status_code for reply in replies} == {200}
        assert all(re.search("says (first|second)", reply.text) for reply in replies)
        return all(f"says {run}" in reply.text for reply in replies)

    publish("first")
    with workers(tmp_path, DATA_DIR=str(settings.data_dir)) as running:
        assert says("first")
        publish("second")
        until(lambda: says("second"), "both workers took up the new run")
        # Between two looks a worker is at most two seconds behind: nobody is any more.
        assert says("second")


# --- ending


def test_sigterm_ends_all_workers_and_loses_no_question(tmp_path: Path, book: Path, gemini: GeminiStandin) -> None:
    gemini.answer(["Run the image ", "[1]."], chunk_delay_s=0.15)
    with workers(tmp_path, **environment_of(tmp_path, book, gemini)) as running:
        pids = running.pids
        asked = httpx.Request("POST", running.url + "/chat", json=QUESTION)
        seen = one_round(running.process, running.url, asked, after_s=1.0)
        print(f"answered {seen.answered}, too late {seen.refused}, exit {seen.exit_code} after {seen.exit_s:.2f} s")
        assert seen.failed == []
        assert seen.answered >= 50
        assert seen.exit_code == 0
        assert len(pids) == 2
        assert not any(is_there(pid) for pid in pids)


def test_a_process_manager_that_signals_every_process_ends_them_as_well(tmp_path: Path, book_settings: dict[str, str]) -> None:
    with workers(tmp_path, **book_settings) as running:
        for pid in (*running.pids, running.process.pid):
            os.kill(pid, signal.SIGTERM)
        assert running.process.wait(20) == 0


def test_a_second_signal_ends_all_of_them_at_once(tmp_path: Path, book_settings: dict[str, str]) -> None:
    with workers(tmp_path, DRAIN_DELAY_S="30", **book_settings) as running:
        running.process.terminate()
        until(lambda: "shutting-down" in httpx.get(running.url + "/health/ready", trust_env=False).text, "it is unready")
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(20) == 128 + signal.SIGINT
        until(lambda: not any(is_there(pid) for pid in running.pids), "no worker is left")


def test_workers_do_not_outlive_a_parent_that_was_killed(tmp_path: Path, book_settings: dict[str, str]) -> None:
    with workers(tmp_path, **book_settings) as running:
        pids = running.pids
        running.process.kill()
        running.process.wait(10)
        until(lambda: not any(is_there(pid) for pid in pids), "the workers went down")


# --- crashes


def test_a_worker_that_is_killed_is_begun_anew_and_the_other_serves_meanwhile(
    tmp_path: Path, book_settings: dict[str, str]
) -> None:
    with workers(tmp_path, **book_settings) as running:
        first = running.pids
        os.kill(first[0], signal.SIGKILL)
        until(lambda: not is_there(first[0]), "it is dead")
        while len(running.pids) < 3:
            assert httpx.post(running.url + "/chat", json=QUESTION, trust_env=False).status_code == 200
        until(running.both_serve, "both serve again")
        logged = [line for line in running.log.read_text().splitlines() if '"worker_ended"' in line]
        assert len(logged) == 1
        assert f'"exit_code": {128 + signal.SIGKILL}' in logged[0]
        running.process.terminate()
        assert running.process.wait(20) == 0


# --- starting


def test_an_index_that_does_not_fit_is_refused_once_by_all_workers_together(
    tmp_path: Path, book_settings: dict[str, str]
) -> None:
    refused = run_out(tmp_path, **book_settings, **UNLIMITED, GEMINI_API_KEY=KEY)
    assert refused.returncode == 78
    assert refused.stderr.count("The index was made with other settings") == 1
    assert "Traceback" not in refused.stderr


def test_limits_that_each_worker_would_count_alone_are_refused(tmp_path: Path) -> None:
    refused = run_out(tmp_path)
    assert refused.returncode == 78
    assert "WEB_CONCURRENCY=2 needs LIMITS_URL" in refused.stderr


def test_a_port_that_is_taken_is_told_without_a_traceback(tmp_path: Path, book_settings: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = run_out(tmp_path, **book_settings, **UNLIMITED, PORT=str(taken.getsockname()[1]))
    assert refused.returncode == 3
    assert '"no_socket"' in refused.stdout
    assert "Traceback" not in refused.stderr + refused.stdout


def run_out(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """The server with two workers, until it ended by itself."""
    return subprocess.run(
        [sys.executable, *SERVER],
        cwd=folder,
        env=environment(**{"WEB_CONCURRENCY": "2", "PORT": "0", **settings}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that ended but whose parent is gone may still have its number until it is buried.
    status = Path(f"/proc/{pid}/stat")
    try:
        return not status.parent.parent.is_dir() or status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
