"""Whom to trust over TLS: the same authorities for every upstream that is spoken to past its client."""

import os
import ssl

import certifi


def trusted_roots() -> ssl.SSLContext:
    """The roots that the upstreams' own clients trust: certifi's, or those of SSL_CERT_FILE, and those of SSL_CERT_DIR.

    The system may have none. Takes 10 to 30 ms, so make one for a session, not for a call.
    """
    return ssl.create_default_context(
        cafile=os.environ.get("SSL_CERT_FILE") or certifi.where(), capath=os.environ.get("SSL_CERT_DIR") or None
    )
