"""The plant file's models (`plants/<plant>.toml`): site, lines, stations, tags, shifts, posting rules, ERP.

Equipment follows ISA-95: a site has lines (work centres) of stations (work cells). Nothing here reads files.
"""

from __future__ import annotations

import re
from datetime import time
from decimal import Decimal
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from domain.plant_calendar import HolidayConfig, OvertimeConfig
from domain.plant_downtime import DowntimeConfig, LineDowntimeConfig
from domain.plant_erp import ErpConfig
from domain.plant_notify import NotifyConfig
from domain.plant_quality import HoldRule, QualityConfig
from signals.base import Amount, Code, Message
from signals.decisions import PostingMode
from signals.packml import MachineState


class TagKind(StrEnum):
    """What a tag means; it decides the event it becomes and which filters may touch it."""

    STATE = "state"
    COUNT = "count"
    MEASUREMENT = "measurement"
    ALARM = "alarm"
    ORDER = "order"
    OPERATION = "operation"
    BATCH = "batch"
    SERIAL = "serial"
    RUN = "run"
    REASON = "reason"
    REASON_ORIGIN = "reason_origin"
    STOP_REASON = "stop_reason"
    STARVED = "starved"
    BLOCKED = "blocked"
    MODE = "mode"
    OPERATOR = "operator"
    COMPONENT_LOT = "component_lot"
    PROGRAM_NAME = "program_name"
    PROGRAM_STATUS = "program_status"
    IGNORE = "ignore"


class CounterRole(StrEnum):
    """Which pieces a counter counts at its station."""

    INFEED = "infeed"
    GOOD = "good"
    REJECT = "reject"
    CYCLE = "cycle"


class ResetRule(StrEnum):
    """What an implausible drop of a counter means."""

    COUNT_NEW_VALUE = "count_new_value"
    REBASE = "rebase"
    PARK = "park"


class CounterConfig(Message):
    """A counter as declared: width, sign, plausible rate, reset rule (reference ot.md 3.6)."""

    role: CounterRole
    bits: int = Field(default=32, ge=8, le=64)
    signed: bool = False
    max_per_minute: Decimal = Field(default=Decimal(600), gt=0, description="more than this is implausible")
    reset: ResetRule = ResetRule.PARK
    unit: Code = "PC"
    per_count: Amount = Field(default=Decimal(1), description="pieces one count stands for")


class FilterConfig(Message):
    """Edge filter of a tag. Never applied to counters, alarms, order ids (design section 2)."""

    deadband: Amount | None = Field(default=None, description="absolute; a change must exceed it")
    debounce_ms: int = Field(default=0, ge=0, description="a state must last this long, by source time")
    silence_seconds: int = Field(default=0, ge=0, description="send the value again after this silence; 0 never")
    every: bool = Field(default=False, description="send each reading, also one that repeats the value before")

    @model_validator(mode="after")
    def _every_means_all(self) -> FilterConfig:
        if self.every and (self.deadband is not None or self.debounce_ms or self.silence_seconds):
            raise ValueError("every = true sends all there is; remove deadband, debounce_ms and silence_seconds")
        return self


class TagConfig(Message):
    """One tag of a station."""

    name: Code
    node: str = Field(
        default="", description="OPC UA NodeId with namespace URI, for example nsu=urn:x;s=Line1.Press.Good"
    )
    kind: TagKind
    counter: CounterConfig | None = None
    filter: FilterConfig = FilterConfig()
    unit: str = ""
    states: dict[str, MachineState] = Field(
        default_factory=dict, description="the machine's words; PackML numbers need none"
    )
    material: str = Field(default="", description="component material whose lot this tag names")

    @model_validator(mode="after")
    def _counter_has_its_rules(self) -> TagConfig:
        if (self.kind is TagKind.COUNT) != (self.counter is not None):
            raise ValueError(f'tag {self.name}: kind "count" and a [counter] table belong together')
        if self.filter.every and self.kind is not TagKind.MEASUREMENT:
            raise ValueError(f"tag {self.name}: every = true is for measurements; other kinds are never thinned")
        untouchable = self.kind in (TagKind.COUNT, TagKind.ALARM, TagKind.ORDER, TagKind.BATCH, TagKind.OPERATION)
        if untouchable and self.filter != FilterConfig():
            raise ValueError(f"tag {self.name}: counters, alarms and order ids are never filtered; remove its [filter]")
        return self


