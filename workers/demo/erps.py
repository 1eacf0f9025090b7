"""Which ERP a name puts on the demo's stage."""

from __future__ import annotations

from pathlib import Path

from workers.demo.erp import DemoErp, SimulatedErp


def erp_for_stage(kind: str, folder: Path) -> DemoErp:
    """The ERP of one performance, with its state in `folder`. Nothing is started yet."""
    if kind == "tryton":
        from workers.demo.tryton import TrytonErp

        return TrytonErp(folder)
    return SimulatedErp(kind, folder)
