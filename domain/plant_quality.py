"""The plant file's `[quality]`: which deviations hold material, and the plant's rules for deciding about it.

Only what is configured; `domain.hold_rules` judges. Limits are in the tag's unit, a value on a limit is within it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from domain.plant_inspection import InspectedPart
from domain.roles import Role, role_named
from signals.base import Amount, Code, Message
from signals.holds import HoldDispositionKind

Limit = Annotated[Decimal, Field(allow_inf_nan=False)]

DEFAULT_FOUR_EYES: dict[HoldDispositionKind, tuple[str, ...]] = {
    HoldDispositionKind.RELEASE: (Role.QUALITY_MANAGER.value,),
    HoldDispositionKind.REPAIR: (Role.QUALITY_MANAGER.value,),
}
"""What leaves as it is, or not fully conforming, wants a second person of another function."""


def known_role(name: str) -> str:
    """The role's name as the house spells it. Raises ValueError that lists the roles."""
    role = role_named(name)
    if role is None:
        raise ValueError(f"no role is named {name!r}; roles are {', '.join(r.value for r in Role)}")
    return role.value


class HoldRule(Message):
    """One rule over what a station reports. It judges a measurement, the share of bad pieces, or alarms."""

    id: Code
    version: int = Field(default=1, ge=1, description="raise it when limits change: holds name the version they used")
    line: str = Field(default="", description="line of the station, where several lines have one of that name")
    station: Code
    tag: str = Field(default="", description="tag of kind measurement that is judged")
    characteristic: str = Field(default="", description="what is measured, for people; empty: the tag's name")
    lower: Limit | None = None
    upper: Limit | None = None
    target: Limit | None = None
    accepted: tuple[str, ...] = Field(default=(), description="words that are good, for a tag that says words")
    consecutive: int = Field(default=1, ge=1, le=1000, description="so many checks out of spec in a row")
    defect_rate_percent: Annotated[Decimal, Field(gt=0, le=100)] | None = None
    window_pieces: int | None = Field(default=None, ge=2, le=500, description="latest checks the defect rate is of")
    alarms: tuple[str, ...] = Field(default=(), description='alarm codes, with * and ?: "50*"')
    release_role: str = Role.QUALITY_ENGINEER.value
    reason: str = Field(default="", description="one sentence for people")
    severity: int = Field(default=2, ge=1, le=4, description="1 is the most urgent")

    @property
    def name(self) -> str:
        """Id with version, as holds name it."""
        return f"{self.id}/{self.version}"

    @property
    def measures(self) -> str:
        """The characteristic by its name for people."""
        return self.characteristic or self.tag

    @property
    def has_limits(self) -> bool:
        """Whether a single check can be out of spec."""
        return self.lower is not None or self.upper is not None or bool(self.accepted)

    @property
    def counts_checks(self) -> bool:
        """Whether every check counts, also one that repeats the value before."""
        return bool(self.tag) and (self.consecutive > 1 or self.defect_rate_percent is not None)

    @field_validator("release_role")
    @classmethod
    def _role_exists(cls, value: str) -> str:
        return known_role(value)

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> HoldRule:
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(f"hold rule {self.id}: lower {self.lower} is above upper {self.upper}; swap them")
        if self.target is not None:
            below = self.lower is not None and self.target < self.lower
            above = self.upper is not None and self.target > self.upper
            if below or above:
                raise ValueError(f"hold rule {self.id}: target {self.target} lies outside its own limits")
        return self

    @model_validator(mode="after")
    def _judges_one_thing(self) -> HoldRule:
        numbers = (self.lower, self.upper, self.target) != (None, None, None)
        if self.accepted and numbers:
            raise ValueError(f"hold rule {self.id}: give limits or accepted words, not both")
        if (self.defect_rate_percent is None) != (self.window_pieces is None):
            raise ValueError(f"hold rule {self.id}: defect_rate_percent and window_pieces belong together")
        if self.alarms and (self.tag or self.has_limits or self.defect_rate_percent is not None):
            raise ValueError(f"hold rule {self.id}: alarms are a rule of their own; make two rules of it")
        if self.tag and not self.has_limits:
            raise ValueError(f"hold rule {self.id}: tag {self.tag} needs lower, upper or accepted to be judged by")
        if self.has_limits and not self.tag:
            raise ValueError(f"hold rule {self.id}: limits need the tag whose values they are for")
        if self.consecutive > 1 and (not self.tag or self.defect_rate_percent is not None):
            raise ValueError(f"hold rule {self.id}: consecutive goes with a tag and without a defect rate")
        if not (self.tag or self.alarms or self.defect_rate_percent is not None):
            raise ValueError(f"hold rule {self.id} judges nothing; give a tag with limits, a defect rate or alarms")
        return self


class QualityConfig(Message):
    """How the plant holds material and decides about it."""

    signatures: Literal["required", "off"] = Field(default="required", description="off is for demos")
    withhold_postings: bool = Field(
        default=False, description="postings of a held scope wait for the decision, never beyond the period's end"
    )
    complete_with_holds: bool = Field(
        default=False, description="an order may be technically completed while a hold on it is open"
    )
    decide_within_minutes: float = Field(default=60, gt=0, description="working time until somebody else is asked")
    rules: tuple[HoldRule, ...] = Field(default=(), alias="rule")
    parts: tuple[InspectedPart, ...] = Field(
        default=(), alias="part", description="how inspection results call the plant's materials; the first that fits"
    )
    four_eyes: dict[HoldDispositionKind, tuple[str, ...]] = Field(
        default_factory=lambda: dict(DEFAULT_FOUR_EYES),
        validate_default=True,
        description="disposition to the roles one of which must sign too; an empty list wants no second",
    )
    four_eyes_quantity: Amount | None = Field(
        default=None, description="scrap of more than this wants a second signature too, by the quality manager"
    )
    initiator_may_decide: bool = Field(default=False, description="who opened a hold may decide it")

    model_config = Message.model_config | {"populate_by_name": True}

    def rules_of(self, line: str, station: str) -> tuple[HoldRule, ...]:
        """The rules of a station, in the file's order."""
        return tuple(r for r in self.rules if r.station == station and r.line in ("", line))

    @field_validator("four_eyes")
    @classmethod
    def _roles_exist(
        cls, value: dict[HoldDispositionKind, tuple[str, ...]]
    ) -> dict[HoldDispositionKind, tuple[str, ...]]:
        named = {kind: tuple(known_role(role) for role in roles) for kind, roles in value.items()}
        return {**DEFAULT_FOUR_EYES, **named}

    @model_validator(mode="after")
    def _rules_are_told_apart(self) -> QualityConfig:
        ids = [r.id for r in self.rules]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"hold rule {twice[0]} is declared twice; ids must differ")
        return self
