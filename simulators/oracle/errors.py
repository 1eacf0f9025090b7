"""What the simulated Oracle refuses with: a whole call (an HTTP status) or one line of a batch (inside a 201).

Message names are this simulator's own choice unless docs/simulators-oracle.md says otherwise.
"""

NEGATIVE = "INV_NEGATIVE_BALANCES_NOT_ALLOWED"
LOCKED = "JBO-26030"
LOCKED_LINE = "WIE_RECORD_LOCKED"
PERIOD_CLOSED = "INV_NO_OPEN_PERIOD"
STATUS_BLOCKS = "INV_MATERIAL_STATUS_DISALLOWS"
DUPLICATE = "JBO-25013"
BAD_REQUEST = "27520"

TEXTS = {
    NEGATIVE: "Negative inventory balances are not allowed in this organization.",
    LOCKED: "Failed to lock the record, another user holds the lock.",
    LOCKED_LINE: "The record is locked by another user. Try again later.",
    PERIOD_CLOSED: "The transaction date is not in an open accounting period.",
    DUPLICATE: "Too many objects match the primary key.",
}
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    412: "Precondition Failed",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


class Refusal(Exception):
    """Oracle says no to the whole call and nothing has changed. `path` is the o:errorPath of the detailed payload."""

    def __init__(
        self, code: str, message: str, *, status: int = 400, path: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.path = path
        self.headers = headers or {}


class LineError(Exception):
    """One line of a batch (or one staged row) cannot be posted; `name` is the message name, `text` what people read."""

    def __init__(self, name: str, text: str = "") -> None:
        self.name = name
        self.text = text or TEXTS.get(name, f"The transaction was refused with {name}.")
        super().__init__(f"{name}: {self.text}")


def not_found(what: str) -> Refusal:
    return Refusal("404", f"Not Found: {what}", status=404)


def unsupported(method: str, resource: str) -> Refusal:
    """The original documents `GET action not supported` on its transaction resources."""
    return Refusal("405", f"{method} action not supported on {resource}", status=405)


def locked() -> Refusal:
    """A row lock is transient; it comes as a 400 whose code has to be read."""
    return Refusal(LOCKED, f"{LOCKED}: {TEXTS[LOCKED]}")
