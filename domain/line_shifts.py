"""Handovers that ask a Line: answered at the watermark, when nothing of their shift is still to come.

The questions travel in the Line's state. Reports are cut at the shift's end by `domain.reporting` anyway; only a
handover that waits no longer has what was counted so far closed early.
"""

from __future__ import annotations

from domain.line_state import LineState
from domain.reporting import close_shift
from signals.handover import LineHandedOver, ShiftOver

KEPT_ASKS = 50
"""Questions that a Line remembers; the oldest goes, and is asked again by its handover."""


def take(state: LineState, ask: ShiftOver) -> None:
    """Remember the question; the same handover asking again replaces its own."""
    others = [a for a in state.shift_asks if a.reply_to != ask.reply_to]
    state.shift_asks = [*others, ask][-KEPT_ASKS:]
    if ask.at_once:
        close_shift(state, ask.shift)


def due(state: LineState) -> list[ShiftOver]:
    """Questions that can be answered now, in the order of their shifts."""
    found = [a for a in state.shift_asks if a.at_once or is_final(state, a)]
    return sorted(found, key=lambda a: a.ends_at)


def is_final(state: LineState, ask: ShiftOver) -> bool:
    """Whether the watermark has passed the shift's end."""
    return state.watermark is not None and state.watermark >= ask.ends_at


def answers(state: LineState) -> list[tuple[ShiftOver, LineHandedOver]]:
    """What the handovers are told, once all that is known now is recorded."""
    return [
        (ask, LineHandedOver(line=state.line, shift=ask.shift, watermark=state.watermark, final=is_final(state, ask)))
        for ask in due(state)
    ]


def settle(state: LineState, ask: ShiftOver, told: LineHandedOver, *, waits: bool) -> None:
    """The question is answered; one that was answered early stays until the answer is final.

    Where nobody `waits` any more it goes.
    """
    left = [a for a in state.shift_asks if a != ask]
    state.shift_asks = left if told.final or not waits else [*left, ask.model_copy(update={"at_once": False})]
