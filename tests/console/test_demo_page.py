"""The demo page: only where a demo plays, what it shows, what its buttons do, and what stands behind a figure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import NAMESPACE_URL, uuid5

import pytest
import pytest_asyncio

from console.live import Newsroom
from console.pages.demo import BUTTONS, DemoNews, chain
from console.texts import catalogue
from ledger.connect import open_ledger
from ledger.port import EventTrace, OrderTrace, PostingRecord
from signals.demo import DemoFigures, DemoHold, DemoPieces, DemoProcess, DemoStation, DemoView
from signals.documents import Case, CaseAction, CaseKind, ErpDocument, PostingState
from signals.errors import BadInput
from signals.events import CountEvent, SequencedEvent
from signals.reports import Evidence, LineMessage, ProductionReport, ReportBucket
from signals.transactions import ConfirmProduction, TransactionType
from tests.console.house import NORTH, START, House, build_house, furnish
from tests.console.visits import send, signed_in

ORDER = "1000017"
PAGE = f"/p/{NORTH}/demo"


class Stage:
    """A demo that remembers what was done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.seen = view()

    @property
    def mark(self) -> str:
        return str(len(self.done))

    @property
    def acts(self) -> tuple[str, ...]:
        return tuple(button.act for button in BUTTONS)

    def view(self) -> DemoView | None:
        return self.seen

    async def act(self, name: str) -> tuple[str, ...]:
        if name == "change-over":
            raise BadInput("not now: no other run waits", subject=name)
        self.done.append(name)
        return (f"  12.0 s  {name} was done",)


def view() -> DemoView:
    return DemoView(
        at=datetime(2026, 11, 20, 6, 5, tzinfo=UTC),
        seconds=12.5,
        erp_title="simulated SAP S/4HANA",
        erp_up=False,
        erp_away_seconds=7.2,
        stations=(DemoStation(name="press", state="execute", order=ORDER, batch="B1", good=41, reject=1, in_line=1),),
        figures=(
            DemoFigures(
                order=ORDER, operation="0010", phase="running", planned=Decimal(100),
                machine=DemoPieces(good=Decimal(41), scrap=Decimal(1)),
                plantwright=DemoPieces(good=Decimal(40), scrap=Decimal(1)), erp=DemoPieces(good=Decimal(33)),
            ),
        ),
        processes=(DemoProcess(name="worker", alive=False, what="decides and posts"),),
        holds=(DemoHold(hold="H1", state="blocked", reason="force above 430 kN", quantity=Decimal(3), unit="PC"),),
        happened=("   7.0 s  ERP unplugged",),
    )  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[House, Stage]]:
    """One for all tests: making its users costs seconds."""
    ledger = await open_ledger(f"sqlite:///{tmp_path_factory.mktemp('demo') / 'ledger.db'}")
    stage = Stage()
    built = await build_house(ledger, demo=stage)
    await furnish(built)
    yield built, stage
    await ledger.close()


@pytest.fixture
def playing(console: tuple[House, Stage]) -> tuple[House, Stage]:
    console[1].done.clear()
    return console


async def test_without_a_demo_there_is_no_demo_page(house: House) -> None:
    async with signed_in(house, "engineer-1") as client:
        assert (await client.get(PAGE)).status_code == 404
        assert "/demo" not in (await client.get("/")).text


async def test_the_page_shows_three_books_the_dead_worker_the_hold_and_how_far_the_erp_is_behind(
    playing: tuple[House, Stage],
) -> None:
    house, _ = playing
    async with signed_in(house, "operator-1") as client:
        text = (await client.get(PAGE)).text
    for promised in (
        'data-total="machine">42', 'data-total="plantwright">41', 'data-total="erp">33',
        '<span class="behind">9</span>', 'class="dead" data-process="worker"', "ERP unplugged for 7 s",
        f"/p/{NORTH}/holds/H1", "ERP unplugged</li>",
        f"{PAGE}/{ORDER}/0010",
    ):  # fmt: skip
        assert promised in text, promised
    assert all(f'action="{PAGE}/{button.act}"' in text for button in BUTTONS)


async def test_an_entry_by_hand_that_nobody_has_decided_about_is_behind_the_figure_too(
    playing: tuple[House, Stage],
) -> None:
    house, _ = playing
    case = Case(
        case_id="hand-1", plant=NORTH, order=ORDER, operation="0010", kind=CaseKind.MANUAL_ENTRY,
        owner_role="supervisor", summary="document 6/4 was entered by GUI_USER", document="6/4",
        yield_quantity=Decimal(3), allowed=(CaseAction.ADOPT,),
    )  # fmt: skip
    await house.ledger.open_case(case)
    async with signed_in(house, "supervisor-1") as client:
        figure = (await client.get(f"{PAGE}/{ORDER}/0010")).text
    assert "6/4" in figure
    assert f"/p/{NORTH}/cases/hand-1" in figure


