"""Replay profiles: how a recorded machine's tags, file names and cycles are read, and the orders its runs belong to.

Packaged ones are named (`hurco`, `mazak`); a user's own is a TOML file, which may build on a packaged one (`base`).
Not the plant file: what a plant, an ERP and their orders are is said there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from domain.plant import LineConfig, StationConfig
from domain.plant_downtime import DowntimeConfig
from scada.recording import RunContext
from signals.base import Amount, Code, Message
from signals.errors import BadInput

PACKAGED = files("workers") / "profiles"
NAMED_GROUPS = {"part", "operation", "serial"}


class ComponentTemplate(Message):
    """A material that one piece uses up."""

    material: Code
    per_piece: Amount = Decimal(1)
    unit: Code = "PC"
    storage_location: str = ""


class OrderTemplate(Message):
    """The production order that runs of one part and operation belong to; `name` is the operation in file names."""

    part: Code
    name: Code = Field(alias="operation", description="operation as file names or the mapping write it")
    order: Code
    routing_operation: Code = "0010"
    text: str = ""
    material: Code
    quantity: Amount = Field(gt=0)
    unit: Code = "PC"
    work_centre: str = ""
    standard_seconds: Amount = Field(gt=0, description="the routing's standard time per piece; a user's input")
    program: str = Field(default="", description="regular expression that its program's name matches; empty: any")
    components: tuple[ComponentTemplate, ...] = Field(default=(), alias="component")

    model_config = Message.model_config | {"populate_by_name": True}


class RunMapping(Message):
    """What one file is about, where its name does not say it."""

    file: Code
    part: Code
    operation: Code
    serial: str = ""


class ReplayProfile(Message):
    """One machine's recording format and what its runs stand for."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    id: Code
    title: str = ""
    server_uri: Code = Field(description="stands for the machine in event ids; never a file's name")
    file_pattern: str = Field(default="", description="regular expression with groups part, operation, serial")
    machine_line: LineConfig = Field(alias="line")
    orders: tuple[OrderTemplate, ...] = Field(default=(), alias="order")
    runs: tuple[RunMapping, ...] = Field(default=(), alias="run")
    downtime: DowntimeConfig = Field(
        default=DowntimeConfig(merge_seconds=0, without_order="stop"),
        description="a recording has neither orders nor a merge window, unless its profile says so",
    )

    model_config = Message.model_config | {"populate_by_name": True}

    @field_validator("file_pattern")
    @classmethod
    def _pattern_names_its_groups(cls, value: str) -> str:
        if not value:
            return value
        try:
            groups = set(re.compile(value).groupindex)
        except re.error as error:
            raise ValueError(f"it is no regular expression: {error}") from error
        if not {"part", "operation"} <= groups <= NAMED_GROUPS:
            raise ValueError("it needs the groups (?P<part>…) and (?P<operation>…), and may have (?P<serial>…)")
        return value

    @model_validator(mode="after")
    def _names_are_unique(self) -> ReplayProfile:
        tags = [t.name for s in self.machine_line.stations for t in s.tags]
        _refuse_twins("line.station.tag", tags)
        _refuse_twins("order", [f"{o.part}/{o.name}" for o in self.orders])
        _refuse_twins("order", [f"{o.order}/{o.routing_operation}" for o in self.orders])
        _refuse_twins("run", [r.file for r in self.runs])
        for run in self.runs:
            if self.template(run.part, run.operation) is None:
                raise ValueError(f"run {run.file}: no [[order]] has part {run.part!r} and operation {run.operation!r}")
        return self

    @property
    def has_runs(self) -> bool:
        """Whether the files of a recording are runs of orders; a machine's plain stream is not."""
        return bool(self.orders)

    @property
    def line(self) -> LineConfig:
        """The line with the orders' standard times and programs in its cycle rules."""
        stations = tuple(self._with_orders(s) for s in self.machine_line.stations)
        return self.machine_line.model_copy(update={"stations": stations})

    def _with_orders(self, station: StationConfig) -> StationConfig:
        rules = station.cycle
        if rules is None:
            return station
        keys = {f"{o.order}/{o.routing_operation}": o for o in self.orders}
        seconds = {**rules.standard_seconds, **{k: o.standard_seconds for k, o in keys.items()}}
        programs = {**rules.programs, **{k: o.program for k, o in keys.items() if o.program}}
        cycle = rules.model_copy(update={"standard_seconds": seconds, "programs": programs})
        return station.model_copy(update={"cycle": cycle})

    def template(self, part: str, operation: str) -> OrderTemplate | None:
        """The order of a part's operation, or None."""
        return next((o for o in self.orders if (o.part, o.name) == (part, operation)), None)

    def run_context(self, file: str) -> RunContext | None:
        """Order, operation and serial of a file: by the mapping, else by its name; None where neither says it."""
        name = PurePosixPath(file).name
        mapped = next((r for r in self.runs if r.file in (file, name, PurePosixPath(name).stem)), None)
        if mapped is not None:
            part, operation, serial = mapped.part, mapped.operation, mapped.serial
        else:
            match = re.fullmatch(self.file_pattern, name) if self.file_pattern else None
            if match is None:
                return None
            groups = match.groupdict()
            part, operation, serial = groups["part"], groups["operation"], groups.get("serial") or ""
        order = self.template(part, operation)
        if order is None:
            return None
        return RunContext(order=order.order, operation=order.routing_operation, serial=serial and f"{part}-{serial}")


