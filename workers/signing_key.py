"""The house's signing key (Ed25519): from the environment, else a file in the data folder that only its owner reads."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signals.errors import BadInput

KEY_VARIABLE = "PLANTWRIGHT_SIGNING_KEY"
KEY_FILE = "signing-key"
SEED_BYTES = 32


def load_signing_key(environ: Mapping[str, str], data: Path) -> Ed25519PrivateKey:
    """The key, made on first use. Raises BadInput where it cannot be read, or where others could read it."""
    if given := environ.get(KEY_VARIABLE):
        return _key(given, KEY_VARIABLE, "base64 of 32 random bytes: `openssl rand -base64 32`")
    file = data / KEY_FILE
    if not file.exists():
        _make(file)
    return _key(_read(file), str(file), f"restore it from a backup, or set {KEY_VARIABLE}")


def replace_signing_key(data: Path) -> Ed25519PrivateKey:
    """Put a new key in the file's place; the old private key is gone, its public part stays in the ledger."""
    file = data / KEY_FILE
    fresh = _write_beside(file)
    fresh.replace(file)
    return _key(_read(file), str(file), "")


def _make(file: Path) -> None:
    """Several processes may start at once: the first one's key stays."""
    fresh = _write_beside(file)
    try:
        with suppress(FileExistsError):
            os.link(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)


def _write_beside(file: Path) -> Path:
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(base64.b64encode(secrets.token_bytes(SEED_BYTES)) + b"\n")
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        hint = f"name a data folder that can be written with --data, or set {KEY_VARIABLE}"
        problem = f"the signing key {file} cannot be made: {error.strerror}"
        raise BadInput(problem, subject=str(file), hint=hint) from error
    return fresh


def _read(file: Path) -> str:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        text = file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the signing key {file} cannot be read: {error}", subject=str(file)) from error
    if os.name == "posix" and mode & 0o077:
        hint = f"`chmod 600 {file}`; if somebody may have read it, `plantwright users key rotate`"
        raise BadInput(f"the signing key {file} can be read by others (mode {mode:o})", subject=str(file), hint=hint)
    return text


def _key(text: str, place: str, hint: str) -> Ed25519PrivateKey:
    try:
        seed = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != SEED_BYTES:
        raise BadInput(f"{place} holds no signing key", subject=place, hint=hint)
    return Ed25519PrivateKey.from_private_bytes(seed)
