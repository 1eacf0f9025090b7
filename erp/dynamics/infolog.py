"""What an infolog text means: the ONE table, because Dynamics gives no error codes (reference erp.md 3.1, 3.8).

Texts are localised. What no row knows stays a refusal of reason OTHER with its text; nothing is ever taken for
success or for "try again" because its language is unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from signals.errors import Reason


@dataclass(frozen=True)
class Meaning:
    """`code` is ours, because Dynamics has none; `transient`: certainly not processed, worth another attempt."""

    code: str
    reason: Reason = Reason.OTHER
    transient: bool = False
    ambiguous: bool = False
    duplicate: bool = False


UNKNOWN = Meaning("infolog/other")

_TABLE: tuple[tuple[str, Meaning], ...] = (
    (r"update conflict|aktualisierungskonflikt|conflit de mise à jour", Meaning("infolog/conflict", transient=True)),
    (r"high resource utili[sz]ation|too many requests", Meaning("infolog/throttled", transient=True)),
    (r"deadlock|time(d)?[ -]?out|zeitüberschreitung|transport-level error", Meaning("infolog/timeout", ambiguous=True)),
    (
        r"already exists|bereits vorhanden|existe déjà|DuplicateKeyException",
        Meaning("infolog/exists", Reason.CLIENT_BUG, duplicate=True),
    ),
    (
        r"cannot be (picked|blocked|reserved) because only|kann nicht entnommen werden.*nur|is/are available from",
        Meaning("infolog/stock", Reason.STOCK_SHORT),
    ),
    (r"disposition code .* blocks|blocking status|Sperrstatus", Meaning("infolog/blocked", Reason.STOCK_SHORT)),
    (
        r"(fiscal )?(period|calendar).*(not open|closed|on hold)|periode.*nicht geöffnet|ledger period",
        Meaning("infolog/period", Reason.PERIOD_CLOSED),
    ),
    (
        r"inventory dimension .* (must be specified|is mandatory|is not active)|bestandsdimension",
        Meaning("infolog/dimension", Reason.MASTER_DATA),
    ),
    (r"not found in the related table|zugehörigen tabelle", Meaning("infolog/related", Reason.MASTER_DATA)),
    (r"unit conversion|einheitenumrechnung", Meaning("infolog/unit", Reason.MASTER_DATA)),
    (
        r"exceeds the (started|good|scheduled)? ?quantity|exceeds its quantity|exceeds .*overproduction|überproduktion",
        Meaning("infolog/quantity", Reason.TOLERANCE),
    ),
    (
        r"has the status|has been ended|hat den status|wurde beendet|production status|is not started",
        Meaning("infolog/status", Reason.ORDER_STATUS),
    ),
    (
        r"must not be negative|nicht negativ|more decimals|must be different from zero|must be filled in",
        Meaning("infolog/value", Reason.CLIENT_BUG),
    ),
    (
        r"not valid JSON|data contract|is not a valid|cannot be deserial|NullReference",
        Meaning("infolog/content", Reason.CLIENT_BUG),
    ),
    (r"does not allow feedback|has been posted and cannot|cannot be changed", Meaning("infolog/rule", Reason.RULE)),
)
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE | re.DOTALL), meaning) for pattern, meaning in _TABLE)
_INFOLOG = re.compile(r"infolog:\s*(.*)", re.IGNORECASE | re.DOTALL)
_SEVERITY = re.compile(r"\b(Info|Warning|Error):\s*", re.IGNORECASE)


def meaning_of(text: str) -> Meaning:
    """The first row that fits what the infolog's errors say; its warnings decide only where it has no errors."""
    told = errors_in(text) or text
    return next((meaning for pattern, meaning in _COMPILED if pattern.search(told)), UNKNOWN)


def infolog_in(message: str) -> str:
    """What stands behind `Infolog:`; empty where a message has none."""
    found = _INFOLOG.search(message)
    return found[1].strip() if found else ""


def errors_in(infolog: str) -> str:
    """The lines of severity error, joined; empty where the text has no severities."""
    parts = _SEVERITY.split(infolog)
    pairs = zip(parts[1::2], parts[2::2], strict=False)
    return "; ".join(text.strip(" ;\n") for severity, text in pairs if severity.lower() == "error")


def lines_of(infolog: str) -> tuple[str, ...]:
    """The infolog's lines, each with its severity where it has one."""
    parts = _SEVERITY.split(infolog)
    if len(parts) < 3:
        return (infolog.strip(),) if infolog.strip() else ()
    pairs = zip(parts[1::2], parts[2::2], strict=False)
    return tuple(f"{severity}: {text.strip(' ;')}" for severity, text in pairs)
