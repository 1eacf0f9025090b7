"""How a control side says what is wrong with a body: where, what, and what it should look like."""

from typing import Any

from pydantic import ValidationError


def teach(error: ValidationError, example: str) -> str:
    """One line a person can act on: where, what, and what it should look like."""
    first: Any = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "body"
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {first['msg']}{more}; for example {example}"
