"""Cuts a page into the passages that are embedded, found and cited: sections of h2 to h4, at most ``LIMIT`` words each.

Sections beat fixed windows of words, and 200 words fit the local embedder's input: website/docs/retrieval-quality.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, uuid5

from chatbot_api.models.index_models import Passage
from qdrant_indexer.blocks import LIMIT, Unit, blocks_of, size
from qdrant_indexer.docusaurus import Page
from qdrant_indexer.headings import Heading

__all__ = ["LIMIT", "passages_of"]

_DEEPEST = 4
"""h5 and h6 are text of their h4's section."""


@dataclass(slots=True)
class _Section:
    path: tuple[Heading, ...] = ()
    units: list[Unit] = field(default_factory=list[Unit])

    @property
    def anchor(self) -> str:
        """The section's own, or that of the nearest enclosing heading that has one."""
        return next((heading.anchor for heading in reversed(self.path) if heading.anchor), "")


def passages_of(page: Page, site: str) -> list[Passage]:
    r"""The page's passages in reading order; the same page gives the same passages and ids.

    Each lies below one heading and holds whole blocks of at most LIMIT of ``\w+|[^\w\s]``: a fence or a paragraph is cut
    only when it is longer by itself. Only a fence whose info string alone fills a passage exceeds the limit.
    Sections without text give none; their headings stay in the ``heading_path`` of those below.
    """
    passages: list[Passage] = []
    for section in _sections(page):
        for text in _packed(section.units):
            ordinal = len(passages)
            name = "|".join((site, page.locale, page.version or "", page.url, str(ordinal)))
            passages.append(
                Passage(
                    id=str(uuid5(NAMESPACE_URL, name)),
                    text=text,
                    url=page.url,
                    anchor=section.anchor,
                    title=page.title,
                    heading_path=tuple(heading.text for heading in section.path if heading.text),
                    page_id="|".join(part for part in (page.url, page.version, page.locale) if part),
                    ordinal=ordinal,
                    site=site,
                    version=page.version,
                    locale=page.locale,
                    is_last_version=page.is_last_version,
                    kind=page.kind,
                )
            )
    return passages


def _sections(page: Page) -> list[_Section]:
    sections = [_Section()]
    headings = iter(page.headings)
    for block in blocks_of(page.markdown):
        if isinstance(block, Unit):
            sections[-1].units.append(block)
            continue
        heading = next(headings)
        if heading.level > _DEEPEST:
            sections[-1].units.append(Unit(block.source, keep_with_next=True))
        elif heading.level > 1:
            enclosing = tuple(above for above in sections[-1].path if above.level < heading.level)
            sections.append(_Section((*enclosing, heading)))
        else:
            # The title stands in every breadcrumb; an h1 that says something else would be lost.
            is_title = heading.text == page.title
            sections.append(_Section(units=[] if is_title else [Unit(block.source, keep_with_next=True)]))
    return sections


def _packed(units: Sequence[Unit]) -> list[str]:
    texts: list[str] = []
    current: list[Unit] = []
    filled = 0
    for unit in units:
        own = _added(current, unit)
        if current and filled + own > LIMIT:
            leads = _trailing_leads(current)
            own = _added([], unit)
            if sum(size(lead.text) for lead in leads) + own > LIMIT:
                leads = []
            _add(texts, current[: len(current) - len(leads)])
            current = leads
            filled = sum(size(lead.text) for lead in leads)
        current.append(unit)
        filled += own
    _add(texts, current)
    return texts


def _added(current: Sequence[Unit], unit: Unit) -> int:
    goes_on = bool(current) and current[-1].run == unit.run
    return size(unit.text) + (0 if goes_on else size(unit.head))


def _trailing_leads(units: Sequence[Unit]) -> list[Unit]:
    first = len(units)
    while first and units[first - 1].keep_with_next:
        first -= 1
    return list(units[first:])


def _add(texts: list[str], units: Sequence[Unit]) -> None:
    text = ""
    before: Unit | None = None
    for unit in units:
        starts_run = before is None or unit.run != before.run
        if before is not None:
            text += "\n" if unit.run and not starts_run else "\n\n"
        text += f"{unit.head}\n{unit.text}" if unit.head and starts_run else unit.text
        before = unit
    if text.strip():
        texts.append(text)
