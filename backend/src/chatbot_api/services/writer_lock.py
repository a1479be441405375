"""Keeps a second indexer out: a lock on a file, which the operating system releases when its holder ends, however it ends."""

import errno
import sys
from pathlib import Path
from typing import IO

from chatbot_api.errors import SearchUnavailable

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class WriterLock:
    """Held by one writer at a time. The file stays: to delete it would let two hold locks on two files of one name."""

    def __init__(self, path: Path) -> None:
        """``path``: the file, made when it isn't there. Nothing is locked yet."""
        self._path = path
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Hold the lock; once more does nothing. Raises SearchUnavailable when another holds it, or the file can't be made."""
        if self._file is not None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise SearchUnavailable(f"{self._path.parent} can't be written: {error.strerror}") from error
        try:
            _lock(file)
        except OSError as error:
            # Some network file systems have no locks at all: there it is the owner who has to run one indexer at a time.
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                file.close()
                raise SearchUnavailable("the index is being written by another process: wait until it has ended") from error
        self._file = file

    def release(self) -> None:
        """Let the next one in."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
