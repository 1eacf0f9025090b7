"""A shift full of stops, from the machine to SAP: every one is found once, told apart, explained, booked and closed.

The judge is the line's own book of standing. Plant time runs many times as fast as the wall's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.machine_time import DOWNTIME
from ledger.connect import open_ledger
from signals.downtime import StopPart, StopRecord, StopSearch, StopState
from tests.house.durable_plant import orders_seed, plant_text
from tests.house.plant_house import ROOT, PlantHouse

NAME, LINE, PACING = "demo", "line1", "weld"
PIECES = 150
SHORT, MERGE = timedelta(seconds=30), timedelta(seconds=120)
SPEED = 60.0
TAG = "nsu=urn:plantwright:simulated-line;s=Line1.weld"
LOUD = ("trouble", "flood", "press", "chatter", "trip")

STOPS = """
[downtime]
merge_seconds = 120
planned = ["BREAK"]
capacity = "off"
""" + "".join(
    f"""
[[downtime.reason]]
id = "{reason}"
cost_centre = "CC-{reason}"
alarms = ["{alarm}"]
notify = true
breakdown = {str(breakdown).lower()}
"""
    for reason, alarm, breakdown in (
        ("trouble", "5012", True), ("flood", "6001", True), ("press", "4001", True), ("chatter", "5013", False),
        ("trip", "5014", True),
    )
)  # fmt: skip


def plant() -> str:
    """The demo's plant, paced by its weld, with reasons for the scenario's alarms."""
    text = plant_text()
    start, end = text.index("[downtime]"), text.index("[erp]\n")
    text = text[:start] + STOPS + "\n" + text[end:]
    state = f'    {{ name = "State", kind = "state", node = "{TAG}.State" }},\n'
    reason = f'    {{ name = "StopReason", kind = "stop_reason", node = "{TAG}.StopReason" }},\n'
    for old, new in (
        (state, state + reason),
        ('id = "line1"\n', 'id = "line1"\npacing = "weld"\n'),
        ('work_centre = "WELD01"\n', f'work_centre = "WELD01"\nmin_stop_seconds = {SHORT.seconds}\n'),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@dataclass
class Expected:
    """A stop by the line's own book."""

    since: datetime
    until: datetime
    stood: timedelta
    planned: bool
    window: datetime
    retrips: int = 0


def expected(book: Sequence[dict[str, Any]]) -> tuple[list[Expected], list[Expected]]:
    """Stops and micro-stops by hand: at least so long is a stop; what stands again soon after for no other cause, too.

    Short ones after a stop count with it, but as micro-stops, and do not prolong the time in which it may trip again.
    """
    stops: list[Expected] = []
    micro: list[Expected] = []
    for entry in book:
        since, until = (datetime.fromisoformat(entry[x]) for x in ("since", "until"))
        planned, long = entry["why"] == "planned", until - since >= SHORT
        last = stops[-1] if stops else None
        if last is not None and since - last.window <= MERGE and planned == last.planned:
            last.until, last.retrips = until, last.retrips + 1
            if long:
                last.window, last.stood = until, last.stood + (until - since)
        else:
            (stops if long else micro).append(Expected(since, until, until - since, planned, until))
    return stops, micro


def lost(parts: Sequence[StopPart]) -> Decimal:
    return sum((p.seconds or Decimal(0) for p in parts if p.time_class in DOWNTIME), Decimal(0))


@pytest.mark.long
@pytest.mark.timeout(420)
async def test_every_stop_of_a_shift_is_found_once_explained_told_to_sap_and_closed(tmp_path: Path) -> None:
    text = (ROOT / "simulators" / "line" / "scenarios" / "stops.toml").read_text()
    async with PlantHouse(tmp_path, plant=plant(), scenario=text, speed=SPEED) as house:
        house.orders = ("1000001",)
        await house.start_sap(orders_seed({"1000001": PIECES}))
        await house.start_line()
        await house.start_edge()
        await house.until_edge_watches()
        await house.start_worker()
        await house.until_line_is_seen()
        began = datetime.fromisoformat((await house.line("truth"))["plant_time"])
        await house.line("start", post=True)
        ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        try:

            async def made() -> bool:
                return bool((await house.line("truth"))["finished"])

            await house.until("everything made", made, 300, 1)
            truth = await house.line("truth")
            book = [e for e in truth["stood"] if e["station"] == PACING]
            stops, micro = expected(book)

            async def found() -> list[StopRecord]:
                search = StopSearch(line=LINE, open_only=False, micro=True)
                known = await ledger.stops(NAME, search)
                last = datetime.fromisoformat(book[-1]["until"])
                return sorted((r for r in known if began <= r.fact.started_at <= last), key=lambda r: r.fact.started_at)

            async def closed() -> bool:
                real = [r for r in await found() if not r.fact.micro]
                return len(real) >= len(stops) and all(r.state is StopState.CLOSED for r in real)

            await house.until("every stop closed", closed, 60, 1)
            records = await found()
        finally:
            await ledger.close()
        judge(records, stops, micro)
        told = (await house.sap("books"))["notifications"]
    loud = [r for r in records if any(p.reason in LOUD for p in r.parts)]
    texts = {n["text"].split(" ", 1)[1]: n for n in told}  # the first word is the posting's key
    assert texts.keys() == {f"{reason} [CC-{reason}]" for reason in LOUD}
    assert {text.split()[0] for text, n in texts.items() if n["down"]} == {*LOUD} - {"chatter"}
    assert {n["id"] for n in told} == {r.notification for r in loud}
    assert all(n["started"] and n["ended"] for n in told), told


def judge(records: Sequence[StopRecord], stops: Sequence[Expected], micro: Sequence[Expected]) -> None:
    """What the product has against the line's book."""
    real = [r for r in records if not r.fact.micro]
    assert [r.fact.started_at for r in real] == [s.since for s in stops]
    assert [r.fact.ended_at for r in real] == [s.until for s in stops]
    assert [r.fact.started_at for r in records if r.fact.micro] == [m.since for m in micro]
    for record, stop in zip(real, stops, strict=True):
        seconds = Decimal(stop.stood // timedelta(microseconds=1)) / 1_000_000
        assert lost(record.parts) == seconds, record.stop
        assert record.fact.retrips == stop.retrips, record.stop
        assert record.is_classified
    assert [(r.fact.flood, r.fact.chatter) for r in real] == [
        (False, False), (True, False), (False, False), (False, True), (False, False), (False, False), (False, False),
    ]  # fmt: skip
    reasons = [{p.reason for p in r.parts if p.time_class in DOWNTIME} for r in real]
    assert reasons == [
        {"trouble"}, {"flood"}, {"planned"}, {"chatter"}, {"trip"}, {"press"}, {"starved"},
    ]  # fmt: skip
