"""The adapter that a plant file's `[erp] kind` names. The one place that knows all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from erp.port import CallBudget, ErpEvents, ErpPort


def create_erp(
    config: Any,
    plant_id: str,
    environ: Mapping[str, str],
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    budget: CallBudget | None = None,
    events: ErpEvents | None = None,
) -> ErpPort:
    """The adapter for `config`, the plant file's `[erp]` table. Raises ErpMisconfigured naming what is not set."""
    match config.kind:
        case "sap":
            from erp.sap.adapter import create_sap

            return create_sap(config, plant_id, environ, transport=transport, budget=budget)
        case "oracle":
            from erp.oracle.adapter import create_oracle

            return create_oracle(config, plant_id, environ, transport=transport, budget=budget)
        case "dynamics":
            from erp.dynamics.adapter import create_dynamics

            return create_dynamics(config, plant_id, environ, transport=transport, budget=budget, events=events)
        case "tryton":
            from erp.tryton.adapter import create_tryton

            return create_tryton(config, plant_id, environ, transport=transport, budget=budget)
        case other:
            raise ValueError(f"no adapter is named {other!r}; kinds are sap, oracle, dynamics, tryton")
