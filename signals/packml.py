"""PackML machine states by their flat numbers (OPC 30050, ISA-TR88.00.02).

Held is a stop for a fault of the machine itself, Suspended waits for its neighbours. `UNKNOWN` is Plantwright's own
state for a gap, a bad quality or a lost session: no data is not downtime.
"""

from __future__ import annotations

from enum import StrEnum


class MachineState(StrEnum):
    """The flat PackML state of a machine or station, or `unknown`."""

    CLEARING = "clearing"
    STOPPED = "stopped"
    STARTING = "starting"
    IDLE = "idle"
    SUSPENDED = "suspended"
    EXECUTE = "execute"
    STOPPING = "stopping"
    ABORTING = "aborting"
    ABORTED = "aborted"
    HOLDING = "holding"
    HELD = "held"
    UNHOLDING = "unholding"
    SUSPENDING = "suspending"
    UNSUSPENDING = "unsuspending"
    RESETTING = "resetting"
    COMPLETING = "completing"
    COMPLETE = "complete"
    UNKNOWN = "unknown"


PACKML_NUMBERS: dict[int, MachineState] = dict(
    enumerate((s for s in MachineState if s is not MachineState.UNKNOWN), start=1)
)
"""PackML number to state, 1 Clearing to 17 Complete."""


def state_from_number(number: int) -> MachineState:
    """The state behind a flat PackML number; numbers the standard does not know are `unknown`."""
    return PACKML_NUMBERS.get(number, MachineState.UNKNOWN)
