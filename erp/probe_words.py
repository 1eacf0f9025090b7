"""What `plantwright check --connect` says of a connection that does not stand, in words that do not depend on the ERP.

Each finding has one sentence that names the object, and a hint with the fix; never a library's words. What an ERP
itself says of user, client, company or plant is worded by its own probe.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from signals.erp_reads import Probe
from signals.errors import ErpBusy, ErpError, ErpInDoubt, ErpMisconfigured, ErpUnavailable

_CERTIFICATE = {
    10: "has expired",
    18: "is self-signed",
    19: "comes from an authority that is not trusted here",
    20: "comes from an authority that is not trusted here",
    62: "is for another host name",
}
"""OpenSSL's X509_V_ERR numbers."""


def connection_probe(
    name: str, error: ErpError, system: str, url: str, token_url: str = "", *, required: bool = True
) -> Probe | None:
    """The finding where the connection is to blame, TLS, network or address; None where the ERP itself said no."""
    place = _Place(error, url, token_url)
    if isinstance(error, ErpMisconfigured):
        told = _misconfigured(error, place)
        return told and Probe(name=name, ok=False, message=told[0], hint=told[1], required=required)
    if not isinstance(error, ErpUnavailable) and not _no_answer(error):
        return None
    if error.code == "unreadable":
        message = f"what answers at {place.address} does not speak like {system}"
        hint = f"check {place.setting}: it must be the address of {system} itself, not of a page or a gateway before it"
        return Probe(name=name, ok=False, message=message, hint=hint, required=required)
    message, hint, silent = _away(error, place, system)
    if not required and error.code.startswith("HTTP/"):
        silent = False  # one broken service among others
    return Probe(name=name, ok=False, message=message, hint=hint, required=required, unreachable=silent)


class _Place:
    """Who was called, and the key of the plant file that says so."""

    def __init__(self, error: ErpError, url: str, token_url: str) -> None:
        called = next((_request_url(e) for e in _chain(error) if isinstance(e, httpx.RequestError)), "")
        at_token = error.code.startswith("oauth") or bool(token_url and called == token_url)
        address = called or (token_url if at_token else "") or url
        self.address = urlsplit(address).netloc.rpartition("@")[2] or address
        self.host = urlsplit(address).hostname or address
        self.setting = "[erp] token_url" if at_token else "[erp] url"


def _misconfigured(error: ErpMisconfigured, place: _Place) -> tuple[str, str] | None:
    if error.code == "tls":
        found = next((e for e in _chain(error) if isinstance(e, ssl.SSLCertVerificationError)), None)
        number = found.verify_code if found is not None else 20
        what = _CERTIFICATE.get(number, "is not valid")
        if number in (18, 19, 20):
            hint = "set [erp] ca_file to the PEM file of the authority that signed it; TLS is always verified"
        else:
            hint = f"check {place.setting}, and have the certificate renewed; TLS is always verified"
        return f"the TLS certificate of {place.address} {what}", hint
    if error.code in ("url", "oauth_url"):
        return f"{place.setting} is no address that can be called", "write it as https://HOST or https://HOST:PORT/…"
    if error.code.startswith("HTTP/3"):
        return f"{place.address} leads on to another address", f"set {place.setting} to where it leads"
    return None


def _no_answer(error: ErpError) -> bool:
    return isinstance(error, ErpInDoubt) and (error.code in ("no_answer", "unreadable") or error.code[:5] == "HTTP/")


def _away(error: ErpError, place: _Place, system: str) -> tuple[str, str, bool]:
    """Sentence, fix, and whether it is a silence that may pass rather than a wrong set-up."""
    causes = list(_chain(error))
    if any(isinstance(e, socket.gaierror) for e in causes):
        return f"no host is named {place.host}", f"check {place.setting}, and the name service of this machine", True
    if any(isinstance(e, ssl.SSLError) for e in causes) or "SSL" in str(error):
        message = f"{place.address} does not speak TLS as {place.setting} says"
        return message, "check the port, and whether the address starts with https:// rightly", False
    if any(isinstance(e, ConnectionRefusedError) for e in causes):
        hint = f"check host and port of {place.setting}, and whether {system} is up"
        return f"nobody listens at {place.address}", hint, True
    if isinstance(error, ErpBusy) and error.code != "own_limit":
        wait = f" for {error.retry_after:.0f} s" if error.retry_after else ""
        return (
            f"{place.address} asks to be left alone{wait}",
            "try again then; nothing is known of the set-up yet",
            True,
        )
    if error.code.startswith("HTTP/"):
        hint = f"try again when {system} is up; if it is, check that {place.setting} leads to it"
        return f"{place.address} answers with a failure of its own (HTTP {error.code[5:]})", hint, True
    if any(isinstance(e, httpx.TimeoutException | TimeoutError) for e in causes):
        hint = f"check {place.setting}, the network and the firewall, and whether {system} is up"
        return f"{place.address} does not answer in time", hint, True
    if any(isinstance(e, httpx.ConnectError) for e in causes):
        hint = f"check {place.setting}, the network and the firewall"
        return f"there is no way to {place.address} from here", hint, True
    hint = f"check whether {system} is up, and that {place.setting} leads to it"
    return f"{place.address} breaks off without an answer", hint, True


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it came from; some are raised from none, which still leaves them a context."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__]


def _request_url(error: httpx.RequestError) -> str:
    try:
        return str(error.request.url)
    except RuntimeError:
        return ""
