"""Which addresses an answer may link to: those of the site itself."""

import re
from collections.abc import Collection
from html import unescape
from urllib.parse import urlsplit


def leads_to_site(address: str, hosts: Collection[str]) -> bool:
    """Whether a link stays on the site, read as it stands and with its entities resolved, as a renderer reads it.

    ``hosts``: of the site, each with its port where it has one.
    """
    return all(_leads_there(form, hosts) for form in (address, re.sub(r"[\t\n\r]", "", unescape(address))))


def _leads_there(address: str, hosts: Collection[str]) -> bool:
    if address.startswith(("/", "#")):
        return not address.startswith(("//", "/\\"))
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc in hosts
