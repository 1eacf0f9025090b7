"""Who acts: people and services with their roles, and signatures that are bound to what was shown (21 CFR Part 11).

A session is never a signature: each signing re-authenticates, names its meaning, and signs a hash of the content shown.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Any

from pydantic import Field

from signals.base import Code, Message, UtcTime


class SignatureMeaning(StrEnum):
    """What a signature says (21 CFR 11.50 (a)(3)); a closed list."""

    AUTHORSHIP = "authorship"
    REVIEW = "review"
    APPROVAL = "approval"
    RESPONSIBILITY = "responsibility"


class Channel(StrEnum):
    """The way by which an action came."""

    WEB = "web"
    API = "api"
    CLI = "cli"
    SIGNAL = "signal"
    WORKFLOW = "workflow"


class Actor(Message):
    """Who acts, in one role, at one plant. Where `lines` is empty the role holds for all lines of the plant."""

    user: Code = Field(description="login name, never given to another person")
    name: str = Field(default="", description="printed name")
    role: str = Field(default="", description="the role in which the action is taken, see domain.roles")
    plant: Code
    lines: tuple[str, ...] = ()
    service: bool = Field(default=False, description="a service account: may report and open, can never sign")
    channel: Channel = Channel.CLI


class Signature(Message):
    """An Ed25519 signature by the house's key after the person has re-authenticated.

    `value` covers `signed_bytes`: this record without `value`, and the action. Changing either invalidates it.
    """

    user: Code
    name: str
    role: Code
    meaning: SignatureMeaning
    signed_at: UtcTime
    content_hash: str = Field(description="SHA-256 of the exact content that was shown, hexadecimal")
    key_id: Code = Field(description="which signing key; the worker holds the public part")
    value: str = Field(description="base64 of 64 bytes")


class Seal(Message):
    """The house's word that it knew who decides or acts: an Ed25519 signature by its key over that and the actor.

    It is no signature of the person's: nobody was asked for a password again. `value` covers `sealed_bytes`.
    """

    about: str = Field(description="the one thing that it is about: it counts for no other")
    sealed_at: UtcTime
    key_id: Code = Field(description="which signing key; the worker holds the public part")
    value: str = Field(description="base64 of 64 bytes")


def canonical(value: Any) -> bytes:
    """One spelling of a JSON value: keys sorted, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def content_hash(shown: Message) -> str:
    """Hash of what a person was shown before signing."""
    return hashlib.sha256(canonical(shown.model_dump(mode="json"))).hexdigest()


def signed_bytes(signature: Signature, action: Message) -> bytes:
    """What `signature.value` signs: the signature's own fields, and the action without its signature."""
    own = signature.model_dump(mode="json", exclude={"value"})
    return canonical({"signature": own, "action": action.model_dump(mode="json", exclude={"signature"})})


def sealed_bytes(seal: Seal, kind: str, said: Message) -> bytes:
    """What `seal.value` signs: the seal's own fields, and the decision or act without its seal.

    Fields that have their default are left out: a later release may add some.
    """
    own = seal.model_dump(mode="json", exclude={"value"})
    content = said.model_dump(mode="json", exclude={"seal"}, exclude_defaults=True)
    return canonical({"seal": own, "kind": kind, "decision": content})
