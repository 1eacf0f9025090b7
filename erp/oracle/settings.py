"""What the adapter needs to know of its connection, as structural types.

The plant file's `ErpConfig` has these attributes; this room does not import it, because it knows signals only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from signals.errors import ErpRejected, Reason


class OracleChoices(Protocol):
    """The table `[erp.oracle]`."""

    @property
    def source_system(self) -> str: ...

    @property
    def hold_status(self) -> str: ...

    @property
    def free_status(self) -> str: ...

    @property
    def hold_subinventory(self) -> str: ...

    @property
    def quality_type(self) -> str: ...

    @property
    def quality_workflow(self) -> str: ...

    @property
    def maintenance_type(self) -> str: ...

    @property
    def started_status(self) -> str: ...

    @property
    def completed_status(self) -> str: ...

    @property
    def closed_status(self) -> str: ...

    @property
    def transfer_type(self) -> str: ...

    @property
    def quantity_check(self) -> bool: ...

    @property
    def complete_operation_flag(self) -> bool: ...


class OracleSettings(Protocol):
    """One connection to one Oracle organization."""

    @property
    def url(self) -> str: ...

    @property
    def plant(self) -> str: ...

    @property
    def auth(self) -> str: ...

    @property
    def user_env(self) -> str: ...

    @property
    def password_env(self) -> str: ...

    @property
    def token_url(self) -> str: ...

    @property
    def client_id_env(self) -> str: ...

    @property
    def client_secret_env(self) -> str: ...

    @property
    def scope(self) -> str: ...

    @property
    def language(self) -> str: ...

    @property
    def secret_names(self) -> tuple[str, ...]: ...

    @property
    def zone(self) -> str: ...

    @property
    def timeout_seconds(self) -> float: ...

    @property
    def settle_seconds(self) -> float: ...

    @property
    def calls_per_second(self) -> float: ...

    @property
    def ca_file(self) -> str: ...

    @property
    def scrap_reasons(self) -> Mapping[str, str]: ...

    @property
    def units(self) -> Mapping[str, str]: ...

    @property
    def oracle(self) -> OracleChoices: ...


class Units:
    """Our unit of measure and Oracle's, both ways, by `[erp] units`; what is not listed is the same on both sides."""

    def __init__(self, units: Mapping[str, str]) -> None:
        self._to_oracle = dict(units)
        self._to_us = {theirs: ours for ours, theirs in units.items()}

    def oracle(self, unit: str) -> str:
        return self._to_oracle.get(unit, unit)

    def ours(self, unit: str) -> str:
        return self._to_us.get(unit, unit)


def sequence_number(operation: str) -> int:
    """The house's `0010` as Oracle's 10."""
    if not operation.isdigit():
        raise ErpRejected(
            f"operation {operation!r} is no number; Oracle numbers its operations 10, 20, …",
            code="operation_not_found",
            reason=Reason.MASTER_DATA,
        )
    return int(operation)


def operation_number(sequence: object) -> str:
    """Oracle's 10 (or 10.0) as the house's `0010`."""
    written = str(sequence).strip()
    whole, _, decimals = written.partition(".")
    return f"{int(whole):04d}" if whole.isdigit() and not decimals.strip("0") else written
