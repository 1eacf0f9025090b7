"""A process that fights others for one ledger: opens it, waits for the start line on stdin, answers JSON on stdout."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from datetime import timedelta

from ledger.connect import open_ledger
from ledger.store import SqlLedger
from tests.ledger.examples import PLANT, START, completion, posting

REPORTS = 40


async def claim_at_random(ledger: SqlLedger, seed: int) -> list[str]:
    """Claim random overlapping sets of reports; the keys that were won."""
    chance = random.Random(seed)
    won: list[str] = []
    for _ in range(25):
        start = chance.randrange(REPORTS)
        names = tuple(f"r{n}" for n in range(start, min(REPORTS, start + chance.randint(1, 6))))
        answer = await ledger.claim(posting(*names))
        if answer.posting is not None:
            won.append(str(answer.posting.key))
    return won


async def send_all(ledger: SqlLedger, orders: list[str], who: str) -> list[str]:
    """Try to send one posting of our own for each order; the orders for which we were let through."""
    through: list[str] = []
    for number in orders:
        mine = posting(f"{number} {who}", order_id=number)
        await ledger.claim(mine)
        sent = await ledger.mark_sent(
            mine.key, token=who, deadline=START + timedelta(minutes=1), totals_before=(), documents_before=()
        )
        if sent:
            through.append(number)
    return through


async def main(url: str, task: str, who: str) -> None:
    ledger = await open_ledger(url)
    try:
        await asyncio.to_thread(sys.stdin.readline)
        if task == "claim":
            answer = await claim_at_random(ledger, int(who))
        elif task == "send":
            answer = await send_all(ledger, [f"order-{n}" for n in range(20)], who)
        else:
            await ledger.claim(completion(who))
            answer = sorted(str(key) for key in await ledger.known_keys(PLANT, who))
        sys.stdout.write(json.dumps(answer) + "\n")
    finally:
        await ledger.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
