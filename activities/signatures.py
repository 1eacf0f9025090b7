"""Ed25519 signatures over acts (RFC 8032): the two bytes-level operations, shared by who signs and who verifies.

What is signed is `signals.people.signed_bytes`; who may sign is not decided here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.people_port import SigningKey
from signals.base import Message
from signals.people import Seal, Signature, sealed_bytes, signed_bytes
from signals.sealing import Sealable


def public_text(key: Ed25519PrivateKey) -> str:
    """The key's public part as the ledger holds it: base64 of 32 bytes."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def key_id_of(public_key: str) -> str:
    """The name of a key follows from its public part: `ed25519-` and 16 digits of its SHA-256."""
    return f"ed25519-{hashlib.sha256(base64.b64decode(public_key)).hexdigest()[:16]}"


def signed(key: Ed25519PrivateKey, signature: Signature, act: Message) -> Signature:
    """The signature with its value."""
    value = base64.b64encode(key.sign(signed_bytes(signature, act))).decode()
    return signature.model_copy(update={"value": value})


def sealed(key: Ed25519PrivateKey, seal: Seal, said: Sealable) -> Seal:
    """The seal with its value."""
    value = base64.b64encode(key.sign(sealed_bytes(seal, said.kind, said))).decode()
    return seal.model_copy(update={"value": value})


def signature_fault(signature: Signature, act: Message, keys: Iterable[SigningKey]) -> str:
    """Empty where one of the keys made this signature over this act while the key was valid, else why not."""
    key = next((k for k in keys if k.key_id == signature.key_id), None)
    if key is None:
        return f"the signature is by key {signature.key_id}, which this house does not know"
    if not was_valid(key, signature.signed_at):
        return f"key {key.key_id} was not valid at {signature.signed_at:%Y-%m-%d %H:%M}"
    if not _fits(key, signature.value, signed_bytes(signature, act)):
        return f"the signature of {signature.user} does not fit: act or signature was changed after signing"
    return ""


def seal_fits(seal: Seal, said: Sealable, key: SigningKey) -> bool:
    """Whether the key made this seal over just this decision or act."""
    return _fits(key, seal.value, sealed_bytes(seal, said.kind, said))


def was_valid(key: SigningKey, at: datetime) -> bool:
    """Whether the key could sign at an instant."""
    return key.valid_from <= at and (key.valid_to is None or at <= key.valid_to)


def _fits(key: SigningKey, value: str, content: bytes) -> bool:
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public_key, validate=True))
        public.verify(base64.b64decode(value, validate=True), content)
    except (InvalidSignature, ValueError):
        return False
    return True
