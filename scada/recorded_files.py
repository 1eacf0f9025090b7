"""Opens a recording: one log, a folder of logs, or an archive of them (.gz, .zip, .tar with gzip, bzip2 or xz).

Archives are unpacked file by file into a temporary folder under numbers of their own (a member's name is never used
as a path), so that no more than one log is in memory and logs can be read in any order.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from signals.errors import BadInput

DAMAGE = (EOFError, OSError, RuntimeError, lzma.LZMAError, zlib.error, tarfile.TarError, zipfile.BadZipFile)
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")


class RecordingError(BadInput):
    """A recording that cannot be opened or read to its end."""


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One log of a recording. `name` is what it was called, folders included."""

    name: str
    path: Path

    def read(self) -> bytes:
        """The log's bytes, unpacked. Raises RecordingError where they end in the middle."""
        try:
            packed = self.path.read_bytes()
            return gzip.decompress(packed) if self.path.suffix.lower() == ".gz" else packed
        except DAMAGE as error:
            raise _damaged(self.name, error) from error


@contextmanager
def open_recording(path: Path) -> Iterator[tuple[RecordedFile, ...]]:
    """The recording's logs. Raises RecordingError for what is absent, empty, damaged or no recording."""
    if not path.exists():
        raise RecordingError(f"there is no recording {path}", subject=str(path), hint="give a log, folder or archive")
    with tempfile.TemporaryDirectory(prefix="plantwright-replay-") as folder:
        files = tuple(_files(path, Path(folder)))
        if not files:
            raise RecordingError(f"{path} holds no log", subject=str(path), hint="give a folder or archive with logs")
        yield files


def _files(path: Path, folder: Path) -> Iterator[RecordedFile]:
    name = path.name.lower()
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            relative = file.relative_to(path).as_posix()
            if file.is_file() and not _hidden(relative):
                yield RecordedFile(relative.removesuffix(".gz"), file)
    elif name.endswith(ARCHIVES):
        yield from _unpacked(path, folder, _tar_members)
    elif name.endswith(".zip"):
        yield from _unpacked(path, folder, _zip_members)
    else:
        yield RecordedFile(path.name.removesuffix(".gz"), path)


def _unpacked(
    path: Path, folder: Path, members: Callable[[Path], Iterator[tuple[str, IO[bytes]]]]
) -> Iterator[RecordedFile]:
    try:
        for number, (name, source) in enumerate(members(path)):
            packed = ".gz" if name.lower().endswith(".gz") else ""
            target = folder / f"{number:06}{packed}"
            with source, target.open("wb") as out:
                shutil.copyfileobj(source, out)
            yield RecordedFile(name.removesuffix(".gz"), target)
    except DAMAGE as error:
        raise _damaged(str(path), error) from error


def _tar_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path, mode="r:*") as archive:
        for member in archive:
            source = archive.extractfile(member) if member.isfile() and not _hidden(member.name) else None
            if source is not None:
                yield member.name, source


def _zip_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir() and not _hidden(member.filename):
                yield member.filename, archive.open(member)


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in PurePosixPath(name).parts)


def _damaged(name: str, error: Exception) -> RecordingError:
    text = f"{name} is damaged or cut short: {error or type(error).__name__}"
    return RecordingError(text, subject=name, hint="get the file again and compare its size with the original's")
