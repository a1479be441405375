"""The folders a site's content lies in, and the files in them that Docusaurus gives an address."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qdrant_indexer.page_files import PageError, markdown_files, read_file, scalars_of, why_hidden
from qdrant_indexer.pages import Kind, Skipped
from qdrant_indexer.permalinks import blog_permalink, page_permalink, permalink, why_excluded, with_trailing_slash

_PERMALINKS = {"doc": permalink, "blog": blog_permalink, "page": page_permalink}


@dataclass(frozen=True, slots=True)
class Content:
    """What one content plugin serves in one locale: a version of the docs, the blog, or the pages."""

    folder: Path
    """The originals. They alone decide which pages there are."""
    base_url: str
    """The locale's: ``/fr/``."""
    route: str
    """What stands between base URL and slug: ``docs/next``."""
    kind: Kind = "doc"
    translations: Path | None = None
    """Folder whose files are used in place of the originals with the same paths."""
    locale: str = "en"
    original_base_url: str | None = None
    """The default locale's; None when this is it."""
    version: str | None = None
    is_last_version: bool = True

    def roots(self, site_dir: Path) -> list[str]:
        """Its folders as paths below the site's folder, in the order in which links are looked up."""
        folders = [folder for folder in (self.translations, self.folder) if folder]
        named = [folder.relative_to(site_dir).as_posix() for folder in folders]
        # Links name the folder as the site does, which may have been mounted here under another name.
        return named if self.kind != "doc" or self.version or "docs" in named else [*named, "docs"]


@dataclass(frozen=True, slots=True)
class Found:
    """A file that has an address."""

    content: Content
    name: str
    """Posix path below the content's folder."""
    path: Path
    url: str
    """As served, raw."""
    copy_of: str | None
    """The original's address, when this one shows the same text for want of a translation."""
    hidden: str | None
    """Why it is not to be found."""
    scalars: dict[str, str]
    body: str


def found_in(content: Content, trailing_slash: bool | None) -> Iterator[Found | Skipped]:
    """The files of a content by name, then its translations of nothing; a Skipped's source is an absolute path."""
    originals = markdown_files(content.folder)
    translations = content.translations
    translated = set(markdown_files(translations)) if translations else set[str]()
    for name in originals:
        is_copy = content.original_base_url is not None and name not in translated
        path = translations / name if translations and name in translated else content.folder / name
        try:
            yield _found(content, name, path, is_copy, trailing_slash)
        except PageError as error:
            # What is wrong with an original is told once, in its own locale.
            if not is_copy:
                yield Skipped(path.as_posix(), str(error))
    for name in sorted(translated.difference(originals)):
        if translations:
            reason = why_excluded(name) or "a translation without an original: it is not built"
            yield Skipped((translations / name).as_posix(), reason)


def _found(content: Content, name: str, path: Path, is_copy: bool, trailing_slash: bool | None) -> Found:
    if reason := why_excluded(name):
        raise PageError(reason)
    front_matter, body = read_file(path)
    scalars = scalars_of(front_matter)

    def served(base_url: str) -> str:
        address = _PERMALINKS[content.kind](name, scalars, base_url=base_url, route_base_path=content.route)
        return with_trailing_slash(address, trailing_slash, base_url)

    copy_of = served(content.original_base_url) if is_copy and content.original_base_url is not None else None
    return Found(content, name, path, served(content.base_url), copy_of, why_hidden(scalars, body), scalars, body)
