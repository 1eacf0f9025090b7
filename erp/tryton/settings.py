"""What the adapter needs to know of its connection, as structural types (the plant file's `[erp]` table has them)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class TrytonDetails(Protocol):
    """What only Tryton must be told."""

    @property
    def database(self) -> str: ...

    @property
    def company(self) -> str: ...


class TrytonSettings(Protocol):
    """One connection to one Tryton warehouse."""

    @property
    def url(self) -> str: ...

    @property
    def plant(self) -> str: ...

    @property
    def user_env(self) -> str: ...

    @property
    def password_env(self) -> str: ...

    @property
    def timeout_seconds(self) -> float: ...

    @property
    def settle_seconds(self) -> float: ...

    @property
    def calls_per_second(self) -> float: ...

    @property
    def ca_file(self) -> str: ...

    @property
    def units(self) -> Mapping[str, str]: ...

    @property
    def scrap_reasons(self) -> Mapping[str, str]: ...

    @property
    def tryton(self) -> TrytonDetails: ...
