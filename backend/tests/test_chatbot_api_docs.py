"""The documents keep up with the code: settings, errors and links; and no tracked file holds what is this machine's alone."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from pydantic import SecretStr

from chatbot_api import errors
from chatbot_api.config import Settings
from qdrant_indexer.docusaurus import Page, read_docs

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "website" / "docs"
SETTINGS = [name.upper() for name in Settings.model_fields]
NO_SETTINGS = {
    *("NOT_IN_DOCS", "DOCS_DIR", "HTTP_PROXY", "HTTPS_PROXY", "OTEL_EXPORTER_OTLP_ENDPOINT", "QDRANT_TEST_URL", "REQUIRE_DEPLOY"),
    "SSL_CERT_FILE",
    *(f"REQUIRE_{part}" for part in ("BROWSER", "EMBEDDER", "POSTGRES", "REDIS", "CHATKIT", "MCP", "FOREIGN", "FLEET", "AI_SDK")),
}
"""Names in capitals that the documents speak of and that are something else."""
SLUGS_OF_THE_DOOR = {"method-not-allowed"}
"""Sent by http_edge for what the web framework refuses; they have no class."""


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def default_of(name: str) -> str:
    """A setting's default as one writes it into a .env file."""
    if name == "DATA_DIR":
        return "backend/data"
    value = Settings.model_fields[name.lower()].get_default(call_default_factory=True)
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ",".join(f"{key}={wanted}" for key, wanted in value.items())
    return ",".join(value) if isinstance(value, list) else str(value)


def rows_of(path: str) -> dict[str, str]:
    """Setting -> default, by the tables of a document: rows that begin with a name in capitals."""
    rows = re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \| *(.*?) *\|", text_of(path), re.MULTILINE)
    assert len(rows) == len(dict(rows)), f"{path} names a setting twice"
    return {name: "" if written in ("empty", "not set") else written.strip("`") for name, written in rows}


# --- settings


def example() -> dict[str, str]:
    """Setting -> value of .env.example, commented out or not."""
    lines = re.findall(r"^(?:# ?)?([A-Z][A-Z0-9_]*)=(.*)$", text_of("backend/.env.example"), re.MULTILINE)
    assert len(lines) == len(dict(lines)), ".env.example names a setting twice"
    return dict(lines)


def test_the_example_file_has_every_setting_with_its_default_and_no_other() -> None:
    assert example() == {name: default_of(name) for name in SETTINGS}


def test_the_example_file_as_it_is_changes_nothing(tmp_path: Path) -> None:
    copied = tmp_path / ".env"
    copied.write_text(text_of("backend/.env.example"), encoding="utf-8")
    unchanged = Settings(_env_file=None)  # type: ignore[call-arg]
    assert Settings(_env_file=copied) == unchanged  # type: ignore[call-arg]


def test_the_example_file_can_be_uncommented_whole(tmp_path: Path) -> None:
    copied = tmp_path / ".env"
    text = re.sub(r"^# ?(?=[A-Z][A-Z0-9_]*=)", "", text_of("backend/.env.example"), flags=re.MULTILINE)
    copied.write_text(text, encoding="utf-8")
    settings = Settings(_env_file=copied)  # type: ignore[call-arg]
    unchanged = Settings(_env_file=None)  # type: ignore[call-arg]
    assert settings.model_dump(exclude={"data_dir"}) == unchanged.model_dump(exclude={"data_dir"})


@pytest.mark.parametrize("path", ["README.md", "website/docs/configuration.md"])
def test_the_table_of_settings_has_every_one_with_its_default_and_no_other(path: str) -> None:
    assert rows_of(path) == {name: default_of(name) for name in SETTINGS}


