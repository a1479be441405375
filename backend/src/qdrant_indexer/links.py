"""Points links between Markdown files at the addresses of their pages, as Docusaurus does when it builds.

Source of the rules: ``@docusaurus/utils`` 3.10.2 (``markdownLinks.ts``).
"""

import posixpath
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

_LINK = re.compile(
    r"""
    (?P<kept>^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?P<fence>`{3,}|~{3,})[^\n]*\n(?s:.*?)(?:^[ \t>]*(?P=fence)[`~]*[ \t]*$|\Z)
      | (?P<ticks>`+)(?:(?!\n[ \t]*\n)[\s\S])+?(?<!`)(?P=ticks)(?!`))
  | (?P<lead>\]\(\s*<?|^[ ]{0,3}\[[^\]\n]+\]:[ \t]*<?)(?P<path>[^\s()<>#?:]+\.mdx?)(?P<rest>[#?][^\s()<>]*)?(?=[\s)>]|$)
    """,
    re.MULTILINE | re.VERBOSE,
)


def with_addresses(markdown: str, file: str, roots: Sequence[str], addresses: Mapping[str, str]) -> str:
    """The Markdown with its file links resolved; those that name no page, and all code, stay as they are.

    ``addresses``: path below the site's folder -> raw permalink; ``file``: the page's own such path; ``roots``: such paths of
    the folders its content lies in, where a path that begins with ``/`` starts.
    """

    def resolved(match: re.Match[str]) -> str:
        if match["kept"]:
            return match[0]
        files = _files(unquote(match["path"]), file, roots)
        address = next((addresses[one] for one in files if one in addresses), None)
        return match[0] if address is None else match["lead"] + quote(address, safe="/~") + (match["rest"] or "")

    return _LINK.sub(resolved, markdown)


def _files(path: str, file: str, roots: Sequence[str]) -> list[str]:
    """Paths below the site's folder that a link's path may mean, the first that exists wins."""
    own = posixpath.dirname(file)
    if path.startswith("@site/"):
        folders, path = [""], path.removeprefix("@site/")
    elif path.startswith("/"):
        folders = [*roots, ""]
    elif path.startswith(("./", "../")):
        folders = [own]
    else:
        folders = [own, *roots, ""]
    return [posixpath.normpath(posixpath.join(folder, path.lstrip("/"))) for folder in folders]
