"""What people do in SAP's own screens: goods movements, usage decisions, phases of notifications.

The same rules hold for them as for clients; only a usage decision may pass open characteristics over.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from simulators.sap import inspection, maintenance, material_documents, quality_notifications
from simulators.sap.books import Books
from simulators.sap.confirmation_rules import Posting
from simulators.sap.inspection_lots import find_lot, named_lot
from simulators.sap.movements import MOVEMENTS
from simulators.sap.odata import numc_text
from simulators.sap.orders import milli
from simulators.sap.seed import Batch, MaterialNumber, Positive, Seed, Serial, Short

MOVEMENT_EXAMPLE = (
    '{"movement_type": "344", "material": "FG1", "plant": "1010", "storage_location": "FG01", "quantity": "5"}'
)
DECISION_EXAMPLE = (
    '{"inspection_lot": "40000000001", "code": "A", "postings": [{"to": "unrestricted", "quantity": "5"}]}'
)
PHASE_EXAMPLE = '{"notification": "10000000", "phase": "in_process"}'
_PHASES = {"outstanding": "1", "postponed": "2", "in_process": "3", "completed": "4"}
_STOCK_TYPES = {"unrestricted": "VMENGE01", "scrap": "VMENGE02", "blocked": "VMENGE04"}
_User = Annotated[str, Field(max_length=12)]


class HandMovement(Seed):
    """One goods movement; its goods movement code follows from the movement type."""

    movement_type: Annotated[str, Field(min_length=3, max_length=3)]
    material: MaterialNumber
    plant: Annotated[str, Field(min_length=1, max_length=4)]
    quantity: Positive
    storage_location: Short = ""
    to_storage_location: Short = ""
    batch: Batch = ""
    stock_type: Literal["", "01", "02", "07"] = ""
    order: str = ""
    reason: Annotated[str, Field(pattern=r"^\d{0,4}$")] = ""
    cost_centre: Annotated[str, Field(max_length=10)] = ""
    serials: list[Serial] = Field(default_factory=list[str])
    text: Annotated[str, Field(max_length=25)] = ""
    user: _User = "GUI_USER"


class HandPosting(Seed):
    to: Literal["unrestricted", "blocked", "scrap"]
    quantity: Positive
    storage_location: Short = ""


class HandDecision(Seed):
    """A usage decision with the stock postings that go along with it in the same screen."""

    inspection_lot: str
    group: Annotated[str, Field(max_length=8)] = "01"
    code: Annotated[str, Field(max_length=4)]
    score: Annotated[Decimal, Field(ge=0, le=100, decimal_places=0)] = Decimal(0)
    postings: list[HandPosting] = Field(default_factory=list[HandPosting])
    user: _User = "GUI_USER"


class NotificationMove(Seed):
    """Of one maintenance or one quality notification."""

    notification: str = ""
    quality_notification: str = ""
    phase: Literal["outstanding", "postponed", "in_process", "completed"]

    @model_validator(mode="after")
    def _names_one(self) -> "NotificationMove":
        if bool(self.notification) == bool(self.quality_notification):
            raise ValueError("name one: notification or quality_notification")
        return self


def move(posting: Posting, movement: HandMovement) -> dict[str, Any]:
    known = MOVEMENTS.get(movement.movement_type)
    item: dict[str, Any] = {
        "GoodsMovementType": movement.movement_type,
        "Material": movement.material,
        "Plant": movement.plant,
        "StorageLocation": movement.storage_location,
        "IssuingOrReceivingStorageLoc": movement.to_storage_location,
        "Batch": movement.batch,
        "InventoryStockType": movement.stock_type,
        "QuantityInEntryUnit": milli(movement.quantity),
        "ManufacturingOrder": movement.order,
        "GoodsMovementRefDocType": "F" if movement.order else "",
        "GoodsMovementReasonCode": numc_text(movement.reason),
        "CostCenter": movement.cost_centre,
        "MaterialDocumentPostingType": "1",
        "_serials": tuple(movement.serials),
    }
    header = {"GoodsMovementCode": known.codes[0] if known else "", "MaterialDocumentHeaderText": movement.text}
    year, number = material_documents.create(posting, header, [item])
    return {"documents": [f"{year}/{number}"]}


def decide(posting: Posting, decision: HandDecision) -> dict[str, Any]:
    lot = named_lot(posting.books, decision.inspection_lot)["InspectionLot"]
    values = {
        "InspectionLot": lot,
        "InspLotUsageDecisionCodeGroup": decision.group,
        "InspectionLotUsageDecisionCode": decision.code,
        "InspectionLotQualityScore": milli(decision.score),
    }
    inspection.decide(posting, values, force=True)
    documents: list[str] = []
    for one in decision.postings:
        place = {"StorageLocation": one.storage_location}
        row = inspection.post_stock(
            posting, find_lot(posting.books, lot), _STOCK_TYPES[one.to], milli(one.quantity), place
        )
        documents.append(f"{row['MaterialDocumentYear']}/{row['MaterialDocument']}")
    return {"inspection_lot": lot, "documents": documents}


def move_on(books: Books, change: NotificationMove) -> dict[str, Any]:
    if change.notification:
        maintenance.move_phase(books, change.notification, _PHASES[change.phase])
    else:
        quality_notifications.move_phase(books, change.quality_notification, _PHASES[change.phase])
    return change.model_dump()
