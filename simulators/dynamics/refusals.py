"""What the simulated D365 refuses and in which words: infolog texts, in the language of its user.

The original has no error codes: a client has only these texts. Texts marked [own] are this simulator's wording, the
others are those the reference quotes.
"""

from typing import Any

_ENGLISH: dict[str, str] = {
    "stock": "{quantity} cannot be picked because only {available} is/are available from the inventory.",
    "dimension": "Inventory dimension {name} must be specified.",
    "site": "Inventory dimension Site is mandatory and must consequently be specified.",
    "related": "The value '{value}' in field '{field}' is not found in the related table '{table}'.",
    "exists": "Cannot create a record in {table}. The record already exists.",
    "conflict": (
        "An update conflict occurred due to another user process deleting the record or changing one or more fields"
        " in the record."
    ),
    "period": "Fiscal period for {date} is not open.",  # [own]
    "status": "Production order {order} has the status {status}; it must be {needed}.",  # [own]
    "ended": "Production order {order} has been ended and cannot be changed.",  # [own]
    "too_much": (
        "The good quantity {total} of production order {order} exceeds the started quantity {started} and the allowed"
        " overproduction."
    ),  # [own]
    "start_too_much": "The started quantity {total} of order {order} exceeds its quantity {planned}.",  # [own]
    "negative": "The quantity {quantity} must not be negative.",  # [own]
    "zero": "The quantity must be different from zero.",  # [own]
    "decimals": "The quantity {quantity} has more decimals than the unit allows.",  # [own]
    "filled": "Field '{field}' must be filled in.",
    "member": "The member '{name}' was not found in the data contract of message type {type}.",  # [own]
    "value": "The value {value} of the member '{name}' is not a valid {kind}.",  # [own]
    "content": "The content of the message is not valid JSON.",  # [own]
    "type": "No processing is registered for the message type {type} of the message queue {queue}.",  # [own]
    "unit": "A unit conversion from {unit} to {other} does not exist for item {item}.",  # [own]
    "not_active": "Inventory dimension {name} is not active for item {item}.",  # [own]
    "blocking_status": "The inventory status {status} is a blocking status and cannot be used for a production order.",
    "disposition": "Batch {batch} of item {item} has the disposition code {code}, which blocks production picking.",
    "posted": "Journal {journal} has been posted and cannot be changed.",  # [own]
    "unposted": "Journal {journal} of production order {order} has not been posted.",  # [own]
    "no_feedback": "The route group of operation {operation} does not allow feedback.",  # [own]
    "return": "Only {done} of item {item} has been reported; {quantity} cannot be returned.",  # [own]
    "block": "{quantity} cannot be blocked because only {available} is/are available from the inventory.",  # [own]
    "overlap": "The time interval overlaps with another one of the same day.",  # [own]
    "read_only": "Field '{field}' cannot be changed.",  # [own]
    "fault": "The operation cannot be completed.",  # [own]
}
_GERMAN: dict[str, str] = {
    "stock": "{quantity} kann nicht entnommen werden, da nur {available} im Lagerbestand verfügbar ist/sind.",
    "dimension": "Die Bestandsdimension {name} muss angegeben werden.",
    "site": "Die Bestandsdimension Standort ist obligatorisch und muss daher angegeben werden.",
    "related": "Der Wert '{value}' im Feld '{field}' wurde in der zugehörigen Tabelle '{table}' nicht gefunden.",
    "exists": "In {table} kann kein Datensatz erstellt werden. Der Datensatz ist bereits vorhanden.",
    "period": "Die Steuerperiode für {date} ist nicht geöffnet.",
    "status": "Der Produktionsauftrag {order} hat den Status {status}; erforderlich ist {needed}.",
    "ended": "Der Produktionsauftrag {order} wurde beendet und kann nicht geändert werden.",
    "negative": "Die Menge {quantity} darf nicht negativ sein.",
}


def infolog(name: str, /, language: str = "en-us", **values: Any) -> str:
    """The text of one infolog line; a language this simulator has no text for falls back to English."""
    texts = _ENGLISH | (_GERMAN if language.lower().startswith("de") else {})
    return texts[name].format(**values)


class Refusal(Exception):
    """A business refusal. `name` picks the text; the text is all that a client gets to see.

    `before` are infolog lines that stand before the error, such as the item concerned.
    """

    def __init__(self, name: str, /, *, text: str = "", before: tuple[str, ...] = (), **values: Any) -> None:
        super().__init__(name)
        self.name = name
        self._text = text
        self._before = before
        self._values = values

    def lines(self, language: str = "en-us") -> list[str]:
        own = self._text or infolog(self.name, language, **self._values)
        return [*(f"Warning: {line}" for line in self._before), f"Error: {own}"]

    def __str__(self) -> str:
        return self._text or infolog(self.name, **self._values)


def not_related(value: str, field: str, table: str) -> Refusal:
    return Refusal("related", value=value, field=field, table=table)
