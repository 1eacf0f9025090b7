"""What the adapter needs to know of its connection, as structural types.

The plant file's `ErpConfig` has these attributes; this room does not import it, because it knows signals only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from signals.orders import ConfirmationMode

CONFIRMATION_SERVICE = "API_PROD_ORDER_CONFIRMATION_2_SRV"
ORDER_SERVICE = "API_PRODUCTION_ORDER_2_SRV"
STOCK_SERVICE = "API_MATERIAL_STOCK_SRV"


class ControlProfileSettings(Protocol):
    """What an operation control profile of the plant means."""

    @property
    def confirmation(self) -> ConfirmationMode: ...

    @property
    def automatic_receipt(self) -> bool: ...


class SapSettings(Protocol):
    """One connection to one SAP plant."""

    @property
    def url(self) -> str: ...

    @property
    def plant(self) -> str: ...

    @property
    def client(self) -> str: ...

    @property
    def language(self) -> str: ...

    @property
    def user_env(self) -> str: ...

    @property
    def password_env(self) -> str: ...

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
    def control_profiles(self) -> Mapping[str, ControlProfileSettings]: ...

    @property
    def scrap_reasons(self) -> Mapping[str, str]: ...
