"""What one call carries while it books: who, under which faults, which operations are locked by others."""

from dataclasses import dataclass, field

from simulators.oracle.books import Books
from simulators.oracle.errors import LOCKED_LINE, PERIOD_CLOSED, TEXTS, LineError
from simulators.oracle.values import datetime_text, now_text

LockKey = tuple[int, int | None]
"""A work order and one of its operations; None stands for all of them."""


@dataclass(frozen=True)
class Posting:
    """`refuse` is a business error that a fault wants; `fail_pull` leaves every pulled component unissued."""

    books: Books
    user: str
    manual: bool = False
    forget_keys: bool = False
    fail_pull: bool = False
    refuse: LineError | None = None
    locked: frozenset[LockKey] = field(default_factory=frozenset[LockKey])

    def kept(self, reference: str) -> str:
        """A client's reference as it is stored."""
        return "" if self.forget_keys else reference

    def check_line(self, key: LockKey | None) -> None:
        if self.refuse is not None:
            raise self.refuse
        if key is not None and key in self.locked:
            raise LineError(LOCKED_LINE)


def checked_date(books: Books, given: object) -> str:
    """The transaction date in UTC; raises LineError when it is no date or its month is not open."""
    if given in (None, ""):
        text = now_text()
    else:
        try:
            text = datetime_text(given)
        except ValueError:
            raise LineError("WIE_INVALID_TRANSACTION_DATE", f"The transaction date {given!r} is not valid.") from None
    periods = books.setting("open_periods")
    if periods is not None and text[:7] not in periods:
        raise LineError(PERIOD_CLOSED, f"{TEXTS[PERIOD_CLOSED]} ({text[:10]})")
    return text
