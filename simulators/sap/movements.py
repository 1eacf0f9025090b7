"""The movement types of goods movements, and the lines and headers that they are posted with."""

from dataclasses import dataclass

UNRESTRICTED, INSPECTION, BLOCKED, RESTRICTED = "01", "02", "07", "08"


@dataclass(frozen=True)
class Movement:
    """`source` and `target` are stock types, "" outside the plant; `codes` are the allowed GoodsMovementCodes."""

    source: str
    target: str
    reverse: str
    codes: tuple[str, ...]
    receipt: bool = False
    for_order: bool = False


MOVEMENTS = {
    "101": Movement("", UNRESTRICTED, "102", ("02",), receipt=True, for_order=True),
    "102": Movement(UNRESTRICTED, "", "101", ("02", "06"), receipt=True, for_order=True),
    "201": Movement(UNRESTRICTED, "", "202", ("03",)),
    "202": Movement("", UNRESTRICTED, "201", ("03", "06")),
    "261": Movement(UNRESTRICTED, "", "262", ("03",), for_order=True),
    "262": Movement("", UNRESTRICTED, "261", ("06",), for_order=True),
    "311": Movement(UNRESTRICTED, UNRESTRICTED, "312", ("04",)),
    "312": Movement(UNRESTRICTED, UNRESTRICTED, "311", ("04",)),
    "321": Movement(INSPECTION, UNRESTRICTED, "322", ("04",)),
    "322": Movement(UNRESTRICTED, INSPECTION, "321", ("04",)),
    "341": Movement(RESTRICTED, UNRESTRICTED, "342", ("04",)),
    "342": Movement(UNRESTRICTED, RESTRICTED, "341", ("04",)),
    "343": Movement(BLOCKED, UNRESTRICTED, "344", ("04",)),
    "344": Movement(UNRESTRICTED, BLOCKED, "343", ("04",)),
    "349": Movement(BLOCKED, INSPECTION, "350", ("04",)),
    "350": Movement(INSPECTION, BLOCKED, "349", ("04",)),
    "531": Movement("", UNRESTRICTED, "532", ("05",), receipt=True, for_order=True),
    "532": Movement(UNRESTRICTED, "", "531", ("05", "06"), receipt=True, for_order=True),
    "551": Movement(UNRESTRICTED, "", "552", ("03",)),
    "552": Movement("", UNRESTRICTED, "551", ("03", "06")),
    "553": Movement(INSPECTION, "", "554", ("03",)),
    "554": Movement("", INSPECTION, "553", ("03", "06")),
    "555": Movement(BLOCKED, "", "556", ("03",)),
    "556": Movement("", BLOCKED, "555", ("03", "06")),
    "561": Movement("", UNRESTRICTED, "562", ("05",)),
    "562": Movement(UNRESTRICTED, "", "561", ("05", "06")),
    "601": Movement(UNRESTRICTED, "", "602", ("03",)),
    "602": Movement("", UNRESTRICTED, "601", ("03", "06")),
}


@dataclass(frozen=True)
class Line:
    """One goods movement to post, in the material's base unit.

    `inspection` is the inspection type of a receipt that makes a lot, `lot` the lot that a movement belongs to.
    """

    movement: str
    material: str
    plant: str
    quantity: int
    unit: str
    storage_location: str = ""
    batch: str = ""
    stock_type: str = ""
    order: str = ""
    order_item: str = "0"
    reservation: str = "0"
    reservation_item: str = "0"
    finally_issued: bool = False
    completely_delivered: bool = False
    other_location: str = ""
    reason: str = "0"
    cost_centre: str = ""
    account: str = ""
    text: str = ""
    reverses: tuple[str, str, str] | None = None
    serials: tuple[str, ...] = ()
    inspection: str = ""
    lot: str = ""


@dataclass(frozen=True)
class Header:
    posting_date: int
    document_date: int | None = None
    code: str = ""
    reference: str = ""
    text: str = ""
    user: str = ""
    manual: bool = False
    confirmation: tuple[str, str] | None = None


# InventoryUsabilityCode of an item: the stock type as older documents write it.
USABILITY = {"X": INSPECTION, "2": INSPECTION, "S": BLOCKED, "3": BLOCKED}

# A change of the batch's status: all its stock moves, wherever it lies.
STATUS_MOVEMENTS = ("341", "342")
