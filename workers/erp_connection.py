"""The plant's ERP as its processes use it: the adapter, the shared call budget, the events that it sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.plant import PlantConfig
from domain.plant_erp import ErpConfig
from erp.budget import Pace
from erp.factory import create_erp
from erp.port import ErpCapabilities, ErpPort
from ledger.port import LedgerPort
from ledger.store import SqlLedger
from workers.call_budget import SharedBudget
from workers.erp_events import PlantEvents

KINDS = ("sap", "oracle", "dynamics", "tryton")


def connect_erp(
    plant: PlantConfig, environ: Mapping[str, str], ledger: SqlLedger, *, hears_events: bool = False
) -> ErpPort:
    """The adapter of a worker; `hears_events` where the ERP's events are taken in.

    Raises ErpMisconfigured naming the variables that are not set.
    """
    config = plant.erp
    budget = SharedBudget(ledger, plant.plant.id, config.kind, config.calls_per_second)
    events = PlantEvents(ledger, plant.plant.id) if hears_events else None
    return create_erp(config, plant.plant.id, environ, budget=budget, events=events)


def declared_capabilities(kind: str) -> ErpCapabilities:
    """What an adapter declares with the defaults of its options. Nothing is connected to."""
    config = ErpConfig.model_validate({"kind": kind, "url": "https://erp.invalid", "plant": "P"})
    names = (config.user_env, config.password_env, config.tenant_env, config.client_id_env, config.client_secret_env)
    return create_erp(config, "plant", dict.fromkeys(names, "unused")).capabilities


async def erp_status(plant: PlantConfig, ledger: LedgerPort) -> dict[str, Any]:
    """How the plant stands with its ERP: pace, circuit, and the backlog with its age."""
    kind = plant.erp.kind
    text = await ledger.pace(plant.plant.id, kind)
    pace = Pace.model_validate_json(text) if text else Pace()
    backlog = await ledger.backlog(plant.plant.id)
    return {
        "erp": kind,
        "circuit": pace.circuit,
        "failures": pace.failures,
        "open_until": pace.open_until,
        "throttled_until": pace.closed_until,
        "slowness": round(pace.slowness, 3),
        "limit": plant.erp.calls_per_second,
        "calls": pace.taken,
        "backlog": backlog.postings,
        "oldest": backlog.oldest.isoformat() if backlog.oldest else None,
    }
