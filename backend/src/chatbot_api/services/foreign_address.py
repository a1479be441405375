"""Addresses as other tools stored them, mended into addresses of pages; never a script's, a file's or a folder's of a disk.

Source of the rules for paths: ``@docusaurus/plugin-content-docs`` 3.10.2 (``docs.ts``, ``slug.ts``, ``numberPrefix.ts``); of the
slugs: github-slugger 2.
"""

import re
import unicodedata
from urllib.parse import unquote, urlsplit

LONGEST = 2048
"""Characters of an address; what is longer is none."""
_WEB = re.compile(r"https?:[/\\]", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""Two letters or more: one letter is a drive of Windows."""
_FILE = re.compile(r"^file:(?://(?:localhost)?)?(?:/+(?=[A-Za-z]:))?", re.IGNORECASE)
_DISK = re.compile(
    r"/(?:home|Users|root|tmp|var|opt|mnt|media|usr|srv|etc|private|Volumes|proc|sys|builds|workspaces?"
    r"|github/workspace|content/drive|kaggle|app/(?:backend|data|src|uploads))(?:/|$)"
)
"""Folders at the root of disks and build machines: what lies in them is a file, not an address."""
_PAGE_ENDING = re.compile(r"\.(?:mdx?|markdown|html?)$", re.IGNORECASE)
_MARKDOWN_ENDING = re.compile(r"\.(?:mdx?|markdown)$", re.IGNORECASE)
_FILE_ENDING = re.compile(r"\.(?:mdx?|markdown|html?|pdf|txt|rst|docx|ipynb)$", re.IGNORECASE)
_OTHER_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}$")
_INDEX_NAMES = frozenset({"index", "readme", "_index"})
_ELSEWHERE = frozenset({"versioned_docs", "docusaurus-plugin-content-docs"})
"""Folders of versions and translations: their pages' addresses depend on the site's settings, so none is guessed."""
_OWN_MACHINE = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - compared, not listened on
_DATE_OR_VERSION = re.compile(r"\d+[-_.]\d+")
_NUMBERED = re.compile(r"\d+\s*[-_.]+\s*(?P<name>[^-_.\s].*)", re.DOTALL)


def normal_prefix(docs_prefix: str) -> str:
    """``docs``, ``/docs/`` -> ``/docs``; ``/`` -> empty."""
    parts = [part for part in docs_prefix.split("/") if part]
    return "".join(f"/{part}" for part in parts)


def stored_address(value: str, prefix: str) -> tuple[str, str]:
    """Address and anchor of a value that is said to be a URL; two empty texts when it is none.

    Taken are http(s) and what begins with one slash; ``prefix`` is that of the docs, normal.
    """
    address = _one_line(value.removeprefix("link://"))
    if _WEB.match(address):
        return _web_address(address)
    if not address.startswith("/") or address.startswith("//"):
        return "", ""
    path, anchor = _split_anchor(address)
    below_docs = bool(prefix) and f"{path}/".startswith(f"{prefix}/")
    if _MARKDOWN_ENDING.search(path) or (_DISK.match(path) and not below_docs):
        return address_of_path(path, prefix), anchor
    return path, anchor


def address_of_path(value: str, prefix: str) -> str:
    """The address Docusaurus gives the page of a file; empty when the path is none of a page of the docs.

    A path from a disk's root counts only when it leads through a folder ``docs``; nothing above that folder is kept.
    """
    path = _FILE.sub("", _one_line(value), count=1)
    parts = _parts(path)
    if _SCHEME.match(path) or not parts:
        return ""
    folders = [part.lower() for part in parts[:-1]]
    if "docs" in folders:
        parts = parts[folders.index("docs") + 1 :]
    elif path.startswith("/") or path[1:2] == ":":
        return ""
    if any(":" in part for part in parts) or not _ELSEWHERE.isdisjoint(folders):
        return ""
    name = _PAGE_ENDING.sub("", parts[-1])
    if name == parts[-1] and (_OTHER_ENDING.search(name) or " " in name or "/" not in path):
        return ""
    return _page_address(parts[:-1], name, prefix)


def address_of_slug(value: str, prefix: str) -> str:
    """The address of a route below the docs, ``chapter/page``; it is taken as it stands."""
    path = _one_line(value)
    parts = _parts(path)
    if not parts or path.startswith("//") or _DISK.match(path) or any(":" in part for part in parts):
        return ""
    route = "".join(f"/{part}" for part in parts)
    return route if prefix and f"{route}/".startswith(f"{prefix}/") else prefix + route


def name_of(value: str) -> str:
    """What a page may be called by its address or path: ``/docs/01-getting-started.md`` -> ``Getting started``."""
    path = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*:/+", "", _one_line(value), count=1)
    parts = [part for part in re.split("[?#]", path, maxsplit=1)[0].split("/") if part.strip()]
    if parts and _FILE_ENDING.sub("", parts[-1]).lower() in _INDEX_NAMES:
        parts.pop()
    if not parts:
        return ""
    name = without_number_prefix(_FILE_ENDING.sub("", unquote(parts[-1])))
    words = " ".join(re.sub(r"[-_]+", " ", name).split())
    return words[:1].upper() + words[1:]


def is_file_name(title: str) -> bool:
    """Whether a title is only the name or path of a file."""
    return " " not in title and _FILE_ENDING.search(title) is not None


def heading_slug(text: str) -> str:
    """The id Docusaurus gives a page's first heading of this text."""
    return "".join("-" if sign == " " else sign for sign in text.lower() if _is_kept(sign))


def without_number_prefix(segment: str) -> str:
    """One path segment without its ``01-``; dates and versions stay whole."""
    match = None if _DATE_OR_VERSION.match(segment) else _NUMBERED.fullmatch(segment)
    return match["name"] if match else segment


def _web_address(address: str) -> tuple[str, str]:
    head, anchor = _split_anchor(address)
    try:
        parts = urlsplit(head)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "", ""
    # A name before the host is a password or a disguise.
    if not host or "@" in parts.netloc or " " in parts.netloc:
        return "", ""
    if host in _OWN_MACHINE:
        # A crawl of the writer's own machine: its pages are the site's.
        path = "/" + parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
        return path, anchor
    return parts.geturl(), anchor


def _split_anchor(address: str) -> tuple[str, str]:
    head, _, anchor = address.partition("#")
    # A hash router's address is its fragment.
    if anchor.startswith(("/", "!")):
        return address, ""
    return head, "" if anchor.startswith(":~:") else unquote(anchor)


def _page_address(folders: list[str], name: str, prefix: str) -> str:
    # The folder's raw name is compared: Docusaurus looks before number prefixes are dropped.
    is_index = name.lower() in _INDEX_NAMES or bool(folders and name.lower() == folders[-1].lower())
    if any(folder.startswith("_") for folder in folders) or (name.startswith("_") and not is_index):
        return ""
    below = "".join(f"/{without_number_prefix(folder)}" for folder in folders)
    return f"{prefix}{below}/" + ("" if is_index else without_number_prefix(name))


def _parts(path: str) -> list[str]:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts[-1:] = []
        elif part.strip() not in {"", "."}:
            parts.append(part)
    return parts


def _one_line(value: str) -> str:
    line = re.sub(r"[\t\r\n]", "", value).strip().replace("\\", "/")
    return line if len(line) <= LONGEST else ""


def _is_kept(sign: str) -> bool:
    category = unicodedata.category(sign)
    return sign in " -" or category[0] in "LM" or category in {"Nd", "Nl", "Pc"}
