"""Inspection results in: what fails is held, what is disputed or nameless never releases, repetition changes nothing.

The real set is the NIST one (four files, two inspections of two parts); what is damaged is made from it or by hand.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from ledger.connect import open_ledger
from ledger.hold_port import OpenedHold
from ledger.store import SqlLedger
from signals.errors import BadInput
from signals.holds import (
    DecisionState,
    HoldCause,
    HoldDecisionMade,
    HoldDisposition,
    HoldDispositionKind,
    HoldRecord,
    HoldSearch,
    HoldState,
    HoldTrigger,
    InspectionOutcome,
)
from signals.people import Actor
from signals.quality import CharacteristicResult
from tests.scada.test_qif import document
from workers.cli.app import run
from workers.inspections import FileResult, Inspections, Told
from workers.plant_file import load_plant

ROOT = Path(__file__).resolve().parents[2]
NIST = ROOT.parent / "shared" / "data" / "nist" / "qif"
DEMO = ROOT / "workers" / "defaults" / "demo.toml"
NOW = dt.datetime(2026, 3, 2, 6, 0, tzinfo=dt.UTC)
PLANT = "demo"

needs_nist = pytest.mark.skipif(not NIST.is_dir(), reason="needs ../shared/data/nist/qif, which is not here")


@dataclass
class Desk:
    """Notes what processes are told."""

    opened_: list[tuple[HoldTrigger, OpenedHold]] = field(default_factory=list)
    inspected_: list[tuple[str, InspectionOutcome]] = field(default_factory=list)

    async def opened(self, trigger: HoldTrigger, opened: OpenedHold) -> bool:
        self.opened_.append((trigger, opened))
        return True

    async def inspected(self, plant: str, hold: str, outcome: InspectionOutcome) -> bool:
        self.inspected_.append((hold, outcome))
        return True


@pytest_asyncio.fixture(loop_scope="session")
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    opened = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    await opened.close()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def inspections(ledger: SqlLedger, desk: Desk) -> Inspections:
    return Inspections(ledger, load_plant(DEMO, {}), lambda: NOW, desk)


def nist(*names: str) -> list[Path]:
    return [next(NIST.glob(f"{name}*")) for name in names]


PLATE, COVER, FIRST_PLATE, FIRST_COVER = "incoming_Plate", "incoming_Cover", "fair_Plate", "fair_Cover"


def figures(result: FileResult) -> tuple[int, int, int, int]:
    return result.parts, result.passed, result.held, result.parked


async def causes(ledger: SqlLedger, hold: str) -> dict[HoldCause, tuple[str, ...]]:
    return {t.reason.cause: t.scope.serials for t in await ledger.hold_triggers(PLANT, hold)}


async def holds_by_material(ledger: SqlLedger) -> dict[str, HoldRecord]:
    return {h.scope.material: h for h in await ledger.holds(PLANT, HoldSearch())}


@needs_nist
async def test_every_incoming_plate_is_held_and_no_cover(ledger: SqlLedger, inspections: Inspections) -> None:
    plate, cover = (await inspections.import_files(nist(PLATE, COVER))).files
    assert figures(plate) == (20, 0, 20, 0)
    assert figures(cover) == (20, 20, 0, 1), "one cover has no serial number: it passed, and a person says which it is"
    assert cover.verdicts == {"passed": 20, "failed": 0, "disputed": 0}
    assert (plate.characteristics_passed, plate.characteristics_failed) == (569, 51)
    assert (cover.characteristics_passed, cover.characteristics_failed) == (541, 0)
    [block] = await ledger.blocks(PLANT)
    assert block.scope.material == plate.material and len(block.scope.serials) == 20
    assert await ledger.blocks(PLANT, material=cover.material) == []
    [parked] = await ledger.parked(PLANT)
    assert parked.why.value == "no_serial" and "A20" in parked.detail, "the source's own trace of it is shown"


@needs_nist
@pytest.mark.parametrize(("order", "at_once"), [((0, 1, 2, 3), True), ((3, 2, 1, 0), False), ((2, 0, 3, 1), False)])
async def test_results_that_disagree_never_release_whatever_comes_first(
    ledger: SqlLedger, inspections: Inspections, order: tuple[int, ...], at_once: bool
) -> None:
    names = (PLATE, COVER, FIRST_PLATE, FIRST_COVER)
    files = nist(*(names[n] for n in order))
    if not at_once:
        for file in files:
            await inspections.import_files([file])
    result = await inspections.import_files(files)
    found = {Path(f.file).name.partition("_Results")[0].partition("Results")[0]: figures(f) for f in result.files}
    assert found == {
        PLATE: (20, 0, 20, 0), COVER: (20, 20, 0, 1), FIRST_PLATE: (21, 0, 20, 1), FIRST_COVER: (20, 19, 1, 0),
    }  # fmt: skip
    held = await holds_by_material(ledger)
    assert len(held) == 3
    first_plates = await causes(ledger, held["nist_mtc_crada_plate"].hold)
    assert first_plates[HoldCause.CONFLICT] == ("12",), "the one that passed here failed there"
    assert set(first_plates[HoldCause.INSPECTION]) == {str(n) for n in range(1, 21)} - {"12"}
    assert (await causes(ledger, held["nist_mtc_crada_cover"].hold))[HoldCause.INSPECTION] == ("20",)
    assert len(await ledger.parked(PLANT)) == 2


@needs_nist
async def test_a_component_without_a_serial_never_releases(ledger: SqlLedger, inspections: Inspections) -> None:
    [first] = (await inspections.import_files(nist(FIRST_PLATE))).files
    assert figures(first) == (21, 1, 19, 1) and first.verdicts["disputed"] == 1
    [parked] = await ledger.parked(PLANT)
    assert parked.why.value == "no_serial" and "is not released" in parked.detail
    [plate] = (await inspections.import_files(nist(PLATE))).files
    by_cause = await causes(ledger, (await holds_by_material(ledger))[plate.material].hold)
    [stand_in] = by_cause[HoldCause.NO_SERIAL]
    assert stand_in in by_cause[HoldCause.INSPECTION] and len(by_cause[HoldCause.INSPECTION]) == 20


@needs_nist
async def test_the_same_results_again_under_any_name_change_nothing(
    ledger: SqlLedger, inspections: Inspections, desk: Desk, tmp_path: Path
) -> None:
    files = nist(PLATE, COVER, FIRST_PLATE, FIRST_COVER)
    first = await inspections.import_files(files)
    before = await snapshot(ledger)
    assert all(opened.news for _, opened in desk.opened_)
    desk.opened_.clear()
    again: list[Path] = []
    for number, file in enumerate(reversed(files)):
        packed = tmp_path / f"scan-{number}.xml"
        packed.write_bytes(gzip.decompress(file.read_bytes()))
        again.append(packed)
    second = await inspections.import_files(again)
    assert [figures(f) for f in reversed(second.files)] == [figures(f) for f in first.files]
    assert all(f.new == 0 for f in second.files) and await snapshot(ledger) == before
    assert not any(opened.news for _, opened in desk.opened_) and not desk.inspected_
    assert sorted(second.holds) == sorted(first.holds)


async def test_a_single_result_that_contradicts_itself_is_no_good_second_look(
    ledger: SqlLedger, inspections: Inspections, desk: Desk
) -> None:
    failed = await inspections.record(outcome(passed=False, results=()))
    [hold] = await ledger.holds(PLANT, HoldSearch())
    await ledger.record_hold(reworked(hold))
    wrong = CharacteristicResult(characteristic="Bore", value="12", lower="9.75", upper="10.5", passed=True)
    for _ in range(2):
        await inspections.record(outcome(inspection="second", results=(wrong,)))
    [(told, heard)] = desk.inspected_
    assert [told] == failed.holds and not heard.passed, "people hear that it is not good, and once"


async def snapshot(ledger: SqlLedger) -> tuple[object, ...]:
    held = await ledger.holds(PLANT, HoldSearch(open_only=False))
    return (
        held,
        [await ledger.hold_triggers(PLANT, h.hold) for h in held],
        await ledger.blocks(PLANT),
        await ledger.parked(PLANT),
        await ledger.inspections(PLANT),
    )


@needs_nist
async def test_one_damaged_file_among_good_ones_changes_nothing(
    ledger: SqlLedger, inspections: Inspections, tmp_path: Path
) -> None:
    [good] = nist(PLATE)
    whole = gzip.decompress(good.read_bytes())
    short = tmp_path / "short.qif"
    short.write_bytes(whole[: len(whole) // 2])
    for bad in (short, tmp_path / "absent.qif", tmp_path):
        with pytest.raises(BadInput) as refused:
            await inspections.import_files([good, bad])
        assert str(bad) in str(refused.value)
    assert await snapshot(ledger) == ([], [], [], [], [])


async def test_a_piece_that_passes_after_it_failed_is_held_for_the_contradiction(
    ledger: SqlLedger, inspections: Inspections, desk: Desk, tmp_path: Path
) -> None:
    await inspections.import_files([written(tmp_path, "1", status="FAIL", piece="FAIL", value="11")])
    [(_, opened)] = desk.opened_
    [again] = (await inspections.import_files([written(tmp_path, "2", value="10.1")])).files
    assert figures(again) == (1, 0, 1, 0) and again.why[0]["against"] == "S-1"
    assert set(await causes(ledger, opened.hold)) == {HoldCause.INSPECTION, HoldCause.CONFLICT}
    [(told, outcome)] = desk.inspected_
    assert told == opened.hold and outcome.passed and outcome.serial == "S-1"


async def test_after_rework_a_pass_is_the_wanted_second_look(
    ledger: SqlLedger, inspections: Inspections, desk: Desk, tmp_path: Path
) -> None:
    await inspections.import_files([written(tmp_path, "1", status="FAIL", piece="FAIL", value="11")])
    [hold] = await ledger.holds(PLANT, HoldSearch())
    await ledger.record_hold(reworked(hold))
    second = written(tmp_path, "2", value="10.1")
    [again] = (await inspections.import_files([second])).files
    assert figures(again) == (1, 1, 0, 0)
    [(_, outcome)] = desk.inspected_
    closed = reworked(hold).model_copy(update={
        "revision": 3, "state": HoldState.CLOSED, "inspections": (outcome,), "closed_at": NOW,
    })  # fmt: skip
    assert await ledger.record_hold(closed)
    [later] = (await inspections.import_files([second])).files
    assert figures(later) == (1, 1, 0, 0), "and stays it when the hold is over"
    assert await ledger.blocks(PLANT) == []


def reworked(hold: HoldRecord) -> HoldRecord:
    decision = HoldDecisionMade(
        decision="d1", state=DecisionState.IN_FORCE, reasons=(), at=NOW - dt.timedelta(days=20 * 365),
        dispositions=(HoldDisposition(kind=HoldDispositionKind.REWORK, quantity=hold.quantity),),
        by=Actor(user="qe-1", plant=PLANT, role="quality engineer"),
    )  # fmt: skip
    return hold.model_copy(update={"revision": 2, "state": HoldState.AWAITS_INSPECTION, "decisions": (decision,)})


def written(folder: Path, name: str, **said: str) -> Path:
    file = folder / f"{name}.qif"
    file.write_bytes(document(**said).replace(b"q-1", f"q-{name}".encode()))
    return file


async def test_order_and_batch_are_held_as_told(ledger: SqlLedger, inspections: Inspections, tmp_path: Path) -> None:
    bad = written(tmp_path, "1", status="FAIL", piece="FAIL")
    await inspections.import_files([bad], Told(order="1000001", operation="0030", batch="B-7", kind="final"))
    [block] = await ledger.blocks(PLANT, order="1000001")
    assert (block.scope.operation, block.scope.batch, block.scope.serials) == ("0030", "B-7", ("S-1",))
    [piece] = await ledger.inspections(PLANT, batch="B-7")
    assert piece.outcome.kind == "final" and piece.outcome.at == dt.datetime(2017, 3, 7, 9, 39, 11, tzinfo=dt.UTC)
    assert await ledger.inspections("other") == [] == await ledger.inspections(PLANT, serial="S-2")


def outcome(**changes: object) -> InspectionOutcome:
    bore = CharacteristicResult(characteristic="Bore", value="10.2", passed=True)
    return InspectionOutcome.model_validate(
        {"inspection": "i1", "material": "BRACKET", "serial": "S-9", "passed": True, "results": (bore,), "at": NOW}
        | changes
    )


async def test_a_single_result_is_recorded_once_and_holds_what_failed(
    ledger: SqlLedger, inspections: Inspections
) -> None:
    good = await inspections.record(outcome())
    assert good.state == "passed" and good.holds == []
    failed = await inspections.record(outcome(inspection="i2", serial="S-8", passed=False, results=()))
    assert failed.state == "held" and len(failed.holds) == 1
    assert (await inspections.record(outcome(inspection="i2", serial="S-8", passed=False, results=()))) == failed
    with pytest.raises(BadInput, match="known with another result"):
        await inspections.record(outcome(inspection="i2", serial="S-8"))
    nameless = await inspections.record(outcome(inspection="i3", serial=""))
    assert nameless.state == "parked" and nameless.holds == [] and len(nameless.parked_items) == 1
    wrong = CharacteristicResult(characteristic="Bore", value="12", passed=False)
    disputed = await inspections.record(outcome(inspection="i4", serial="S-7", results=(wrong,)))
    assert disputed.state == "held", "good as a whole and bad in a part is no pass"
    beyond = CharacteristicResult(characteristic="Bore", value="12", lower="9.75", upper="10.5", passed=True)
    doubtful = await inspections.record(outcome(inspection="i6", serial="S-6", results=(beyond,)))
    assert doubtful.state == "held", "good with a value beyond its limits is no pass"
    assert (await inspections.record(outcome(inspection="i7", serial="-"))).state == "parked"
    comma = CharacteristicResult(characteristic="Bore", value="10,2", lower="9.75", upper="10.5", passed=True)
    with pytest.raises(BadInput, match="Bore says value '10,2', which is no number"):
        await inspections.record(outcome(inspection="i8", serial="S-5", results=(comma,)))
    other = await inspections.record(outcome(inspection="i5", serial="S-8"))
    assert other.state == "held" and other.against == ["i2"]


@needs_nist
def test_the_command_says_what_became_of_each_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    renamed = tmp_path / "x.bin"
    shutil.copy(nist(PLATE)[0], renamed)
    code = run(["quality", "import", str(renamed), "--plant", str(DEMO), "--data", str(tmp_path / "data"), "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    [file] = json.loads(said.out.splitlines()[-1])["files"]
    assert {k: file[k] for k in ("file", "material", "parts", "passed", "held", "parked")} == {
        "file": str(renamed), "material": "nist_mtc_crada_plate_Origin_Nikon_Touch",
        "parts": 20, "passed": 0, "held": 20, "parked": 0,
    }  # fmt: skip
    assert re.search(r"1 hold blocks? in the ledger", said.err), "no process runs here, and that is said"
