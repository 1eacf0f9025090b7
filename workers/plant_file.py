"""Reading a plant file: TOML to models, with errors that name the line and the fix (design section 8)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from domain.plant import PlantConfig
from signals.errors import BadInput

OVERRIDES = {
    "PLANTWRIGHT_ERP_KIND": ("erp", "kind"),
    "PLANTWRIGHT_ERP_URL": ("erp", "url"),
    "PLANTWRIGHT_ERP_TOKEN_URL": ("erp", "token_url"),
    "PLANTWRIGHT_POSTING_MODE": ("posting", "mode"),
}
"""Environment variables that replace a value, for containers and the demo: where the same file meets other hosts."""

ENDPOINT_OVERRIDE = "PLANTWRIGHT_OPCUA_ENDPOINT"
"""Replaces the OPC UA endpoint; with several lines, `PLANTWRIGHT_OPCUA_ENDPOINT_<LINE ID>` names one of them."""


def load_plant(path: Path, environ: Mapping[str, str]) -> PlantConfig:
    """The plant file as models. Raises BadInput that names the file, the line and what to write instead."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = f"cannot read the plant file {path}: {error.strerror}"
        raise BadInput(reason, subject=str(path), hint="give an existing file with --plant") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text", subject=str(path), hint="save the file as UTF-8") from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path} is not valid TOML: {error}", subject=str(path), hint="fix the named line") from error
    _apply_environment(raw, environ)
    try:
        return PlantConfig.model_validate(raw)
    except ValidationError as error:
        raise BadInput(
            _explain(path, text, error), subject=str(path), hint="docs/plant-file.md lists the keys"
        ) from error


def _apply_environment(raw: dict[str, Any], environ: Mapping[str, str]) -> None:
    for name, (table, key) in OVERRIDES.items():
        if environ.get(name) and isinstance(raw.setdefault(table, {}), dict):
            raw[table][key] = environ[name]
    lines = raw.get("line")
    for line in lines if isinstance(lines, list) else []:
        if not isinstance(line, dict) or not isinstance(line.get("opcua"), dict):
            continue
        own = f"{ENDPOINT_OVERRIDE}_{line.get('id', '')}".upper().replace("-", "_")
        endpoint = environ.get(own) or environ.get(ENDPOINT_OVERRIDE)
        if endpoint:
            line["opcua"]["endpoint"] = endpoint


def _explain(path: Path, text: str, error: ValidationError) -> str:
    places = [e["loc"] for e in error.errors()]
    causes = [e for e in error.errors() if not _follows_from_another(e["type"], e["loc"], places)]
    problems = [f"{_where(text, e['loc'])}: {_say(e)}" for e in causes]
    head = f"{path} has {len(problems)} problem{'s' if len(problems) > 1 else ''}"
    return "\n  ".join([head, *problems])


def _follows_from_another(kind: str, place: tuple[int | str, ...], places: list[tuple[int | str, ...]]) -> bool:
    """A list whose entries are all wrong is also called too short; that is no problem of its own."""
    return kind == "too_short" and any(len(p) > len(place) and p[: len(place)] == place for p in places)


def _say(problem: Any) -> str:
    match problem["type"]:
        case "missing":
            return "this key is missing"
        case "extra_forbidden":
            return "no such key; look for a misspelling"
        case _:
            given = problem.get("input")
            shown = f" (it is {given!r})" if isinstance(given, str | int | float | bool) else ""
            return f"{problem['msg'].removeprefix('Value error, ')}{shown}"


def _where(text: str, location: tuple[int | str, ...]) -> str:
    """`line N, [table] key` as well as the text allows: the n-th table of that name, then the key in it."""
    names = [str(p) for p in location]
    number = _line_of(text, location)
    spelled = ".".join(names) or "the file"
    return f"line {number}, {spelled}" if number else spelled


def _line_of(text: str, location: tuple[int | str, ...]) -> int | None:
    """Follow the path through the table headers; what is inline is found by the key's name behind its table."""
    lines = text.splitlines()
    position, table = 0, ""
    for index, part in enumerate(location):
        if isinstance(part, int):
            continue
        nth = location[index + 1] if index + 1 < len(location) and isinstance(location[index + 1], int) else 0
        wanted = f"{table}.{part}" if table else part
        header = re.compile(rf"^\s*\[+\s*{re.escape(wanted)}\s*\]+")
        found = [i for i, line in enumerate(lines) if i >= position and header.match(line)]
        if found:
            position, table = found[min(int(nth), len(found) - 1)], wanted
            continue
        key = re.compile(rf"(^|[\s{{,]){re.escape(part)}\s*=")
        inline = next((i for i, line in enumerate(lines) if i >= position and key.search(line)), None)
        if inline is not None:
            position = inline
    return position + 1 if position or location else None
