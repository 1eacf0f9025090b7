"""Rules about logins, passwords and failed sign-ins (21 CFR 11.300). Pure: times are given."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from signals.errors import BadInput

LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,79}")
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024
"""Longer ones only cost time to hash."""


@dataclass(frozen=True)
class LockOut:
    """After so many failures within the window a login is locked, until the window has passed since the last one."""

    failures: int = 5
    window: timedelta = timedelta(minutes=15)

    def locked_until(self, failed_at: Iterable[datetime], now: datetime) -> datetime | None:
        """Until when the login is locked, None where it is not. Failures outside the window do not count."""
        recent = sorted(at for at in failed_at if at > now - self.window)
        return recent[-1] + self.window if len(recent) >= self.failures else None


def login_of(text: str) -> str:
    """A login as it is kept: without blanks around it, in small letters. Raises BadInput for what is none."""
    login = text.strip().lower()
    if not LOGIN.fullmatch(login):
        raise BadInput(
            f"{text!r} is no login name",
            subject="login",
            hint="use 2 to 80 of a-z, 0-9 and . _ @ + -, beginning with a letter or digit",
        )
    return login


def check_password(password: str, login: str) -> None:
    """Raises BadInput where a new password is too short, too long, or the login itself."""
    if len(password) < SHORTEST_PASSWORD:
        hint = f"use at least {SHORTEST_PASSWORD}; several words are easy to remember"
        raise BadInput(f"the password of {login} has {len(password)} characters", subject="password", hint=hint)
    if len(password) > LONGEST_PASSWORD:
        hint = f"use at most {LONGEST_PASSWORD}"
        raise BadInput(f"the password of {login} has {len(password)} characters", subject="password", hint=hint)
    if login in password.lower() and len(password) < 2 * len(login):
        raise BadInput(f"the password of {login} is made of the login", subject="password", hint="choose another one")
