"""`check FILE`: what a plant file says, what is doubtful in it, and what its processes will miss in the environment."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from domain.plant import CounterRole, LineConfig, OpcUaConfig, PlantConfig, StationConfig, TagKind
from domain.plant_erp import ErpConfig
from signals.errors import ErpMisconfigured, NoAnswer
from workers.cli.options import AsJson
from workers.cli.output import say_result, table
from workers.plant_file import load_plant


def check(
    file: Annotated[Path, typer.Argument(help="The plant file.", metavar="FILE")],
    connect: Annotated[
        bool, typer.Option("--connect", help="Also try the ERP: log-on, plant, services, searchable references.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a plant file and say what it found. Nothing is connected to without --connect; nothing is booked ever."""
    plant = load_plant(file, os.environ)
    result = findings(plant, file, os.environ)
    parts = [_shown(result)]
    if connect:
        from workers.cli.erp import probe_plant

        result["connect"] = probe_plant(plant)
        result["problems"] = [_sentence(p) for p in result["connect"] if p["required"] and not p["ok"]]
        parts.append(_tried(result["connect"]))
    say_result(result, Group(*parts), as_json=as_json)
    _raise_first([p for p in result.get("connect", []) if p["required"] and not p["ok"]])


def _raise_first(failed: list[dict[str, Any]]) -> None:
    """The command ends with the first thing without which nothing can be posted; the others stand in its result."""
    if not failed:
        return
    more = f" ({len(failed) - 1} more above)" if failed[1:] else ""
    told = _sentence(failed[0]) + more
    raise NoAnswer(told) if failed[0]["unreachable"] else ErpMisconfigured(told)


def _sentence(probe: dict[str, Any]) -> str:
    """What is wrong with which object, and what to do, or what follows."""
    return f"{probe['message']}: {probe['hint']}" if probe["hint"] else probe["message"]


def _tried(probes: list[dict[str, Any]]) -> RenderableType:
    """What the connection showed: a line each, with what follows from a no."""
    lines: list[RenderableType] = [Text("")]
    for probe in probes:
        mark = ("ok    ", "green") if probe["ok"] else ("no    ", "red" if probe["required"] else "yellow")
        said = probe["message"] if probe["ok"] else _sentence(probe)
        lines.append(Text.assemble(mark, f"{probe['name']}: {said}"))
    return Group(*lines)


