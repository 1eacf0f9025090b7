"""What all workflows share: retry policies, timeouts, and when to continue as new."""

from __future__ import annotations

from datetime import timedelta
from typing import NoReturn

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from signals.errors import ErrorType
    from signals.search_attributes import SearchAttribute

PLANT_ID = SearchAttributeKey.for_keyword(SearchAttribute.PLANT_ID.value)
LINE_ID = SearchAttributeKey.for_keyword(SearchAttribute.LINE_ID.value)
ORDER_ID = SearchAttributeKey.for_keyword(SearchAttribute.ORDER_ID.value)
MATERIAL = SearchAttributeKey.for_keyword(SearchAttribute.MATERIAL.value)
BATCH = SearchAttributeKey.for_keyword(SearchAttribute.BATCH.value)
HOLD_STATE = SearchAttributeKey.for_keyword(SearchAttribute.HOLD_STATE.value)
ASSIGNED_TO = SearchAttributeKey.for_keyword(SearchAttribute.ASSIGNED_TO.value)
PHASE = SearchAttributeKey.for_keyword(SearchAttribute.PHASE.value)
EXCEPTION_CLASS = SearchAttributeKey.for_keyword(SearchAttribute.EXCEPTION_CLASS.value)
DUE_AT = SearchAttributeKey.for_datetime(SearchAttribute.DUE_AT.value)
SEVERITY = SearchAttributeKey.for_int(SearchAttribute.SEVERITY.value)
OPEN_TASK_ROLES = SearchAttributeKey.for_keyword_list(SearchAttribute.OPEN_TASK_ROLES.value)

LEDGER_TIMEOUT = timedelta(seconds=10)
"""Longest run of one ledger activity. One that a worker takes in the instant of its shutdown is lost until this has
passed (measured), and so is whoever waits for its answer: shorter than the 15 s that a person is asked to wait."""

LOADING_TIMEOUT = timedelta(seconds=30)
"""Longest run of a ledger activity that may have much to read or to plan: a whole order, a line."""

FEW_ATTEMPTS = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=5),
    maximum_attempts=5,
    non_retryable_error_types=[ErrorType.BAD_INPUT.value],
)
"""No activity retries for ever: what goes on failing waits on a timer of the workflow (design section 4)."""

TASK_TIMEOUT = timedelta(seconds=5)
"""Workflow task timeout; the default of 10 s delays a timer that was due when a worker died (measured)."""

PAUSE = timedelta(seconds=5)
"""The pause after an activity that used up its attempts."""

LONGEST_PAUSE = timedelta(seconds=40)
"""The pause grows to this where nothing but waiting can be done: an endless wait stays a short history."""


def go_on(given: object) -> NoReturn:
    """Continue as new with the search attributes that have a value.

    Left to the server, one that was unset arrives as null in the next run, whose first task then fails for ever
    (sdk-python 1.35: a null DueAt cannot be decoded).
    """
    workflow.continue_as_new(given, search_attributes=workflow.info().typed_search_attributes)


def wants_new_run(threshold: int) -> bool:
    """Whether the history is long enough to continue as new; the threshold is lowered in tests."""
    info = workflow.info()
    return info.is_continue_as_new_suggested() or info.get_current_history_length() >= threshold
