"""What the MCP door costs where it is off and where it is on, what is said without its package, and the door without a server."""

# ruff: noqa: PLC0415 - the package may be missing; then the tests are skipped

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import pytest

from chatbot_api.config import load_settings
from chatbot_api.errors import StartRefused
from conftest import BOOK, index_book, serving
from lantern import settings_in
from mcp_agent import MODES, got, message, text_of
from processes import LIMIT_S, environment, ran

if TYPE_CHECKING:
    from mcp import Client

pytest_plugins = ["mcp_package"]
QUESTION = "How do I install Lantern with Docker?"
STDIO = ["-m", "chatbot_api.mcp_stdio"]
BLOCKED = """if True:
    import sys
    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "mcp":
                raise ModuleNotFoundError("No module named " + name, name=name)
    sys.meta_path.insert(0, Missing())
    from chatbot_api.{module} import main
    sys.exit(main())
"""
LOADED = """if True:
    import json, os, sys, time
    import chatbot_api.main as door
    def resident():  # not the peak, which a process has from the one that started it
        if not os.path.exists("/proc/self/statm"):
            return 0
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    before, started = resident(), time.monotonic()
    app = door.app
    took = time.monotonic() - started
    names = sorted({name.partition(".")[0] for name in sys.modules} & {"mcp", "mcp_types", "sse_starlette", "jsonschema"})
    grown = resident() - before
    print(json.dumps([names, "/mcp" in app.openapi()["paths"], took, grown]))
"""


def loaded(folder: Path, **settings: str) -> tuple[list[str], bool, float, float]:
    """Which packages making the app loads, whether the door is in the reference, the seconds and the MiB that took."""
    done = ran(["-c", LOADED], folder, **settings)
    assert done.returncode == 0, done.stderr
    return tuple(json.loads(done.stdout.splitlines()[-1]))  # type: ignore[return-value]


def test_where_it_is_off_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    names, is_there, _, _ = loaded(tmp_path, MCP_ASK_ENABLED="true", MCP_ALLOWED_HOSTS="ask.example.com")
    assert (names, is_there) == ([], False)


def test_where_it_is_on_it_is_loaded_and_in_the_reference_and_its_cost_is_bounded(tmp_path: Path, mcp_there: None) -> None:
    _, _, seconds_off, grown_off = loaded(tmp_path)
    names, is_there, seconds_on, grown_on = loaded(tmp_path, MCP_ENABLED="true")
    assert {"mcp", "mcp_types"} <= set(names)
    assert is_there
    print(f"MCP_ENABLED=true: {seconds_on - seconds_off:.2f} s and {grown_on - grown_off:.0f} MiB more at start")
    assert grown_on - grown_off < 100


@pytest.mark.parametrize("module", ["server", "mcp_stdio"])
def test_a_service_that_is_to_speak_mcp_without_its_package_says_how_to_get_it(tmp_path: Path, book: Path, module: str) -> None:
    index_book(settings_in(tmp_path), book)
    settings = {"MCP_ENABLED": "true", "DATA_DIR": str(tmp_path / "data"), "PORT": "0"}
    done = ran(["-c", BLOCKED.format(module=module)], tmp_path, **settings)
    assert done.returncode == 78, done.stderr
    assert "Traceback" not in done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("  - ")]
    assert "pip install -r backend/requirements-mcp.txt" in sentence


def test_a_name_that_is_no_host_is_refused_at_start(tmp_path: Path) -> None:
    for wrong in ("https://ask.example.com", "ask.example.com/mcp", "a b", "ask.example.com:x"):
        with pytest.raises(StartRefused) as refused:
            load_settings(tmp_path / "none.env", mcp_allowed_hosts=f"localhost, {wrong}")
        (sentence,) = refused.value.problems
        assert "MCP_ALLOWED_HOSTS" in sentence
        assert "write names such as api.example.com" in sentence


# --- without a server


