"""What an address in a setting must look like; nothing is said of one that could show a password."""

from re import fullmatch
from urllib.parse import urlsplit


def fault_of(address: str) -> str:
    """What is wrong with the base of addresses, without a word of it: it may hold a password. Empty: nothing, or none is set."""
    if not address:
        return ""
    if not address.startswith(("http://", "https://")):
        return "must start with http:// or https://"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is no address; its port or its brackets are wrong"
    if parts.username is not None:
        return "holds a user name or password; keys have settings of their own"
    if not fullmatch(r"[\w.:-]+", host) or (port is None and parts.netloc.endswith(":")):
        return "names no host"
    return "holds a query or fragment; give the base alone" if parts.query or parts.fragment else ""


def is_origin(origin: str) -> bool:
    """Whether a browser can send exactly this as its Origin."""
    match = fullmatch(r"(https?)://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::([1-9][0-9]{0,4}))?", origin)
    if match is None:
        return False
    return match[2] != {"http": "80", "https": "443"}[match[1]] and int(match[2] or 0) <= 65535


def is_database(url: str) -> bool:
    """Whether it names a PostgreSQL server and a database on it."""
    return fullmatch(r"postgres(?:ql)?://[^/?#\s]+/[^/?#\s]+(?:\?\S*)?", url) is not None
