"""Row locks on work order operations: held from acceptance to commit; a second posting is refused, a person waits."""

import asyncio
from collections.abc import Iterable

from simulators.oracle.posting import LockKey


class OperationLocks:
    def __init__(self) -> None:
        self._held: dict[LockKey, int] = {}
        self._released = asyncio.Event()

    def held(self) -> list[LockKey]:
        return sorted(self._held, key=lambda key: (key[0], key[1] or -1))

    def blocked(self, keys: Iterable[LockKey]) -> frozenset[LockKey]:
        """Those of the keys that another posting holds, its whole order included."""
        return frozenset(key for key in keys if any(_meet(key, held) for held in self._held))

    def take(self, keys: Iterable[LockKey]) -> None:
        for key in keys:
            self._held[key] = self._held.get(key, 0) + 1

    def release(self, keys: Iterable[LockKey]) -> None:
        for key in keys:
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]
        self._released.set()
        self._released = asyncio.Event()

    async def wait_free(self, keys: frozenset[LockKey], seconds: float) -> bool:
        """True when the operations became free within the time."""
        try:
            async with asyncio.timeout(seconds):
                while self.blocked(keys):
                    await self._released.wait()
        except TimeoutError:
            return False
        return True


def _meet(one: LockKey, other: LockKey) -> bool:
    return one[0] == other[0] and (one[1] is None or other[1] is None or one[1] == other[1])
