"""How an item is controlled (lots, serials), out of itemsV2: backflush and receipts depend on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from erp.oracle.client import OracleClient
from erp.oracle.settings import OracleSettings
from erp.oracle.wire import every, is_equal, text_of
from signals.errors import ErpRejected, Reason

_AT_ONCE = 40


@dataclass(frozen=True)
class ItemControl:
    """Whether each quantity of an item needs its lot or its serial numbers."""

    lot: bool = False
    serial: bool = False

    @property
    def is_plain(self) -> bool:
        return not self.lot and not self.serial


class Items:
    """Control of the organization's items. An item that Oracle does not list is taken as plain."""

    def __init__(self, client: OracleClient, settings: OracleSettings) -> None:
        self._client = client
        self._plant = settings.plant
        self._known: dict[str, ItemControl] = {}
        self._ids: dict[str, tuple[str, str]] = {}

    async def organization_id(self, item: str) -> str:
        """OrganizationId, as some resources want it. Raises ErpRejected where the organization has no such item."""
        return (await self.ids(item))[0]

    async def ids(self, item: str) -> tuple[str, str]:
        """OrganizationId and InventoryItemId of an item."""
        if item not in self._ids:
            await self._read([item])
        if item not in self._ids:
            raise ErpRejected(
                f"Oracle has no item {item} in organization {self._plant}",
                code="item_not_found",
                reason=Reason.MASTER_DATA,
            )
        return self._ids[item]

    async def control(self, items: Iterable[str]) -> dict[str, ItemControl]:
        wanted = sorted(set(items))
        missing = [item for item in wanted if item not in self._known]
        for start in range(0, len(missing), _AT_ONCE):
            await self._read(missing[start : start + _AT_ONCE])
        return {item: self._known.get(item, ItemControl()) for item in wanted}

    async def _read(self, items: list[str]) -> None:
        numbers = " or ".join(is_equal("ItemNumber", item) for item in items)
        rows = await self._client.items(
            "itemsV2", {"q": every(is_equal("OrganizationCode", self._plant), f"({numbers})"), "onlyData": "true"}
        )
        for row in rows:
            self._ids[text_of(row, "ItemNumber")] = (
                text_of(row, "OrganizationId"),
                text_of(row, "ItemId") or text_of(row, "InventoryItemId"),
            )
            self._known[text_of(row, "ItemNumber")] = ItemControl(
                lot=_is_controlled(text_of(row, "LotControlValue")),
                serial=_is_controlled(text_of(row, "SerialGenerationValue")),
            )


def _is_controlled(value: str) -> bool:
    """Oracle's words are `No lot control`, `Full lot control`, `Predefined`, `At receipt`, …"""
    return bool(value) and not value.lower().startswith("no")