class CycleRules(Message):
    """How program cycles of a machine tool are judged (see domain.cycles). All words are the machine's."""

    active: tuple[str, ...] = ("ACTIVE",)
    completed: tuple[str, ...] = ("PROGRAM_COMPLETED",)
    min_ratio: Decimal = Field(
        default=Decimal("0.5"), gt=0, description="least share of the standard time a cycle must run"
    )
    standard_seconds: dict[str, Decimal] = Field(
        default_factory=dict, description="standard time per piece by operation key (order/operation, or operation)"
    )
    programs: dict[str, str] = Field(
        default_factory=dict, description="regular expression the program's name must match, by the same keys"
    )
    needs_counter: bool = Field(default=True, description="a completion also needs a step of the machine's counter")
    agree_seconds: Decimal = Field(
        default=Decimal(5), ge=0, description="program end and counter step lie at most this far apart"
    )
    name_lag_seconds: Decimal = Field(
        default=Decimal(5), ge=0, description="a program's name is logged at most this long after it became active"
    )
    counter_bits: int = Field(default=32, ge=8, le=64)
    unit: Code = "PC"

    def standard_for(self, order: str, operation: str) -> Decimal | None:
        """Standard seconds per piece: by order/operation, else by operation."""
        return self.standard_seconds.get(f"{order}/{operation}", self.standard_seconds.get(operation))

    def program_for(self, order: str, operation: str) -> str:
        """The pattern of the operation's program name; empty where any will do."""
        return self.programs.get(f"{order}/{operation}", self.programs.get(operation, ""))

    @field_validator("programs")
    @classmethod
    def _patterns_compile(cls, value: dict[str, str]) -> dict[str, str]:
        for key, pattern in value.items():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"program pattern of {key} is no regular expression: {error}") from error
        return value


class StationConfig(Message):
    """A station (ISA-95 work cell) and the operation whose pieces it counts."""

    id: Code
    operation: str = Field(default="", description="routing operation it performs; empty: taken from its operation tag")
    work_centre: str = ""
    tags: tuple[TagConfig, ...] = Field(default=(), alias="tag")
    cycle: CycleRules | None = Field(default=None, description="quantities come from program cycles, not from counters")
    asset: str = Field(default="", description="what maintenance repairs: its number in the ERP; empty: the line's")
    min_stop_seconds: int = Field(default=60, ge=0, description="a shorter stop is a micro-stop")
    availability: str = Field(
        default="", description="tag whose loss means that every tag of the station is lost; one event then says so"
    )

    model_config = Message.model_config | {"populate_by_name": True}

    @property
    def makes_pieces(self) -> bool:
        """Whether good pieces are counted here."""
        roles = (t.counter.role for t in self.tags if t.counter is not None)
        return self.cycle is not None or CounterRole.GOOD in roles

    @model_validator(mode="after")
    def _names_are_unique(self) -> StationConfig:
        names = [t.name for t in self.tags]
        if self.availability and self.availability not in names:
            raise ValueError(f"station {self.id}: availability names {self.availability!r}, which is none of its tags")
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"station {self.id}: tag {twice[0]} is declared twice")
        return self


