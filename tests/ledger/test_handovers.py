"""Handovers in the ledger: one per shift, later figures replace earlier ones, an acknowledgement ends all change."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from ledger.port import LineRecord
from ledger.store import SqlLedger
from signals.handover import HandoverReport, HandoverSearch, HandoverState
from signals.reports import LineMessage
from tests.ledger.examples import LINE, ORDER, PLANT, START, operation_end, report

HOURS = timedelta(hours=8)


def handover(number: int = 1, *, revision: int = 1, **changes: Any) -> HandoverReport:
    starts = START + number * HOURS
    return HandoverReport(
        plant=PLANT, shift=f"2026-11-20/s{number}", starts_at=starts, ends_at=starts + HOURS,
        next_shift=f"2026-11-20/s{number + 1}", acknowledge_by=starts + 2 * HOURS, made_at=starts + HOURS,
        revision=revision,
    ).model_copy(update=changes)  # fmt: skip


def taken(given: HandoverReport, by: str = "supervisor-1") -> HandoverReport:
    changes = {"state": HandoverState.ACKNOWLEDGED, "acknowledged_by": by, "acknowledged_at": given.made_at}
    return given.model_copy(update=changes)


async def test_a_handover_is_there_once_however_often_it_is_recorded(ledger: SqlLedger) -> None:
    first = await ledger.record_handover(handover())
    again = await ledger.record_handover(handover(made_at=START + 5 * HOURS))
    assert again == first == await ledger.handover(PLANT, "2026-11-20/s1")
    assert await ledger.handovers(PLANT, HandoverSearch()) == [first]
    assert await ledger.handover("south", "2026-11-20/s1") is None


async def test_later_figures_replace_earlier_ones_and_never_the_other_way(ledger: SqlLedger) -> None:
    await ledger.record_handover(handover(revision=2, unacknowledged=("later",)))
    stands = await ledger.record_handover(handover(revision=1, unacknowledged=("earlier",)))
    assert (stands.revision, stands.unacknowledged) == (2, ("later",))


async def test_what_was_acknowledged_never_changes(ledger: SqlLedger) -> None:
    await ledger.record_handover(handover())
    stands = await ledger.record_handover(taken(handover()))
    for other in (handover(revision=9), taken(handover(revision=9), "supervisor-2"),
                  handover(state=HandoverState.LAPSED)):  # fmt: skip
        assert await ledger.record_handover(other) == stands
    assert stands.acknowledged_by == "supervisor-1"


async def test_a_lapsed_handover_can_still_be_acknowledged(ledger: SqlLedger) -> None:
    await ledger.record_handover(handover(state=HandoverState.LAPSED))
    assert (await ledger.record_handover(taken(handover()))).state is HandoverState.ACKNOWLEDGED


async def test_lists_come_latest_first_and_open_ones_alone(ledger: SqlLedger) -> None:
    assert await ledger.handed_over_until(PLANT) is None
    for number in (2, 1, 3):
        await ledger.record_handover(handover(number))
    await ledger.record_handover(taken(handover(2)))
    assert [h.name for h in await ledger.handovers(PLANT, HandoverSearch())] == ["s3", "s2", "s1"]
    assert [h.name for h in await ledger.handovers(PLANT, HandoverSearch(open_only=True))] == ["s3", "s1"]
    since = HandoverSearch(since=START + 3 * HOURS, limit=1)
    assert [h.name for h in await ledger.handovers(PLANT, since)] == ["s3"]
    assert await ledger.handed_over_until(PLANT) == START + 4 * HOURS


async def test_a_shift_has_the_reports_that_are_booked_to_it_each_once(ledger: SqlLedger) -> None:
    messages = (
        booked("r1", 1, "2026-11-20/early"), booked("r2", 2, "2026-11-20/late"), booked("r3", 3, "2026-11-20/early"),
        operation_end(4),
    )  # fmt: skip
    record = LineRecord(plant=PLANT, line=LINE, revision=1, checkpoint="{}", messages=messages)
    for _ in range(2):
        await ledger.record_line(record)
    found = await ledger.shift_reports(PLANT, "2026-11-20/early")
    assert [(r.report_id, r.bucket.order) for r in found] == [("r1", ORDER), ("r3", ORDER)]
    assert await ledger.shift_reports("south", "2026-11-20/early") == []


def booked(name: str, number: int, shift: str) -> LineMessage:
    made = report(name, number, yielded="5").report
    assert made is not None
    bucket = made.bucket.model_copy(update={"shift": shift, "posting_date": date(2026, 11, 20)})
    return LineMessage(report=made.model_copy(update={"bucket": bucket}))


async def test_times_come_back_as_they_were(ledger: SqlLedger) -> None:
    stands = await ledger.record_handover(handover())
    found = await ledger.handed_over_until(PLANT)
    assert isinstance(found, datetime) and found == stands.ends_at and found.tzinfo is not None
