"""Closes the databases that a test of upstream's opened, in its loop: the conftest.py of the run."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from helpers.mock_store import opened


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    database = opened.pop(asyncio.get_running_loop(), None)
    if database is not None:
        await database.close()
