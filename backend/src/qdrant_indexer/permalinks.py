"""Where Docusaurus serves a Markdown file: number prefixes, ids, slugs, category indexes and excluded names.

Source of the rules: ``@docusaurus/plugin-content-docs`` 3.10.2 (``slug.ts``, ``docs.ts``, ``numberPrefix.ts``) and
``@docusaurus/utils`` (``globUtils.ts``).
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

_KEPT_PREFIX = re.compile(r"\d+[-_.]\d+")
"""A date or a version at the start of a name is part of the name."""
_PREFIX = re.compile(r"\d+\s*[-_.]+\s*(?P<name>[^-_.\s].*)", re.DOTALL)
_SLASHES = re.compile(r"/{2,}")


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
    """The page's address, raw (not percent-encoded), as Docusaurus serves it without a ``trailingSlash`` setting.

    ``source`` is a posix path below the docs folder; ``front_matter`` holds its scalars as they are written.
    """
    return _SLASHES.sub("/", f"/{base_url}/{route_base_path}/{_slug(source, front_matter)}")


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
