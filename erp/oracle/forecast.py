"""Components of a confirmation: what Oracle pulls by itself, what needs requests of its own, what is short. Pure.

Oracle issues pull components together with the operation's transaction, but for those under lot or serial control
(reference erp.md 2.3). Each piece that leaves READY, good, scrapped or rejected, has consumed its material.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from erp.oracle.order_rows import ISSUE, OracleOrder, is_fixed, is_pull
from erp.oracle.settings import Units, operation_number
from erp.oracle.wire import Row, amount_of, plain, text_of
from signals.base import ZERO
from signals.documents import GoodsMovement
from signals.stock import IssueComponents, ReturnComponents
from signals.transactions import ActivityAmount, ComponentUse, ConfirmProduction, ReportTime

SMALLEST = Decimal("0.000001")
MOVED = ("CompletedQuantity", "ScrappedQuantity", "RejectedQuantity")


class Forecast:
    """What confirmations of an order's operation move."""

    def __init__(self, known: OracleOrder, operation: str, units: Units) -> None:
        self._known = known
        self._units = units
        self._operation = operation
        self._row = known.operation_row(operation)
        self._planned = amount_of(self._row.get("PlannedQuantity") or known.header.get("PlannedStartQuantity"))

    # --- pulled by Oracle --------------------------------------------------------------------------------------------

    def expected(self, pieces: Decimal) -> list[GoodsMovement]:
        """Issues that Oracle should make by itself. Components of fixed quantity are left out: they come once."""
        moved = [(row, self._share(row, pieces)) for row in self._pulled()]
        return [self._movement(row, quantity) for row, quantity in moved if quantity > 0]

    def issued(self) -> dict[str, Decimal]:
        """IssuedQuantity of each pulled component, by its sequence."""
        return {_sequence(row): amount_of(row.get("IssuedQuantity")) for row in self._pulled()}

    def differences(self, before: dict[str, Decimal]) -> tuple[GoodsMovement, ...]:
        """What the pulled components were issued more than `before`."""
        changes = [
            (row, amount_of(row.get("IssuedQuantity")) - before.get(_sequence(row), ZERO)) for row in self._pulled()
        ]
        return tuple(self._movement(row, change) for row, change in changes if change > 0)

    def attributable(self, pieces: Decimal) -> tuple[GoodsMovement, ...]:
        """What of `pieces`' issues can be there at most, if all that is short on the operation were theirs.

        Too careful where an earlier confirmation is short as well; a shortfall is never hidden.
        """
        processed = sum((amount_of(self._row.get(name)) for name in MOVED), ZERO)
        movements: list[GoodsMovement] = []
        for row in self._pulled():
            short = max(ZERO, self._share(row, processed) - amount_of(row.get("IssuedQuantity")))
            quantity = max(ZERO, self._share(row, pieces) - short)
            movements += [self._movement(row, quantity)] if quantity else []
        return tuple(movements)

    def _pulled(self) -> list[Row]:
        return [
            row
            for row in self._mine()
            if is_pull(row) and not is_fixed(row) and self._known.control(text_of(row, "ItemNumber")).is_plain
        ]

    # --- by requests of their own ------------------------------------------------------------------------------------

    def beside(self, t: ConfirmProduction) -> list[IssueComponents | ReturnComponents | ReportTime]:
        """Components under lot or serial control, measured uses, measured times: one line each, in order."""
        follow: list[IssueComponents | ReturnComponents | ReportTime] = []
        left = list(t.components)
        for row in self._mine():
            uses = [use for use in left if _is_use_of(use, row)]
            left = [use for use in left if use not in uses]
            follow += self._of_component(t, row, uses)
        follow += [self._issue(t, use) for use in left]
        return follow + [self._time(t, activity) for activity in t.activities if activity.amount > 0]

    def _of_component(
        self, t: ConfirmProduction, row: Row, uses: list[ComponentUse]
    ) -> list[IssueComponents | ReturnComponents]:
        pieces = t.yield_quantity + t.scrap_quantity + t.rework_quantity
        is_plain = self._known.control(text_of(row, "ItemNumber")).is_plain
        if not is_pull(row):
            return [self._issue(t, use) for use in uses]
        if is_plain:
            return self._measured(t, row, uses, pieces) if uses else []
        if uses:
            return [self._issue(t, use) for use in uses]
        quantity = self._share(row, pieces)
        return [self._issue(t, self._use(row, quantity, self._lot(t, row)))] if quantity > 0 else []

    def _measured(
        self, t: ConfirmProduction, row: Row, uses: list[ComponentUse], pieces: Decimal
    ) -> list[IssueComponents | ReturnComponents]:
        """Oracle pulls its standard whatever was measured; the difference is booked beside it."""
        difference = sum((use.quantity for use in uses), ZERO) - self._share(row, pieces)
        if difference == 0:
            return []
        use = self._use(row, abs(difference), "")
        return [self._issue(t, use) if difference > 0 else self._return(t, use)]

    def _lot(self, t: ConfirmProduction, row: Row) -> str:
        """The lot loaded at the station, where it can only be this component's; else none, and the issue is refused."""
        if t.component_material:
            return t.component_lot if t.component_material == text_of(row, "ItemNumber") else ""
        of_lots = [
            other for other in self._mine() if is_pull(other) and self._known.control(text_of(other, "ItemNumber")).lot
        ]
        return t.component_lot if len(of_lots) == 1 else ""

    def _use(self, row: Row, quantity: Decimal, lot: str) -> ComponentUse:
        return ComponentUse(
            material=text_of(row, "ItemNumber"),
            quantity=quantity,
            unit=self._units.ours(text_of(row, "UOMCode")),
            reservation_item=_sequence(row),
            storage_location=text_of(row, "SupplySubinventory"),
            batch=lot,
            movement_type=ISSUE,
        )

    def _issue(self, t: ConfirmProduction, use: ComponentUse) -> IssueComponents:
        return IssueComponents(
            plant=t.plant, order=t.order, posting_date=t.posting_date, operation=t.operation, lines=(use,)
        )

    def _return(self, t: ConfirmProduction, use: ComponentUse) -> ReturnComponents:
        return ReturnComponents(
            plant=t.plant, order=t.order, posting_date=t.posting_date, operation=t.operation, lines=(use,)
        )

    def _time(self, t: ConfirmProduction, activity: ActivityAmount) -> ReportTime:
        return ReportTime(
            plant=t.plant,
            order=t.order,
            posting_date=t.posting_date,
            operation=t.operation,
            work_centre=t.work_centre,
            activities=(activity,),
            person=t.person,
            started_at=t.started_at,
            ended_at=t.ended_at,
        )

    # --- common ------------------------------------------------------------------------------------------------------

    def _mine(self) -> list[Row]:
        rows = [
            r for r in self._known.materials if operation_number(r.get("OperationSequenceNumber")) == self._operation
        ]
        return [row for row in rows if "BULK" not in text_of(row, "SupplyType").upper()]

    def _share(self, row: Row, pieces: Decimal) -> Decimal:
        if not self._planned:
            return ZERO
        share = amount_of(row.get("Quantity")) * pieces / self._planned
        return plain(share.quantize(SMALLEST, ROUND_HALF_UP))

    def _movement(self, row: Row, quantity: Decimal) -> GoodsMovement:
        return GoodsMovement(
            item=_sequence(row),
            material=text_of(row, "ItemNumber"),
            movement_type=ISSUE,
            quantity=quantity,
            unit=self._units.ours(text_of(row, "UOMCode")),
            storage_location=text_of(row, "SupplySubinventory"),
        )


def _sequence(row: Row) -> str:
    return text_of(row, "MaterialSequenceNumber")


def _is_use_of(use: ComponentUse, row: Row) -> bool:
    if use.reservation_item:
        return use.reservation_item == _sequence(row)
    return use.material == text_of(row, "ItemNumber")
