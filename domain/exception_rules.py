"""What a person may change in a refused posting before it is tried again (need 11, D3). Each rule names itself.

Pure. The ledger asks before it replaces a payload; the original is kept beside. Rules of the transaction itself
(`domain.transaction_rules`) are asked again by the posting procedure when it is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from domain.ownership import Master, changed_fields, contradiction, refused_write
from signals.bookings import ComponentUse
from signals.errors import BadInput
from signals.orders import ProductionOrder
from signals.transactions import (
    Bookable,
    ConfirmProduction,
    IssueComponents,
    ReturnComponents,
    Reverse,
    Transaction,
)

LONGEST_SHIFT = timedelta(days=92)
"""A posting date moves to another period, not to another year's books."""

_bookable: TypeAdapter[Bookable] = TypeAdapter(Bookable)

Rule = Callable[[Transaction, Transaction, ProductionOrder | None], str]
"""(original, amended, order) -> what is wrong as a sentence, empty where nothing is."""


def amend_fault(
    original: Transaction,
    amended: Transaction,
    order: ProductionOrder | None = None,
    *,
    current: Transaction | None = None,
) -> str:
    """`rule-id/version: sentence` of the first rule that speaks against the amendment; empty where it may be made.

    `original` is the payload as it was first claimed, `current` what an earlier amendment made of it.
    """
    for name, rule in RULES.items():
        said = rule(original, amended, order)
        if said:
            return f"{name}: {said}"
    if changed_fields(current or original, amended):
        return ""
    return f"{CHANGES_SOMETHING}: it says what the posting says already: retry it instead"


def _same_identity(original: Transaction, amended: Transaction, order: ProductionOrder | None) -> str:
    if isinstance(original, Reverse):
        return "a reversal is not amended: retry, adopt or skip it"
    if type(original) is not type(amended):
        return f"a {original.type.value} cannot become a {amended.type.value}: skip it and book the other one by hand"
    same = ("plant", "lane", "order", "operation", "sequence")
    wrong = [n for n in same if getattr(original, n, "") != getattr(amended, n, "")]
    return f"{', '.join(wrong)} say what the posting is about and stay" if wrong else ""


def _own_fields_only(original: Transaction, amended: Transaction, order: ProductionOrder | None) -> str:
    said = refused_write(Master.PLANTWRIGHT, original, amended)
    if said or not isinstance(original, IssueComponents | ReturnComponents | ConfirmProduction):
        return said
    if isinstance(original, ConfirmProduction) and not original.components:
        return ""  # the ERP's own proposal is replaced by what was really used
    return _own_line_fields(_uses(original), _uses(amended))


def _own_line_fields(before: tuple[ComponentUse, ...], after: tuple[ComponentUse, ...]) -> str:
    known = {(u.material, u.reservation, u.reservation_item): u for u in before}
    for use in after:
        was = known.get((use.material, use.reservation, use.reservation_item))
        if was is None:
            return f"{use.material} was not among the posting's lines"
        said = refused_write(Master.PLANTWRIGHT, was, use)
        if said:
            return f"{use.material}: {said}"
    return ""


def _uses(transaction: Transaction) -> tuple[ComponentUse, ...]:
    return getattr(transaction, "lines", None) or getattr(transaction, "components", ()) or ()


def _agrees_with_order(original: Transaction, amended: Transaction, order: ProductionOrder | None) -> str:
    return contradiction(order, amended)


def _quantity_is_covered(original: Transaction, amended: Transaction, order: ProductionOrder | None) -> str:
    """Pieces move between yield, scrap and rework or stay unposted; none is added: machines count, people correct."""
    have, want = _pieces(original), _pieces(amended)
    if have is None or want is None:
        return ""
    if want > have:
        return f"{want:f} pieces, but only {have:f} were verified; more is a report of its own"
    if want == 0 and have > 0:
        return "nothing would be left to book: skip it instead"
    return ""


