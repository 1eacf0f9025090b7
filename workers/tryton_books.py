"""Tryton's own books, read from its productions, works, stock moves and notes, in the shape of the simulators' books.

This judges the adapter and shares no code with it. Quantities of components, receipts and stock come from stock moves
that are done; yield and scrap of the last operation too. Tryton keeps no quantity per operation: that of an earlier one
is what the notes on the production say, and `from_moves` tells which is which.
"""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

from workers.tryton_rpc import MARK, Row, TrytonAdmin

ZERO = Decimal(0)
STATUS = {"draft": ["CRTD"], "request": ["CRTD"], "waiting": ["REL"], "assigned": ["REL"], "running": ["REL"],
          "done": ["REL", "TECO"], "cancelled": ["DLFL"]}  # fmt: skip


async def read_books(admin: TrytonAdmin, order: str = "") -> dict[str, Any]:
    """All numbered productions, or one; all stock in storage locations."""
    wanted = [("number", "=", order)] if order else [("number", "!=", None)]
    fields = ["number", "state", "quantity", "product.code", "unit.symbol", "warehouse.code", "company", "bom"]
    productions = await admin.rows("production", wanted, fields)
    if productions:
        admin.context["company"] = productions[0]["company"]
    read = [await _OrderBooks.read(admin, row) for row in productions]
    return {
        "orders": [books.order() for books in read],
        "documents": [document for books in read for document in books.documents()],
        "stock": await _stock(admin),
        "holds": [],
        "cogi": [],
        "pending_goods_movements": [],
        "locks": [],
    }


