"""Whose address a request comes from, behind as many proxies as the owner says: what anyone may claim is not believed."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

IPV6_PREFIX = 64
"""What one subscriber has: limited one address by one, IPv6 would not be limited at all (RFC 6177)."""
UNKNOWN = "unknown"
"""Of a peer that has no address, such as a unix socket's: all of them are limited together, rather than none."""


def address_of(peer: str | None, forwarded: Sequence[str], hops: int) -> str:
    """The address to limit: of IPv6 the /64 network.

    ``forwarded``: the X-Forwarded-For headers, in order. ``hops``: proxies in front. Each adds at the right the address that it
    got the request from, and the last one is the peer: so the one at ``hops`` from the right was written by the outermost of
    ours, and what stands left of it by anyone. A list that is shorter did not pass all of them; its first one counts then.
    """
    chain = [part.strip() for header in forwarded for part in header.split(",") if part.strip()] if hops else []
    chain.append(peer or "")
    return _limited(chain[max(0, len(chain) - 1 - hops)]) or _limited(peer or "") or UNKNOWN


def _limited(written: str) -> str:
    """The address, without port, brackets and zone; empty for what is none."""
    host = written
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)
