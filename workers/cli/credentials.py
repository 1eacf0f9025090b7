"""What a command line says of who is there, before anybody is looked up. Light: every command loads it."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from signals.errors import BadInput


@dataclass(frozen=True)
class Credentials:
    """What the command line was given to say who is there."""

    user: str = ""
    password: str = field(default="", repr=False)


NOBODY = Credentials()
GIVEN: ContextVar[Credentials] = ContextVar("credentials", default=NOBODY)
"""Of this command; `workers.cli.app` sets it."""


def password_from(environ: Mapping[str, str], variable: str, prompt: str, *, option: str = "--password-env") -> str:
    """The password from the named variable, else asked at the terminal. Raises BadInput where neither is there.

    Not for use inside an event loop: a prompt there could not be interrupted.
    """
    if variable:
        if variable not in environ:
            raise BadInput(f"{variable} is not set", subject=option, hint="name the variable that holds the password")
        return environ[variable]
    if not sys.stdin.isatty():
        hint = f"without a terminal name a variable that holds it: {option} VARIABLE"
        raise BadInput("there is no terminal to ask for the password", subject=option, hint=hint)
    return getpass.getpass(prompt)
