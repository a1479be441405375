"""A process that keeps turns as fast as it can and tells the id of each once it is kept.

``FILE NAME COUNT``: keeps so many turns and prints their ids. ``FILE``: for each name on stdin forks a child that does so until
it is killed, its ids in the file ``NAME.told`` beside, and prints the child's process id. A fork spares it the imports.
"""

import asyncio
import os
import signal
import sys
from itertools import count, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import sqlalchemy.dialects.sqlite  # noqa: F401 - imported before the fork

from chatbot_api.errors import StoreUnavailable
from chatbot_api.models.conversation_models import StoredTurn
from chatbot_api.services.conversation_store import ConversationStore
from chatbot_api.services.database import Database

TASKS = 4


async def write_turns(file: Path, name: str, turns: int | None, out: int) -> None:
    database = Database.at("", file, 20)
    store = ConversationStore(database, ttl_days=30, keep_questions=True)
    numbers = islice(count(), turns)

    async def write(task: int) -> None:
        for number in numbers:
            turn = StoredTurn(f"{name}-{number}", "question", None, "answer " * 50, None)
            while True:
                try:
                    await store.remember("v", f"{name}-{task}", turn)
                    break
                except StoreUnavailable:  # the others were quicker for two seconds on end
                    continue
            os.write(out, f"{turn.message_id}\n".encode())

    await asyncio.gather(*(write(task) for task in range(TASKS)))
    await database.close()


def fork_for_each_name(file: Path) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    for line in sys.stdin:
        name = line.strip()
        child = os.fork()
        if child == 0:
            out = os.open(file.with_name(f"{name}.told"), os.O_CREAT | os.O_WRONLY)
            asyncio.run(write_turns(file, name, None, out))
        print(child, flush=True)


if len(sys.argv) == 2:
    fork_for_each_name(Path(sys.argv[1]))
else:
    asyncio.run(write_turns(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), 1))
