"""The plant file's `[notify]`: by which channels people are told, whom each reaches, and in which language.

Secrets are names of environment variables. Without channels the inbox alone shows what waits.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from domain.roles import Role, role_named
from signals.base import Code, Message
from signals.notify import Notification, NotificationKind

INBOX = "inbox"
"""The channel that is always there: the ledger's row, which the console shows."""

ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


class ChannelConfig(Message):
    """One way to reach people. Its keys are those of its kind; the others stay empty."""

    id: Code = Field(pattern=r"^[A-Za-z0-9_-]+$")
    kind: Literal["smtp", "webhook"]
    language: Literal["", "de", "en"] = Field(default="", description="empty: the table's")
    roles: tuple[str, ...] = Field(default=(), description="who is reached by it; empty: every role")
    kinds: tuple[NotificationKind, ...] = Field(default=(), description="what is told by it; empty: everything")
    severity: int = Field(default=4, ge=1, le=4, description="only what is at least as urgent; 1 is the most urgent")
    timeout_seconds: int = Field(default=15, ge=1, le=60)

    host: str = Field(default="", description="smtp: the mail server")
    port: int = Field(default=0, ge=0, le=65535, description="smtp; 0: 587 for starttls, 465 for tls, 25 for none")
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str = Field(default="", description="own certification authority; empty: the system's")
    user_env: str = ""
    password_env: str = ""
    sender: str = ""
    addresses: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="smtp: mail addresses by role or login; `*` gets what reaches nobody else"
    )

    url_env: str = Field(default="", description="webhook: environment variable with the address, which is a secret")
    shape: Literal["teams", "slack"] = "teams"

    @field_validator("roles")
    @classmethod
    def _roles_exist(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_known(name) for name in value)

    @field_validator("addresses")
    @classmethod
    def _addresses_are_some(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, given in value.items():
            wrong = next((a for a in given if not ADDRESS.fullmatch(a)), None)
            if wrong is not None or not given:
                raise ValueError(f"addresses of {name}: {wrong!r} is no mail address; write name@example.com")
        return value

    @model_validator(mode="after")
    def _kind_has_its_keys(self) -> ChannelConfig:
        smtp = {"host": self.host, "sender": self.sender, "addresses": self.addresses}
        webhook = {"url_env": self.url_env}
        needed, foreign = (smtp, webhook) if self.kind == "smtp" else (webhook, smtp)
        for name, value in needed.items():
            if not value:
                raise ValueError(f"channel {self.id}: a {self.kind} channel needs {name}")
        for name, value in foreign.items():
            if value:
                raise ValueError(f"channel {self.id}: {name} is no key of a {self.kind} channel")
        if self.id == INBOX:
            raise ValueError(f"channel id {INBOX} is taken by the console's inbox; choose another")
        if bool(self.user_env) != bool(self.password_env):
            raise ValueError(f"channel {self.id}: user_env and password_env belong together")
        if self.security == "none" and self.password_env:
            raise ValueError(f"channel {self.id}: a password never goes out unencrypted; use starttls or tls")
        if self.sender and not ADDRESS.fullmatch(self.sender):
            raise ValueError(f"channel {self.id}: sender {self.sender!r} is no mail address")
        return self

    def wants(self, notification: Notification) -> bool:
        """Whether this channel tells it at all."""
        if notification.severity > self.severity or (self.kinds and notification.kind not in self.kinds):
            return False
        if self.roles and not set(self.roles) & set(notification.roles):
            return False
        return self.kind == "webhook" or bool(self.recipients(notification))

    def recipients(self, notification: Notification) -> tuple[str, ...]:
        """Mail addresses of the roles and users that are told, each once; else those of `*`."""
        named = (*notification.users, *(r for r in notification.roles if not self.roles or r in self.roles))
        found = [address for name in named for address in self.addresses.get(name, ())]
        return tuple(dict.fromkeys(found or self.addresses.get("*", ())))


class NotifyConfig(Message):
    """How people are told."""

    language: Literal["de", "en"] = "en"
    console_url: str = Field(
        default="", pattern=r"^$|^https?://[^\s]+[^/\s]$", description="address of the console, for links; no slash"
    )
    channels: tuple[ChannelConfig, ...] = Field(default=(), alias="channel")

    model_config = Message.model_config | {"populate_by_name": True}

    @model_validator(mode="after")
    def _ids_are_unique(self) -> NotifyConfig:
        ids = [c.id for c in self.channels]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"channel {twice[0]} is declared twice")
        return self

    def channels_for(self, notification: Notification) -> tuple[str, ...]:
        """Ids of the channels that tell it; the inbox is always among them."""
        return (INBOX, *(c.id for c in self.channels if c.wants(notification)))

    def channel(self, name: str) -> ChannelConfig | None:
        """The channel with this id, None where the plant file no longer has it."""
        return next((c for c in self.channels if c.id == name), None)


def _known(name: str) -> str:
    role = role_named(name)
    if role is None:
        raise ValueError(f"no role is named {name!r}; roles are {', '.join(r.value for r in Role)}")
    return role.value
