"""SAP's scenes: those of the adapter's own tests, built for the procedure."""

from __future__ import annotations

from typing import Any

from signals.transactions import Transaction
from tests.erp import scenes
from tests.matrix.harness import Scene

CONFIG: dict[str, Any] = {
    "plant": "1010",
    "control_profile": {"PP01": {}, "PP03": {"automatic_receipt": True}},
    "sap": scenes.OPTIONS,
}
SETTINGS: dict[str, Any] = {
    "lock_answer": "423",
    "posting_seconds": 0,
    "goods_movement_delay_seconds": 0,
    "open_periods": None,
    "page_size": 100,
}
STEPS = ("lot_posting", "downtime_completed")
"""Kinds that only ever follow another posting."""


def _scene(kind: scenes.Kind) -> Scene:
    async def build(world: Any, tag: str) -> Transaction:
        await scenes.seed(world.simulator, tag, inspected=kind.inspected)
        return await kind.build(scenes.Scene(world.simulator, world.erp, tag))

    return Scene(kind.name, kind.type, build)


SCENES = tuple(_scene(kind) for kind in scenes.KINDS if kind.name not in STEPS)
