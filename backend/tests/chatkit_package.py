"""Whether openai-chatkit is there to be tested."""

import os
import warnings
from importlib import import_module
from importlib.util import find_spec

import pytest


@pytest.fixture(scope="session")
def chatkit_there() -> None:
    """Skip, visibly, where openai-chatkit is not installed; REQUIRE_CHATKIT=1 turns the skip into a failure."""
    if find_spec("chatkit") is None:
        if os.environ.get("REQUIRE_CHATKIT") == "1":
            pytest.fail("openai-chatkit is not installed (REQUIRE_CHATKIT=1)")
        pytest.skip("openai-chatkit is not installed")
    with warnings.catch_warnings():
        # Its own module of widgets derives from classes it calls deprecated; here a warning is an error.
        warnings.simplefilter("ignore", DeprecationWarning)
        import_module("chatkit.server")
