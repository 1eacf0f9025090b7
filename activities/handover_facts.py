"""Gathers what a shift's handover is made of from the ledger; `domain.handover_report` says what it means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from pydantic import ValidationError

from domain import handover_report
from domain.handover_report import LineFacts
from domain.line_state import LineState
from domain.places import lines_of_order
from domain.plant import LineConfig, PlantConfig
from domain.shifts import ShiftSpan
from domain.stop_account import line_times
from ledger.port import LedgerPort, OrderRecord, PostingRecord
from signals.base import ZERO
from signals.documents import PostingState
from signals.downtime import StopRecord, StopSearch
from signals.exceptions import CaseSearch
from signals.handover import (
    HandoverReport,
    HandoverSearch,
    LineHandedOver,
    LineShift,
    NotFinal,
    OpenItem,
    RunningOrder,
    ShiftStop,
)
from signals.holds import HoldSearch
from signals.orders import OrderPhase, ProductionOrder
from signals.reports import LineMessage, ProductionReport

AT_WORK = (OrderPhase.RUNNING.value, OrderPhase.HELD.value)
TAKEN = (PostingState.CLAIMED, PostingState.SENT, PostingState.POSTED, PostingState.ADOPTED, PostingState.SHADOW)
"""States of postings whose quantity Plantwright has taken on."""

MOST = 300
"""Open items listed; of more the number is said."""


class HandoverFacts:
    """One look at the ledger for one shift."""

    def __init__(
        self,
        ledger: LedgerPort,
        plant: PlantConfig,
        span: ShiftSpan,
        seen: Iterable[LineHandedOver],
        silent: Iterable[str],
    ) -> None:
        self._ledger = ledger
        self._plant = plant
        self._span = span
        self._seen = {s.line: s for s in seen}
        self._silent = set(silent)

    @property
    def _name(self) -> str:
        return self._plant.plant.id

    async def report(
        self, *, next_shift: str, called: tuple[str, ...], acknowledge_by: datetime, made_at: datetime, revision: int
    ) -> HandoverReport:
        """The whole report."""
        reports = await self._ledger.shift_reports(self._name, self._span.label)
        records = {r.order.order: r for r in await self._ledger.orders(self._name) if r.order is not None}
        orders = {name: r.order for name, r in records.items() if r.order is not None}
        lines: list[LineShift] = []
        stops: list[ShiftStop] = []
        for line in self._plant.lines:
            found = await self._stops(line)
            own = [r for r in reports if r.line == line.id]
            lines.append(await self._line(line, found, own, orders))
            stops += [
                handover_report.shift_stop(self._plant, line, stop, self._span)
                for stop in found
                if handover_report.is_handed_on(stop, self._span)
            ]
        items = await self._open_items(orders)
        at_work = [r for n, r in records.items() if r.phase in AT_WORK or any(p.bucket.order == n for p in reports)]
        return HandoverReport(
            plant=self._name,
            shift=self._span.label,
            starts_at=self._span.start,
            ends_at=self._span.end,
            next_shift=next_shift,
            called=called,
            acknowledge_by=acknowledge_by,
            made_at=made_at,
            revision=revision,
            lines=tuple(lines),
            stops=tuple(sorted(stops, key=lambda s: (s.ended_at is not None, s.started_at))),
            open_items=tuple(items[:MOST]),
            left_out=max(0, len(items) - MOST),
            orders=tuple([row for record in at_work for row in await self._order(record)]),
            not_final=tuple(n for line in lines if not line.final for n in [self._not_final(line)]),
            crossings=tuple(await self._crossings(reports)),
            unacknowledged=await self._unacknowledged(),
        )

    # --- lines ---------------------------------------------------------------------------------------------
    async def _stops(self, line: LineConfig) -> list[StopRecord]:
        search = StopSearch(line=line.id, open_only=False, micro=True, since=self._span.start, until=self._span.end)
        touching = await self._ledger.stops(self._name, search)
        # What ended before the shift and still waits for its explanation is the next crew's too.
        waiting = await self._ledger.stops(self._name, StopSearch(line=line.id, until=self._span.end))
        known = {s.stop for s in touching}
        return sorted([*touching, *(s for s in waiting if s.stop not in known)], key=lambda s: s.fact.started_at)

    async def _line(
        self,
        line: LineConfig,
        stops: Sequence[StopRecord],
        reports: Sequence[ProductionReport],
        orders: dict[str, ProductionOrder],
    ) -> LineShift:
        state = await self._state(line.id)
        told = self._seen.get(line.id)
        marks = [m for m in (told.watermark if told else None, state.watermark if state else None) if m is not None]
        watermark = max(marks, default=None)
        times = line_times(state.stops, self._plant) if state is not None else {}
        facts = LineFacts(
            config=line,
            known=times.get(self._span.label, {}),
            stops=stops,
            reports=reports,
            watermark=watermark,
            final=watermark is not None and watermark >= self._span.end,
        )
        return handover_report.line_shift(self._plant, self._span, facts, orders)

    async def _state(self, line: str) -> LineState | None:
        """The line's newest checkpoint; None where it has none that can be read."""
        stored = await self._ledger.load_line(self._name, line)
        if stored is None:
            return None
        try:
            return LineState.model_validate_json(stored.checkpoint)
        except ValidationError:
            return None

    def _not_final(self, line: LineShift) -> NotFinal:
        why = "silent" if line.line in self._silent else "behind"
        return NotFinal(line=line.line, why=why if line.watermark is not None else "no_process",
                        seen_to=line.watermark)  # fmt: skip

    # --- what waits for somebody ---------------------------------------------------------------------------
    async def _open_items(self, orders: dict[str, ProductionOrder]) -> list[OpenItem]:
        found: list[OpenItem] = []
        for hold in await self._ledger.holds(self._name, HoldSearch()):
            text = hold.reasons[0].text if hold.reasons else hold.hold
            found.append(
                OpenItem(
                    kind="hold", id=hold.hold, text=text, line=hold.scope.line, order=hold.scope.order,
                    lines=(hold.scope.line,) if hold.scope.line else (),
                    owner=hold.assigned_to or hold.owner_role, due_at=hold.due_at, since=hold.opened_at,
                )
            )  # fmt: skip
        for listed in await self._ledger.find_cases(self._name, CaseSearch()):
            case = listed.case
            lines = lines_of_order(self._plant, orders.get(case.order)) if case.order else ()
            found.append(
                OpenItem(
                    kind="exception", id=case.case_id, text=case.summary, lines=lines, order=case.order,
                    owner=case.owner_role, due_at=case.due_at, since=case.opened_at,
                )
            )  # fmt: skip
        found += [
            OpenItem(
                kind="parked", id=item.item, text=item.detail, line=item.line, order=item.order,
                lines=(item.line,) if item.line else (), owner="supervisor", since=item.at,
            )
            for item in await self._ledger.parked(self._name)
        ]  # fmt: skip
        return sorted(found, key=lambda i: (i.due_at is None, i.due_at or i.since or self._span.end, i.kind, i.id))

    async def _unacknowledged(self) -> tuple[str, ...]:
        search = HandoverSearch(open_only=True, until=self._span.start)
        return tuple(r.shift for r in reversed(await self._ledger.handovers(self._name, search)))

    # --- orders --------------------------------------------------------------------------------------------
    async def _order(self, record: OrderRecord) -> list[RunningOrder]:
        """Each operation in three books, as far as the ledger knows."""
        order = record.order
        assert order is not None
        loaded = await self._ledger.load_order(self._name, order.order)
        postings = await self._ledger.order_postings(self._name, order.order)
        erp = {t.operation: t for t in await self._ledger.totals(self._name, order.order, beside=True)}
        lines = lines_of_order(self._plant, order, loaded.messages)
        rows: list[RunningOrder] = []
        for operation in order.operations:
            counted = _counted(loaded.messages, operation.operation)
            taken = _taken(postings, operation.operation)
            booked = erp.get(operation.operation)
            rows.append(
                RunningOrder(
                    order=order.order, operation=operation.operation, lines=lines, phase=record.phase,
                    material=order.material, planned=operation.planned, unit=operation.unit,
                    machine_good=counted[0], machine_scrap=counted[1], mes_good=taken[0], mes_scrap=taken[1],
                    erp_good=booked.yield_quantity if booked else ZERO,
                    erp_scrap=(booked.scrap_quantity or ZERO) if booked else ZERO,
                )
            )  # fmt: skip
        return rows

    async def _crossings(self, reports: Sequence[ProductionReport]) -> list[str]:
        found = handover_report.crossing_reports(self._plant, self._span, reports)
        ids = [r.report_id for r in reports]
        for order in dict.fromkeys(r.bucket.order for r in reports):
            postings = await self._ledger.order_postings(self._name, order)
            claims = [(str(p.key), order, p.report_ids) for p in postings if p.state in TAKEN]
            found += handover_report.crossing_postings(self._span.label, ids, claims)
        return found


def _counted(messages: Sequence[LineMessage], operation: str) -> tuple[Decimal, Decimal]:
    reports = [m.report for m in messages if m.report is not None and m.report.bucket.operation == operation]
    return sum((r.yield_quantity for r in reports), ZERO), sum((r.scrap_quantity for r in reports), ZERO)


def _taken(postings: Sequence[PostingRecord], operation: str) -> tuple[Decimal, Decimal]:
    taken = [p.outcome() for p in postings if p.operation == operation and p.state in TAKEN]
    return sum((p.yield_quantity for p in taken), ZERO), sum((p.scrap_quantity for p in taken), ZERO)