def load_profile(name_or_path: str) -> ReplayProfile:
    """A packaged profile by its name, or a file. Raises BadInput naming the key and the fix."""
    content = _content(name_or_path, seen=())
    try:
        return ReplayProfile.model_validate(content)
    except ValidationError as error:
        raise BadInput(
            _first_fault(name_or_path, error), subject=name_or_path, hint="correct the key and retry"
        ) from None


def profile_names() -> tuple[str, ...]:
    """Names of the packaged profiles."""
    return tuple(sorted(p.name.removesuffix(".toml") for p in PACKAGED.iterdir() if p.name.endswith(".toml")))


def _content(name_or_path: str, seen: tuple[str, ...]) -> dict[str, Any]:
    if name_or_path in seen:
        raise BadInput(f"profile {seen[0]} builds on itself", subject=seen[0], hint='remove the key "base"')
    try:
        content = tomllib.loads(_text(name_or_path))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"profile {name_or_path} is no TOML: {error}", subject=name_or_path) from None
    base = content.pop("base", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise BadInput(f'profile {name_or_path}: key "base" takes the name of a profile', subject=name_or_path)
    return {**_content(base, (*seen, name_or_path)), **content}


def _text(name_or_path: str) -> str:
    names = profile_names()
    if name_or_path in names:
        return (PACKAGED / f"{name_or_path}.toml").read_text(encoding="utf-8")
    path = Path(name_or_path)
    if not path.is_file():
        hint = f"packaged profiles: {', '.join(names)}; or give a TOML file"
        raise BadInput(f"there is no profile {name_or_path}", subject=name_or_path, hint=hint)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"profile {name_or_path} cannot be read: {error}", subject=name_or_path) from None


def _refuse_twins(key: str, names: list[str]) -> None:
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ValueError(f"{key}: {twice[0]} is declared twice; remove one")


def _first_fault(name: str, error: ValidationError) -> str:
    """The first fault as `profile, key: what is wrong`, and how many more there are."""
    faults: list[Mapping[str, Any]] = [dict(e) for e in error.errors(include_url=False)]
    first = faults[0]
    key = ".".join(str(part) for part in first["loc"]) or "whole file"
    unknown = "; no such key exists, check its spelling" if first["type"] == "extra_forbidden" else ""
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"profile {name}, key {key}: {first['msg']}{unknown}{more}"
