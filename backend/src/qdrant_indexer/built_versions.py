"""Tells from a site's built pages which version of its docs readers get by default, and whether there are versions at all."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from qdrant_indexer.html_document import Document

_CURRENT = "current"


def with_versions(documents: Sequence[Document]) -> list[Document]:
    """The documents with ``version`` and ``is_last_version`` as the whole site has them, each docs plugin for itself.

    Docusaurus puts a banner on the pages of all other versions, unless it is told not to: then the last version is the one
    whose addresses have no part for it.
    """
    told: list[Document] = []
    of_plugin: dict[str, list[Document]] = {}
    for document in documents:
        if document.page.version is None:
            told.append(document)
        else:
            of_plugin.setdefault(document.plugin, []).append(document)
    for group in of_plugin.values():
        versions = {document.page.version for document in group}
        last = _last(group)
        for document in group:
            page = document.page
            version = None if versions == {_CURRENT} else page.version
            told.append(replace(document, page=replace(page, version=version, is_last_version=page.version == last)))
    return told


def _last(group: Iterable[Document]) -> str | None:
    shortest: dict[str | None, int] = {}
    bannered: set[str | None] = set()
    for document in group:
        version, length = document.page.version, len(document.page.url)
        shortest[version] = min(shortest.get(version, length), length)
        if document.has_version_banner:
            bannered.add(version)
    candidates = [version for version in shortest if version not in bannered] or list(shortest)
    return min(candidates, key=lambda version: shortest[version])
