"""What starting costs and refuses: seen in interpreters of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import index_book
from lantern import settings_in

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


@pytest.mark.parametrize(
    ("environment", "unwanted"),
    [
        ({}, ["google.genai", "qdrant_client", "aiohttp"]),
        ({"GEMINI_API_KEY": "canary"}, ["qdrant_client", "onnxruntime"]),
        ({"QDRANT_HOST": "127.0.0.1:9", "LOCAL_EMBEDDER": "false"}, ["google.genai", "aiohttp", "onnxruntime"]),
    ],
    ids=["offline", "gemini", "qdrant"],
)
def test_a_service_loads_only_the_provider_and_engine_it_was_set_to(
    tmp_path: Path, environment: dict[str, str], unwanted: list[str]
) -> None:
    code = """if True:
        import asyncio, json, sys
        from chatbot_api.main import app
        async def run():
            async with app.router.lifespan_context(app):
                loaded = [name for name in ("google.genai", "qdrant_client", "aiohttp", "onnxruntime") if name in sys.modules]
            print("loaded", json.dumps(loaded))
        asyncio.run(run())
    """
    done = run_fresh(code, tmp_path, DATA_DIR=str(tmp_path / "data"), LOG_LEVEL="error", **environment)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.rpartition("loaded ")[2])
    assert not set(loaded) & set(unwanted)
