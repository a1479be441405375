"""Traces as OpenTelemetry's own SDK collects them: a span for each call of an upstream, and nothing that a reader wrote."""

import json
from pathlib import Path

import pytest

from chatbot_api.config import Settings
from conftest import index_book, with_gemini
from gemini_standin import GeminiStandin
from lantern import settings_in
from processes import ran

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

ASK = """
import asyncio, json, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)

from chatbot_api.config import load_settings
from chatbot_api.models.chat_models import ChatRequest
from chatbot_api.reliability import Deadline
from chatbot_api.wiring import open_services

async def main():
    async with open_services(load_settings()) as services:
        with trace.get_tracer("test").start_as_current_span("request"):
            for query in sys.argv[1:]:
                await services.chat.reply(ChatRequest(query=query), "v_abcdefghijklmnopqrstuv", Deadline(5))

asyncio.run(main())
spans = [json.loads(span.to_json()) for span in kept.get_finished_spans()]
print("SPANS " + json.dumps(spans))
"""


def environment_of(settings: Settings, gemini: GeminiStandin) -> dict[str, str]:
    values = with_gemini(gemini)
    return {"DATA_DIR": str(settings.data_dir), **{name.upper(): str(value) for name, value in values.items()}}


def test_each_call_has_a_span_with_the_models_name_below_the_requests_own(
    gemini: GeminiStandin, book: Path, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path, **with_gemini(gemini))
    index_book(settings, book)
    done = ran(["-c", ASK, "How do I install Lantern with Docker? canary"], tmp_path, **environment_of(settings, gemini))
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("SPANS ")]
    spans = json.loads(line.removeprefix("SPANS "))
    names = [span["name"] for span in spans]
    for name in ("embeddings gemini-embedding-001", "retrieve docs", "chat gemini-3.5-flash-lite"):
        assert names.count(name) == 1, names
    request = next(span for span in spans if span["name"] == "request")
    for span in spans:
        if span is not request:
            assert span["parent_id"] == request["context"]["span_id"], span["name"]
            assert span["attributes"]["gen_ai.operation.name"] == span["name"].partition(" ")[0]
    assert "canary" not in json.dumps(spans)


def test_a_call_that_failed_says_so_in_its_span(gemini: GeminiStandin, book: Path, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, **with_gemini(gemini))
    index_book(settings, book)
    gemini.fail("400")
    done = ran(["-c", ASK, "How do I install Lantern with Docker?"], tmp_path, **environment_of(settings, gemini))
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("SPANS ")]
    (failed,) = [span for span in json.loads(line.removeprefix("SPANS ")) if span["name"].startswith("chat")]
    assert failed["status"]["status_code"] == "ERROR"
    assert failed["attributes"]["error.type"]
