"""Who may call which service: client, activation and authorisation, each a setting."""

from simulators.sap.books import Books
from simulators.sap.call import Call
from simulators.sap.messages import Refusal, service_unknown
from simulators.sap.odata import Answer


def wrong_client(books: Books, call: Call) -> Answer | None:
    """A logon to a client that the system does not have fails before anything else, whoever calls."""
    wanted = call.options.get("sap-client") or call.headers.get("sap-client", "")
    own = str(books.setting("client"))
    if wanted in ("", own):
        return None
    text = f"Client {wanted} is not available in this system"
    body = f"<html><head><title>Logon Error Message</title></head><body>{text}</body></html>"
    headers = {"content-type": "text/html; charset=utf-8"}
    headers["www-authenticate"] = f'Basic realm="SAP NetWeaver Application Server [S4H/{own}]"'
    return Answer(401, body, headers)


def require_service(books: Books, call: Call) -> None:
    """Not active: V2 403, V4 404. No authorisation: 403 without a token header, whatever the call asked for."""
    name = call.service.upper()
    if name in _names(books, "inactive_services"):
        raise service_unknown(call.service, 404 if call.v4 else 403)
    if name in _names(books, "forbidden_services"):
        text = f"No authorization to access service '{call.service}'"
        raise Refusal("/IWFND/CM_CONSUMER/101", text, status=403)


def _names(books: Books, setting: str) -> set[str]:
    return {str(name).upper() for name in books.setting(setting)}
