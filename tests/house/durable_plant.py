"""What the durability tests share: a plant file with short patience, orders to make, and moments to strike at.

Not for judging: that is the line's truth against the SAP's books, in plant_house.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from signals.status import OrderStatus
from tests.house.plant_house import ROOT, PlantHouse

DEFAULTS = ROOT / "workers" / "defaults"
STATIONS = (("press", "0010", 4.0), ("weld", "0020", 4.0), ("inspect", "0030", 3.0))
CONFIRMATIONS = "/API_PROD_ORDER_CONFIRMATION_2_SRV"
LOST_ANSWERS = {"mode": "timeout_after_commit", "probability": 0.33, "seed": 11, "path": CONFIRMATIONS}
"""A third of the postings is booked, and nobody learns of it."""

OUTAGE = {"mode": "down"}
FIRST, SECOND = "1000001", "1000002"


def plant_text(*changes: tuple[str, str], timeout: float = 1, settle: float = 2, mode: str = "post") -> str:
    """The demo's plant file with an impatient ERP connection and further texts replaced (each must be there)."""
    text = (DEFAULTS / "demo.toml").read_text()
    settings = {
        "timeout_seconds": f"{timeout:g}",
        "settle_seconds": f"{settle:g}",
        "calls_per_second": "100",
        "mode": f'"{mode}"',
        "quantity": "10",
        "minutes": "5",
        "retry_seconds": "[1, 1, 2, 3, 5]",
        "intake_seconds": "5",
        "goods_movement_wait_seconds": "20",
        "technical_completion": '"automatic"',
    }
    for key, value in settings.items():
        text, found = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
        assert found == 1, f"the demo's plant file says {key} {found} times"
    for old, new in changes:
        assert old in text, f"the demo's plant file no longer says {old!r}"
        text = text.replace(old, new)
    return text


def orders_seed(quantities: dict[str, int], *, over: int = 5, posting_seconds: float = 0.0) -> dict[str, Any]:
    """Orders of three operations with backflushed components; `over` is the over-delivery tolerance in percent."""
    place = {"storage_location": "RM01", "unit": "PC"}
    operations = [
        {"operation": operation, "work_centre": name.upper(), "control_profile": profile}
        for (name, operation, _), profile in zip(STATIONS, ("PP01", "PP01", "PP02"), strict=True)
    ]
    orders = [
        {
            "order": order, "plant": "1010", "material": f"BRACKET-{order[-1]}", "quantity": quantity, "unit": "PC",
            "type": "PP01", "storage_location": "FG01", "over_delivery_tolerance": over, "operations": operations,
            "components": [
                {"material": "BLANK", "required": quantity, "operation": "0010", **place},
                {"material": "NUT-M6", "required": 2 * quantity, "operation": "0020", **place},
            ],
        }
        for order, quantity in quantities.items()
    ]  # fmt: skip
    stock = [{"material": material, "plant": "1010", "quantity": 100_000, **place} for material in ("BLANK", "NUT-M6")]
    required = {"confirmation": "required"}
    profiles = {"1010": {"PP01": required, "PP02": {**required, "automatic_receipt": True}}}
    settings = {"posting_seconds": posting_seconds}
    return {"orders": orders, "stock": stock, "control_profiles": profiles, "settings": settings}


def scenario(*runs: tuple[str, int], defects: Sequence[tuple[int, int]] = ((1, 7),)) -> str:
    """A line of three stations that makes these runs (order, quantity); defects are (run, piece)."""
    parts = ['line = "Line1"\nstart = "control"']
    for name, operation, cycle in STATIONS:
        parts.append(
            f'[[station]]\nname = "{name}"\noperation = "{operation}"\ncycle_seconds = {cycle}\ntransport_seconds = 2'
        )
    for number, (order, quantity) in enumerate(runs, start=1):
        parts.append(f'[[run]]\norder = "{order}"\nbatch = "B-{number:04}"\nquantity = {quantity}')
    parts += [
        f'[[defect]]\nrun = {run}\npiece = {piece}\norigin = "press"\nreason = "SCRATCH"' for run, piece in defects
    ]
    return "\n".join(parts)


@asynccontextmanager
async def plant_at_work(
    folder: Path,
    *runs: tuple[str, int],
    plant: str = "",
    speed: float = 15,
    over: int = 5,
    posting_seconds: float = 0.0,
    defects: Sequence[tuple[int, int]] = ((1, 7),),
    faults: Sequence[dict[str, Any]] = (),
    worker: bool = True,
) -> AsyncIterator[PlantHouse]:
    """Everything runs, every counter was read once, and the line is started. Without `worker` nobody works."""
    quantities = {order: sum(q for o, q in runs if o == order) for order in {o for o, _ in runs}}
    seed = orders_seed(quantities, over=over, posting_seconds=posting_seconds)
    text = scenario(*runs, defects=defects)
    async with PlantHouse(folder, plant=plant or plant_text(), scenario=text, speed=speed) as house:
        house.orders = tuple(sorted(quantities))
        await house.start_sap(seed)
        for fault in faults:
            await house.sap("faults", fault)
        await house.start_line()
        await house.start_edge()
        await house.until_edge_watches()
        if worker:
            await house.start_worker()
            await house.until_line_is_seen()
        await house.line("start", post=True)
        yield house


# --- moments to strike at ------------------------------------------------------------------------------------------


async def until_made(house: PlantHouse, order: str, operation: str, pieces: int, seconds: float = 90) -> None:
    """The line has judged so many pieces of an order's operation."""

    async def made() -> bool:
        return await pieces_made(house, order, operation) >= pieces

    await house.until(f"{pieces} pieces of {order}/{operation} made", made, seconds, pause=0.05)


async def pieces_made(house: PlantHouse, order: str, operation: str) -> int:
    for known in (await house.line("truth"))["orders"]:
        for step in known["operations"]:
            if (known["order"], step["operation"]) == (order, operation):
                return step["yield"] + step["scrap"]
    return 0


async def until_line_is_done(house: PlantHouse, seconds: float = 120) -> None:
    async def done() -> bool:
        return (await house.line("truth"))["finished"]

    await house.until("every run is made", done, seconds, pause=0.1)


async def until_posting_in_work(house: PlantHouse, seconds: float = 60) -> None:
    """Between claim and answer: the SAP holds an order for a posting."""

    async def locked() -> bool:
        return bool((await house.sap("books"))["locks"])

    await house.until("a posting in work", locked, seconds, pause=0.02)


async def until_erp_is_missed(house: PlantHouse, order: str, seconds: float = 60) -> None:
    """An attempt of this order has met the outage."""

    async def missed() -> bool:
        status = await house.order_status(order)
        return status is not None and status.erp == "down"

    await house.until(f"{order} has met the outage", missed, seconds, pause=0.1)


async def until_cases(house: PlantHouse, order: str, kind: str, count: int, seconds: float = 60) -> OrderStatus:
    """So many open cases of a kind."""

    async def there() -> bool:
        status = await house.order_status(order)
        return status is not None and len([c for c in status.cases if c.kind.value == kind]) == count

    await house.until(f"{count} cases {kind} of {order}", there, seconds)
    status = await house.order_status(order)
    assert status is not None
    return status


async def confirmations(house: PlantHouse, order: str = "") -> list[dict[str, Any]]:
    """Confirmations in the SAP's books that stand."""
    books = await house.sap("books")
    return [
        d
        for d in books["documents"]
        if d["kind"] == "confirmation" and not d["reversed"] and not d["reversal"] and order in ("", d["order"])
    ]