async def test_a_button_acts_on_the_demo_and_a_refusal_says_why(playing: tuple[House, Stage]) -> None:
    house, stage = playing
    async with signed_in(house, "engineer-1") as client:
        answer = await send(client, PAGE, f"{PAGE}/unplug")
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}#happened")
        refused = await send(client, PAGE, f"{PAGE}/change-over")
        assert refused.status_code == 409
        assert "No other run waits" in refused.text or "no other run waits" in refused.text
        assert (await send(client, PAGE, f"{PAGE}/explode")).status_code == 404
        assert (await client.post(f"{PAGE}/plug", data={"form_token": "0"})).status_code == 403
    assert stage.done == ["unplug"]


async def test_a_script_is_told_what_happened(playing: tuple[House, Stage]) -> None:
    house, stage = playing
    async with signed_in(house, "engineer-1", accept="application/json") as client:
        told = await send(client, PAGE, f"{PAGE}/drift")
        assert told.json() == {"said": ["  12.0 s  drift was done"]}
        assert (await send(client, PAGE, f"{PAGE}/change-over")).json()["detail"] == "not now: no other run waits"
    assert stage.done == ["drift"]


async def test_nobody_acts_on_the_demo_without_signing_in_or_at_another_plant(playing: tuple[House, Stage]) -> None:
    house, stage = playing
    async with house.client() as stranger:
        assert (await stranger.get(PAGE)).status_code == 303
        assert (await stranger.post(f"{PAGE}/unplug")).status_code in (303, 403)
    async with signed_in(house, "engineer-s") as client:
        assert (await client.get(PAGE)).status_code == 404
    assert stage.done == []


async def test_the_stream_tells_of_the_demo_although_the_ledger_is_still(playing: tuple[House, Stage]) -> None:
    house, stage = playing
    async with Newsroom(DemoNews(house.ledger, stage), [NORTH], look_seconds=0.05) as news, asyncio.timeout(10):
        stream = news.stream({NORTH})
        assert "tick" in await anext(stream)
        news_comes = asyncio.ensure_future(anext(stream))
        for _ in range(40):
            await stage.act("drift")
            done, _ = await asyncio.wait({news_comes}, timeout=0.2)
            if done:
                break
        assert '"demo"' in news_comes.result()


def test_behind_a_figure_stand_document_posting_report_and_the_machines_signals() -> None:
    links = chain(traced(), "0010")
    booked = next(link for link in links if link.posting is not None)
    assert booked.document is not None and booked.document.document == "0001/1"
    assert (booked.good, booked.scrap) == (Decimal(5), Decimal(0))
    assert [e.event.event.event_id for e in booked.reports[0].events] == ["E1", "E2"]
    by_hand = next(link for link in links if link.posting is None and link.document is not None)
    assert by_hand.document is not None and by_hand.document.document == "0009/1" and not by_hand.reports
    assert links[-1].document is None and links[-1].good == Decimal(2)
    assert chain(traced(), "0020") == []


@pytest.mark.parametrize("text", [t for b in BUTTONS for t in (b.label, b.see)])
def test_every_button_speaks_german(text: str) -> None:
    assert text in catalogue("de")


def traced() -> OrderTrace:
    """Two reports of one operation, the first posted, and a document that somebody typed in."""
    key = uuid5(NAMESPACE_URL, "posting")
    return OrderTrace(
        order=None, phase="running", cases=(), parked=(),
        messages=(message("R1", 1, 5, ("E1", "E2")), message("R2", 2, 2, ("E3",))),
        events=tuple(event(f"E{n}", n) for n in (1, 2, 3)),
        postings=(
            PostingRecord(
                key=key, plant=NORTH, order=ORDER, operation="0010", type=TransactionType.CONFIRM_PRODUCTION,
                state=PostingState.POSTED, report_ids=("R1",), document="0001/1",
                transaction=ConfirmProduction(
                    plant=NORTH, order=ORDER, operation="0010", posting_date=START.date(), unit="PC",
                    yield_quantity=Decimal(5),
                ),
            ),
        ),
        documents=(
            ErpDocument(document="0001/1", order=ORDER, operation="0010", yield_quantity=Decimal(5), key=key),
            ErpDocument(document="0009/1", order=ORDER, operation="0010", yield_quantity=Decimal(3)),
        ),
    )  # fmt: skip


def message(name: str, number: int, good: int, events: tuple[str, ...]) -> LineMessage:
    bucket = ReportBucket(order=ORDER, operation="0010", posting_date=START.date())
    report = ProductionReport(
        report_id=name, plant=NORTH, line="line-1", number=number, unit="PC", yield_quantity=Decimal(good),
        bucket=bucket, first_at=START, last_at=START + timedelta(seconds=9),
        evidence=(Evidence(rule="counter-increment/1", event_ids=events),),
    )  # fmt: skip
    return LineMessage(report=report)


def event(name: str, total: int) -> EventTrace:
    count = CountEvent(event_id=name, at=START, equipment="press", tag="Good", counter="Good", total=total)
    return EventTrace(source="edge", event=SequencedEvent(seq=total, event=count))