@asynccontextmanager
async def local_agent(folder: Path, mode: str = "auto", **settings: str) -> AsyncIterator["Client"]:
    """A client that started the door as a process of its own."""
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    started = StdioServerParameters(
        command=sys.executable,
        args=STDIO,
        cwd=folder,
        env=environment(DATA_DIR=str(folder / "data"), SITE_TITLE="Lantern", **settings),
    )
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(Client(stdio_client(started), mode=mode))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, book: Path, mcp_there: None) -> Path:
    """A folder with the book's index in ``data``."""
    folder = tmp_path_factory.mktemp("stdio")
    index_book(settings_in(folder), book)
    return folder


@pytest.mark.parametrize("mode", MODES)
async def test_a_local_agent_has_the_same_tools_over_standard_input_and_output(indexed: Path, mode: str) -> None:
    async with local_agent(indexed, mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["search_docs", "fetch_doc", "list_pages"]
        found = got(await client.call_tool("search_docs", {"question": QUESTION}))
        page = got(await client.call_tool("fetch_doc", {"url": found["results"][0]["url"]}))
        wrong = await client.call_tool("fetch_doc", {"url": "/docs/none"})
    assert page["text"] == "# Install\n\n" + BOOK["install.md"].rpartition("---\n\n")[2].strip()
    assert wrong.is_error


async def test_a_local_agent_asks_on_as_one_visitor_while_a_service_runs_over_the_same_index(indexed: Path) -> None:
    with serving(settings_in(indexed)) as service:
        async with local_agent(indexed, MCP_ASK_ENABLED="true") as client:
            first = got(await client.call_tool("ask_docs", {"query": QUESTION}))
            asked = {"query": "and on Windows?", "conversation_id": first["conversation_id"]}
            second = got(await client.call_tool("ask_docs", asked))
        assert service.url
    assert second["conversation_id"] == first["conversation_id"]
    assert "Windows" in second["understood_as"]
    assert second["understood_as"] != "and on Windows?"


async def test_a_local_agent_without_an_index_is_told_so(tmp_path: Path, mcp_there: None) -> None:
    async with local_agent(tmp_path) as client:
        told = await client.call_tool("search_docs", {"query": QUESTION})
    assert told.is_error
    assert text_of(told) == "The documentation has not been indexed yet. (problem: index-missing)"


class LocalServer:
    """A process that speaks MCP over standard input and output, a line each."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin
        assert process.stdout
        self.process, self._said, self._told = process, process.stdin, process.stdout

    def say(self, *lines: str) -> None:
        self._said.write("".join(f"{line}\n" for line in lines))
        self._said.flush()

    def told(self) -> dict[str, Any]:
        return json.loads(self._told.readline())


@contextmanager
def local_server(folder: Path, **settings: str) -> Iterator[LocalServer]:
    """Over the index below ``folder``; killed at the end if it still runs."""
    command, given = [sys.executable, *STDIO], environment(DATA_DIR=str(folder / "data"), **settings)
    with subprocess.Popen(command, cwd=folder, env=given, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as process:
        try:
            yield LocalServer(process)
        finally:
            process.kill()


def test_standard_output_holds_the_protocol_alone_and_the_end_of_input_ends_the_process(indexed: Path) -> None:
    handshake = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    call = {**message("tools/call", {"name": "search_docs", "arguments": {"query": QUESTION}})[0], "id": 2}
    with local_server(indexed, LOG_LEVEL="debug") as server:
        server.say(
            json.dumps(message("initialize", handshake)[0]),
            json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
            "no message at all",
            json.dumps(call),
        )
        told = [server.told()]
        while told[-1].get("id") != 2:
            told.append(server.told())
        rest, logged = server.process.communicate(timeout=LIMIT_S)  # closes standard input
    assert told[0]["result"]["serverInfo"]["name"] == "ask-ai"
    assert told[-1]["result"]["structuredContent"]["results"][0]["title"] == "Install"
    assert (rest, server.process.returncode) == ("", 0)
    assert '"event": "services_open"' in logged
    assert QUESTION not in logged


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_process_though_standard_input_is_open(indexed: Path, sent: signal.Signals) -> None:
    with local_server(indexed) as server:
        server.say(json.dumps(message("ping")[0]))
        assert server.told()["id"] == 1
        server.process.send_signal(sent)
        assert server.process.wait(LIMIT_S) == 0
