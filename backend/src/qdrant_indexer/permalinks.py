"""Where Docusaurus serves a Markdown file of the docs, the blog or the pages, and which names give none.

Source of the rules: version 3.10.2 of ``@docusaurus/plugin-content-docs`` (``slug.ts``, ``docs.ts``, ``numberPrefix.ts``),
``plugin-content-blog`` (``blogUtils.ts``), ``plugin-content-pages`` (``content.ts``), ``utils`` (``globUtils.ts``,
``urlUtils.ts``) and ``utils-common`` (``applyTrailingSlash.ts``).
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

_KEPT_PREFIX = re.compile(r"\d+[-_.]\d+")
"""A date or a version at the start of a name is part of the name."""
_PREFIX = re.compile(r"\d+\s*[-_.]+\s*(?P<name>[^-_.\s].*)", re.DOTALL)
_SLASHES = re.compile(r"/{2,}")
_ENDING = re.compile(r"\.mdx?$")
_INDEX = re.compile(r"(?:^|(?<=/))index\.mdx?$", re.IGNORECASE)
_POST = re.compile(r"(?P<folder>.*)(?P<date>\d{4}[-/]\d{1,2}[-/]\d{1,2})[-/]?(?P<text>.*?)(?:/index)?\.mdx?", re.ASCII)
"""A dated blog post; the date may be spread over folders."""


def without_number_prefix(segment: str) -> str:
    """One path segment without its ``01-``; dates and versions (``2024-05-..``, ``7.0-..``) stay whole."""
    if _KEPT_PREFIX.match(segment):
        return segment
    match = _PREFIX.fullmatch(segment)
    return match["name"] if match else segment


def why_excluded(source: str) -> str | None:
    """Why Docusaurus gives this file (posix path below the docs folder) no address by its name; None when it does."""
    path = PurePosixPath(source)
    if path.name.startswith("_"):
        return "partial: its name begins with an underscore"
    if any(part.startswith("_") for part in path.parts[:-1]):
        return "partial: it lies in a folder whose name begins with an underscore"
    return None


def base_id(source: str, front_matter: Mapping[str, str]) -> str:
    """The last part of a page's id: front matter ``id``, else the file's name without number prefix and ending."""
    stem = PurePosixPath(source).stem
    return front_matter.get("id") or (without_number_prefix(stem) if _parses_prefixes(front_matter) else stem)


def permalink(source: str, front_matter: Mapping[str, str], *, base_url: str, route_base_path: str) -> str:
    """A doc's address, raw (not percent-encoded), as Docusaurus serves it without a ``trailingSlash`` setting.

    ``source`` is a posix path below the docs folder; ``front_matter`` holds its scalars as they are written.
    """
    return joined(base_url, route_base_path, _slug(source, front_matter))


def blog_permalink(source: str, front_matter: Mapping[str, str], *, base_url: str, route_base_path: str) -> str:
    """A blog post's address; ``source`` is a posix path below the blog's folder."""
    dated = _POST.fullmatch(source)
    by_name = f"{dated['date'].replace('-', '/')}/{dated['folder']}{dated['text']}" if dated else blog_name(source)
    return joined(base_url, route_base_path, front_matter.get("slug") or by_name)


def blog_name(source: str) -> str:
    """What a blog post without a title is called: its name without date and ending."""
    dated = _POST.fullmatch(source)
    return dated["text"] if dated else _ENDING.sub("", source).removesuffix("/index")


def page_permalink(source: str, front_matter: Mapping[str, str], *, base_url: str, route_base_path: str) -> str:
    """A page's address; ``source`` is a posix path below ``src/pages``."""
    by_name = _INDEX.sub("", source) if _INDEX.search(source) else _ENDING.sub("", source)
    return joined(base_url, route_base_path, front_matter.get("slug") or by_name)


def joined(*parts: str) -> str:
    """The parts as one path that begins with a slash, single slashes between."""
    return _SLASHES.sub("/", "/" + "/".join(parts))


def with_trailing_slash(address: str, trailing_slash: bool | None, base_url: str) -> str:
    """The address under a ``trailingSlash`` setting; None (Docusaurus' default) leaves it, as ``/`` and the base URL always are.

    ``base_url`` is the locale's.
    """
    if trailing_slash is None or address in {"/", joined(base_url, "/")}:
        return address
    return address.removesuffix("/") + ("/" if trailing_slash else "")


def _parses_prefixes(front_matter: Mapping[str, str]) -> bool:
    return front_matter.get("parse_number_prefixes", "true").lower() != "false"


def _slug(source: str, front_matter: Mapping[str, str]) -> str:
    slug = front_matter.get("slug", "")
    if slug.startswith("/"):
        return slug
    folders = PurePosixPath(source).parts[:-1]
    if not slug and _is_category_index(source):
        return _folder(folders, front_matter)
    return _resolved(_folder(folders, front_matter) + (slug or base_id(source, front_matter)))


def _folder(folders: tuple[str, ...], front_matter: Mapping[str, str]) -> str:
    names = [without_number_prefix(name) for name in folders] if _parses_prefixes(front_matter) else folders
    return "".join(f"/{name}" for name in names) + "/"


def _is_category_index(source: str) -> bool:
    path = PurePosixPath(source)
    # The folder's raw name is compared: Docusaurus looks before number prefixes are dropped.
    return path.stem.lower() in {"index", "readme", path.parent.name.lower()}


def _resolved(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept[-1:] = []
        elif segment not in {"", "."}:
            kept.append(segment)
    ends_in_folder = path.endswith(("/", "/.", "/.."))
    return "/" + "/".join(kept) + ("/" if ends_in_folder and kept else "")
