"""Finds what a Docusaurus site's folder holds: versions of the docs, blog, pages and their translations, without its config.

Source of the rules: version 3.10.2 of ``@docusaurus/plugin-content-docs`` (``versions/``) and ``@docusaurus/core``
(``server/i18n.ts``). Read are the plugins' default instances in their default folders.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from qdrant_indexer.contents import Content
from qdrant_indexer.docusaurus import read_contents, read_docs
from qdrant_indexer.pages import KINDS, Kind, Site, SiteError, Skipped
from qdrant_indexer.permalinks import joined

__all__ = ["is_site_folder", "read_source"]

CURRENT = "current"
"""Docusaurus' name of the version in ``docs/``."""
_CONFIGS = tuple(f"docusaurus.config.{ending}" for ending in ("js", "ts", "mjs", "cjs", "mts", "cts"))
_PLUGINS: Mapping[Kind, str] = {kind: f"docusaurus-plugin-content-{kind}{'' if kind == 'blog' else 's'}" for kind in KINDS}
_REACT = frozenset({".js", ".jsx", ".ts", ".tsx"})


@dataclass(frozen=True, slots=True)
class _Settings:
    """What the site's config says and can't be read without Node."""

    base_url: str
    route_base_path: str
    default_locale: str
    locales: Sequence[str] | None
    last_version: str | None
    version_paths: Mapping[str, str]


def read_source(
    folder: Path,
    *,
    base_url: str = "/",
    route_base_path: str = "docs",
    default_locale: str = "en",
    locales: Sequence[str] | None = None,
    last_version: str | None = None,
    version_paths: Mapping[str, str] = {},
    trailing_slash: bool | None = None,
    kinds: Collection[Kind] = KINDS,
) -> Site:
    """The pages of a site's folder (see ``is_site_folder``), else those of ``folder`` as one folder of docs.

    Settings are the config's of the same names: ``version_paths`` is version -> path part, ``locales`` are those to read
    (None: the default one and every folder of ``i18n``), ``kinds`` the content plugins the site has switched on.
    Raises SiteError when there is nothing to read or a setting names a version the site has not.
    """
    if not is_site_folder(folder):
        if locales or last_version or version_paths:
            raise SiteError(
                f"Versions and locales are read from a site's folder, the one with a Docusaurus config; {folder} is none."
            )
        return read_docs(
            folder, base_url=base_url, route_base_path=route_base_path, locale=default_locale, trailing_slash=trailing_slash
        )
    site_dir = folder.resolve()
    settings = _Settings(base_url, route_base_path, default_locale, locales, last_version, version_paths)
    contents = [one for one in _contents(site_dir, settings) if one.kind in kinds]
    there = [one for one in contents if one.folder.is_dir()]
    site = read_contents(there, site_dir=site_dir, top=site_dir, trailing_slash=trailing_slash)
    if not site.pages and not site.skipped:
        raise SiteError(f"The site in {folder} holds no Markdown (.md or .mdx) files in docs, blog or src/pages.")
    unread = [*_missing(contents, site_dir), *(_react_pages(site_dir) if "page" in kinds else ())]
    return replace(site, skipped=tuple(sorted((*site.skipped, *unread), key=lambda one: one.source)))


def is_site_folder(folder: Path) -> bool:
    """Whether the folder is a site's, not one of docs: it holds a Docusaurus config, ``versions.json`` or ``docs``."""
    if any((folder / name).is_file() for name in (*_CONFIGS, "versions.json")):
        return True
    # A folder called docs may lie within a site's docs too.
    return (folder / "docs").is_dir() and not any((folder.resolve().parent / name).is_file() for name in _CONFIGS)


def _contents(site_dir: Path, settings: _Settings) -> Iterator[Content]:
    names = _version_names(site_dir)
    last_version = _last_version(names, settings)
    for locale in _locales(site_dir, settings):
        is_default = locale == settings.default_locale
        base_url = joined(settings.base_url, "" if is_default else locale, "/")
        of_locale = _Locale(site_dir / "i18n" / locale, base_url, None if is_default else joined(settings.base_url, "/"), locale)
        for name in names:
            default_path = "" if name == last_version else "next" if name == CURRENT else name
            content = of_locale.content(
                "doc",
                site_dir / "docs" if name == CURRENT else site_dir / "versioned_docs" / f"version-{name}",
                f"{settings.route_base_path}/{settings.version_paths.get(name, default_path)}",
                CURRENT if name == CURRENT else f"version-{name}",
            )
            version = name if (site_dir / "versions.json").is_file() else None
            yield replace(content, version=version, is_last_version=name == last_version)
        yield of_locale.content("blog", site_dir / "blog", "blog")
        yield of_locale.content("page", site_dir / "src" / "pages", "")


@dataclass(frozen=True, slots=True)
class _Locale:
    folder: Path
    base_url: str
    original_base_url: str | None
    name: str

    def content(self, kind: Kind, folder: Path, route: str, subfolder: str = "") -> Content:
        translations = self.folder / _PLUGINS[kind] / subfolder
        return Content(
            folder,
            self.base_url,
            route,
            kind,
            translations if translations.is_dir() else None,
            self.name,
            self.original_base_url,
        )


def _locales(site_dir: Path, settings: _Settings) -> list[str]:
    if settings.locales:
        return list(dict.fromkeys(settings.locales))
    folders = (site_dir / "i18n").glob("*/") if (site_dir / "i18n").is_dir() else ()
    others = {folder.name for folder in folders if folder.is_dir() and not folder.name.startswith(".")}
    return [settings.default_locale, *sorted(others - {settings.default_locale})]


def _version_names(site_dir: Path) -> list[str]:
    """As Docusaurus orders them: the current version, then those of versions.json, newest first."""
    file = site_dir / "versions.json"
    if not file.is_file():
        return [CURRENT]
    try:
        names: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(_is_version_name(name) for name in cast(list[Any], names)):
        raise SiteError(f"{file} is no JSON list of version names.")
    others = cast(list[str], names)
    return others if CURRENT in others else [CURRENT, *others]


def _is_version_name(name: object) -> bool:
    return isinstance(name, str) and bool(name.strip()) and name not in {".", ".."} and not set(name) & set("/\\\0")


def _last_version(names: Sequence[str], settings: _Settings) -> str:
    for name in (*settings.version_paths, *([settings.last_version] if settings.last_version else ())):
        if name not in names:
            raise SiteError(f"The site has no version {name!r}; it has {', '.join(names)}.")
    return settings.last_version or next((name for name in names if name != CURRENT), CURRENT)


def _missing(contents: Sequence[Content], site_dir: Path) -> Iterator[Skipped]:
    for name in dict.fromkeys(one.folder for one in contents if one.version and not one.folder.is_dir()):
        yield Skipped(name.relative_to(site_dir).as_posix(), "the folder of a version of versions.json is missing")


def _react_pages(site_dir: Path) -> Iterator[Skipped]:
    """Pages written in React have no text without a build; what is no route is passed over as Docusaurus does."""
    files = (path for path in (site_dir / "src" / "pages").rglob("*") if path.suffix in _REACT and path.is_file())
    parts = [path.relative_to(site_dir / "src" / "pages").parts for path in files]
    names = [one for one in parts if not any(part.startswith("_") or ".test." in part or part == "__tests__" for part in one)]
    if names:
        reason = f"{len(names)} written in React, such as {'/'.join(sorted(names)[0])}: only the built site has their text"
        yield Skipped("src/pages", reason)
