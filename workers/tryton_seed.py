"""What a Tryton needs before anybody can produce in it: company, users, places, products, bills of material, orders.

Everything is found before it is made, so that a second run changes nothing. Tryton numbers productions itself, the
field is read-only for everybody: its sequence is set to give the order numbers of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from workers.tryton_orders_file import RELEASED, SeedComponent, SeedFile, SeedOperation, SeedOrder, SeedStock
from workers.tryton_rpc import MARK, Row, TrytonAdmin

COMPANY, CURRENCY = "Plantwright Works", ("Euro", "EUR", "€")
SCRAP = "SCRAP"
GROUPS = ("Production", "Stock", "Stock Cancellation")
"""What the adapter's user may do: produce, move stock, and cancel moves that were done (a reversal)."""
UNIT_DIGITS = 3
AT_ONCE = 40
"""Products made by one call: a check of Tryton's grows with them into a query too deep for SQLite."""


@dataclass(frozen=True)
class SeededOrders:
    """Order numbers by what became of them."""

    created: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


async def set_up_company(admin: TrytonAdmin, user: str, password: str) -> None:
    """Company with its currency, the scrap location, and the user that the adapter logs on as."""
    name, code, symbol = CURRENCY
    money = {"name": name, "code": code, "symbol": symbol}
    currency = await admin.ensure("currency.currency", [("code", "=", code)], money)
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
    only where nothing of the material ever moved."""
    company = await admin.find("company.company", [])
    admin.context["company"] = company
    numbers = [order.order for order in seed.orders]
    known = {row["number"] for row in await admin.rows("production", [("number", "in", numbers)], ["number"])}
    new = [order for order in seed.orders if order.order not in known]
    plant = _Plant(admin, company)
    await plant.load(seed.plant)
    await plant.ensure_materials(new, seed.stock)
    await plant.set_stock(seed.stock, anew=stock)
    await plant.make_orders(new)
    return SeededOrders(tuple(order.order for order in new), tuple(n for n in numbers if n in known))


class _Plant:
    """One warehouse, with its locations, products and orders. Records by name are read or made once."""

    def __init__(self, admin: TrytonAdmin, company: int | None) -> None:
        self._admin, self._company = admin, company
        self._warehouse: Row = {}
        self._currency: int | None = None
        self._root = 0
        self._known: dict[tuple[str, str], int] = {}
        self._products: dict[str, int] = {}

    async def load(self, code: str) -> None:
        fields = ["code", "storage_location", "production_location"]
        self._warehouse = (await self._admin.rows("stock.location", [("type", "=", "warehouse")], fields))[0]
        if code and self._warehouse["code"] != code:
            await self._admin.call("model.stock.location.write", [self._warehouse["id"]], {"code": code})
        self._currency = await self._admin.find("currency.currency", [("code", "=", CURRENCY[1])])
        name = f"Plant {code}"
        of_plant = {"name": name, "warehouse": self._warehouse["id"], "company": self._company}
        self._root = await self._named("production.work.center", "name", name, of_plant)

    # --- materials and stock -----------------------------------------------------------------------------

    async def ensure_materials(self, orders: Iterable[SeedOrder], stock: Iterable[SeedStock]) -> None:
        """Products of all that is named; what is produced is marked so."""
        units = {row.material: row.unit for row in stock}
        for order in orders:
            units |= {c.material: c.unit or "PC" for c in order.components} | {order.material: order.unit}
        made = {order.material for order in orders}
        fields = ["code", "template", "producible"]
        found = await self._admin.rows("product.product", [("code", "in", list(units))], fields)
        self._products = {row["code"]: row["id"] for row in found}
        unmarked = [row["template"] for row in found if row["code"] in made and not row["producible"]]
        if unmarked:
            await self._admin.call("model.product.template.write", unmarked, {"producible": True})
        missing = [code for code in units if code not in self._products]
        if not missing:
            return
        templates = [
            {
                "name": code,
                "code": code,
                "type": "goods",
                "default_uom": await self._unit(units[code]),
                "producible": code in made,
                "cost_price_method": "average",
                "list_price": Decimal(0),
                "products": [["create", [{}]]],
            }
            for code in missing
        ]
        for start in range(0, len(templates), AT_ONCE):
            await self._admin.call("model.product.template.create", templates[start : start + AT_ONCE])
        made_now = await self._admin.rows("product.product", [("code", "in", missing)], ["code"])
        self._products |= {row["code"]: row["id"] for row in made_now}

    async def set_stock(self, rows: Iterable[SeedStock], *, anew: bool) -> None:
        """One inventory per location sets the quantities."""
        lines: dict[int, list[Row]] = {}
        for row in rows:
            line = {"product": self._products[row.material], "quantity": float(row.quantity)}
            lines.setdefault(await self._storage(row.storage_location), []).append(line)
        for location, counted in lines.items():
            moved = set() if anew else await self._moved(location, [line["product"] for line in counted])
            counted = [line for line in counted if line["product"] not in moved]
            if counted:
                values = {"location": location, "company": self._company, "lines": [["create", counted]]}
                inventory = await self._admin.create("stock.inventory", values)
                await self._admin.call("model.stock.inventory.confirm", [inventory])

    async def _moved(self, location: int, products: list[int]) -> set[int]:
        there = ["OR", ("from_location", "=", location), ("to_location", "=", location)]
        return {
            row["product"]
            for row in await self._admin.rows("stock.move", [("product", "in", products), there], ["product"])
        }

    # --- orders ------------------------------------------------------------------------------------------

    async def make_orders(self, orders: list[SeedOrder]) -> None:
        """Drafts by their reference (those of a run that was cut off are taken up), then numbered and released."""
        if not orders:
            return
        wanted = [("reference", "in", [o.order for o in orders]), ("state", "=", "draft")]
        drafts = {row["reference"]: row["id"] for row in await self._admin.rows("production", wanted, ["reference"])}
        new = [order for order in orders if order.order not in drafts]
        if new:
            boms = await self._make_boms(new)
            routings = await self._make_routings(new, boms)
            values = [await self._draft(*one) for one in zip(new, boms, routings, strict=True)]
            made = await self._admin.call("model.production.create", values)
            drafts |= {order.order: number for order, number in zip(new, made, strict=True)}
        for numbers in _runs([order.order for order in orders if RELEASED in order.status]):
            await self._number_next(numbers[0])
            await self._admin.call("model.production.wait", [drafts[number] for number in numbers])

    async def _make_boms(self, orders: list[SeedOrder]) -> list[int]:
        values: list[Row] = []
        for order in orders:
            output = {
                "product": self._products[order.material],
                "quantity": float(order.quantity),
                "unit": await self._unit(order.unit),
            }
            inputs = [
                {
                    "product": self._products[c.material],
                    "quantity": float(c.required),
                    "unit": await self._unit(c.unit or "PC"),
                }
                for c in order.components
            ]
            name = f"{order.material} {order.order}"
            values.append({"name": name, "inputs": [["create", inputs]], "outputs": [["create", [output]]]})
        boms = await self._admin.call("model.production.bom.create", values)
        notes = [
            {"resource": f"production.bom,{bom}", "message": message}
            for order, bom in zip(orders, boms, strict=True)
            if (message := _operations_note(order))
        ]
        if notes:
            await self._admin.call("model.ir.note.create", notes)
        return boms

    async def _make_routings(self, orders: list[SeedOrder], boms: list[int]) -> list[int]:
        values = [
            {
                "name": f"{order.material} {order.order}",
                "boms": [["add", [bom]]],
                "steps": [["create", [await self._step(step) for step in order.operations]]],
            }
            for order, bom in zip(orders, boms, strict=True)
        ]
        return await self._admin.call("model.production.routing.create", values)

    async def _draft(self, order: SeedOrder, bom: int, routing: int) -> Row:
        out_of = self._warehouse["production_location"]
        start = (order.scheduled_start or datetime.now(UTC)).date()
        product, unit = self._products[order.material], await self._unit(order.unit)
        receipt = {
            "product": product,
            "quantity": float(order.quantity),
            "unit": unit,
            "from_location": out_of,
            "to_location": await self._storage(order.storage_location),
            "company": self._company,
            "unit_price": Decimal(0),
            "currency": self._currency,
        }
        return {
            "reference": order.order,
            "company": self._company,
            "warehouse": self._warehouse["id"],
            "location": out_of,
            "product": product,
            "bom": bom,
            "routing": routing,
            "work_center": self._root,
            "unit": unit,
            "quantity": float(order.quantity),
            "planned_start_date": start,
            "planned_date": max(_day(order.scheduled_end, start), start),
            "inputs": [["create", [await self._input(component) for component in order.components]]],
            "outputs": [["create", [receipt]]],
        }

    async def _input(self, component: SeedComponent) -> Row:
        return {
            "product": self._products[component.material],
            "quantity": float(component.required),
            "unit": await self._unit(component.unit or "PC"),
            "from_location": await self._storage(component.storage_location),
            "to_location": self._warehouse["production_location"],
            "company": self._company,
        }

    async def _step(self, step: SeedOperation) -> Row:
        category = await self._named("production.work.center.category", "name", step.work_centre, {})
        centre = {
            "category": category,
            "parent": self._root,
            "warehouse": self._warehouse["id"],
            "company": self._company,
        }
        await self._named("production.work.center", "name", step.work_centre, centre)
        name = f"{step.text or step.operation} ({step.work_centre})"
        operation = await self._named("production.routing.operation", "name", name, {"work_center_category": category})
        return {"operation": operation, "sequence": int(step.operation)}

    async def _number_next(self, number: str) -> None:
        """The production sequence's next number is the order's: prefix and digits."""
        prefix, digits = _parts(number)
        if ("sequence", "") not in self._known:
            read = await self._admin.call("model.production.configuration.read", [1], ["production_sequence"])
            self._known["sequence", ""] = read[0]["production_sequence"]
        values: dict[str, Any] = {"prefix": prefix, "padding": len(digits), "number_next": int(digits)}
        await self._admin.call("model.ir.sequence.write", [self._known["sequence", ""]], values)

    # --- records by name ---------------------------------------------------------------------------------

    async def _storage(self, code: str) -> int:
        parent = self._warehouse["storage_location"]
        if not code:
            return parent
        return await self._named("stock.location", "code", code, {"name": code, "type": "storage", "parent": parent})

    async def _unit(self, symbol: str) -> int:
        """The unit with this symbol; an unknown one counts pieces, with as many decimals as SAP's quantities."""
        if ("product.uom", symbol) in self._known:
            return self._known["product.uom", symbol]
        piece = await self._admin.rows("product.uom", [("symbol", "=", "u")], ["category"])
        unit = {
            "name": symbol,
            "category": piece[0]["category"],
            "rate": 1.0,
            "factor": 1.0,
            "digits": UNIT_DIGITS,
            "rounding": 10.0**-UNIT_DIGITS,
        }
        return await self._named("product.uom", "symbol", symbol, unit)

    async def _named(self, model: str, field: str, name: str, values: Mapping[str, Any]) -> int:
        if (model, name) not in self._known:
            found = await self._admin.ensure(model, [(field, "=", name)], {field: name, **values})
            self._known[model, name] = found
        return self._known[model, name]


def _parts(number: str) -> tuple[str, str]:
    parts = re.fullmatch(r"(.*?)(\d+)", number)
    assert parts is not None, "the file was checked"
    return parts.group(1), parts.group(2)


def _runs(numbers: list[str]) -> list[list[str]]:
    """Numbers that Tryton gives one after the other, together: it numbers a list in its order."""
    runs: list[list[str]] = []
    for number in numbers:
        prefix, digits = _parts(number)
        before = f"{prefix}{int(digits) - 1:0{len(digits)}}" if int(digits) else ""
        if runs and runs[-1][-1] == before:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _operations_note(order: SeedOrder) -> str:
    """Tryton has no field for the operation at which a component is used: the note a planner would write."""
    first = order.operations[0].operation if order.operations else ""
    later = {c.material: c.operation for c in order.components if c.operation not in ("", first)}
    if not later:
        return ""
    told = "".join(f"{material} is used at operation {number}.\n" for material, number in later.items())
    return told + MARK + json.dumps({"kind": "component_operations", "operations": later})


def _day(at: datetime | None, otherwise: date) -> date:
    return at.date() if at is not None else otherwise
