"""Quality holds: where material is decides how it is held (reference erp.md 3.5, 4.2).

A batch by its disposition code, which is a state; stock without batches by its inventory status, which is a transfer,
or by a quality order, which blocks the quantity it names; material in a quality order is held by that already.
"""

from __future__ import annotations

from dataclasses import dataclass

from erp.dynamics.client import DynamicsClient
from erp.dynamics.failures import DynamicsNotFound
from erp.dynamics.odata import Entity, decimal_of, equal, etag_of, number, text_of
from erp.dynamics.settings import BATCHES, QUALITY_ORDERS, DynamicsSettings, place_of
from erp.dynamics.transfers import Move, Transfers
from erp.port import SendGuard
from signals.documents import Booking, ErpDocument, Snapshot
from signals.errors import ErpRejected, Reason
from signals.ids import short_key
from signals.stock import MaterialPosition, PlaceHold, ReleaseHold
from signals.transactions import PostingIntent

CODE_BEFORE = "disposition"
ORDERS_BEFORE = "quality_orders"
Hold = PlaceHold | ReleaseHold


@dataclass(frozen=True)
class Step:
    """A hold or its end; a reversal is the opposite step of its original."""

    hold: Hold
    places: bool


class Holds:
    """Holds of one site."""

    def __init__(self, client: DynamicsClient, settings: DynamicsSettings, transfers: Transfers) -> None:
        self._client = client
        self._settings = settings
        self._options = settings.dynamics
        self._transfers = transfers

    async def snapshot(self, step: Step) -> Snapshot:
        if step.hold.position is MaterialPosition.BATCH:
            return Snapshot(figures={CODE_BEFORE: text_of(await self._batch(step.hold), "BatchDispositionCode")})
        if self._by_quality_order(step):
            there = await self._quality_orders(step.hold)
            return Snapshot(figures={ORDERS_BEFORE: " ".join(text_of(row, "QualityOrderNumber") for row in there)})
        if step.hold.position is MaterialPosition.UNRESTRICTED:
            return await self._transfers.snapshot(self._move(step))
        return Snapshot()

    async def find(self, intent: PostingIntent, step: Step, before: Snapshot) -> Booking:
        if step.hold.position is MaterialPosition.BATCH:
            return await self._find_code(intent, step)
        if step.hold.position is MaterialPosition.IN_INSPECTION:
            return await self._find_inspection(intent, step)
        if self._by_quality_order(step):
            return await self._find_quality_order(intent, step, before)
        return await self._transfers.find(intent, self._move(step), before)

    async def post(self, intent: PostingIntent, step: Step, guard: SendGuard) -> Booking:
        if step.hold.position is MaterialPosition.BATCH:
            return await self._set_code(intent, step, guard)
        if step.hold.position is MaterialPosition.IN_INSPECTION:
            raise ErpRejected(
                f"quality order {step.hold.inspection_lot} is not in the state that this needs; it is validated by a "
                "person in Dynamics",
                code="hold_route",
                reason=Reason.RULE,
            )
        if self._by_quality_order(step):
            return await self._make_quality_order(intent, step, guard)
        return await self._transfers.post(intent, self._move(step), guard)

    def _by_quality_order(self, step: Step) -> bool:
        return self._options.hold_route == "quality_order" and step.hold.position is MaterialPosition.UNRESTRICTED

    # --- batches -----------------------------------------------------------------------------------------------------

    async def _batch(self, hold: Hold) -> Entity:
        try:
            return await self._client.read_entity(BATCHES, ItemNumber=hold.material, BatchNumber=hold.batch)
        except DynamicsNotFound as error:
            raise ErpRejected(
                f"Dynamics knows no batch {hold.batch} of {hold.material}", code="batch_unknown", reason=error.reason
            ) from error

    async def _find_code(self, intent: PostingIntent, step: Step) -> Booking:
        """The code is the state; what other places say of the batch comes along as warnings."""
        row = await self._batch(step.hold)
        if text_of(row, "BatchDispositionCode").lower() != self._code(step).lower():
            return Booking()
        warnings = await self._disagreements(step)
        return Booking(document=self._state(intent, step, f"BATCH/{step.hold.batch}", warnings))

    async def _set_code(self, intent: PostingIntent, step: Step, guard: SendGuard) -> Booking:
        row = await self._batch(step.hold)
        now = text_of(row, "BatchDispositionCode")
        if not step.places and now.lower() != self._options.hold_disposition.lower():
            raise ErpRejected(
                f"batch {step.hold.batch} of {step.hold.material} has disposition {now or 'none'}, not our hold "
                f"{self._options.hold_disposition}: somebody decided otherwise, and it is not released over that",
                code="hold_state",
                reason=Reason.RULE,
            )
        address = self._client.address(BATCHES, ItemNumber=step.hold.material, BatchNumber=step.hold.batch)
        await self._client.change(address, {"BatchDispositionCode": self._code(step)}, etag_of(row), guard)
        return Booking(document=self._state(intent, step, f"BATCH/{step.hold.batch}"))

    def _code(self, step: Step) -> str:
        return self._options.hold_disposition if step.places else self._options.free_disposition

    async def _disagreements(self, step: Step) -> tuple[str, ...]:
        """Code and quality orders of one batch have been seen to disagree: said, not judged."""
        orders = await self._quality_orders(step.hold)
        wrong = [row for row in orders if _is_open(row) != step.places]
        state = "held" if step.places else "released"
        return tuple(
            f"batch {step.hold.batch} is {state} by its disposition code, but quality order "
            f"{text_of(row, 'QualityOrderNumber')} is {text_of(row, 'QualityOrderStatus')}"
            for row in wrong
        )

    # --- quality orders ----------------------------------------------------------------------------------------------

    async def _quality_orders(self, hold: Hold) -> list[Entity]:
        conditions = [equal("ItemNumber", hold.material)]
        if hold.batch:
            conditions.append(equal("ItemBatchNumber", hold.batch))
        return await self._client.read_entities(QUALITY_ORDERS, *conditions)

    async def _find_inspection(self, intent: PostingIntent, step: Step) -> Booking:
        """Open: it holds its quantity. Placing a hold is then done; releasing it is the decision's work."""
        rows = await self._client.read_entities(QUALITY_ORDERS, equal("QualityOrderNumber", step.hold.inspection_lot))
        if not rows or _is_open(rows[0]) != step.places:
            return Booking()
        return Booking(document=self._state(intent, step, f"QUALITY/{step.hold.inspection_lot}"))

    async def _find_quality_order(self, intent: PostingIntent, step: Step, before: Snapshot) -> Booking:
        if before.sent_at is None:
            return Booking()
        known = set(before.figures.get(ORDERS_BEFORE, "").split())
        new = [
            row
            for row in await self._quality_orders(step.hold)
            if text_of(row, "QualityOrderNumber") not in known
            and decimal_of(row.get("InventoryQuantity")) == step.hold.quantity
        ]
        if len(new) == 1:
            return Booking(document=self._state(intent, step, f"QUALITY/{text_of(new[0], 'QualityOrderNumber')}"))
        if new:
            numbers = tuple(f"QUALITY/{text_of(row, 'QualityOrderNumber')}" for row in new)
            why = f"quality orders {', '.join(numbers)} came since and have its quantity"
            return Booking(candidates=numbers, unknowable=why)
        return Booking()

    async def _make_quality_order(self, intent: PostingIntent, step: Step, guard: SendGuard) -> Booking:
        hold = step.hold
        warehouse, location = place_of(hold.storage_location, self._options.warehouse)
        body = {
            "QualityOrderPolicyType": "Inventory",
            "ItemNumber": hold.material,
            "InventoryQuantity": number(hold.quantity),
            "InventorySiteId": self._settings.plant,
            "WarehouseId": warehouse,
            "WarehouseLocationId": location,
            "QualityTestGroupId": self._options.quality_test_group,
        }
        given = {name: value for name, value in body.items() if value != ""}
        made = await self._client.create(QUALITY_ORDERS, given, guard)
        return Booking(document=self._state(intent, step, f"QUALITY/{text_of(made, 'QualityOrderNumber')}"))

    # --- inventory status --------------------------------------------------------------------------------------------

    def _move(self, step: Step) -> Move:
        hold = step.hold
        free, held = self._options.free_status, self._options.hold_status
        return Move(
            material=hold.material,
            quantity=hold.quantity,
            unit=hold.unit,
            from_place=hold.storage_location,
            to_place=hold.storage_location,
            day=hold.posting_date,
            serials=hold.serials,
            from_status=free if step.places else held,
            to_status=held if step.places else free,
            text=f"{'Hold' if step.places else 'Release'} {hold.hold}",
        )

    def _state(self, intent: PostingIntent, step: Step, document: str, warnings: tuple[str, ...] = ()) -> ErpDocument:
        """A state has no number: the posting's key tells it from another hold's or the release's of the same batch."""
        return ErpDocument(
            document=f"{document[:60]}/{short_key(intent.key)}",
            kind="hold" if step.places else "release",
            order=step.hold.order,
            operation=step.hold.operation,
            key=intent.key,
            warnings=warnings,
        )


def _is_open(row: Entity) -> bool:
    return text_of(row, "QualityOrderStatus") in ("", "Open")