def findings(plant: PlantConfig, file: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """The closing object: what is there, and warnings that name the key and what to do."""
    return {
        "file": str(file),
        "valid": True,
        "plant": plant.plant.id,
        "zone": plant.plant.zone,
        "mode": plant.posting.mode.value,
        "technical_completion": plant.posting.technical_completion,
        "shifts": [f"{s.name} {s.start:%H:%M}-{s.end:%H:%M} {' '.join(s.days)}" for s in plant.shifts],
        "lines": [_line(line) for line in plant.lines],
        "erp": {
            "kind": plant.erp.kind,
            "url": plant.erp.url,
            "plant": plant.erp.plant,
            "client": plant.erp.client,
            "control_profiles": {name: p.confirmation.value for name, p in plant.erp.control_profiles.items()},
            "scrap_reasons": dict(plant.erp.scrap_reasons),
        },
        "warnings": list(_warnings(plant, environ)),
    }


def _line(line: LineConfig) -> dict[str, Any]:
    return {
        "line": line.id,
        "endpoint": line.opcua.endpoint if line.opcua else None,
        "security": line.opcua.security if line.opcua else None,
        "hands_over_after": {"pieces": line.cadence.quantity, "minutes": f"{line.cadence.minutes:f}"},
        "stations": [
            {
                "station": station.id,
                "operation": station.operation,
                "work_centre": station.work_centre,
                "tags": len(station.tags),
                "counters": {t.name: t.counter.role.value for t in station.tags if t.counter is not None},
                "counts_by": "program cycles" if station.cycle is not None else "counters",
            }
            for station in line.stations
        ],
    }


def _warnings(plant: PlantConfig, environ: Mapping[str, str]) -> Iterator[str]:
    yield from _erp_warnings(plant.erp, environ)
    if not plant.shifts:
        yield "no [[shift]]: everything belongs to the production day, and reports are not cut at shift changes"
    for line in plant.lines:
        if line.opcua is None:
            yield f"line {line.id}: no [line.opcua] table; the edge gateway cannot serve it"
        else:
            yield from _opcua_warnings(line.id, line.opcua, environ)
        yield from _tag_warnings(line)
        for station in line.stations:
            yield from _station_warnings(line.id, station)


def _erp_warnings(erp: ErpConfig, environ: Mapping[str, str]) -> Iterator[str]:
    for name in erp.secret_names:
        if not environ.get(name):
            yield f"erp: the environment variable {name} is not set here; the worker needs it"
    if erp.url.startswith("http://"):
        yield f"erp: {erp.url} is not encrypted; outside a test use https"
    if erp.ca_file and not Path(erp.ca_file).is_file():
        yield f"erp: ca_file {erp.ca_file} does not exist here"
    if not erp.control_profiles:
        yield "erp: no [erp.control_profile.…]: every operation counts as confirmed by itself, none posts a receipt"
    if not erp.scrap_reasons:
        yield "erp: no [erp.scrap_reasons]: scrap is confirmed without a variance reason"


def _opcua_warnings(line: str, opcua: OpcUaConfig, environ: Mapping[str, str]) -> Iterator[str]:
    if opcua.security == "None":
        yield f"line {line}: security None: anybody in the network can read and forge what this line says"
    for key, value in (("certificate", opcua.certificate), ("private_key", opcua.private_key), ("trust", opcua.trust)):
        if value and not Path(value).exists():
            yield f"line {line}: {key} {value} does not exist here"
    if opcua.security != "None" and not opcua.trust:
        yield f"line {line}: no trust: the server's certificate is not checked"
    for name in filter(None, (opcua.user_env, opcua.password_env)):
        if not environ.get(name):
            yield f"line {line}: the environment variable {name} is not set here; the edge gateway needs it"
    if not opcua.heartbeat:
        yield f"line {line}: no heartbeat: the watermark follows the server's own clock"
    if opcua.heartbeat.startswith("ns="):
        yield f"line {line}: heartbeat {opcua.heartbeat} names its namespace by number; nsu=URI survives a restart"


def _tag_warnings(line: LineConfig) -> Iterator[str]:
    tags = [(station, tag) for station in line.stations for tag in station.tags]
    for node, count in Counter(tag.node for _, tag in tags if tag.node).items():
        if count > 1:
            names = ", ".join(f"{station.id}.{tag.name}" for station, tag in tags if tag.node == node)
            yield f"line {line.id}: node {node} is read by {count} tags: {names}"
    for station, tag in tags:
        if line.opcua is not None and not tag.node and tag.kind is not TagKind.IGNORE:
            yield f"line {line.id}: tag {station.id}.{tag.name} has no node; it is never read over OPC UA"
        if tag.node.startswith("ns="):
            yield (
                f"line {line.id}: tag {station.id}.{tag.name} names its namespace by number ({tag.node}); "
                "nsu=URI survives a restart of the server"
            )


def _station_warnings(line: str, station: StationConfig) -> Iterator[str]:
    roles = {tag.counter.role for tag in station.tags if tag.counter is not None}
    kinds = {tag.kind for tag in station.tags}
    where = f"line {line}, station {station.id}"
    if station.cycle is None and CounterRole.GOOD not in roles:
        yield f"{where}: no counter with role good: it yields nothing"
    if station.cycle is None and CounterRole.INFEED not in roles:
        yield f"{where}: no counter with role infeed: pieces that stay in the station go unnoticed"
    if TagKind.ORDER not in kinds:
        yield f"{where}: no tag of kind order: people have to assign its orders"
    if TagKind.STATE not in kinds:
        yield f"{where}: no tag of kind state: its stops are not seen"
    if not station.operation and TagKind.OPERATION not in kinds:
        yield f"{where}: neither operation nor a tag of kind operation: its pieces are parked"


def _shown(result: dict[str, Any]) -> RenderableType:
    head = Text.assemble(
        (result["file"], "bold"),
        f" is valid: plant {result['plant']} ({result['zone']}), mode {result['mode']}, "
        f"technical completion {result['technical_completion']}",
    )
    erp = result["erp"]
    profiles = ", ".join(f"{name} {how}" for name, how in erp["control_profiles"].items()) or "no control profiles"
    parts: list[RenderableType] = [
        head,
        f"shifts: {'; '.join(result['shifts']) or 'none'}",
        f"ERP: {erp['kind']} at {erp['url']}, plant {erp['plant']}, {profiles}",
    ]
    for line in result["lines"]:
        where = f"{line['endpoint']}, security {line['security']}" if line["endpoint"] else "no OPC UA server"
        stations = table(f"\nLine {line['line']} ({where})", "station", "operation", "work centre", "tags", "counts by",
                         "counters", numbers=("tags",))  # fmt: skip
        for station in line["stations"]:
            counters = ", ".join(f"{name}={role}" for name, role in station["counters"].items())
            stations.add_row(
                station["station"], station["operation"], station["work_centre"], str(station["tags"]),
                station["counts_by"], counters,
            )  # fmt: skip
        parts.append(stations)
    parts += [Text.assemble(("warning: ", "yellow"), warning) for warning in result["warnings"]]
    return Group(*parts)
