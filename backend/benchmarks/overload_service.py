"""The service that the overload is put on, and the stand-in for Gemini behind it, in processes of their own."""

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from socket import socket

from overload_readers import asked

MODEL_S = 0.3
DIMENSIONS = 128
SOURCE = Path(__file__).resolve().parents[1] / "src"
PAGE = "---\ntitle: Lamps\n---\n\n## Pair a lamp\n\nHold the button for three seconds to pair a lamp.\n"
CHUNKS = ["Hold the button ", "for three seconds ", "[1]."]


def _embedded(body: bytes) -> bytes:
    wanted = len(json.loads(body).get("requests", [0]))
    vector = {"values": [1.0] + [0.0] * (DIMENSIONS - 1)}
    return json.dumps({"embeddings": [vector] * wanted}).encode()


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            body = await reader.readexactly(length)
            if b"mbedContent" in head.split(b"\r\n")[0]:
                said = _embedded(body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n" % len(said) + said)
                continue
            await asyncio.sleep(MODEL_S)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number, text in enumerate(CHUNKS):
                finish = {"finishReason": "STOP"} if number == len(CHUNKS) - 1 else {}
                candidate = {"content": {"role": "model", "parts": [{"text": text}]}, **finish}
                usage = {"promptTokenCount": 900, "candidatesTokenCount": 4 * (number + 1)}
                event = b"data: %s\r\n\r\n" % json.dumps({"candidates": [candidate], "usageMetadata": usage}).encode()
                writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            writer.write(b"0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@contextmanager
def model() -> Iterator[int]:
    """The port of a stand-in for Gemini in a process of its own."""
    told, telling = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_stand_in, args=(telling,), daemon=True)
    process.start()
    try:
        yield told.recv()
    finally:
        process.terminate()


def _stand_in(told: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.start_server(_say, "127.0.0.1", 0, backlog=1024)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@asynccontextmanager
async def service(model_port: int, folder: Path, **settings: str) -> AsyncIterator[tuple[int, int]]:
    """A running service: its port and its process id."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "GEMINI_API_KEY": "stand-in-key",
        "GEMINI_BASE_URL": f"http://127.0.0.1:{model_port}",
        "EMBEDDING_DIMENSIONS": str(DIMENSIONS),
        "DATA_DIR": str(folder / "data"),
        "PORT": str(port),
        "LOG_LEVEL": "error",
        "TRUSTED_PROXY_HOPS": "1",
        "DEMO_PAGE": "false",
        # All ask the same here, and every answer is to take the model's time.
        "ANSWER_CACHE_TTL_S": "0",
        "EMBEDDING_CACHE_SIZE": "0",
        **settings,
    }
    process = _started(folder / "docs", environment)
    try:
        for _ in range(400):
            await asyncio.sleep(0.05)
            try:
                if (await asked(port, "GET", "/health/ready")).status == 200:
                    break
            except OSError:
                continue
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(15)


def _started(docs: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """The service's process; the first time the page is indexed."""
    if not docs.exists():
        docs.mkdir()
        (docs / "lamps.md").write_text(PAGE, encoding="utf-8")
        command = [sys.executable, "-m", "qdrant_indexer", "index", str(docs)]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return subprocess.Popen([sys.executable, "-m", "chatbot_api.server"], env=environment, stdout=subprocess.DEVNULL)


def rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
