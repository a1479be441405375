"""Which of the two Gemini SDKs the contract suites run: GEMINI_SDK_UNDER_TEST=google-generativeai is `make test-legacy-sdk`."""

import os

import pytest

SDK = os.environ.get("GEMINI_SDK_UNDER_TEST") or "google-genai"
if SDK not in ("google-genai", "google-generativeai"):
    raise ValueError(f"GEMINI_SDK_UNDER_TEST={SDK} is no SDK of the service")
IS_OLDER = SDK == "google-generativeai"


def of_google_genai(what_differs: str) -> pytest.MarkDecorator:
    """Marks a test of what only google-genai does; website/docs/gemini.md tells the difference."""
    return pytest.mark.skipif(IS_OLDER, reason=f"google-generativeai: {what_differs}")


of_google_generativeai = pytest.mark.skipif(not IS_OLDER, reason="needs google-generativeai: make test-legacy-sdk")
"""Marks a test of what only google-generativeai does."""
