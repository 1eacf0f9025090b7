"""How a command ends: exit codes, and an error as one line with a hint (design section 11)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from pydantic import ValidationError

from signals.errors import BadInput, ErpError, ErpMisconfigured, ErpRejected, NoAnswer


class ExitCode(IntEnum):
    """Stable; scripts rely on them."""

    DONE = 0
    NO = 1
    BAD_INPUT = 2
    NO_ANSWER = 3
    INTERRUPTED = 130


class AnswerIsNo(Exception):
    """The command did its work, and the answer is no: exit code 1."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Failure:
    """What a person is told, and the exit code. `expected` is False for faults of Plantwright itself."""

    code: ExitCode
    message: str
    hint: str = ""
    expected: bool = True


def failure_of(error: BaseException) -> Failure:
    """The exit code and the sentence for an error that reached the command line."""
    # Whoever raised one of these has loaded it; a command without trouble need not.
    from workers.client import TemporalUnreachable
    from workers.server_ports import PortTakenError
    from workers.temporal_binary import TemporalBinaryMissing
    from workers.temporal_namespace import NamespaceNotReady
    from workers.temporal_server import EmbeddedTemporalError

    hint = str(getattr(error, "hint", ""))
    match error:
        case BaseExceptionGroup():
            return failure_of(error.exceptions[0])
        case BadInput() | ErpMisconfigured() | ErpRejected() | PortTakenError():
            return Failure(ExitCode.BAD_INPUT, str(error), hint)
        case ValidationError():
            return Failure(ExitCode.BAD_INPUT, _first_fault(error))
        case AnswerIsNo():
            return Failure(ExitCode.NO, str(error), hint)
        case TemporalUnreachable():
            # The SDK's own words about its transport help nobody but a developer.
            said = str(error).split(": Failed client connect")[0]
            return Failure(ExitCode.NO_ANSWER, said, "start it with `plantwright server`, or set TEMPORAL_ADDRESS")
        case EmbeddedTemporalError() if isinstance(error.__cause__, PortTakenError):
            return Failure(ExitCode.BAD_INPUT, str(error), "port 0 takes a free one")
        case NoAnswer() | ErpError():
            return Failure(ExitCode.NO_ANSWER, str(error), hint)
        case KeyboardInterrupt():
            return Failure(ExitCode.INTERRUPTED, "interrupted")
        case EmbeddedTemporalError() | TemporalBinaryMissing() | NamespaceNotReady() | ConnectionError():
            return Failure(ExitCode.NO_ANSWER, str(error), hint)
        case _:
            message = f"{type(error).__name__}: {error}"
            return Failure(ExitCode.NO, message, "this is a fault of Plantwright; -v shows where", expected=False)


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    given = fault.get("input")
    shown = f" (it is {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{place}: {fault['msg'].removeprefix('Value error, ')}{shown}"
