"""Whom the service trusts over TLS: certifi's authorities, or those of the file that the environment names."""

import ssl
from pathlib import Path

import certifi
import pytest

from chatbot_api.services.trusted_roots import trusted_roots
from tls_server import certificate_in


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("named", [None, ""], ids=["unset", "empty"])
def test_certifis_roots_are_trusted_where_no_file_is_named(named: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if named is not None:
        monkeypatch.setenv("SSL_CERT_FILE", named)
        monkeypatch.setenv("SSL_CERT_DIR", named)
    certifis = ssl.create_default_context(cafile=certifi.where())
    assert trusted_roots().cert_store_stats() == certifis.cert_store_stats()
    assert trusted_roots().verify_mode is ssl.CERT_REQUIRED
    assert trusted_roots().check_hostname


def test_a_file_that_is_named_takes_the_place_of_certifis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate_in(tmp_path)))
    assert trusted_roots().cert_store_stats()["x509"] == 1
