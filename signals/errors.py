"""The error taxonomy, shared by adapters, retry policies, cases and docs/errors.md.

    PlantwrightError
     |- BadInput            what a person or file gave is wrong: names the object and the fix, changes nothing
     |- NoAnswer            something that is needed does not answer in time: nothing is known to have changed
     |- ErpError            what an ERP adapter may raise
         |- ErpUnavailable  certainly not processed: try again, for as long as it takes
         |   |- ErpBusy     locked or throttled; `retry_after` says when
         |- ErpRejected     refused for a business reason: a case, never retried by itself
         |- ErpInDoubt      bytes left and no trustworthy answer came: read back, never send blindly again
         |- ErpMisconfigured  credentials, authorisation or set-up: a person fixes it, nothing is lost

The strings in `ErrorType` are stable: they are ApplicationError types in Temporal and classes of cases.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorType(StrEnum):
    """Stable names; they appear in histories, cases and runbooks."""

    BAD_INPUT = "BadInput"
    ERP_UNAVAILABLE = "ErpUnavailable"
    ERP_BUSY = "ErpBusy"
    ERP_REJECTED = "ErpRejected"
    ERP_IN_DOUBT = "ErpInDoubt"
    ERP_MISCONFIGURED = "ErpMisconfigured"


class Reason(StrEnum):
    """Why an ERP refused, whatever its own code: classes of the error catalogue (domain.error_catalogue)."""

    PERIOD_CLOSED = "period_closed"
    STOCK_SHORT = "stock_short"
    TOLERANCE = "tolerance"
    MASTER_DATA = "master_data"
    ORDER_STATUS = "order_status"
    RULE = "rule"
    NOT_SUPPORTED = "not_supported"
    REVERSAL = "reversal"
    CLIENT_BUG = "client_bug"
    OTHER = "other"


class PlantwrightError(Exception):
    """Base of all errors Plantwright raises on purpose."""


class BadInput(PlantwrightError):
    """Input that cannot be used. `subject` names the object, `hint` the fix."""

    def __init__(self, message: str, *, subject: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.subject = subject
        self.hint = hint


class NoAnswer(PlantwrightError):
    """Something that is needed does not answer. `hint` says what to look at."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ErpError(PlantwrightError):
    """What adapters raise. `code` is the ERP's own, `retry_after` seconds where it said so, `reason` the class."""

    type: ErrorType

    def __init__(
        self, message: str, *, code: str = "", retry_after: float | None = None, reason: Reason = Reason.OTHER
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        self.reason = reason


class ErpUnavailable(ErpError):
    """The call was certainly not processed."""

    type = ErrorType.ERP_UNAVAILABLE


class ErpBusy(ErpUnavailable):
    """Locked by somebody else or throttled; certainly not processed."""

    type = ErrorType.ERP_BUSY


class ErpRejected(ErpError):
    """The ERP refused for a business reason."""

    type = ErrorType.ERP_REJECTED


class ErpInDoubt(ErpError):
    """Nobody knows whether the call was processed."""

    type = ErrorType.ERP_IN_DOUBT


class ErpMisconfigured(ErpError):
    """The call cannot work until a person changes the set-up."""

    type = ErrorType.ERP_MISCONFIGURED
