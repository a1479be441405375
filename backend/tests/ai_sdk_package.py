"""Whether Vercel's AI SDK is there to be tested with."""

import os
import shutil

import pytest

from ai_sdk_reader import CLIENT


@pytest.fixture(scope="session")
def ai_sdk_there() -> None:
    """Skip, visibly, where Node or the package is missing; REQUIRE_AI_SDK=1 turns the skip into a failure."""
    missing = "" if (CLIENT / "node_modules" / "ai").is_dir() else "the package ai is not installed: make ai-sdk-client"
    missing = missing if shutil.which("node") else "node is not installed"
    if missing and os.environ.get("REQUIRE_AI_SDK") == "1":
        pytest.fail(f"{missing} (REQUIRE_AI_SDK=1)")
    if missing:
        pytest.skip(missing)
