"""What stock did: on-hand balances, and the completed inventory transactions with their references (erp.md 2.4).

Which columns of completed transactions can be searched differs by tenant; a no is remembered, and balances decide.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from erp.oracle.client import OracleClient
from erp.oracle.settings import OracleSettings
from erp.oracle.wire import Row, UnreadableAnswer, decimal_of, every, is_equal, text_of
from signals.base import ZERO
from signals.errors import ErpMisconfigured, ErpRejected, ErpUnavailable
from signals.ids import short_key

COMPLETED = "inventoryCompletedTransactions"
ONHAND = "inventoryOnhandBalances"
HIGHEST = "highest completed transaction"
_REFERENCES = ("Reference", "SourceReference")


class CompletedTransactions:
    """Searches what is there; None always means: this cannot be searched here."""

    def __init__(self, client: OracleClient, settings: OracleSettings) -> None:
        self._client = client
        self._plant = settings.plant

    async def by_reference(self, key: UUID) -> list[Row] | None:
        """Transactions that carry our key, long or short, in whichever of the two reference columns it ended up."""
        terms = {name: [is_equal(name, text) for text in (str(key), short_key(key))] for name in _REFERENCES}
        rows = await self._search(f"({' or '.join(term for each in terms.values() for term in each)})")
        if rows is not None:
            return rows
        answers = [await self._search(f"({' or '.join(each)})") for each in terms.values()]
        return None if all(answer is None for answer in answers) else [row for a in answers for row in a or []]

    async def highest(self) -> str:
        """The newest transaction's id, empty where that cannot be asked."""
        try:
            row = await self._client.first(COMPLETED, {"orderBy": "TransactionId:desc", "onlyData": "true"})
        except (ErpRejected, ErpMisconfigured):
            return ""
        return text_of(row, "TransactionId") if row is not None else "0"

    async def since(self, highest: str, item: str) -> list[Row] | None:
        """Newer transactions of an item, oldest first."""
        if not highest.isdigit():
            return None
        rows = await self._search(every(is_equal("Item", item), f"TransactionId > {highest}"))
        return None if rows is None else sorted(rows, key=lambda row: int(text_of(row, "TransactionId") or 0))

    async def _search(self, condition: str) -> list[Row] | None:
        options = {"q": every(is_equal("Organization", self._plant), condition), "onlyData": "true"}
        try:
            return await self._client.items(COMPLETED, options)
        except (ErpRejected, ErpMisconfigured):
            return None

    async def on_hand(self, item: str, place: str, lot: str = "") -> Decimal:
        """Primary quantity of an item in a subinventory, of one lot where one is named."""
        condition = every(
            is_equal("OrganizationCode", self._plant),
            is_equal("ItemNumber", item),
            is_equal("SubinventoryCode", place),
            is_equal("LotNumber", lot) if lot else "",
        )
        rows = await self._client.items(ONHAND, {"q": condition, "onlyData": "true"})
        try:
            return sum((decimal_of(row.get("PrimaryQuantity")) for row in rows), ZERO)
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"on-hand balance of {item}: {error}", code="unreadable") from error
