"""What a Tryton needs before anybody can produce in it: company, users, places, products, bills of material, orders.

Reads the same JSON of orders and stock as the simulated ERPs (docs/simulators.md, "Orders"). Everything is found before
it is made, so that a second run changes nothing. Tryton numbers productions itself: its sequence is set to give the
order numbers of the file, because the field is read-only for everybody.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from signals.errors import BadInput
from workers.tryton_rpc import MARK, Row, TrytonAdmin

COMPANY, CURRENCY = "Plantwright Works", ("Euro", "EUR", "€")
SCRAP = "SCRAP"
GROUPS = ("Production", "Stock", "Stock Cancellation")
"""What the adapter's user may do: produce, move stock, and cancel moves that were done (a reversal)."""
UNIT_DIGITS = 3
RELEASED = "REL"


class _Seed(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class SeedOperation(_Seed):
    operation: str
    text: str = ""
    work_centre: str


class SeedComponent(_Seed):
    material: str
    required: Decimal
    unit: str = ""
    storage_location: str = ""
    operation: str = ""


class SeedOrder(_Seed):
    order: str
    plant: str
    material: str
    quantity: Decimal
    unit: str = "PC"
    storage_location: str = ""
    status: tuple[str, ...] = (RELEASED,)
    scheduled_start: datetime | None = None
    scheduled_end: datetime | None = None
    operations: tuple[SeedOperation, ...]
    components: tuple[SeedComponent, ...] = ()


class SeedStock(_Seed):
    material: str
    plant: str
    storage_location: str = ""
    batch: str = ""
    quantity: Decimal
    unit: str = "PC"


class SeedFile(_Seed):
    """Orders and stock; what Tryton has no word for (control profiles, tolerances, periods) is passed over."""

    orders: tuple[SeedOrder, ...] = ()
    stock: tuple[SeedStock, ...] = ()

    @classmethod
    def of(cls, content: object) -> SeedFile:
        """Raises BadInput that names the first fault."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"])
            raise BadInput(
                f"orders: {place}: {fault['msg']}", subject=place, hint="docs/simulators.md shows the form"
            ) from error


@dataclass(frozen=True)
class SeededOrders:
    """Order numbers by what became of them."""

    created: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


async def set_up_company(admin: TrytonAdmin, user: str, password: str) -> None:
    """Company with its currency, the scrap location, and the user that the adapter logs on as."""
    name, code, symbol = CURRENCY
    currency = await admin.ensure(
        "currency.currency", [("code", "=", code)], {"name": name, "code": code, "symbol": symbol}
    )
    company = await admin.find("company.company", [])
    if company is None:
        party = await admin.create("party.party", {"name": COMPANY})
        company = await admin.create("company.company", {"party": party, "currency": currency})
    administrator = await admin.find("res.user", [("login", "=", "admin")])
    of_company = {"companies": [["add", [company]]], "company": company}
    await admin.call("model.res.user.write", [administrator], of_company)
    warehouse = await admin.find("stock.location", [("type", "=", "warehouse")])
    waste = {"name": "Scrap", "code": SCRAP, "type": "lost_found", "waste_warehouses": [["add", [warehouse]]]}
    await admin.ensure("stock.location", [("code", "=", SCRAP)], waste)
    groups = await admin.rows("res.group", [("name", "in", list(GROUPS))], ["name"])
    account = {"name": "Plantwright", "login": user, "groups": [["add", [g["id"] for g in groups]]], **of_company}
    known = await admin.find("res.user", [("login", "=", user)])
    if known is None:
        await admin.create("res.user", {**account, "password": password})
    else:
        await admin.call("model.res.user.write", [known], {"password": password})


async def seed_orders(admin: TrytonAdmin, seed: SeedFile, *, stock: bool = True) -> SeededOrders:
    """Make the orders that are not there, with all they need. With `stock` the rows are set; without it a row counts
    only where nothing of the material ever moved. Raises BadInput for what Tryton cannot take."""
    company = await admin.find("company.company", [])
    admin.context["company"] = company
    place = _Places(admin, company, _one_plant(seed))
    await place.load()
    for row in seed.stock:
        await place.set_stock(row, anew=stock)
    created: list[str] = []
    kept: list[str] = []
    for order in seed.orders:
        made = await place.make_order(order)
        (created if made else kept).append(order.order)
    return SeededOrders(tuple(created), tuple(kept))


def _one_plant(seed: SeedFile) -> str:
    plants = {row.plant for row in (*seed.orders, *seed.stock)}
    if len(plants) > 1:
        raise BadInput(
            f"the orders name the plants {', '.join(sorted(plants))}",
            subject="plant",
            hint="one Tryton serves one plant here: its warehouse; start another Tryton for the other plant",
        )
    return next(iter(plants), "")


class _Places:
    """One warehouse, with its locations, products and orders."""

    def __init__(self, admin: TrytonAdmin, company: int | None, plant: str) -> None:
        self._admin, self._company, self._plant = admin, company, plant
        self._warehouse: Row = {}

    async def load(self) -> None:
        fields = ["code", "storage_location", "production_location"]
        self._warehouse = (await self._admin.rows("stock.location", [("type", "=", "warehouse")], fields))[0]
        if self._plant and self._warehouse["code"] != self._plant:
            await self._admin.call("model.stock.location.write", [self._warehouse["id"]], {"code": self._plant})

    async def set_stock(self, row: SeedStock, *, anew: bool) -> None:
        product, location = await self._product(row.material, row.unit), await self._storage(row.storage_location)
        if row.batch:
            raise BadInput(
                f"stock of {row.material} names batch {row.batch}", subject=row.material, hint="leave batches out"
            )
        moved = ["OR", ("from_location", "=", location), ("to_location", "=", location)]
        if not anew and await self._admin.find("stock.move", [("product", "=", product), moved]):
            return
        line = {"product": product, "quantity": float(row.quantity)}
        inventory = await self._admin.create(
            "stock.inventory", {"location": location, "company": self._company, "lines": [["create", [line]]]}
        )
        await self._admin.call("model.stock.inventory.confirm", [inventory])

    async def make_order(self, order: SeedOrder) -> bool:
        """False where it is there already."""
        if await self._admin.find("production", [("number", "=", order.order)]):
            return False
        production = await self._admin.find("production", [("reference", "=", order.order), ("state", "=", "draft")])
        production = production or await self._draft(order)
        if RELEASED not in order.status:
            return True
        await self._number_next(order.order)
        await self._admin.call("model.production.wait", [production])
        return True

    async def _draft(self, order: SeedOrder) -> int:
        product, unit = await self._product(order.material, order.unit, producible=True), await self._unit(order.unit)
        out_of, into = self._warehouse["production_location"], await self._storage(order.storage_location)
        inputs = [await self._input(component) for component in order.components]
        output = {"product": product, "quantity": float(order.quantity), "unit": unit}
        lines = [{key: line[key] for key in ("product", "quantity", "unit")} for line in inputs]
        bom = await self._admin.create(
            "production.bom",
            {
                "name": f"{order.material} {order.order}",
                "inputs": [["create", lines]],
                "outputs": [["create", [output]]],
            },
        )
        await self._note_operations(bom, order)
        root = await self._work_centres_of_plant()
        steps = [await self._step(step, root) for step in order.operations]
        routing = await self._admin.create(
            "production.routing",
            {
                "name": f"{order.material} {order.order}",
                "boms": [["add", [bom]]],
                "steps": [["create", steps]],
            },
        )
        start = (order.scheduled_start or datetime.now(UTC)).date()
        receipt = {
            **output,
            "from_location": out_of,
            "to_location": into,
            "company": self._company,
            "unit_price": Decimal(0),
            "currency": await self._admin.find("currency.currency", [("code", "=", CURRENCY[1])]),
        }
        return await self._admin.create(
            "production",
            {
                "reference": order.order,
                "company": self._company,
                "warehouse": self._warehouse["id"],
                "location": out_of,
                "product": product,
                "bom": bom,
                "routing": routing,
                "work_center": root,
                "unit": unit,
                "quantity": float(order.quantity),
                "planned_start_date": start,
                "planned_date": max(_day(order.scheduled_end, start), start),
                "inputs": [["create", inputs]],
                "outputs": [["create", [receipt]]],
            },
        )

    async def _note_operations(self, bom: int, order: SeedOrder) -> None:
        """Tryton has no field for the operation at which a component is used: the note a planner would write."""
        first = order.operations[0].operation if order.operations else ""
        later = {c.material: c.operation for c in order.components if c.operation not in ("", first)}
        if later:
            told = "".join(f"{material} is used at operation {number}.\n" for material, number in later.items())
            line = MARK + json.dumps({"kind": "component_operations", "operations": later})
            await self._admin.create("ir.note", {"resource": f"production.bom,{bom}", "message": told + line})

    async def _input(self, component: SeedComponent) -> Row:
        unit = component.unit or "PC"
        return {
            "product": await self._product(component.material, unit),
            "quantity": float(component.required),
            "unit": await self._unit(unit),
            "from_location": await self._storage(component.storage_location),
            "to_location": self._warehouse["production_location"],
            "company": self._company,
        }

    async def _step(self, step: SeedOperation, root: int) -> Row:
        if not step.operation.isdigit():
            raise BadInput(
                f"operation {step.operation!r} is no number", subject=step.operation, hint="Tryton sorts by numbers"
            )
        category = await self._admin.ensure(
            "production.work.center.category", [("name", "=", step.work_centre)], {"name": step.work_centre}
        )
        centre = {"name": step.work_centre, "category": category, "parent": root, **self._of_plant()}
        await self._admin.ensure("production.work.center", [("category", "=", category)], centre)
        name = f"{step.text or step.operation} ({step.work_centre})"
        operation = await self._admin.ensure(
            "production.routing.operation", [("name", "=", name)], {"name": name, "work_center_category": category}
        )
        return {"operation": operation, "sequence": int(step.operation)}

    async def _work_centres_of_plant(self) -> int:
        name = f"Plant {self._plant}"
        return await self._admin.ensure(
            "production.work.center", [("name", "=", name)], {"name": name, **self._of_plant()}
        )

    def _of_plant(self) -> Row:
        return {"warehouse": self._warehouse["id"], "company": self._company}

    async def _number_next(self, number: str) -> None:
        """The production sequence's next number is the order's: prefix and digits."""
        parts = re.fullmatch(r"(.*?)(\d+)", number)
        if parts is None:
            raise BadInput(
                f"order {number} does not end in digits", subject=number, hint="Tryton counts productions up"
            )
        prefix, digits = parts.groups()
        configuration = await self._admin.rows("production.configuration", [], ["production_sequence"])
        if configuration:
            sequence = configuration[0]["production_sequence"]
        else:
            read = await self._admin.call("model.production.configuration.read", [1], ["production_sequence"])
            sequence = read[0]["production_sequence"]
        values: dict[str, Any] = {"prefix": prefix, "padding": len(digits), "number_next": int(digits)}
        await self._admin.call("model.ir.sequence.write", [sequence], values)

    async def _storage(self, code: str) -> int:
        parent = self._warehouse["storage_location"]
        if not code:
            return parent
        place = {"name": code, "code": code, "type": "storage", "parent": parent}
        return await self._admin.ensure("stock.location", [("code", "=", code), ("parent", "=", parent)], place)

    async def _unit(self, symbol: str) -> int:
        """The unit with this symbol; an unknown one counts pieces, with as many decimals as SAP's quantities."""
        piece = await self._admin.rows("product.uom", [("symbol", "=", "u")], ["category"])
        unit = {
            "name": symbol,
            "symbol": symbol,
            "category": piece[0]["category"],
            "rate": 1.0,
            "factor": 1.0,
            "digits": UNIT_DIGITS,
            "rounding": 10.0**-UNIT_DIGITS,
        }
        return await self._admin.ensure("product.uom", [("symbol", "=", symbol)], unit)

    async def _product(self, code: str, unit: str, *, producible: bool = False) -> int:
        found = await self._admin.rows("product.product", [("code", "=", code)], ["template", "producible"])
        if found:
            if producible and not found[0]["producible"]:
                await self._admin.call("model.product.template.write", [found[0]["template"]], {"producible": True})
            return found[0]["id"]
        template = {
            "name": code,
            "code": code,
            "type": "goods",
            "default_uom": await self._unit(unit),
            "producible": producible,
            "cost_price_method": "average",
            "list_price": Decimal(0),
            "products": [["create", [{}]]],
        }
        made = await self._admin.create("product.template", template)
        product = await self._admin.find("product.product", [("template", "=", made)])
        assert product is not None, "Tryton makes the product with its template"
        return product


def _day(at: datetime | None, otherwise: date) -> date:
    return at.date() if at is not None else otherwise
