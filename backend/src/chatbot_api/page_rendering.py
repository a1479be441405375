"""Renders one page of the documentation as safe HTML: no raw HTML, no foreign picture, links only where they may lead."""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote, unquote, urljoin, urlsplit

from markdown_it.token import Token

from qdrant_indexer.docusaurus import Heading, Page
from qdrant_indexer.headings import markdown_parser, plain_text

Attributes = dict[str, str | int | float]


def page_path(page: Page) -> str:
    """The path of a page's permalink, percent-encoded."""
    return quote(unquote(urlsplit(page.url).path)) or "/"


def page_body(page: Page) -> str:
    """The page's text as HTML, begun with an h1, its headings under the site's own ids."""
    parser = markdown_parser()
    tokens = parser.parse(page.markdown)
    for token in tokens:
        if token.children:
            token.children = _safe_inline(token.children, page)
    openings = [position for position, token in enumerate(tokens) if token.type == "heading_open"]
    for position, heading in zip(openings, page.headings, strict=False):
        if heading.anchor:
            tokens[position].attrSet("id", heading.anchor)
            inline = tokens[position + 1]
            inline.children = [*(inline.children or []), *_self_link(heading)]
    _frame_tables(tokens)
    text = str(parser.renderer.render(tokens, parser.options, {}))
    has_title = any(tokens[position].tag == "h1" for position in openings)
    return text if has_title else f"<h1>{escape(page.title)}</h1>\n{text}"


def _safe_inline(children: Sequence[Token], page: Page) -> list[Token]:
    safe: list[Token] = []
    for child in children:
        if child.type == "link_open":
            child.attrs = _link(str(child.attrGet("href") or ""), page)
        if child.type == "image":
            # The site's pictures are not served here, and other hosts are never asked: the description stands in.
            text = Token("text", "", 0, content=f"Picture: {plain_text(child) or 'no description'}")
            safe += [Token("span_open", "span", 1, attrs={"class": "picture"}), text, Token("span_close", "span", -1)]
        else:
            safe.append(child)
    return safe


def _link(href: str, page: Page) -> Attributes:
    """Attributes of a link: none, so that it is no link, for what may not be followed or is a file without a page."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return {}
    if parts.scheme in {"http", "https"} and parts.netloc:
        return {"href": href, "rel": "noopener noreferrer"}
    if parts.scheme or parts.netloc or href.startswith(("//", "/\\", "\\")):
        return {}
    if not parts.path:
        return {"href": href} if href.startswith("#") else {}
    if parts.path.endswith((".md", ".mdx")):
        return {}
    return {"href": urljoin(page_path(page), href)}


def _self_link(heading: Heading) -> list[Token]:
    attributes: Attributes = {"href": "#" + quote(heading.anchor), "class": "hash", "aria-label": f"Link to {heading.text}"}
    return [
        Token("link_open", "a", 1, attrs=attributes),
        Token("text", "", 0, content="#"),
        Token("link_close", "a", -1),
    ]


def _frame_tables(tokens: list[Token]) -> None:
    # A wide table scrolls in its frame; else it would push a phone's page wider than its screen.
    frame: Attributes = {"class": "table", "tabindex": "0", "role": "region", "aria-label": "Table"}
    for position in reversed([position for position, token in enumerate(tokens) if token.type in {"table_open", "table_close"}]):
        if tokens[position].type == "table_open":
            tokens.insert(position, Token("frame_open", "div", 1, attrs=dict(frame), block=True))
        else:
            tokens.insert(position + 1, Token("frame_close", "div", -1, block=True))
