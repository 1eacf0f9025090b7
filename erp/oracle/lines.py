"""Transaction resources of manufacturing: one POST with lines, and the second error channel in its 201 (erp.md 2.1).

`ErrorsExistFlag` is the text "true" or "false", and each line carries its own ErrorMessages. A 201 proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from erp.oracle.client import OracleClient
from erp.oracle.failures import business_error
from erp.oracle.settings import OracleSettings
from erp.oracle.wire import Row, rows_of, text_of, texts_of
from erp.port import SendGuard
from signals.errors import ErpBusy, ErpError, ErpInDoubt, ErpMisconfigured

PARTLY_BOOKED = "partly_booked"


@dataclass(frozen=True)
class Line:
    """One line as it was sent, and what it is to a person who reads of it."""

    row: Row
    says: str


class TransactionLines:
    """Posts lines that stand or fall together in our books."""

    def __init__(self, client: OracleClient, settings: OracleSettings) -> None:
        self._client = client
        self._settings = settings

    async def post(self, resource: str, detail: str, lines: list[Line], guard: SendGuard) -> list[Row]:
        """The answered lines, all booked. Raises ErpInDoubt `partly_booked` where Oracle booked only some of them.

        Lines of one POST that were all refused were certainly not booked.
        """
        body: Row = {
            "SourceSystemCode": self._settings.oracle.source_system,
            "SourceSystemType": "EXTERNAL",
            detail: [line.row for line in lines],
        }
        answer = await self._client.create(resource, body, guard)
        return _judged(answer, resource, detail, lines)


def _judged(answer: Row, resource: str, detail: str, lines: list[Line]) -> list[Row]:
    flag = text_of(answer, "ErrorsExistFlag").lower()
    rows = rows_of(answer.get(detail))
    if flag not in ("true", "false") or rows is None or len(rows) != len(lines):
        told = f"POST {resource} was answered with a success that cannot be read"
        raise ErpInDoubt(f"{told}; nobody knows whether it was booked", code="unreadable")
    errors = [_error_of(row) for row in rows]
    if flag == "false" and not any(errors):
        return rows
    refused = [_told(line, error) for line, error in zip(lines, errors, strict=True) if error]
    booked = [line.says for line, error in zip(lines, errors, strict=True) if not error]
    if not refused:
        raise ErpInDoubt(f"POST {resource}: Oracle says that errors exist and names none", code="unreadable")
    if booked:
        told = f"Oracle booked {', '.join(booked)} and refused {'; '.join(refused)}"
        raise ErpInDoubt(told, code=PARTLY_BOOKED)
    raise _refusal(resource, refused, [error for error in errors if error])


def _refusal(resource: str, told: list[str], errors: list[tuple[str, str]]) -> ErpError:
    """All were refused: locked or misconfigured only where every line says so; in doubt where one may be there."""
    failures = [business_error(f"POST {resource}: Oracle refused {'; '.join(told)}", *error) for error in errors]
    doubts = [failure for failure in failures if isinstance(failure, ErpInDoubt)]
    final = [failure for failure in failures if not isinstance(failure, (ErpBusy, ErpMisconfigured))]
    return (doubts or final or failures)[0]


def _error_of(row: Row) -> tuple[str, str] | None:
    """Message name and text of a line that was refused."""
    names, texts = texts_of(row.get("ErrorMessageNames")), texts_of(row.get("ErrorMessages"))
    if not names and not texts:
        return None
    return (names[0] if names else "", "; ".join(texts or names))


def _told(line: Line, error: tuple[str, str]) -> str:
    name, text = error
    return f"{line.says}: {name} {text}".replace(":  ", ": ").rstrip()
