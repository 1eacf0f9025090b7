"""What of a handover somebody may see: rows of their lines, exceptions where their role may see exceptions. Pure."""

from __future__ import annotations

from collections.abc import Callable

from signals.handover import HandoverReport

Sees = Callable[[tuple[str, ...]], bool]
"""Whether something on these lines (none: of the plant as a whole) exists for who looks."""


def visible_part(report: HandoverReport, sees: Sees, *, exceptions: bool) -> HandoverReport:
    """The report without what who looks may not know of. What is left out leaves no trace."""
    whole = sees(())
    return report.model_copy(
        update={
            "lines": tuple(x for x in report.lines if sees((x.line,))),
            "stops": tuple(x for x in report.stops if sees((x.line,))),
            "orders": tuple(x for x in report.orders if sees(x.lines)),
            "not_final": tuple(x for x in report.not_final if sees((x.line,))),
            "open_items": tuple(x for x in report.open_items if sees(x.lines) and (exceptions or x.kind == "hold")),
            "crossings": report.crossings if whole else (),
            "left_out": report.left_out if whole and exceptions else 0,
        }
    )
