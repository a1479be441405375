"""Points links between Markdown files at the addresses of their pages, as Docusaurus does when it builds."""

import posixpath
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

_LINK = re.compile(
    r"""
    (?P<kept>^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?P<fence>`{3,}|~{3,})[^\n]*\n(?s:.*?)(?:^[ \t>]*(?P=fence)[`~]*[ \t]*$|\Z)
      | (?P<ticks>`+)(?:(?!\n[ \t]*\n)[\s\S])+?(?<!`)(?P=ticks)(?!`))
  | (?P<lead>\]\(\s*<?|^[ ]{0,3}\[[^\]\n]+\]:[ \t]*<?)(?P<path>[^\s()<>#?:]+\.mdx?)(?P<rest>[#?][^\s()<>]*)?(?=[\s)>]|$)
    """,
    re.MULTILINE | re.VERBOSE,
)


def with_addresses(markdown: str, source: str, addresses: Mapping[str, str]) -> str:
    """The Markdown with its file links resolved; those that name no page, and all code, stay as they are.

    ``addresses``: source path below the docs folder -> raw permalink. A path that begins with ``/`` starts at the docs folder.
    """

    def resolved(match: re.Match[str]) -> str:
        if match["kept"]:
            return match[0]
        address = addresses.get(_target(unquote(match["path"]), source))
        return match[0] if address is None else match["lead"] + quote(address, safe="/~") + (match["rest"] or "")

    return _LINK.sub(resolved, markdown)


def _target(path: str, source: str) -> str:
    if path.startswith("@site/docs/"):
        return path.removeprefix("@site/docs/")
    folder = "" if path.startswith("/") else posixpath.dirname(source)
    return posixpath.normpath(posixpath.join(folder, path.lstrip("/")))
