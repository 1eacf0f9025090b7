"""Reading what people typed: quantities in either language's spelling, times, dispositions, serial numbers. Pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from signals.errors import BadInput
from signals.holds import HoldDisposition, HoldDispositionKind

M = TypeVar("M", bound=BaseModel)


def new_action() -> str:
    """An id for a form: sent twice, it is one action."""
    return str(uuid.uuid4())


def amount(text: str, what: str) -> Decimal:
    """A quantity as people write it: 1,5 or 1.5. Raises BadInput."""
    said = text.strip().replace(" ", "").replace("\u00a0", "")
    if "," in said and "." not in said:
        said = said.replace(",", ".")
    try:
        value = Decimal(said)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0 or not re.fullmatch(r"\d{1,10}(\.\d{1,6})?", said):
        raise BadInput(f"{what}: {text!r} is no quantity", subject=what, hint="write a number, for example 3 or 2.5")
    return value


def instant(text: str, zone: str, what: str) -> datetime:
    """A time as a browser's field gives it, in the plant's zone. Raises BadInput."""
    try:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        hint = "choose a day and a time"
        raise BadInput(f"{what}: {text!r} is no time", subject=what, hint=hint) from error


def whole(text: str, what: str) -> int:
    """A number of something. Raises BadInput."""
    if not re.fullmatch(r"[0-9]{1,6}", text.strip()):
        raise BadInput(f"{what}: {text!r} is no number", subject=what)
    return int(text)


def serials(text: str) -> tuple[str, ...]:
    """Serial numbers separated by blanks, commas or lines; each once."""
    return tuple(dict.fromkeys(part for part in re.split(r"[\s,;]+", text) if part))


def dispositions(form: Mapping[str, str]) -> tuple[HoldDisposition, ...]:
    """The quantities of the decision form: `quantity_release`, `serials_scrap`, `reason_scrap`. Raises BadInput."""
    found: list[HoldDisposition] = []
    for kind in HoldDispositionKind:
        text = form.get(f"quantity_{kind.value}", "").strip()
        named = serials(form.get(f"serials_{kind.value}", ""))
        if not text and not named:
            continue
        quantity = amount(text, kind.value) if text else Decimal(len(named))
        if not quantity:
            continue
        found.append(
            built(
                HoldDisposition, kind=kind, quantity=quantity, serials=named,
                reason_code=form.get("reason_code", "").strip() if kind is HoldDispositionKind.SCRAP else "",
            )
        )  # fmt: skip
    if not found:
        raise BadInput("no quantity is decided", subject="quantity", hint="write a quantity beside what becomes of it")
    return tuple(found)


def built(message: type[M], /, **values: object) -> M:
    """A message from what was typed. Raises BadInput that names the field."""
    try:
        return message(**values)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise BadInput(f"{place}: {fault['msg'].removeprefix('Value error, ')}", subject=place) from error
