"""The trust that calls to an ERP need: the machine's authorities, and the plant's own where `ca_file` names one."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path

import httpx

from signals.errors import ErpMisconfigured

_ELSEWHERE = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables by which a machine says where its authorities are."""


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Verifies always. Made once for the same authorities: reading them all takes longer than a call.

    Raises ErpMisconfigured for a `ca_file` that is no file.
    """
    elsewhere = tuple(os.environ.get(name, "") for name in _ELSEWHERE)
    if not ca_file:
        return _made("", 0, elsewhere)
    file = Path(ca_file)
    if not file.is_file():
        raise ErpMisconfigured(f"[erp] ca_file {ca_file!r} is no file; give the PEM file of the authority", code="tls")
    return _made(str(file.absolute()), file.stat().st_mtime_ns, elsewhere)


@lru_cache(maxsize=8)
def _made(ca_file: str, _changed: int, _elsewhere: tuple[str, ...]) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context
