"""Whether the package mcp is there to be tested."""

import os
import warnings
from importlib import import_module
from importlib.util import find_spec

import pytest


@pytest.fixture(scope="session")
def mcp_there() -> None:
    """Skip, visibly, where the package mcp is not installed; REQUIRE_MCP=1 turns the skip into a failure."""
    if find_spec("mcp") is None:
        if os.environ.get("REQUIRE_MCP") == "1":
            pytest.fail("the package mcp is not installed (REQUIRE_MCP=1)")
        pytest.skip("the package mcp is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        import_module("mcp.client.client")
