"""Reads one Markdown file of a site: its front matter, whether it is to be found, and its text with its partials put in."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from chatbot_api.models.clean_text import clean
from qdrant_indexer.headings import Heading, split_headings
from qdrant_indexer.mdx import to_marked_markdown

ENDINGS = frozenset({".md", ".mdx"})
_FRONT_MATTER = re.compile(r"\s*?---[ \t]*\n(?P<yaml>.*?)(?:^|\n)---[ \t]*(?:\n|$)", re.DOTALL)
_CODE = re.compile(r"^[ \t>]*(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^[ \t>]*(?P=fence)|\Z)|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_NO_INDEX = re.compile(r"<head\b[^>]*>(?:(?!</head\b).){0,2000}?\bnoindex\b", re.IGNORECASE | re.DOTALL)
DRAFT = "draft"
"""The reason why a draft is hidden: it alone of the hidden pages is not built at all."""
_HIDDEN = {"draft": DRAFT, "unlisted": "unlisted: built, but not to be found"}


class PageError(Exception):
    """One file can't be read as a page; the message is the reason."""


def markdown_files(folder: Path) -> list[str]:
    """The Markdown files below a folder as sorted posix paths; hidden ones are passed over, as Docusaurus' globs do."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix in ENDINGS and path.is_file())
    return sorted(path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts))


def read_file(path: Path) -> tuple[dict[str, Any], str]:
    """Front matter and body of a file. Raises PageError."""
    try:
        text = clean(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError:
        raise PageError("unreadable: not UTF-8 text") from None
    except OSError as error:
        raise PageError(f"unreadable: {error.strerror}") from None
    return _split(text)


def scalars_of(front_matter: Mapping[str, Any]) -> dict[str, str]:
    """The front matter's values that are text, cleaned; those that say nothing are left out."""
    scalars = {key: clean(value).strip() for key, value in front_matter.items() if isinstance(value, str)}
    return {key: value for key, value in scalars.items() if value not in {"", "~", "null"}}


def why_hidden(scalars: Mapping[str, str], body: str) -> str | None:
    """Why a page is not in the build, or not to be found in it, by what it says of itself; None when it is.

    Source of the rules: ``contentVisibilityUtils.ts`` of ``@docusaurus/utils``, and ``noindex`` in the page's ``<head>``.
    """
    for key, reason in _HIDDEN.items():
        if scalars.get(key, "").lower() == "true":
            return reason
    if "noindex" in body and _NO_INDEX.search(_CODE.sub("", body)):
        return "its head says noindex: not to be found"
    return None


class TextReader:
    """Turns bodies of files in one folder (and in the folder of its translations) into Markdown."""

    def __init__(self, site_dir: Path, folder: Path, translations: Path | None = None) -> None:
        """No file outside of these three folders is read; the last two may be links out of the first."""
        self._site_dir = site_dir.resolve()
        self._folder = folder.resolve()
        self._translations = translations.resolve() if translations else None
        self._readable = [one for one in (self._site_dir, self._folder, self._translations) if one]

    def text(self, path: Path, body: str, scalars: Mapping[str, str]) -> tuple[str, tuple[Heading, ...]]:
        """The Markdown of a page and its headings. Raises PageError."""
        try:
            return split_headings(self._marked(path.resolve(), body, {"frontMatter": scalars}, ()))
        except RecursionError:
            raise PageError("its JSX is nested too deeply") from None

    def _marked(self, path: Path, body: str, values: Mapping[str, Any], within: tuple[Path, ...]) -> str:
        def partial(target: str, props: Mapping[str, Any]) -> str | None:
            found = self._partial_path(path, target)
            if found is None or found in (*within, path):
                return None
            try:
                front_matter, text = read_file(found)
            except PageError:
                return None
            return self._marked(found, text, {"frontMatter": front_matter, **props}, (*within, path))

        return to_marked_markdown(body, partial, values)

    def _partial_path(self, importer: Path, target: str) -> Path | None:
        """The imported Markdown file; a translation that brings no copy of it uses the original's."""
        folders = [importer.parent]
        if target.startswith("@site/"):
            folders = [self._site_dir]
        elif self._translations and importer.is_relative_to(self._translations):
            folders.append((self._folder / importer.relative_to(self._translations)).parent)
        paths = ((folder / target.removeprefix("@site/")).resolve() for folder in folders)
        readable = (path for path in paths if any(path.is_relative_to(folder) for folder in self._readable))
        return next((path for path in readable if path.is_file()), None)


def _split(text: str) -> tuple[dict[str, Any], str]:
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    try:
        # Scalars stay as they are written: a title 1.10 is no number, a date in the slug no date.
        values = yaml.load(match["yaml"], yaml.BaseLoader)  # noqa: S506  (BaseLoader makes strings, lists and dicts alone)
    except (yaml.YAMLError, RecursionError):
        raise PageError("its front matter is not valid YAML") from None
    if values is not None and not isinstance(values, dict):
        return ({}, text[match.end() :]) if values == "" else ({}, text)
    return cast(dict[str, Any], values or {}), text[match.end() :]
