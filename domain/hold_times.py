"""When people are reminded of a hold, and who is asked next: absolute times, in working time. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain.hold_decisions import deciders_of
from domain.plant import ShiftConfig, SiteConfig
from domain.roles import LADDER, Role, role_named
from domain.state import State
from domain.working_time import after_working_time
from signals.base import Message, UtcTime
from signals.holds import HoldRecord


class HoldTimes(Message):
    """The plant's calendar and its deadline for a decision."""

    site: SiteConfig
    shifts: tuple[ShiftConfig, ...] = ()
    within: timedelta

    def after(self, start: datetime, share: float) -> datetime:
        """When this share of the deadline has passed, in working time."""
        return after_working_time(self.site, self.shifts, start, self.within * share)


class HoldRung(State):
    """One step of the ladder."""

    level: int
    at: UtcTime
    role: str

    @property
    def is_deadline(self) -> bool:
        """The first escalation is the deadline of whoever owns the next step."""
        return self.level == 2

    @property
    def reminds(self) -> bool:
        """The owner again; above it somebody else is asked."""
        return self.level == 1


def rungs_of(record: HoldRecord, times: HoldTimes, now: datetime) -> list[HoldRung]:
    """A reminder at half time, then the next role at every deadline that passes. The last role is asked again once."""
    owners = deciders_of(record)
    owner = role_named(owners[0]) if owners else None
    owner = owner or Role.QUALITY_ENGINEER
    rungs = [HoldRung(level=1, at=times.after(now, 0.5), role=owner.value)]
    for number, role in enumerate(LADDER[owner] or (owner,), start=1):
        rungs.append(HoldRung(level=number + 1, at=times.after(now, number), role=role.value))
    return rungs
