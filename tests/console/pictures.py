"""The README's pictures of the console: `python -m tests.console.pictures docs/images`. Run after a page has changed.

The console is the real one over a real ledger; what is in it is made up here: a picture must not depend on luck.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from domain.line_state import LineState
from ledger.connect import open_ledger
from ledger.port import LineRecord
from signals.documents import Case, CaseAction, CaseKind
from signals.reports import LineMessage, ParkedItem, ParkedWhy, ProductionReport, ReportBucket
from tests.console.browsing import launched, page_of, served, sign_in
from tests.console.house import NORTH, PASSWORD, START, House, build_house, furnish, trigger

SIZE = (1200, 760)


async def take(folder: Path) -> list[Path]:
    """Inbox and hold page; the files that were written."""
    with tempfile.TemporaryDirectory() as data:
        ledger = await open_ledger(f"sqlite:///{Path(data) / 'ledger.db'}")
        try:
            house = await build_house(ledger)
            await furnish(house)
            hold = await happenings(house)
            async with launched() as browser, served(house.app) as address, page_of(browser, SIZE) as page:
                await sign_in(page, address, "engineer-1", PASSWORD)
                pages = {"console-inbox": "/?all=1", "console-hold": f"/p/{NORTH}/holds/{hold}"}
                for name, path in pages.items():
                    await page.goto(address + path)
                    await page.screenshot(path=folder / f"{name}.png")
                return [folder / f"{name}.png" for name in pages]
        finally:
            await ledger.close()


async def happenings(house: House) -> str:
    """A shift's worth of what wants people; the hold."""
    now = house.now[0]
    bucket = ReportBucket(order="1000017", operation="0010", batch="B1", posting_date=date(2026, 11, 20))
    report = ProductionReport(
        report_id="r1", plant=NORTH, line="line-1", number=1, bucket=bucket, yield_quantity=Decimal(42), unit="PC",
        first_at=START, last_at=now,
    )  # fmt: skip
    await house.ledger.record_line(
        LineRecord(
            plant=NORTH,
            line="line-1",
            revision=1,
            checkpoint=LineState(plant=NORTH, line="line-1").model_dump_json(),
            messages=(LineMessage(report=report),),
        )
    )
    hold = (await house.ledger.open_hold(trigger("batch B1"))).hold
    record = await house.ledger.hold(NORTH, hold)
    assert record is not None
    await house.ledger.record_hold(
        record.model_copy(update={"revision": 1, "due_at": now + timedelta(minutes=54), "erp": "blocked"})
    )
    case = Case(
        case_id="case-1", plant=NORTH, order="1000018", operation="0010", kind=CaseKind.ERP_REJECTED,
        owner_role="integration ops", summary="SAP refused 12 PC of order 1000018: posting period 10/2026 is closed",
        error_code="M7/053", allowed=(CaseAction.RETRY,), opened_at=START, due_at=START + timedelta(minutes=3),
    )  # fmt: skip
    await house.ledger.open_case(case)
    item = ParkedItem(
        item="item-1", plant=NORTH, line="line-1", order="1000017", operation="0010", why=ParkedWhy.IMPLAUSIBLE_COUNT,
        detail="counter Good went from 40 to 900 in two seconds", at=START, yield_quantity=Decimal(860), unit="PC",
    )  # fmt: skip
    await house.ledger.park((item,))
    return hold


if __name__ == "__main__":
    wanted = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    wanted.mkdir(parents=True, exist_ok=True)
    for file in asyncio.run(take(wanted)):
        sys.stdout.write(f"{file}\n")
