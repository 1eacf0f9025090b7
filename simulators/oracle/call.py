"""One REST call as the writing side sees it, and the business call behind it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.oracle.books import Books
from simulators.oracle.framework import Answer
from simulators.oracle.posting import LockKey, Posting
from simulators.oracle.reading import Address


@dataclass(frozen=True)
class Call:
    """`headers` have lower-case names; `base` is the version root as the client wrote it."""

    books: Books
    method: str
    address: Address
    base: str
    version: int
    headers: dict[str, str]
    raw: bytes
    options: dict[str, str]

    @property
    def media(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def upsert(self) -> bool:
        return self.headers.get("upsert-mode", "").strip().lower() == "true"


@dataclass(frozen=True)
class Job:
    """`work` runs inside a transaction; `locks` are held from acceptance to commit. With `per_line` a locked operation
    refuses its own lines only, otherwise the whole call. `tells_errors`: a business error is part of the answer.
    """

    work: Callable[[Posting], Answer]
    locks: frozenset[LockKey] = field(default_factory=frozenset[LockKey])
    per_line: bool = False
    tells_errors: bool = False
