"""What starting costs and refuses: seen in interpreters of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from qdrant_client import models

from conftest import index_book
from lantern import settings_in
from qdrant_standin import QdrantStandin

SRC = Path(__file__).resolve().parents[1] / "src"


def run_fresh(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter, in a folder of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(SRC), "PATH": "", **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_importing_the_door_reads_no_settings_and_loads_no_engine(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=poison\n", encoding="utf-8")
    code = """if True:
        import json, sys
        opened = []
        sys.addaudithook(lambda event, values: opened.append(str(values[0])) if event == "open" else None)
        import chatbot_api.main
        heavy = [name for name in ("qdrant_client", "google.genai", "aiohttp", "onnxruntime") if name in sys.modules]
        print(json.dumps([heavy, [path for path in opened if path.endswith(".env")]]))
    """
    done = run_fresh(code, tmp_path, PORT="poison", PROVIDER="poison")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[], []]


def test_asking_the_door_for_its_app_reads_the_settings_and_refuses_bad_ones_with_exit_code_78(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=poison\n", encoding="utf-8")
    done = run_fresh("import chatbot_api.main as door; door.app", tmp_path, PROVIDER="gemini")
    assert done.returncode == 78
    assert "2 problem(s)" in done.stderr
    assert "PORT: " in done.stderr
    assert "PROVIDER=gemini needs GEMINI_API_KEY" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_server_refuses_bad_settings_and_an_index_of_others_with_exit_code_78_and_no_secret(
    tmp_path: Path, book: Path
) -> None:
    serve = "import sys; from chatbot_api.server import main; sys.exit(main())"
    canary = "canary-key-0123456789-never-shown"
    settings = settings_in(tmp_path)
    index_book(settings, book)
    refused = run_fresh(serve, tmp_path, QDRANT_API_KEY=canary, CORS_ORIGINS="null")
    assert "QDRANT_API_KEY is set but QDRANT_HOST is empty" in refused.stderr
    mismatched = run_fresh(serve, tmp_path, DATA_DIR=str(settings.data_dir), GEMINI_API_KEY=canary, PORT="0")
    assert "The index was made with other settings" in mismatched.stderr
    for done in (refused, mismatched):
        assert done.returncode == 78
        assert canary not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


NOT_AT_START = {
    *("google.genai", "google.generativeai", "aiohttp", "httpx", "qdrant_client", "grpc"),
    *("numpy", "onnxruntime", "tokenizers", "alembic", "asyncpg", "redis"),
    *("qdrant_indexer", "markdown_it", "selectolax", "yaml", "mcp", "chatkit", "agents", "openai", "limits"),
}
"""Packages that are installed and that take their time: none is imported unless what is set needs it for the first /health."""


@pytest.mark.parametrize(
    ("environment", "needed"),
    [
        ({}, set[str]()),
        ({"GEMINI_API_KEY": "canary"}, {"aiohttp"}),
        ({"QDRANT_HOST": "127.0.0.1:9", "LOCAL_EMBEDDER": "false"}, {"aiohttp"}),
        ({"QDRANT_HOST": "https://127.0.0.1:9", "GEMINI_API_KEY": "canary"}, {"aiohttp"}),
        ({"DEMO_DOCS": "docs"}, {"qdrant_indexer", "markdown_it", "selectolax", "yaml"}),
    ],
    ids=["offline", "gemini", "qdrant", "gemini and qdrant", "demo with pages"],
)
def test_a_service_imports_only_what_its_settings_need_for_a_start(
    tmp_path: Path, environment: dict[str, str], needed: set[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "intro.md").write_text("# Lamps\n\nText.\n", encoding="utf-8")
    code = """if True:
        import asyncio, json, sys
        from chatbot_api import guarded_server
        from chatbot_api.main import app
        async def run():
            async with app.router.lifespan_context(app):
                print("loaded", json.dumps(list(sys.modules)))
        asyncio.run(run())
    """
    done = run_fresh(code, tmp_path, DATA_DIR=str(tmp_path / "data"), LOG_LEVEL="error", **environment)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.rpartition("loaded ")[2]))
    assert "fastapi" in loaded
    assert loaded & NOT_AT_START <= needed


THE_CLIENT = {"qdrant_client", "grpc", "httpx", "numpy"}
"""The official client, and what comes with it."""


def test_a_collection_of_ours_is_searched_and_read_without_the_official_client(
    tmp_path: Path, book: Path, qdrant: QdrantStandin
) -> None:
    settings = settings_in(tmp_path, qdrant_host=qdrant.url)
    (one, *_) = index_book(settings, book)
    code = f"""if True:
        import asyncio, json, sys
        from chatbot_api import guarded_server
        from chatbot_api.main import app
        from chatbot_api.models.index_models import Scope
        async def run():
            async with app.router.lifespan_context(app) as state:
                index = state["services"].index
                found = await index.search(None, {one.text!r}, Scope({one.site!r}), 5)
                of_page = await index.of_page([{one.url!r}], {one.site!r}, 50)
                by_id = await index.passages([{one.id!r}], {one.site!r})
                places = [place async for batch in index.places({one.site!r}) for place in batch]
                counts = [len(found), len(of_page), len(by_id), len(places)]
                print("loaded", json.dumps([index.is_foreign, await index.check(), counts, list(sys.modules)]))
        asyncio.run(run())
    """
    environment = {"DATA_DIR": str(settings.data_dir), "LOCAL_EMBEDDER": "false", "LOG_LEVEL": "error"}
    done = run_fresh(code, tmp_path, QDRANT_HOST=qdrant.url, **environment)
    assert done.returncode == 0, done.stderr
    is_foreign, passages, counts, loaded = json.loads(done.stdout.rpartition("loaded ")[2])
    assert not is_foreign
    assert all(counts)
    assert counts[-1] == passages
    assert set(loaded) & THE_CLIENT == set()


def test_the_official_client_is_imported_for_a_collection_of_another_tool_and_not_by_the_thread_that_answers(
    tmp_path: Path, qdrant: QdrantStandin
) -> None:
    size = models.VectorParams(size=256, distance=models.Distance.COSINE)
    qdrant.client.create_collection("made", vectors_config=size)
    point = models.PointStruct(id=1, vector=[1.0] * 256, payload={"text": "Pair the lamp.", "url": "/docs/pair"})
    qdrant.client.upsert("made", [point])
    code = """if True:
        import asyncio, json, sys, threading
        from chatbot_api import guarded_server
        from chatbot_api.main import app
        importers = []
        class Watch:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "qdrant_client":
                    importers.append(threading.current_thread() is threading.main_thread())
        sys.meta_path.insert(0, Watch())
        async def run():
            async with app.router.lifespan_context(app) as state:
                index = state["services"].index
                print("loaded", json.dumps([index.is_foreign, await index.check(), sorted(set(importers))]))
        asyncio.run(run())
    """
    environment = {"QDRANT_COLLECTION_NAME": "made", "GEMINI_API_KEY": "canary", "EMBEDDING_DIMENSIONS": "256"}
    done = run_fresh(code, tmp_path, QDRANT_HOST=qdrant.url, DATA_DIR=str(tmp_path / "data"), LOG_LEVEL="error", **environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.rpartition("loaded ")[2]) == [True, 1, [False]]


def test_the_local_model_is_loaded_when_the_service_is_up_though_nobody_asks(embedder_there: None, tmp_path: Path) -> None:
    code = """if True:
        import asyncio, sys
        from chatbot_api.main import app
        async def run():
            async with app.router.lifespan_context(app) as state:
                assert "onnxruntime" not in sys.modules
                minilm = state["services"].model._minilm
                while minilm._network is None:
                    await asyncio.sleep(0.01)
        asyncio.run(run())
    """
    done = run_fresh(code, tmp_path, DATA_DIR=str(tmp_path / "data"), LOG_LEVEL="error")
    assert done.returncode == 0, done.stderr


def test_a_local_model_that_can_not_be_loaded_leaves_a_search_by_words_and_is_told(embedder_there: None, tmp_path: Path) -> None:
    broken = tmp_path / "site" / "onnxruntime"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('of another machine')\n", encoding="utf-8")
    code = """if True:
        import asyncio
        from chatbot_api.config import load_settings
        from chatbot_api.engines import provider_of
        from chatbot_api.errors import ModelUnavailable
        from chatbot_api.reliability import Deadline
        async def run():
            later = []
            model = provider_of(load_settings(), later=later)
            assert model.problems == []
            later[0]()
            assert model.problems == ["embedding: local embedder unavailable"]
            try:
                await model.embed_query("How do I pair a lamp?", Deadline(20))
            except ModelUnavailable as error:
                assert "of another machine" in error.cause
            else:
                raise AssertionError("a vector of nothing")
            assert provider_of(load_settings()).embedder.model == "none"
        asyncio.run(run())
    """
    done = run_fresh(code, tmp_path, PYTHONPATH=f"{tmp_path / 'site'}{os.pathsep}{SRC}", DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("lexical_only") == 2


def test_the_parent_of_several_workers_imports_neither_the_web_framework_nor_an_engine(tmp_path: Path) -> None:
    code = """if True:
        import json, sys
        from chatbot_api.server import main
        code = main()
        print("loaded", json.dumps([code, list(sys.modules)]))
    """
    limits = {"RATE_LIMIT_PER_VISITOR": "none", "RATE_LIMIT_PER_ADDRESS": "none"}
    done = run_fresh(code, tmp_path, WEB_CONCURRENCY="2", HOST="not.a.host.invalid", **limits)
    code, loaded = json.loads(done.stdout.rpartition("loaded ")[2])
    assert code == 3  # no socket there, so no worker was begun
    assert set(loaded) & (NOT_AT_START | {"fastapi", "uvicorn", "sqlalchemy", "qdrant_edge"}) == set()