@pytest.mark.parametrize("path", sorted(path.name for path in SITE.glob("*.md")))
def test_a_page_speaks_of_no_setting_that_does_not_exist(path: str) -> None:
    named = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`", (SITE / path).read_text(encoding="utf-8")))
    assert named - NO_SETTINGS <= set(SETTINGS)


# --- errors


def problems() -> dict[str, int]:
    """Slug -> status of every failure that reaches a reader."""

    def below(kind: type[errors.ServiceError]) -> Iterator[type[errors.ServiceError]]:
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    # One that has no slug of its own is a branch of the tree, or StartRefused, which no reader meets.
    return {kind.slug: kind.status for kind in below(errors.ServiceError) if "slug" in vars(kind)}


def test_the_page_of_errors_has_every_slug_with_its_status_and_no_other() -> None:
    told = dict(re.findall(r"^### ([a-z-]+) \((\d{3})\)", text_of("website/docs/errors.md"), re.MULTILINE))
    assert {slug: int(told.get(slug, 0)) for slug in problems()} == problems()
    assert set(told) - set(problems()) <= SLUGS_OF_THE_DOOR


def test_the_tree_of_failures_in_the_code_names_every_one_with_its_status() -> None:
    tree = errors.__doc__ or ""
    assert {slug for slug, status in problems().items() if not re.search(rf"\b{status} {slug}\b", tree)} == set()


# --- links


def links_of(markdown: str) -> list[str]:
    """The targets of a Markdown text's links, code left out."""
    prose = re.sub(r"^(```|~~~).*?^\1", "", markdown, flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"`[^`\n]*`", "", prose)
    return re.findall(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)", prose)


@cache
def pages() -> dict[str, Page]:
    """The site's pages by their file's name."""
    return {page.source: page for page in read_docs(SITE).pages}


def test_every_file_of_the_site_is_a_page() -> None:
    assert [skipped.source for skipped in read_docs(SITE).skipped] == []


@pytest.mark.parametrize("source", sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.md")))
def test_a_page_links_only_to_pages_and_headings_that_are_there(source: str) -> None:
    addresses = {page.url: page for page in pages().values()}
    dead: list[str] = []
    for link in links_of((SITE / source).read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        if target.startswith("/"):
            page = addresses.get(target)
        else:
            inside = ((SITE / source).parent / target).resolve() if target else SITE / source
            page = pages().get(inside.relative_to(SITE).as_posix()) if inside.is_relative_to(SITE) else None
        if page is None or (anchor and unquote(anchor) not in {heading.anchor for heading in page.headings}):
            dead.append(link)
    assert dead == []


def test_the_other_documents_link_only_to_files_that_are_there() -> None:
    dead: list[str] = []
    for path in tracked():
        if path.suffix == ".md" and not path.is_relative_to(SITE):
            for link in links_of(path.read_text(encoding="utf-8")):
                target = unquote(link.partition("#")[0])
                if target and not re.match(r"[a-z]+:", link) and not (path.parent / target).exists():
                    dead.append(f"{path.relative_to(ROOT)}: {link}")
    assert dead == []


# --- what no file may hold


@cache
def tracked() -> tuple[Path, ...]:
    """The files of the repository, those not yet added among them."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip(f"no repository to list: {listed.stderr.decode(errors='replace').strip()}")
    paths = (ROOT / name.decode() for name in listed.stdout.split(b"\0") if name)
    return tuple(path for path in paths if path.is_file())


def _one_of(*parts: tuple[str, ...]) -> str:
    """A pattern of names that are put together here, so that this file does not hold them."""
    return "|".join(re.escape("".join(part)) for part in parts)


REGISTRIES = _one_of(
    ("pypi", ".org"), ("python", "hosted.org"), ("npm", "js.org"), ("npm", "js.com"), ("yarn", "pkg.com"), ("crates", ".io"),
    ("ruby", "gems.org"), ("maven", ".org"), ("proxy.go", "lang.org"), ("npm.pkg.", "github.com"), ("arti", "factory"),
)  # fmt: skip
HOMES = _one_of(("/ro", "ot/"), ("/wo", "rk/"), ("/ho", "me/"), ("/Use", "rs/"))
FORBIDDEN = {
    "the host of a package registry": rf"{REGISTRIES}|https?://[^\s\"'<>]+/simple(?![\w-])|--(?:extra-)?index-url[ =]\S*//",
    "an absolute path of a machine": rf"(?<![\w.~/-])(?:{HOMES})\w|\b[A-Z]:\\{_one_of(('Use', 'rs'))}",
    "a key": "|".join(
        (
            r"\bAI" + r"za[\w-]{35}",
            r"\bs" + r"k-(?:proj-)?[A-Za-z0-9]{20,}",
            r"\bgh" + r"[pousr]_[A-Za-z0-9]{20,}",
            r"\bAKI" + r"A[0-9A-Z]{16}\b",
            r"\bxox" + r"[abprs]-\w{10,}",
            r"\beyJ" + r"[\w-]{10,}\.[\w-]{10,}\.",
            r"BEGIN (?:[A-Z]+ )?PRIVA" + r"TE KEY",
        )
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    forbidden = re.compile(FORBIDDEN[what])
    found: list[str] = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" in content[:8000]:
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), start=1):
            if match := forbidden.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0][:12]}")
    assert found == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("the host of a package registry", "https://files.python" + "hosted.org/x.whl"),
        ("the host of a package registry", '"resolved": "https://registry.npm' + 'js.org/x.tgz"'),
        ("the host of a package registry", "--index-url https:" + "//mirror.example/simple"),
        ("an absolute path of a machine", 'open("/ro' + 'ot/x")'),
        ("an absolute path of a machine", "/wo" + "rk/main/backend"),
        ("an absolute path of a machine", "see /ho" + "me/me/x"),
        ("an absolute path of a machine", "C:\\Use" + "rs\\me"),
        ("a key", "AI" + "za" + "B" * 35),
        ("a key", "-----BEGIN RSA PRIVA" + "TE KEY-----"),
        ("a key", "QDRANT_API_KEY=eyJ" + "hbGciOiJIUzI1NiJ9.eyJhY2Nlc3MiOiJyIn0.x"),
    ],
)
def test_what_no_file_may_hold_would_be_found(what: str, line: str) -> None:
    assert re.search(FORBIDDEN[what], line)


@pytest.mark.parametrize(
    "line", ["https://docs.example.com/work/x", "our work/main part", "a simple/plain way", "sk-learn", "eyJ.x"]
)
def test_what_a_file_may_hold_is_left_alone(line: str) -> None:
    assert [what for what, pattern in FORBIDDEN.items() if re.search(pattern, line)] == []
