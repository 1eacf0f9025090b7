"""What a confirmation says to SAP (ProdnOrdConf2, reference erp.md 1.3): quantities, activities, times, our key."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from erp.sap.odata import json_date, local_date_and_time, quantity_text
from erp.sap.settings import SapSettings, Units
from signals.ids import short_key
from signals.transactions import ConfirmProduction, PostingIntent, ReportTime

TEXT_LENGTH = 40
EXTERNAL_USER_LENGTH = 12


class ConfirmationBodies:
    """Bodies for one plant."""

    def __init__(self, settings: SapSettings) -> None:
        self._reasons = settings.scrap_reasons
        self._units = Units(settings.units)
        self._zone = ZoneInfo(settings.zone)

    def production(self, intent: PostingIntent, transaction: ConfirmProduction) -> dict[str, Any]:
        body = self._common(intent, transaction) | {
            "ConfirmationYieldQuantity": quantity_text(transaction.yield_quantity),
            "ConfirmationScrapQuantity": quantity_text(transaction.scrap_quantity),
            "ConfirmationReworkQuantity": quantity_text(transaction.rework_quantity),
            "ConfirmationUnit": self._units.theirs(transaction.unit),
            "FinalConfirmationType": "X" if transaction.final else "",
            "IsFinalConfirmation": transaction.final,
            "ConfirmationText": text_of_posting(intent, transaction.reason, transaction.batch, transaction.shift),
        }
        reason = self._reasons.get(transaction.reason, "")
        return body | ({"VarianceReasonCode": reason} if reason else {})

    def time(self, intent: PostingIntent, transaction: ReportTime) -> dict[str, Any]:
        """Activities alone: no quantity, nothing final, no goods movement."""
        return self._common(intent, transaction) | {
            "ConfirmationYieldQuantity": "0",
            "FinalConfirmationType": "",
            "IsFinalConfirmation": False,
            "APIConfHasNoGoodsMovements": True,
            "ConfirmationText": text_of_posting(intent),
        }

    def _common(self, intent: PostingIntent, transaction: ConfirmProduction | ReportTime) -> dict[str, Any]:
        body: dict[str, Any] = {
            "OrderID": transaction.order,
            "Sequence": transaction.sequence,
            "OrderOperation": transaction.operation,
            "PostingDate": json_date(transaction.posting_date),
            "ExternalSystemConfirmation": str(intent.key),
        }
        if transaction.person:
            body["EnteredByExternalUser"] = transaction.person[:EXTERNAL_USER_LENGTH]
        for activity in transaction.activities:
            body[f"OpConfirmedWorkQuantity{activity.slot}"] = quantity_text(activity.amount)
            body[f"OpWorkQuantityUnit{activity.slot}"] = self._units.theirs(activity.unit)
        for name, at in (("Start", transaction.started_at), ("End", transaction.ended_at)):
            if at is not None:
                day, of_day = local_date_and_time(at, self._zone)
                body |= {f"ConfirmedExecution{name}Date": day, f"ConfirmedExecution{name}Time": of_day}
        return body


def text_of_posting(intent: PostingIntent, *parts: str) -> str:
    """The short key, by which a document is found where the GUID is not, and what a person wants to read."""
    return " ".join([short_key(intent.key), *(part for part in parts if part)])[:TEXT_LENGTH]
