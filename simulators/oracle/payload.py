"""Reads the bodies of transaction resources: one header, one array of lines; a wrong shape refuses the whole call."""

from typing import Any

from simulators.oracle.errors import BAD_REQUEST, LineError, Refusal
from simulators.oracle.values import Attribute, attributes, stored

HEADER = attributes("SourceSystemCode:s30 SourceSystemType:s30 InterfaceBatchStatus:s30 InterfaceBatchId:i")
_LOT = attributes("LotNumber:s80 TransactionQuantity:n ParentLotNumber:s80 ExpirationDate:t")
_SERIAL = attributes("SerialNumber:s80 FromSerialNumber:s80 ToSerialNumber:s80 LotNumber:s80")


def unknown(name: str, path: str) -> Refusal:
    return Refusal("JBO-25058", f"JBO-25058: Definition {name} of type Attribute is not found", path=f"{path}/{name}")


def header_and_lines(body: dict[str, Any], detail: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    header: dict[str, Any] = {}
    for name, value in body.items():
        if name == detail:
            continue
        if name not in HEADER:
            raise unknown(name, "")
        header[name] = stored(HEADER[name], value)
    lines = body.get(detail)
    if not isinstance(lines, list) or not lines or not all(isinstance(line, dict) for line in lines):
        raise Refusal(BAD_REQUEST, f"{detail} must be an array with at least one line", path=f"/{detail}")
    return header, lines


def line_values(
    line: dict[str, Any], declared: dict[str, Attribute], path: str, ignored: frozenset[str]
) -> dict[str, Any]:
    """Stored values of one line; `ignored` are its child arrays. Wrong types and unknown names are 400."""
    values: dict[str, Any] = {}
    for name, value in line.items():
        if name in ignored or name.endswith("DFF"):
            continue
        if name not in declared:
            raise unknown(name, path)
        values[name] = stored(declared[name], value)
    return values


def lots_and_serials(line: dict[str, Any], path: str) -> tuple[tuple[tuple[str, int], ...], tuple[str, ...]]:
    lots = [
        line_values(lot, _LOT, f"{path}/TransactionLot", frozenset()) for lot in _array(line, "TransactionLot", path)
    ]
    rows = [
        line_values(row, _SERIAL, f"{path}/TransactionSerial", frozenset())
        for row in _array(line, "TransactionSerial", path)
    ]
    serials = [serial for row in rows for serial in _serial_range(row)]
    return tuple((lot.get("LotNumber") or "", lot.get("TransactionQuantity") or 0) for lot in lots), tuple(serials)


def _array(line: dict[str, Any], name: str, path: str) -> list[dict[str, Any]]:
    rows = line.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refusal(BAD_REQUEST, f"{name} must be an array", path=f"{path}/{name}")
    return rows


def _serial_range(row: dict[str, Any]) -> list[str]:
    """One serial, or a range that counts up at its last digits."""
    first = row.get("SerialNumber") or row.get("FromSerialNumber") or ""
    last = row.get("ToSerialNumber") or first
    prefix = first.rstrip("0123456789")
    if first == last:
        return [first] if first else []
    start, end = first[len(prefix) :], last[len(prefix) :]
    if not last.startswith(prefix) or not start or not end.isdigit() or len(start) != len(end):
        raise Refusal(BAD_REQUEST, f"The serial range {first} to {last} is not valid")
    if not 0 <= int(end) - int(start) < 100_000:
        raise Refusal(BAD_REQUEST, f"The serial range {first} to {last} is not valid")
    return [f"{prefix}{number:0{len(start)}}" for number in range(int(start), int(end) + 1)]


def check_source(header: dict[str, Any], registered: list[str]) -> None:
    """An EXTERNAL system has to be registered in setup; INTERNAL is only WIE."""
    kind, code = header.get("SourceSystemType") or "EXTERNAL", header.get("SourceSystemCode") or ""
    if kind not in ("EXTERNAL", "INTERNAL"):
        raise LineError("WIE_INVALID_SOURCE_SYSTEM_TYPE", f"The source system type {kind} is not valid.")
    if kind == "INTERNAL" and code != "WIE":
        raise LineError("WIE_INVALID_SOURCE_SYSTEM", f"The source system {code or '(none)'} is not WIE.")
    if kind == "EXTERNAL" and code not in registered:
        text = f"The source system {code or '(none)'} is not registered in Manage Trading Community Source Systems."
        raise LineError("WIE_INVALID_SOURCE_SYSTEM", text)


def outcome(error: LineError | None) -> dict[str, Any]:
    """The second error channel: what a line of a 201 says about itself."""
    if error is None:
        return {"ErrorMessages": None, "ErrorMessageNames": None}
    return {"ErrorMessages": error.text, "ErrorMessageNames": error.name}
