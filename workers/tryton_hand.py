"""A person at Tryton's own screen: moves goods of a production without Plantwright. For the demo and for tests."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from signals.errors import BadInput
from workers.tryton_rpc import MARK, Row, TrytonAdmin


async def enter_by_hand(admin: TrytonAdmin, order: str, operation: str, pieces: int) -> str:
    """What a person does in Tryton for pieces of an operation: takes their components in, or the last one's pieces out.

    The number of the leading move as a document. Raises BadInput where the operation moves nothing.
    """
    fields = ["quantity", "product", "unit", "location", "company", "company.currency", "bom"]
    fields += ["warehouse.storage_location", "bom.inputs"]
    rows = await admin.rows("production", [("number", "=", order)], fields)
    if not rows:
        raise BadInput(f"Tryton knows no production {order}", subject=order)
    production = rows[0]
    admin.context["company"] = production["company"]
    works = await admin.rows("production.work", [("production", "=", production["id"])], ["sequence"], order="sequence")
    numbers = [f"{work['sequence']:04d}" for work in works]
    if operation == numbers[-1]:
        moves = [await _piece_out(admin, production, pieces)]
    else:
        moves = await _components_in(admin, production, operation, numbers[0], pieces)
    if not moves:
        raise BadInput(f"operation {operation} of production {order} moves nothing by hand", subject=operation)
    made = await admin.call("model.stock.move.create", moves)
    await admin.call("model.production.assign_try", [production["id"]])
    await admin.call("model.stock.move.do", made)
    return f"move/{made[0]}"


async def _piece_out(admin: TrytonAdmin, production: Row, pieces: int) -> Row:
    earlier = await admin.rows(
        "stock.move",
        [("production_output", "=", production["id"]), ("product", "=", production["product"])],
        ["to_location", "to_location.type"],
    )
    places = [row["to_location"] for row in earlier if row["to_location.type"] == "storage"]
    return {
        "product": production["product"],
        "quantity": float(pieces),
        "unit": production["unit"],
        "from_location": production["location"],
        "to_location": places[0] if places else production["warehouse.storage_location"],
        "company": production["company"],
        "production_output": production["id"],
        "unit_price": Decimal(0),
        "currency": production["company.currency"],
    }


async def _components_in(admin: TrytonAdmin, production: Row, operation: str, first: str, pieces: int) -> list[Row]:
    """By the bill of material and the places the planner named, which earlier moves show."""
    used_at = await _used_at(admin, production["bom"])
    inputs = await admin.rows(
        "production.bom.input", [("bom", "=", production["bom"])], ["product", "product.code", "quantity", "unit"]
    )
    moves: list[Row] = []
    for line in inputs:
        if used_at.get(line["product.code"], first) != operation:
            continue
        there = [("production_input", "=", production["id"]), ("product", "=", line["product"])]
        earlier = await admin.rows("stock.move", there, ["from_location"])
        moves.append(
            {
                "product": line["product"],
                "quantity": line["quantity"] * pieces / production["quantity"],
                "unit": line["unit"],
                "from_location": earlier[0]["from_location"] if earlier else production["warehouse.storage_location"],
                "to_location": production["location"],
                "company": production["company"],
                "production_input": production["id"],
            }
        )
    return moves


async def _used_at(admin: TrytonAdmin, bom: int) -> dict[str, Any]:
    notes = await admin.rows("ir.note", [("resource", "=", f"production.bom,{bom}")], ["message"])
    lines = [line for note in notes for line in note["message"].splitlines() if line.startswith(MARK)]
    return {k: v for line in lines for k, v in json.loads(line.removeprefix(MARK)).get("operations", {}).items()}