class _OrderBooks:
    """One production with its works, moves and notes."""

    def __init__(
        self, production: Row, works: list[Row], moves: list[Row], notes: list[Row], used_at: dict[str, str]
    ) -> None:
        self._production, self._works, self._moves = production, works, {move["id"]: move for move in moves}
        self._used_at = used_at
        self._notes = [(note, content) for note in notes if (content := _content(note["message"])) is not None]

    @classmethod
    async def read(cls, admin: TrytonAdmin, production: Row) -> _OrderBooks:
        works = await admin.rows(
            "production.work",
            [("production", "=", production["id"])],
            ["sequence", "state", "work_center.name", "cycles"],
            order="sequence",
        )
        fields = ["state", "quantity", "product.code", "unit.symbol", "from_location.code", "to_location.code"]
        fields += ["to_location.type", "from_location.type", "production_input", "effective_date", "write_uid.login"]
        moves = await admin.rows("stock.move", [("production", "=", production["id"])], fields)
        cycles = [cycle for work in works for cycle in work["cycles"]]
        states = await admin.rows("production.work.cycle", [("id", "in", cycles)], ["state"])
        done = {row["id"] for row in states if row["state"] == "done"}
        for work in works:
            work["done_cycles"] = [cycle for cycle in work["cycles"] if cycle in done]
        resource = f"production,{production['id']}"
        notes = await admin.rows(
            "ir.note", [("resource", "=", resource)], ["message", "create_date", "create_uid.login"]
        )
        on_bom = await admin.rows("ir.note", [("resource", "=", f"production.bom,{production['bom']}")], ["message"])
        told = [content for note in on_bom if (content := _content(note["message"])) is not None]
        used_at = {material: number for c in told for material, number in c.get("operations", {}).items()}
        return cls(production, works, moves, notes, used_at)

    def order(self) -> dict[str, Any]:
        row = self._production
        return {
            "order": row["number"],
            "plant": row["warehouse.code"],
            "material": row["product.code"],
            "unit": row["unit.symbol"],
            "quantity": _text(row["quantity"]),
            "status": STATUS[row["state"]],
            "state": row["state"],
            "operations": [self._operation(work) for work in self._works],
            "components": self._components(),
            "items": [
                {
                    "item": "1",
                    "material": row["product.code"],
                    "planned": _text(row["quantity"]),
                    "received": _text(self._made("storage")),
                    "unit": row["unit.symbol"],
                }
            ],
        }

    def documents(self) -> list[dict[str, Any]]:
        """Notes whose moves are done, notes that name none, and moves that no note tells of: people's."""
        told: set[int] = set()
        reversals = {c["reverses"]: (note, c) for note, c in self._notes if c.get("kind") == "reversal"}
        found: list[dict[str, Any]] = []
        for note, content in self._notes:
            moves = [self._moves[number] for number in content.get("moves", ()) if number in self._moves]
            told |= {move["id"] for move in moves}
            if content.get("kind") == "confirmation" and self._is_booked(content, moves):
                document = self._document(note, content, moves)
                undone = reversals.get(document["id"])
                cancelled = bool(moves) and all(move["state"] == "cancelled" for move in moves)
                document["reversed"] = cancelled or (undone is not None and not moves)
                found.append(document)
                if undone is not None and document["reversed"]:
                    found.append(self._reversal(document, *undone))
        by_hand = [move for move in self._moves.values() if move["state"] == "done" and move["id"] not in told]
        return found + [self._by_hand(move) for move in by_hand]

    def _is_booked(self, content: dict[str, Any], moves: list[Row]) -> bool:
        """Where the note names moves, they must be done (or have been, before they were cancelled)."""
        known = len(moves) == len(content.get("moves", ()))
        return known and all(move["state"] in ("done", "cancelled") for move in moves)

    def _reversal(self, original: dict[str, Any], note: Row, content: dict[str, Any]) -> dict[str, Any]:
        negative = {kind: _text(-Decimal(original[kind])) for kind in ("yield", "scrap", "rework")}
        return {
            **original,
            **negative,
            "id": f"{self._production['number']}/{note['id']}",
            "key": content["key"],
            "final": False,
            "reversed": False,
            "reversal": True,
            "reverses": original["id"],
            "user": note["create_uid.login"],
            "at": note["create_date"],
            "goods_movements": [],
        }

    def _document(self, note: Row, content: dict[str, Any], moves: list[Row]) -> dict[str, Any]:
        return {
            "kind": "confirmation",
            "id": f"{self._production['number']}/{note['id']}",
            "order": self._production["number"],
            "operation": content["operation"],
            "yield": _text(Decimal(content["yield_quantity"])),
            "scrap": _text(Decimal(content["scrap_quantity"])),
            "rework": _text(Decimal(content["rework_quantity"])),
            "unit": content["unit"],
            "activities": {},
            "key": content["key"],
            "text": "",
            "final": content["final"],
            "reversed": False,
            "reversal": False,
            "reverses": None,
            "manual": False,
            "automatic_of": None,
            "posting_date": content["posting_date"],
            "reason": content.get("reason", ""),
            "user": note["create_uid.login"],
            "at": note["create_date"],
            "goods_movements": [self._movement(move) for move in moves],
        }

    def _by_hand(self, move: Row) -> dict[str, Any]:
        """A move that somebody did in Tryton itself, as the pieces it stands for (docs/tryton.md)."""
        operation, good, scrap = self._pieces_of(move)
        return {
            "kind": "confirmation" if operation else "material_document",
            "id": f"move/{move['id']}",
            "order": self._production["number"],
            "operation": operation,
            "yield": _text(good),
            "scrap": _text(scrap),
            "rework": "0",
            "unit": move["unit.symbol"],
            "key": None,
            "text": "",
            "final": False,
            "reversed": False,
            "reversal": False,
            "reverses": None,
            "manual": True,
            "automatic_of": None,
            "user": move["write_uid.login"],
            "goods_movements": [self._movement(move)],
        }

    def _pieces_of(self, move: Row) -> tuple[str, Decimal, Decimal]:
        quantity = _exact(move["quantity"])
        last = _number(self._works[-1]) if self._works else ""
        if not move["production_input"]:
            if move["product.code"] != self._production["product.code"] or not last:
                return "", ZERO, ZERO
            return (last, quantity, ZERO) if move["to_location.type"] == "storage" else (last, ZERO, quantity)
        plan, first = self._plan(), _number(self._works[0]) if self._works else ""
        operation = self._used_at.get(move["product.code"], first)
        leading = next((code for code in plan if self._used_at.get(code, first) == operation), "")
        if operation == last or leading != move["product.code"]:
            return "", ZERO, ZERO
        per_piece = Decimal(plan[leading]["quantity"]) / _exact(self._production["quantity"])
        return operation, quantity / per_piece, ZERO

    def _operation(self, work: Row) -> dict[str, Any]:
        number, last = _number(work), work is self._works[-1]
        standing = [d for d in self.documents() if d["operation"] == number and not d["reversed"] and not d["reversal"]]
        sums = {kind: sum((Decimal(d[kind]) for d in standing), ZERO) for kind in ("yield", "scrap", "rework")}
        if last:
            sums["yield"] = self._made("storage")
        return {
            "operation": number,
            "sequence": "0",
            "work_centre": work["work_center.name"],
            "planned": _text(self._production["quantity"]),
            "yield": _text(sums["yield"]),
            "scrap": _text(sums["scrap"]),
            "rework": _text(sums["rework"]),
            "unit": self._production["unit.symbol"],
            "final": any(d["final"] for d in standing),
            "state": work["state"],
            "cycles_done": len(work["done_cycles"]),
            "from_moves": last,
        }

    def _components(self) -> list[dict[str, Any]]:
        """Tryton knows a component of the production, not of an operation: all stand at the first one, unless a note
        on the bill of material says otherwise."""
        plan = self._plan()
        withdrawn: dict[str, Decimal] = defaultdict(Decimal)
        units: dict[str, str] = {}
        for move in self._moves.values():
            code = move["product.code"]
            if move["state"] == "done" and code != self._production["product.code"]:
                sign = 1 if move["production_input"] else -1
                withdrawn[code] += sign * _exact(move["quantity"])
                units[code] = move["unit.symbol"]
        first = _number(self._works[0]) if self._works else ""
        return [
            {
                "reservation": self._production["number"],
                "item": str(place),
                "operation": self._used_at.get(code, first),
                "material": code,
                "batch": "",
                "required": _text(plan[code]["quantity"]) if code in plan else "0",
                "withdrawn": _text(withdrawn[code]),
                "unit": plan[code]["unit"] if code in plan else units[code],
                "finally_issued": self._production["state"] == "done",
            }
            for place, code in enumerate(sorted({*plan, *withdrawn}), start=1)
        ]

    def _plan(self) -> dict[str, dict[str, Any]]:
        """Planned components: from the note of the start, else from the moves that are planned."""
        for _, content in self._notes:
            if content.get("kind") == "start":
                return {line["material"]: line for line in content["components"]}
        plan: dict[str, dict[str, Any]] = {}
        for move in self._moves.values():
            if move["production_input"] and move["state"] in ("draft", "assigned"):
                line = plan.setdefault(move["product.code"], {"quantity": ZERO, "unit": move["unit.symbol"]})
                line["quantity"] += _exact(move["quantity"])
        return plan

    def _made(self, kind: str) -> Decimal:
        """Finished pieces that left the production to a location of this kind."""
        return sum(
            (
                _exact(move["quantity"])
                for move in self._moves.values()
                if move["state"] == "done"
                and not move["production_input"]
                and move["product.code"] == self._production["product.code"]
                and move["to_location.type"] == kind
            ),
            ZERO,
        )

    def _movement(self, move: Row) -> dict[str, Any]:
        scrap = move["to_location.type"] == "lost_found"
        return {
            "material_document": str(move["id"]),
            "item": "1",
            "movement_type": "input" if move["production_input"] else "scrap" if scrap else "output",
            "material": move["product.code"],
            "plant": self._production["warehouse.code"],
            "storage_location": move["from_location.code" if move["production_input"] else "to_location.code"] or "",
            "batch": "",
            "quantity": _text(move["quantity"]),
            "unit": move["unit.symbol"],
            "order": self._production["number"],
            "cancelled": move["state"] == "cancelled",
        }