class OpcUaConfig(Message):
    """How the edge reaches the line's OPC UA server. Read-only; secrets are names of environment variables."""

    endpoint: str = Field(pattern=r"^opc\.tcp://.+")
    security: Literal["None", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"] = "None"
    mode: Literal["Sign", "SignAndEncrypt"] = "SignAndEncrypt"
    certificate: str = ""
    private_key: str = ""
    trust: str = Field(default="", description="folder or file with the trusted server certificates")
    user_env: str = ""
    password_env: str = ""
    publishing_ms: int = Field(default=250, ge=10)
    sampling_ms: int = Field(default=0, ge=0)
    queue_size: int = Field(default=1000, ge=1)
    heartbeat: str = Field(default="", description="NodeId of a plant-time heartbeat; default ServerStatus.CurrentTime")
    settle_ms: int = Field(default=1000, ge=0, description="the watermark stays this far behind the heartbeat")
    silence_seconds: int = Field(default=10, ge=1, description="no heartbeat for so long: a new connection")


class CadenceConfig(Message):
    """When the Line hands over what it counted: by quantity, by event time, and always at a shift change."""

    quantity: int = Field(default=50, ge=1)
    minutes: Decimal = Field(default=Decimal(15), gt=0)


class LineConfig(Message):
    """A line and its stations in process order."""

    id: Code
    name: str = ""
    opcua: OpcUaConfig | None = None
    stations: tuple[StationConfig, ...] = Field(alias="station", min_length=1)
    cadence: CadenceConfig = CadenceConfig()
    future_seconds: int = Field(default=60, ge=0, description="a source clock may be ahead of the edge by this much")
    second_evidence: bool = Field(default=True, description="read the counters again at start and completion")
    pacing: str = Field(default="", description="station whose stops are the line's; empty: the last that counts")
    downtime: LineDowntimeConfig = LineDowntimeConfig()

    model_config = Message.model_config | {"populate_by_name": True}

    @model_validator(mode="after")
    def _stations_are_unique(self) -> LineConfig:
        ids = [s.id for s in self.stations]
        if len(set(ids)) != len(ids):
            raise ValueError(f"line {self.id}: two stations share an id")
        if self.pacing and self.pacing not in ids:
            raise ValueError(f"line {self.id}: pacing names {self.pacing}, which is none of {', '.join(ids)}")
        return self

    @property
    def pacing_station(self) -> StationConfig:
        """The station whose stops are the line's: the one named, else the last that counts good pieces or cycles."""
        counting = [s for s in self.stations if s.id == self.pacing] or [s for s in self.stations if s.makes_pieces]
        return counting[-1] if counting else self.stations[-1]

    @property
    def work_centre(self) -> str:
        """The work centre whose capacity the line's stops take."""
        return self.downtime.work_centre or self.pacing_station.work_centre

    def station(self, station_id: str) -> StationConfig | None:
        """The station with this id, or None."""
        return next((s for s in self.stations if s.id == station_id), None)


class ShiftConfig(Message):
    """A shift by local wall-clock times; `end` before `start` crosses midnight. Days are those of its start."""

    name: Code
    start: time
    end: time
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = (
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
    )


class PostingConfig(Message):
    """What may be posted, and who decides."""

    mode: PostingMode = PostingMode.POST
    technical_completion: Literal["propose", "automatic"] = "propose"
    max_quantity: int = Field(default=1000, ge=1, description="one confirmation never carries more pieces")
    over_delivery_percent: Amount = Field(default=Decimal(0), description="where the ERP names no tolerance")
    retry_seconds: tuple[int, ...] = Field(default=(1, 2, 5, 10, 30, 60), description="back-off while the ERP is away")
    intake_seconds: int = Field(default=60, ge=1)
    goods_movement_wait_seconds: int = Field(default=60, ge=0)

    @field_validator("retry_seconds")
    @classmethod
    def _at_least_one(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or min(value) < 1:
            raise ValueError("retry_seconds needs at least one delay of a second or more")
        return value


class SiteConfig(Message):
    """Identity and calendar of the plant."""

    id: Code = Field(pattern=r"^[A-Za-z0-9_-]+$")
    name: str = ""
    zone: str = "UTC"
    production_day_start: time = time(0, 0)
    holidays: tuple[HolidayConfig, ...] = Field(default=(), alias="holiday", description="no shift starts on them")
    overtime: tuple[OvertimeConfig, ...] = Field(default=(), description="shifts of single days")

    model_config = Message.model_config | {"populate_by_name": True}

    @model_validator(mode="after")
    def _overtime_is_said_once(self) -> SiteConfig:
        said = [(o.shift, o.day) for o in self.overtime]
        twice = next((s for s in said if said.count(s) > 1), None)
        if twice:
            raise ValueError(f"overtime of shift {twice[0]} on {twice[1]} is declared twice; remove one")
        return self

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"no time zone is named {value!r}; use an IANA name such as Europe/Berlin") from error
        return value


class PlantConfig(Message):
    """One plant file."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    plant: SiteConfig
    shifts: tuple[ShiftConfig, ...] = Field(default=(), alias="shift")
    lines: tuple[LineConfig, ...] = Field(alias="line", min_length=1)
    erp: ErpConfig
    posting: PostingConfig = PostingConfig()
    quality: QualityConfig = QualityConfig()
    downtime: DowntimeConfig = DowntimeConfig()
    notify: NotifyConfig = NotifyConfig()

    model_config = Message.model_config | {"populate_by_name": True}

    def line(self, line_id: str) -> LineConfig | None:
        """The line with this id, or None."""
        return next((line for line in self.lines if line.id == line_id), None)

    @model_validator(mode="after")
    def _calendar_names_what_exists(self) -> PlantConfig:
        shifts = {s.name for s in self.shifts}
        for extra in self.plant.overtime:
            if extra.shift not in shifts and (extra.start is None or extra.end is None):
                raise ValueError(
                    f"overtime {extra.shift} on {extra.day}: no shift is named so; give both start and end for an "
                    f"extra one, or name one of {', '.join(sorted(shifts)) or 'none declared'}"
                )
        extra_names = {o.shift for o in self.plant.overtime}
        for entry in self.downtime.on_call:
            unknown = next((n for n in entry.shifts if n not in shifts | extra_names), None)
            if unknown is not None:
                raise ValueError(
                    f"on call {entry.role} {entry.user}: no shift is named {unknown}; "
                    f"shifts are {', '.join(sorted(shifts)) or 'none declared'}"
                )
        stations = {s.id for line in self.lines for s in line.stations}
        for reason in self.downtime.reasons:
            missing = next((s for s in reason.stations if s not in stations), None)
            if missing is not None:
                raise ValueError(
                    f"downtime reason {reason.id}: no station {missing}; stations are {', '.join(sorted(stations))}"
                )
        return self

    @model_validator(mode="after")
    def _hold_rules_judge_what_exists(self) -> PlantConfig:
        for rule in self.quality.rules:
            self._check_rule(rule)
        return self

    def _check_rule(self, rule: HoldRule) -> None:
        if rule.line and self.line(rule.line) is None:
            raise ValueError(
                f"hold rule {rule.id}: no line {rule.line}; lines are {', '.join(x.id for x in self.lines)}"
            )
        stations = [
            s for line in self.lines if rule.line in ("", line.id) for s in line.stations if s.id == rule.station
        ]
        if not stations:
            known = ", ".join(f"{line.id}/{s.id}" for line in self.lines for s in line.stations)
            raise ValueError(f"hold rule {rule.id}: no station {rule.station}; stations are {known}")
        for station in stations:
            _check_rule_at(rule, station)


def _check_rule_at(rule: HoldRule, station: StationConfig) -> None:
    where = f"hold rule {rule.id}, station {station.id}"
    if rule.alarms and not any(t.kind is TagKind.ALARM for t in station.tags):
        raise ValueError(f"{where}: it has no tag of kind alarm")
    if rule.defect_rate_percent is not None and not rule.tag:
        roles = {t.counter.role for t in station.tags if t.counter is not None}
        if not {CounterRole.GOOD, CounterRole.REJECT} <= roles:
            raise ValueError(f"{where}: a defect rate without a tag needs counters of good and of rejected pieces")
    if not rule.tag:
        return
    tag = next((t for t in station.tags if t.name == rule.tag), None)
    if tag is None or tag.kind is not TagKind.MEASUREMENT:
        measured = ", ".join(t.name for t in station.tags if t.kind is TagKind.MEASUREMENT) or "none"
        raise ValueError(f"{where}: {rule.tag} is no measurement there; measurements are {measured}")
    if tag.filter.deadband is not None or tag.filter.debounce_ms:
        raise ValueError(
            f"{where}: tag {tag.name} has a deadband or debounce_ms, which can hide a bad value; "
            "replace its filter by { every = true }"
        )
    if rule.counts_checks and not tag.filter.every:
        raise ValueError(f"{where}: tag {tag.name} needs filter = {{ every = true }}, because every check counts")
