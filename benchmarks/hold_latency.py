"""How long from a measurement beyond its limit to the block, here and in the ERP: `python -m benchmarks.hold_latency`.

Everything is real but machines and SAP, which are simulated in processes of their own: OPC UA servers, the edge
gateway, Temporal, workers, a SQLite ledger. Each order makes one good piece, two bad ones and a good one. Two in a
row out of spec are a deviation, so the first bad piece may be in free stock by then and is moved (344); the second one
is still to be received, into blocked stock. Lines start one after the other over the time an order takes, as lines
that know nothing of each other do; `--in-step` starts them at once, so that all deviate at once. Times are the
processes' own: the measurement's source time, the ledger's record, SAP's first document that blocks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from domain.plant import PlantConfig
from erp.budget import LocalBudget
from erp.factory import create_erp
from tests.house.plant_house import PlantHouse
from workers.plant_file import load_plant

PIECES = 4
BAD = 2
BLOCKED = "07"
WARM_UP = 0
CHANGEOVER = 4.0
NOMINAL, UPPER = 412, 430
TAGS = {
    "State": "state", "Order": "order", "Operation": "operation", "Batch": "batch", "Force": "measurement",
}  # fmt: skip


def order_of(line: int, run: int) -> str:
    return f"{1000000 + line * 1000 + run}"


def plant_file(lines: int) -> str:
    """A plant of so many lines with one station each; every piece is a report of its own."""
    head = """
schema = 1
[plant]
id = "bench"
[posting]
technical_completion = "propose"
retry_seconds = [1]
intake_seconds = 2
[erp]
kind = "sap"
url = "http://127.0.0.1:8080"
plant = "1010"
timeout_seconds = 5
settle_seconds = 5
calls_per_second = 200
[erp.control_profile.PP02]
automatic_receipt = true
[quality]
signatures = "off"
"""
    rules = "".join(
        f"""
[[quality.rule]]
id = "force-{n}"
station = "press"
line = "line{n}"
tag = "Force"
lower = {NOMINAL - 18}
upper = {UPPER}
consecutive = 2
"""
        for n in range(1, lines + 1)
    )
    return head + rules + "".join(_line(n) for n in range(1, lines + 1))


def _line(number: int) -> str:
    node = f"nsu=urn:plantwright:simulated-line;s=Line{number}"
    tags = [f'{{ name = "{t}", kind = "{k}", node = "{node}.press.{t}"{_every(t)} }}' for t, k in TAGS.items()]
    tags += [
        f'{{ name = "{t}", kind = "count", node = "{node}.press.{t}", counter = {{ role = "{t.lower()}" }} }}'
        for t in ("Good", "Reject")
    ]
    return f"""
[[line]]
id = "line{number}"
second_evidence = false
[line.cadence]
quantity = 1
[line.opcua]
endpoint = "opc.tcp://127.0.0.1:4840/plantwright/line"
publishing_ms = 200
settle_ms = 300
heartbeat = "{node}.Heartbeat"
[[line.station]]
id = "press"
operation = "0010"
tag = [{", ".join(tags)}]
"""


def _every(tag: str) -> str:
    return ", filter = { every = true }" if tag == "Force" else ""


def scenario(line: int, runs: int, cycle: float) -> str:
    """Each run is an order with its two bad pieces in the middle; the first one is good throughout and warms up."""
    head = f"""
line = "Line{line}"
start = "control"
[[station]]
name = "press"
operation = "0010"
cycle_seconds = {cycle}
cycle_noise = 0.2
changeover_seconds = {CHANGEOVER}
measurement = [{{ tag = "Force", nominal = {NOMINAL}.0, noise = 6.0, unit = "kN", decimals = 1 }}]
"""
    warm_up = f"""
[[run]]
order = "{order_of(line, WARM_UP)}"
batch = "B0"
quantity = {PIECES}
"""
    parts = [
        f"""