def _pieces(t: Transaction) -> Decimal | None:
    if isinstance(t, ConfirmProduction):
        return t.yield_quantity + t.scrap_quantity + t.rework_quantity
    return getattr(t, "quantity", None)


def _lines_are_sensible(original: Transaction, amended: Transaction, order: ProductionOrder | None) -> str:
    empty = [use.material for use in _uses(amended) if use.quantity <= 0]
    return f"nothing of {empty[0]}: leave the line out instead" if empty else ""


def _final_stays(original: Transaction, amended: Transaction, order: ProductionOrder | None) -> str:
    if getattr(original, "final", None) == getattr(amended, "final", None):
        return ""
    return "final means final: whether it is the operation's last confirmation does not change"


def _date_is_near(original: Transaction, amended: Transaction, order: ProductionOrder | None) -> str:
    if amended.posting_date == original.posting_date:
        return ""
    ended: Any = getattr(original, "ended_at", None)
    earliest = (cast("date", ended.date()) if ended else original.posting_date) - timedelta(days=1)
    if amended.posting_date < earliest:
        return f"posting date {amended.posting_date} lies before what is booked happened ({earliest})"
    if amended.posting_date > original.posting_date + LONGEST_SHIFT:
        return f"posting date {amended.posting_date} lies more than {LONGEST_SHIFT.days} days after the original's"
    return ""


CHANGES_SOMETHING = "amend-change/1"

RULES: dict[str, Rule] = {
    "amend-identity/1": _same_identity,
    "amend-master/1": _own_fields_only,
    "amend-order/1": _agrees_with_order,
    "amend-quantity/1": _quantity_is_covered,
    "amend-lines/1": _lines_are_sensible,
    "amend-final/1": _final_stays,
    "amend-date/1": _date_is_near,
}
"""By name and version, in the order in which they are asked. A changed rule gets a new version."""


def with_changes(original: Transaction, changes: Mapping[str, str]) -> Bookable:
    """The transaction with some fields set, as `--set` gives them: `yield_quantity=5`, `lines.0.quantity=3`.

    Raises BadInput for a field it does not have and a value that does not fit.
    """
    if isinstance(original, Reverse):
        raise BadInput("a reversal is not amended", subject=original.document, hint="retry, adopt or skip it")
    body: dict[str, Any] = original.model_dump(mode="json")
    for path, value in changes.items():
        _set(body, path, value)
    return read_amended(body)


def read_amended(body: Mapping[str, Any]) -> Bookable:
    """A transaction from JSON. Raises BadInput that names the field."""
    try:
        return _bookable.validate_json(json.dumps(dict(body)))
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"][1:]) or "the amended posting"
        hint = "`plantwright exceptions show` shows the original"
        raise BadInput(f"{place}: {fault['msg']}", subject=place, hint=hint) from error


def _set(body: dict[str, Any], path: str, value: str) -> None:
    at: Any = body
    steps = path.split(".")
    for step in steps[:-1]:
        at = _step(at, step, path)
    _step(at, steps[-1], path)
    at[int(steps[-1]) if isinstance(at, list) else steps[-1]] = _value(value)


def _step(at: Any, step: str, path: str) -> Any:
    known: list[str] = []
    if isinstance(at, dict):
        table = cast("dict[str, Any]", at)
        known = list(table)
        if step in table:
            return table[step]
    elif isinstance(at, list):
        rows = cast("list[Any]", at)
        known = [str(n) for n in range(len(rows))]
        if step in known:
            return rows[int(step)]
    raise BadInput(f"the posting has no field {path}", subject=path, hint=f"here it has {', '.join(known) or 'none'}")


def _value(text: str) -> Any:
    """Lists and objects as JSON, true and false, everything else as its own text: the field's type reads it."""
    if text[:1] in "[{" and text:
        try:
            return json.loads(text)
        except ValueError as error:
            raise BadInput(f"{text!r} is no JSON", subject=text, hint="quote it for the shell") from error
    return {"true": True, "false": False, "null": None}.get(text, text)
