"""Masters that a seed may bring along: technical objects, decision codes, demands, valuations, work centres.

Each is set by its key, so that a repeated seed undoes nothing that came after it.
"""

from datetime import UTC, date, datetime, time
from typing import Any

from simulators.sap.books import Books, instant, later_instant
from simulators.sap.seed import SeedDemand, SeedDocument, SeedValuation, SeedWorkCentre


def seed_masters(books: Books, document: SeedDocument) -> None:
    for technical in document.technical_objects:
        _set(books, "technical_object", {"object": technical.object, "kind": technical.kind})
    for code in document.usage_decision_codes:
        row = {"code_group": code.group, "code": code.code, "valuation": code.valuation, "posting": code.posting}
        _set(books, "usage_decision_code", row)
    for demand in document.demands:
        _set(books, "demand", _demand(demand))
    for valuation in document.valuations:
        _set(books, "product_valuation", _valuation(valuation))
    for centre in document.work_centres:
        known = books.one(
            "SELECT 1 FROM work_centre WHERE WorkCenter = ? AND Plant = ?", centre.work_centre, centre.plant
        )
        if known is None:
            _insert_work_centre(books, centre)


def day_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _set(books: Books, table: str, row: dict[str, Any]) -> None:
    names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
    books.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", *row.values())


def _demand(demand: SeedDemand) -> dict[str, Any]:
    category, name = ("VC", "Customer order") if demand.kind == "sales_order" else ("PP", "Forecast")
    return {
        "material": demand.material,
        "plant": demand.plant,
        "day": None if demand.due is None else day_ms(demand.due),
        "category": category,
        "name": name,
        "element": demand.element,
        "item": demand.item.lstrip("0") or "0",
        "customer": demand.customer,
        "quantity": int(demand.quantity.scaleb(3)),
        "unit": demand.unit,
    }


def _valuation(valuation: SeedValuation) -> dict[str, Any]:
    return {
        "Product": valuation.material,
        "ValuationArea": valuation.plant,
        "InventoryValuationProcedure": valuation.price_control,
        "StandardPrice": int(valuation.standard_price.scaleb(3)),
        "MovingAveragePrice": int(valuation.moving_price.scaleb(3)),
        "PriceUnitQty": valuation.price_unit * 1000,
        "Currency": valuation.currency,
    }


def _insert_work_centre(books: Books, centre: SeedWorkCentre) -> None:
    key = {"WorkCenterInternalID": str(books.next_number("work_centre", 10000001)), "WorkCenterTypeCode": "A"}
    books.insert(
        "work_centre",
        key
        | {
            "WorkCenter": centre.work_centre,
            "Plant": centre.plant,
            "WorkCenterText": centre.text,
            "WorkCenterCategoryCode": centre.category,
            "YY1_CapabilityGroup_WCT": centre.group,
            "LastChangeDateTime": later_instant(None),
        },
    )
    for number, cost in enumerate(centre.cost_centres, 1):
        row = key | {
            "CostCenterAllocation": str(number),
            "ValidityStartDate": day_ms(cost.valid_from),
            "ValidityEndDate": day_ms(cost.valid_to),
            "ControllingArea": cost.controlling_area,
            "CostCenter": cost.cost_centre,
            "CostCtrActivityType": cost.activity_type,
        }
        books.insert("work_centre_cost_centre", row)
    capacity = key | {"CapacityInternalID": str(books.next_number("capacity", 10000001)), "CapacityActiveVersion": "01"}
    books.insert(
        "work_centre_capacity",
        capacity
        | {
            "CapacityCategoryCode": "001",
            "CapacityIsFinite": 1,
            "CapacityNumberOfCapacities": centre.capacities,
            "CapacityPlanUtilizationPercent": str(centre.utilisation),
            "CapacityStartTimeID": _clock(centre.starts),
            "CapacityEndTimeID": _clock(centre.ends),
            "CapacityBaseUnit": "H",
            "LastChangeDateTime": later_instant(None),
        },
    )
    for interval in centre.intervals:
        row = capacity | {
            "IntervalStartDate": day_ms(interval.start),
            "IntervalEndDate": day_ms(interval.end),
            "CapacityNumberOfCapacities": centre.capacities if interval.capacities is None else interval.capacities,
            "CapacityPlanUtilizationPercent": str(
                centre.utilisation if interval.utilisation is None else interval.utilisation
            ),
            "LastChangeDateTime": later_instant(None),
            "_at": instant(),
        }
        books.insert("work_centre_capacity_interval", row)


def _clock(moment: time) -> str:
    return moment.strftime("PT%HH%MM%SS")
