"""What a database driver's failure is called here: unavailable, which passes, or damaged, which its owner has to mend."""

from sqlalchemy.exc import DBAPIError

from chatbot_api.errors import StoreDamaged, StoreError, StoreUnavailable

_SQLITE_DAMAGED = {11, 26}
"""SQLITE_CORRUPT and SQLITE_NOTADB (sqlite.org/rescode.html); the upper bytes of a code tell only where it was found."""
_POSTGRES_DAMAGED = {"XX001", "XX002"}
"""data_corrupted and index_corrupted (PostgreSQL, appendix A)."""
_LONGEST_CAUSE = 200


def named(error: Exception) -> StoreError:
    """The failure to raise instead of a driver's or SQLAlchemy's own.

    The cause is the driver's first line: SQLAlchemy's message would put the statement, with a reader's words, in the log.
    """
    origin: BaseException = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    code = getattr(origin, "sqlite_errorname", None) or getattr(origin, "sqlstate", None) or type(origin).__name__
    line = (str(origin).splitlines() or [""])[0]
    cause = f"{code}: {line}"[:_LONGEST_CAUSE]
    number = getattr(origin, "sqlite_errorcode", None)
    damaged = (isinstance(number, int) and number & 0xFF in _SQLITE_DAMAGED) or (
        getattr(origin, "sqlstate", None) in _POSTGRES_DAMAGED
    )
    return StoreDamaged(cause) if damaged else StoreUnavailable(cause)
