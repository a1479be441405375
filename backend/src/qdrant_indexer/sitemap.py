"""Reads the addresses out of a sitemap or a sitemap index (sitemaps.org, version 0.9), plain or gzipped.

Sitemaps come from the network: document types, and with them all entities, are refused, and sizes are limited.
"""

import zlib
from dataclasses import dataclass, field
from xml.parsers import expat

MOST_BYTES = 50_000_000
"""Unpacked size of a sitemap: the limit of the protocol."""
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
_GZIP = b"\x1f\x8b"


class SitemapError(Exception):
    """The document is no sitemap; the message is the reason."""


@dataclass(slots=True)
class Sitemap:
    """What a sitemap lists, as it is written there."""

    pages: list[str] = field(default_factory=list[str])
    sitemaps: list[str] = field(default_factory=list[str])
    """Of a sitemap index."""


def read_sitemap(content: bytes) -> Sitemap:
    """The sitemap in a document; raises SitemapError when it is none."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.buffer_text = True
    try:
        parser.Parse(_unpacked(content), True)
    except expat.ExpatError as error:
        raise SitemapError(f"it is not well-formed XML ({error})") from None
    return reader.sitemap


def _unpacked(content: bytes) -> bytes:
    if not content.startswith(_GZIP):
        return content
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = unpacker.decompress(content, MOST_BYTES)
    except zlib.error:
        raise SitemapError("its gzip data is damaged") from None
    if unpacker.unconsumed_tail:
        raise SitemapError(f"it is larger than {MOST_BYTES} bytes")
    return plain


class _Reader:
    def __init__(self) -> None:
        self.sitemap = Sitemap()
        self._open: list[str] = []
        self._location: list[str] = []

    def doctype(self, *_declaration: object) -> None:
        raise SitemapError("it declares a document type, which no sitemap needs")

    def start(self, name: str, _attributes: object) -> None:
        namespace, _, local = name.rpartition(" ")
        # Images and videos have locations of their own, in namespaces of their own.
        self._open.append(local if namespace in {"", _NAMESPACE} else name)
        self._location = []
        if len(self._open) == 1 and self._open[0] not in {"urlset", "sitemapindex"}:
            raise SitemapError(f"it is no sitemap: its root element is {local}")

    def text(self, text: str) -> None:
        if self._open[-1] == "loc":
            self._location.append(text)

    def end(self, _name: str) -> None:
        address = "".join(self._location).strip()
        match self._open:
            case ["urlset", "url", "loc"] if address:
                self.sitemap.pages.append(address)
            case ["sitemapindex", "sitemap", "loc"] if address:
                self.sitemap.sitemaps.append(address)
            case _:
                pass
        self._open.pop()
        self._location = []