async def _stock(admin: TrytonAdmin) -> list[dict[str, Any]]:
    """On hand in storage locations by Tryton's moves that are done; zero rows of known materials included."""
    fields = ["quantity", "product.code", "unit.symbol", "from_location", "to_location"]
    moves = await admin.rows("stock.move", [("state", "=", "done")], fields)
    by_id: dict[int, Row] = {}
    for warehouse in await admin.rows("stock.location", [("type", "=", "warehouse")], ["code"]):
        inside = [("parent", "child_of", [warehouse["id"]], "parent"), ("type", "=", "storage")]
        for place in await admin.rows("stock.location", inside, ["code"]):
            by_id[place["id"]] = {**place, "plant": warehouse["code"] or ""}
    on_hand: dict[tuple[str, int, str], Decimal] = defaultdict(Decimal)
    for move in moves:
        for location, sign in ((move["from_location"], -1), (move["to_location"], 1)):
            if location in by_id:
                on_hand[move["product.code"], location, move["unit.symbol"]] += sign * _exact(move["quantity"])
    return [
        {
            "material": code,
            "plant": by_id[location]["plant"],
            "storage_location": by_id[location]["code"] or "",
            "batch": "",
            "stock_type": "01",
            "quantity": _text(quantity),
            "unit": unit,
        }
        for (code, location, unit), quantity in sorted(on_hand.items())
    ]


def _content(message: str | None) -> dict[str, Any] | None:
    """The line of a note that is meant for programs; None for notes of people."""
    for line in (message or "").splitlines():
        if line.startswith(MARK):
            try:
                content = json.loads(line.removeprefix(MARK))
            except ValueError:
                return None
            return content if isinstance(content, dict) else None
    return None


def _number(work: Row) -> str:
    return f"{work['sequence']:04d}"


def _exact(quantity: float) -> Decimal:
    """Tryton keeps quantities as floats: their shortest decimal text is what was meant."""
    return Decimal(str(quantity))


def _text(quantity: Any) -> str:
    value = _exact(quantity) if not isinstance(quantity, Decimal) else quantity
    return f"{value.normalize():f}" if value else "0"