[[run]]
order = "{order_of(line, run)}"
batch = "B{run}"
quantity = {PIECES}
[[drift]]
station = "press"
run = {run + 1}
piece = 2
tag = "Force"
offset = 40.0
pieces = {BAD}
"""
        for run in range(1, runs + 1)
    ]
    return head + warm_up + "".join(parts)


def seed(lines: int, runs: int) -> dict[str, Any]:
    """One order and one material per run, so that SAP's stock tells whose pieces are where."""
    operation = {"operation": "0010", "work_centre": "P1", "control_profile": "PP02"}
    orders = [
        {
            "order": order_of(line, run), "plant": "1010", "material": f"FRAME-{order_of(line, run)}",
            "quantity": PIECES, "unit": "PC", "type": "PP01", "storage_location": "FG01", "operations": [operation],
        }
        for line in range(1, lines + 1)
        for run in range(WARM_UP, runs + 1)
    ]  # fmt: skip
    return {
        "orders": orders,
        "control_profiles": {"1010": {"PP02": {"confirmation": "required", "automatic_receipt": True}}},
    }


async def measure(
    lines: int, holds: int, cycle: float, workers: int, folder: Path, *, in_step: bool = False
) -> dict[str, Any]:
    """Run until every order has its hold and nothing moves any more, then read the books."""
    runs = -(-holds // lines)
    async with PlantHouse(folder, plant=plant_file(lines)) as house:
        house.orders = ()
        await house.start_sap(seed(lines, runs))
        controls = [await _start_line(house, line, scenario(line, runs, cycle)) for line in range(1, lines + 1)]
        for number in range(1, workers + 1):
            await house.start_worker(f"worker{number}")
        await house.start_edge()
        await house.until_edge_watches()
        expected = lines * runs
        await house.until("all orders run", lambda: _running(folder, expected + lines), 300, 1)
        began = time.monotonic()
        loads = [os.getloadavg()[0]]
        apart = 0.0 if in_step else (PIECES * cycle + CHANGEOVER) / lines
        for control in controls:
            (await house.http.post(f"{control}/_control/start")).raise_for_status()
            await asyncio.sleep(apart)
        slowest = (runs + 1) * (PIECES * cycle * 1.2 + CHANGEOVER + 3) + 120
        deadline = began + slowest * 2
        while time.monotonic() < deadline:
            await asyncio.sleep(2)
            loads.append(os.getloadavg()[0])
            books = await house.sap("books")
            if _blocked_orders(books) >= expected and _received(books) >= (expected + lines) * PIECES:
                break
        figures = read_books(folder, await house.sap("books"))
        figures |= {
            "holds": expected,
            "lines": lines,
            "in_step": in_step,
            "cycle_seconds": cycle,
            "workers": workers,
            "seconds": round(time.monotonic() - began, 1),
            "load_average": round(statistics.mean(loads), 2),
            "sap_answers_a_read": await _sap_latency(house),
            "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        }
        return figures


async def _start_line(house: PlantHouse, number: int, text: str) -> str:
    file = house.folder / f"line{number}.toml"
    file.write_text(text)
    child = await house.start(
        f"line{number}", "--scenario", str(file), "--port", "0", "--seed", str(number), module="simulators.line"
    )
    house.env[f"PLANTWRIGHT_OPCUA_ENDPOINT_LINE{number}"] = child.ready["endpoint"]
    return child.ready["control"]


async def _running(folder: Path, expected: int) -> bool:
    return len(_rows(folder, "select order_id from production_order where phase <> ''")) >= expected


def _rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{folder / 'ledger.sqlite'}?mode=ro", uri=True, timeout=30) as ledger:
        return ledger.execute(query).fetchall()


def _received(books: dict[str, Any]) -> int:
    return sum(int(Decimal(o["operations"][0]["yield"])) for o in books["orders"])


def _blocked(books: dict[str, Any]) -> dict[str, int]:
    """Blocked pieces by order."""
    found: dict[str, int] = defaultdict(int)
    for row in books["stock"]:
        if row["stock_type"] == BLOCKED:
            found[row["material"].removeprefix("FRAME-")] += int(Decimal(row["quantity"]))
    return found


def _blocked_orders(books: dict[str, Any]) -> int:
    return sum(1 for pieces in _blocked(books).values() if pieces >= BAD)


def read_books(folder: Path, books: dict[str, Any]) -> dict[str, Any]:
    """Latencies in seconds from the measurement that made the deviation, and where SAP has the held pieces."""
    crossed: dict[str, datetime] = {}
    recorded: dict[str, datetime] = {}
    query = "select payload, recorded_at from hold_trigger where created"
    for payload, at in _rows(folder, query):
        trigger = json.loads(payload)
        order = trigger["scope"]["order"]
        crossed[order] = _time(trigger["at"])
        recorded[order] = _time(at)
    moved: dict[str, datetime] = {}
    for document in sorted(books["documents"], key=lambda d: d["at"]):
        for line in document["goods_movements"]:
            order = line["material"].removeprefix("FRAME-")
            if line["movement_type"] == "344" or line["stock_type"] == BLOCKED:
                moved.setdefault(order, _time(document["at"]))
    blocked = _blocked(books)
    return {
        "found": len(crossed),
        "to_ledger": spread((recorded[o] - crossed[o]).total_seconds() for o in crossed),
        "to_erp": spread((moved[o] - crossed[o]).total_seconds() for o in crossed if o in moved),
        "blocked_in_erp": len(moved),
        "held_pieces_usable": sum(max(0, BAD - blocked.get(order, 0)) for order in crossed),
        "good_pieces_blocked": sum(max(0, blocked.get(order, 0) - BAD) for order in crossed),
    }


def spread(values: Iterable[float]) -> dict[str, float]:
    """Median, 95th percentile and largest."""
    found = sorted(values)
    if not found:
        return {}
    at = min(len(found) - 1, -(-95 * len(found) // 100) - 1)
    return {"p50": round(statistics.median(found), 3), "p95": round(found[at], 3), "max": round(found[-1], 3)}


async def _sap_latency(house: PlantHouse) -> dict[str, float]:
    """What one read of the simulator costs the adapter, alone: part of every latency."""
    plant: PlantConfig = load_plant(house.plant_file, {**os.environ, **house.env})
    erp = create_erp(plant.erp, plant.plant.id, house.env, budget=LocalBudget(10_000))
    took: list[float] = []
    try:
        for _ in range(50):
            began = time.perf_counter()
            await erp.stock(f"FRAME-{order_of(1, 1)}", "")
            took.append(time.perf_counter() - began)
    finally:
        await erp.aclose()
    return spread(took)


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else datetime.fromisoformat(f"{text}+00:00")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where every order has its hold and p95 is within five seconds."""
    parser = argparse.ArgumentParser(description="latency of quality holds")
    parser.add_argument("--holds", type=int, default=200, help="deviations, spread over the lines")
    parser.add_argument("--lines", type=int, default=10)
    parser.add_argument("--cycle", type=float, default=5.0, help="seconds per piece")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of the plant")
    parser.add_argument("--in-step", action="store_true", help="all lines deviate at once")
    parser.add_argument("--keep", type=Path, help="folder for ledger and logs; else a temporary one")
    chosen = parser.parse_args(arguments)
    if chosen.holds < 1 or not 1 <= chosen.lines <= 50 or chosen.cycle <= 0 or not 1 <= chosen.workers <= 8:
        parser.error("at least one hold, 1 to 50 lines, a cycle above 0 s, and 1 to 8 workers")
    with tempfile.TemporaryDirectory(prefix="hold-latency-") as folder:
        where = chosen.keep or Path(folder)
        told = asyncio.run(
            measure(chosen.lines, chosen.holds, chosen.cycle, chosen.workers, where, in_step=chosen.in_step)
        )
    sys.stdout.write(json.dumps(told) + "\n")
    good = told["found"] == told["holds"] and not told["held_pieces_usable"]
    return 0 if good and told["to_ledger"]["p95"] <= 5 and told["to_erp"].get("p95", 99) <= 5 else 1


if __name__ == "__main__":
    raise SystemExit(main())
