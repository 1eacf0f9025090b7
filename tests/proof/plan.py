"""The seeded plan of a proof by volume: orders of two operations, and what is confirmed on them, in order.

Nothing here knows how a posting is booked; what the ERP's books must show is plain arithmetic over the plan.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from activities.posting_messages import PostingDraft
from signals.ids import posting_key
from signals.transactions import ConfirmProduction, PostingIntent, TransactionType

PLANT = "demo"
FIRST, LAST = "0010", "0020"
PER_PIECE = {FIRST: 2, LAST: 1}
"""Components that one piece takes at each operation; one material per operation."""
ON_STOCK = Decimal(1_000_000)
PIECES_PLANNED = 10
"""Planned pieces per posting of an order, so that no plan reaches its order's quantity."""

Booked = tuple[str, str, str, Decimal]
"""Order, operation, yield or scrap, quantity: one line of production, whoever numbered it."""


@dataclass(frozen=True)
class Planned:
    """One confirmation."""

    order: str
    number: int
    operation: str
    good: int
    scrap: int

    @property
    def report(self) -> str:
        return f"report-{self.order}-{self.number}"

    @property
    def key(self) -> UUID:
        kind = TransactionType.CONFIRM_PRODUCTION.value
        return posting_key(PLANT, self.order, self.operation, kind, [self.report], 0)

    def draft(self, day: date) -> PostingDraft:
        """As a workflow hands it over."""
        transaction = ConfirmProduction(
            plant=PLANT,
            order=self.order,
            operation=self.operation,
            yield_quantity=Decimal(self.good),
            scrap_quantity=Decimal(self.scrap),
            unit="PC",
            posting_date=day,
        )
        return PostingDraft(
            plant=PLANT, intent=PostingIntent(key=self.key, transaction=transaction, report_ids=(self.report,))
        )

    @property
    def lines(self) -> list[Booked]:
        parts = (("yield", self.good), ("scrap", self.scrap))
        return [(self.order, self.operation, what, Decimal(many)) for what, many in parts if many]


@dataclass(frozen=True)
class Plan:
    """All confirmations, each order's in the order in which they must be booked."""

    seed: int
    postings: tuple[Planned, ...]
    per_order: int

    @classmethod
    def drawn(cls, seed: int, postings: int, per_order: int) -> Plan:
        """The last operation never confirms more than the one before it delivered."""
        chance = random.Random(seed)
        made: list[Planned] = []
        for order in range((postings + per_order - 1) // per_order):
            between = 0
            for number in range(min(per_order, postings - order * per_order)):
                at_last = between > 0 and chance.random() < 0.45
                good = chance.randint(1, min(5, between) if at_last else 5)
                scrap = int(chance.random() < 0.15 and (not at_last or good < between))
                between += -(good + scrap) if at_last else good
                made.append(Planned(f"{4000001 + order}", number, LAST if at_last else FIRST, good, scrap))
        return cls(seed, tuple(made), per_order)

    @property
    def orders(self) -> list[str]:
        return list(dict.fromkeys(p.order for p in self.postings))

    @property
    def quantity(self) -> int:
        """Planned quantity of each order."""
        return self.per_order * PIECES_PLANNED

    def write(self, file: Path) -> None:
        """One draft a line."""
        today = datetime.now(UTC).date()
        file.write_text("".join(f"{p.draft(today).model_dump_json()}\n" for p in self.postings))

    # --- what the books must show ------------------------------------------------------------------------------------

    def booked(self) -> Counter[Booked]:
        return Counter(line for posting in self.postings for line in posting.lines)

    def totals(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Yield and scrap by order and operation."""
        sums: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
        for p in self.postings:
            good, scrap = sums[p.order, p.operation]
            sums[p.order, p.operation] = (good + p.good, scrap + p.scrap)
        return dict(sums)

    def withdrawn(self, order: str, operation: str, *, at_receipt: bool) -> Decimal:
        """Of the operation's component: with its own pieces, or where the ERP flushes at receipt, with the last's."""
        taken_at = LAST if at_receipt else operation
        good, scrap = self.totals().get((order, taken_at), (0, 0))
        return Decimal((good + scrap) * PER_PIECE[operation])

    def received(self, order: str) -> Decimal:
        return Decimal(self.totals().get((order, LAST), (0, 0))[0])


def seed_document(erp: str, plan: Plan) -> dict[str, Any]:
    """Orders and stock as the control side of that simulated ERP takes them."""
    shape = _SHAPES[erp]
    orders: list[dict[str, Any]] = []
    for order in plan.orders:
        line = {"unit": "KG", "storage_location": shape["raw"], "backflush": True}
        orders.append(
            {
                "order": order,
                "plant": shape["plant"],
                "material": f"F{order}",
                "quantity": str(plan.quantity),
                "unit": "PC",
                "storage_location": shape["finished"],
                "operations": [
                    {"operation": FIRST, "work_centre": "PRESS", "control_profile": "PP01"},
                    {"operation": LAST, "work_centre": "PACK", "control_profile": "PP03"},
                ],
                "components": [
                    {
                        **line,
                        "material": component(order, operation),
                        "required": str(plan.quantity * many),
                        "operation": operation,
                    }
                    for operation, many in PER_PIECE.items()
                ],
            }
        )
    stock = [
        {
            "material": component(order, operation),
            "plant": shape["plant"],
            "storage_location": shape["raw"],
            "unit": "KG",
            "quantity": str(ON_STOCK),
        }
        for order in plan.orders
        for operation in PER_PIECE
    ]
    return {"orders": orders, "stock": stock} | shape["more"]


def component(order: str, operation: str) -> str:
    return f"C{order}{operation}"


_SHAPES: dict[str, dict[str, Any]] = {
    "sap": {
        "plant": "1010",
        "raw": "RM01",
        "finished": "FG01",
        "more": {
            "control_profiles": {
                "1010": {
                    "PP01": {"confirmation": "required"},
                    "PP03": {"confirmation": "required", "automatic_receipt": True},
                }
            }
        },
    },
    "oracle": {"plant": "M1", "raw": "RM01", "finished": "FG01", "more": {}},
    "dynamics": {"plant": "1", "raw": "WH1", "finished": "WH1", "more": {}},
}
