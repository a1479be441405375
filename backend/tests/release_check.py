"""``make release-check``: builds the packages as they would be released, and uses each where nothing else of ours is.

The backend: a source distribution, the wheel made of it, both commands in a fresh environment, over a book of three pages.
The widget: ``npm pack``, unpacked in an empty project, its entries imported. Exit code 1, and why, when something is missing.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from loopback import listen

ROOT = Path(__file__).resolve().parents[2]
BACKEND, WIDGET = ROOT / "backend", ROOT / "widget"
PATIENCE_S = 120
PAGE = "---\ntitle: Lamps\n---\n\n## Pair a lamp\n\nHold the button for three seconds to pair a lamp with the hub.\n"
LOADED_BY_DOCUSAURUS = """
const jiti = require("jiti");
const plugin = (jiti.createJiti ?? jiti)(process.cwd() + "/docusaurus.config.js")("%s");
if (typeof (plugin.default ?? plugin) !== "function") process.exit(1);
"""
"""Docusaurus loads plugins with jiti, which it brings: modules of either kind may name one another's exports there."""


class Missing(Exception):
    """What a release lacks."""


def run(*command: str, folder: Path, **environment: str) -> str:
    """What a program printed. Raises Missing with its words when it fails; nothing of this checkout is on its path."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=folder, env={**kept, **environment}, capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode:
        raise Missing(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def built_wheel(folder: Path) -> Path:
    """The wheel, built of the source distribution, of a copy of the backend: nothing is left in the checkout."""
    source = folder / "backend"
    source.mkdir()
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(BACKEND / name, source)
    shutil.copytree(BACKEND / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", ".*"))
    run(sys.executable, "-m", "build", "--outdir", str(folder / "dist"), str(source), folder=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def look_into(wheel: Path) -> None:
    """Every file of the packages has to be there, code or not."""
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    wanted = {
        path.relative_to(BACKEND / "src").as_posix()
        for path in (BACKEND / "src").rglob("*")
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" or ".egg-info" in part for part in path.parts)
    }
    if left_out := wanted - names:
        raise Missing(f"the wheel lacks {sorted(left_out)}")


def use_backend(folder: Path, wheel: Path) -> str:
    """Install the wheel into a fresh environment, index a page by its commands, and ask."""
    run(sys.executable, "-m", "venv", str(folder / "venv"), folder=folder)
    binaries = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    python = str(binaries / "python")
    constraint = str(BACKEND / "requirements-dev.txt")
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", constraint, str(wheel), folder=folder)
    run(python, "-m", "pip", "check", folder=folder)
    docs, away = folder / "docs", folder / "away"
    docs.mkdir()
    away.mkdir()
    (docs / "lamps.md").write_text(PAGE, encoding="utf-8")
    settings = {"DATA_DIR": str(away / "data")}
    run(str(binaries / "ask-ai-index"), "index", str(docs), folder=away, **settings)
    with listen() as free:
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(binaries / "ask-ai-server")]
    with subprocess.Popen(command, cwd=away, env={**kept, **settings, "PORT": str(port)}, stdout=subprocess.DEVNULL) as service:
        try:
            answer = asked(f"http://127.0.0.1:{port}")
            service.terminate()
            if service.wait(30):
                raise Missing(f"the service ended with {service.returncode}")
        finally:
            service.kill()
    if answer["outcome"] != "answered" or "three seconds" not in answer["response"]:
        raise Missing(f"the installed service answered {answer}")
    return str(answer["response"])


def asked(url: str) -> dict[str, object]:
    """The answer to a question, as soon as the service is there; the demo page's files have to be, too."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            opener.open(f"{url}/health/ready", timeout=5).close()
            break
        except (OSError, urllib.error.URLError):
            if time.monotonic() > end:
                raise Missing("the installed service did not become ready") from None
            time.sleep(0.1)
    opener.open(f"{url}/", timeout=10).close()
    body = json.dumps({"query": "How do I pair a lamp?"}).encode()
    request = urllib.request.Request(f"{url}/chat", body, {"Content-Type": "application/json"})
    with opener.open(request, timeout=30) as reply:
        return json.load(reply)


def use_widget(folder: Path) -> list[str]:
    """Pack the widget, install it into an empty project, and look for all its package.json promises."""
    if not (WIDGET / "node_modules").is_dir():
        run("npm", "ci", "--silent", "--no-audit", "--no-fund", folder=WIDGET)
    printed = run("npm", "pack", "--json", "--silent", "--pack-destination", str(folder), folder=WIDGET)
    told = json.loads(printed[printed.index("[\n") :])  # what prepack prints comes first
    project = folder / "site"
    project.mkdir()
    (project / "package.json").write_text('{"name": "site", "private": true, "type": "module"}', encoding="utf-8")
    promised = json.loads((WIDGET / "package.json").read_text(encoding="utf-8"))
    # What every Docusaurus site has, and the plugin expects to find.
    peer = f"@docusaurus/utils-validation@{promised['peerDependencies']['@docusaurus/utils-validation']}"
    packed = str(folder / told[0]["filename"])
    run("npm", "install", "--silent", "--no-audit", "--no-fund", "--legacy-peer-deps", packed, peer, folder=project)
    installed = project / "node_modules" / promised["name"]
    files = [promised["types"], promised["exports"]["./standalone"], promised["exports"]["."]["default"], "LICENSE"]
    if lost := [name for name in files if not (installed / name).is_file()]:
        raise Missing(f"the widget's package lacks {lost}")
    run("node", "--input-type=commonjs", "-e", LOADED_BY_DOCUSAURUS % promised["name"], folder=project)
    return sorted(one["path"] for one in told[0]["files"])


def main() -> int:
    """Check both packages; 0 when each can be used."""
    try:
        with tempfile.TemporaryDirectory(prefix="ask-ai-release") as name:
            folder = Path(name)
            wheel = built_wheel(folder)
            look_into(wheel)
            print(f"{wheel.name}: installed and asked: {use_backend(folder, wheel)}")
            print(f"widget: installed and imported; {len(use_widget(folder))} files")
    except Missing as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
