"""What the history of one workflow run says of itself: its length, its kinds of events, and what it left undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

WORKFLOW_ENDS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
}

_ACTIVITY_ENDS = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
}
_SIGNAL_ENDS = {
    EventType.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED: "external_workflow_execution_signaled_event_attributes",
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: (
        "signal_external_workflow_execution_failed_event_attributes"
    ),
}


def kinds(runs: Sequence[WorkflowHistory]) -> Counter[str]:
    """How many events of each kind the runs hold together."""
    return Counter(EventType.Name(e.event_type).removeprefix("EVENT_TYPE_") for run in runs for e in run.events)


def length(runs: Sequence[WorkflowHistory]) -> int:
    """Events over all runs of the chain."""
    return sum(len(run.events) for run in runs)


def size(runs: Sequence[WorkflowHistory]) -> int:
    """Bytes over all runs of the chain, as the server stores them."""
    return sum(event.ByteSize() for run in runs for event in run.events)


def undone(run: WorkflowHistory) -> list[str]:
    """Activities, signals to other workflows and updates that were begun in this run and have no end in it."""
    begun: dict[tuple[str, int | str], str] = {}
    for event in run.events:
        _note(event, begun)
    return sorted(begun.values())


def _note(event: HistoryEvent, begun: dict[tuple[str, int | str], str]) -> None:
    kind = event.event_type
    if kind == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
        name = event.activity_task_scheduled_event_attributes.activity_type.name
        begun["activity", event.event_id] = f"activity {name}"
    elif kind in _ACTIVITY_ENDS:
        begun.pop(("activity", getattr(event, _ACTIVITY_ENDS[kind]).scheduled_event_id))
    elif kind == EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
        sent = event.signal_external_workflow_execution_initiated_event_attributes
        begun["signal", event.event_id] = f"signal {sent.signal_name} to {sent.workflow_execution.workflow_id}"
    elif kind in _SIGNAL_ENDS:
        begun.pop(("signal", getattr(event, _SIGNAL_ENDS[kind]).initiated_event_id))
    elif kind == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
        accepted = event.workflow_execution_update_accepted_event_attributes
        begun["update", event.event_id] = f"update {accepted.accepted_request.input.name}"
    elif kind == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
        begun.pop(("update", event.workflow_execution_update_completed_event_attributes.accepted_event_id))
