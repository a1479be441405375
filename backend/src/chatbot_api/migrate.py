"""``python -m chatbot_api.migrate``: makes the conversations' tables or brings them up to date, before the service starts.

Exit codes: 0 done, 3 the database can't be reached or written, 78 (EX_CONFIG) it is no database of ours or damaged, or the
settings are wrong.
"""

import asyncio
import sys

from chatbot_api.config import Settings, load_settings
from chatbot_api.errors import EX_CONFIG, StartRefused, StoreDamaged, StoreUnavailable
from chatbot_api.services.conversation_tables import SCHEMA
from chatbot_api.services.database import Database

UNAVAILABLE = 3


def main() -> int:
    """Migrate the database the settings name; one line tells how it went."""
    try:
        settings = load_settings()
        database_kind = asyncio.run(_migrate(settings))
    except StartRefused as error:
        return _told(" ".join(error.problems), EX_CONFIG)
    except StoreDamaged as error:
        return _told(
            f"The conversations' database is damaged or not this service's, and was left as it is: {error.cause}", EX_CONFIG
        )
    except StoreUnavailable as error:
        return _told(f"The conversations' database can't be reached or written: {error.cause}", UNAVAILABLE)
    print(f"Conversations ({database_kind}): revision {SCHEMA}.")  # noqa: T201 - what this command is run for
    return 0


async def _migrate(settings: Settings) -> str:
    database = Database.at(settings.database_url.get_secret_value(), settings.sqlite_file, settings.store_timeout_s)
    try:
        await database.migrate()
    finally:
        await database.close()
    return database.place


def _told(line: str, code: int) -> int:
    print(line, file=sys.stderr)  # noqa: T201 - what this command is run for
    return code


if __name__ == "__main__":
    sys.exit(main())
