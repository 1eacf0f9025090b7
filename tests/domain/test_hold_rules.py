"""Hold rules: what is made between the last good and the first good check is held, however the events arrive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.hold_rules import speaks_against
from domain.hold_scope import covers
from domain.line import LineBook
from domain.line_state import LineState
from domain.plant import FilterConfig, PlantConfig, TagConfig, TagKind
from domain.plant_quality import HoldRule, QualityConfig
from signals.events import AlarmEvent, GapEvent, MeasurementEvent, OrderAspect, OrderEvent, Quality
from signals.holds import HoldCause, HoldTrigger
from tests.domain.floor import (
    LINE,
    PLANT,
    START,
    Floor,
    batch_of,
    book,
    heartbeat,
    plant,
    reborn,
    reports,
    run,
    station,
)

LIMITS: dict[str, Any] = {"id": "force", "station": "press", "tag": "Force", "lower": Decimal(10), "upper": Decimal(20)}
RATE: dict[str, Any] = {"id": "rate", "station": "press", "defect_rate_percent": Decimal(20), "window_pieces": 10}
ALARMS: dict[str, Any] = {"id": "alarm", "station": "press", "alarms": ("50*",)}


def plant_with(*rules: dict[str, Any]) -> PlantConfig:
    press = station("press", "0010")
    more = (
        TagConfig(name="Force", kind=TagKind.MEASUREMENT, unit="kN", filter=FilterConfig(every=True)),
        TagConfig(name="Alarm", kind=TagKind.ALARM),
    )
    press = press.model_copy(update={"tags": (*press.tags, *more)})
    made = plant(stations=(press, station("weld", "0020")))
    quality = QualityConfig(rule=tuple(HoldRule(**r) for r in rules))
    return PlantConfig.model_validate(made.model_copy(update={"quality": quality}).model_dump(by_alias=True))


class Press(Floor):
    """A press whose pieces are measured; it keeps when each was made and what its check said."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pieces: list[tuple[datetime, str, str, bool | None]] = []
        self.start("A", "B1")

    def start(self, order: str, batch: str) -> None:
        self.wait(1)
        self.batch("press", batch)
        self.order("press", order)

    def measure(self, value: str, quality: Quality = Quality.GOOD) -> None:
        self._say(MeasurementEvent, "press", "Force", characteristic="Force", value=value, quality=quality)

    def alarm(self, code: str, *, active: bool = True) -> None:
        self.wait(1)
        self._say(AlarmEvent, "press", "Alarm", code=code, active=active)

    def gap(self) -> None:
        self.wait(1)
        self._say(GapEvent, "press", "State", gap_from=self.at - timedelta(seconds=1), reason="session lost")

    def make(self, *values: str, good: bool = True) -> None:
        """Pieces, each measured at the instant of its count; "-" is not measured."""
        for value in values:
            self.wait(5)
            if value != "-":
                self.measure(value)
            self.piece("press", good=good)
            passed = None if value == "-" else 10 <= Decimal(value) <= 20
            context = self._context["press"]
            self.pieces.append((self.at, context["order"], context["batch"], passed))


def line_for(*rules: dict[str, Any]) -> LineBook:
    return book(plant_with(*rules))


def triggers(floor: Floor, *rules: dict[str, Any]) -> list[HoldTrigger]:
    return run(floor, line_for(*rules)).state.new_holds


def held(found: Sequence[HoldTrigger], at: datetime, order: str, batch: str) -> bool:
    """Whether what was made then is held, by the latest word of each deviation."""
    latest = {t.continues or t.trigger: t for t in found}
    return any(covers(t.scope, order=order, operation="0010", material="", batch=batch, at=at) for t in latest.values())


def test_healthy_production_holds_nothing() -> None:
    floor = Press()
    floor.make("10", "15", "20", "-", "12.5")
    assert triggers(floor, LIMITS, RATE, ALARMS) == []


def test_a_value_beyond_its_limit_holds_what_was_made_since_the_last_good_check_until_the_next_one() -> None:
    floor = Press()
    floor.make("15", "-", "-", "21", "22", "-", "19", "15")
    opened, ended = triggers(floor, LIMITS)
    assert (opened.scope.order, opened.scope.operation, opened.scope.batch) == ("A", "0010", "B1")
    assert (opened.scope.line, opened.scope.station, opened.scope.until) == (LINE, "press", None)
    assert opened.reason.cause is HoldCause.LIMIT and opened.reason.rule == "force/1"
    assert opened.reason.text == "Force 21 kN is above 20"
    assert [m.value for m in opened.reason.evidence] == ["15", "21"]
    assert (opened.reason.evidence[-1].lower, opened.reason.evidence[-1].passed) == ("10", False)
    assert (ended.continues, ended.reason.reason) == (opened.trigger, opened.reason.reason)
    assert [m.value for m in ended.reason.evidence] == ["15", "21", "22", "19"]
    assert ended.quantity == 5
    found = [opened, ended]
    assert [held(found, at, order, batch) for at, order, batch, _ in floor.pieces] == [False] + [True] * 5 + [False] * 2


def test_so_many_checks_in_a_row_must_be_out_of_spec_and_all_of_them_are_held() -> None:
    floor = Press()
    floor.make("15", "21", "21", "15", "21", "22", "23", "15")
    opened, _ended = triggers(floor, {**LIMITS, "consecutive": 3})
    assert opened.reason.cause is HoldCause.CONSECUTIVE
    assert opened.reason.text == "3 checks in a row are out of spec, the latest: Force 23 kN is above 20"
    made = [held([opened], at, order, batch) for at, order, batch, _ in floor.pieces]
    assert made == [False] * 4 + [True] * 4


def test_no_report_mixes_pieces_in_and_out_of_a_deviation_where_each_was_checked() -> None:
    floor = Press()
    floor.make(*["15"] * 7, "21", "22", "15", "15")
    line = run(floor, line_for(LIMITS))
    opened, ended = line.state.new_holds
    found = [opened, ended]
    made = [
        (r.yield_quantity, held(found, r.first_at, "A", "B1"), held(found, r.last_at, "A", "B1")) for r in reports(line)
    ]
    assert made == [(5, False, False), (2, False, False), (2, True, True), (2, False, False)]


def test_bad_quality_lost_values_and_gaps_say_nothing_and_uncertain_ones_speak_only_against() -> None:
    floor = Press()
    floor.make("15")
    for value, quality in (("99", Quality.BAD), ("", Quality.BAD), ("nan", Quality.GOOD), ("oops", Quality.GOOD)):
        floor.wait(1)
        floor.measure(value, quality)
    floor.gap()
    assert triggers(floor, LIMITS) == []
    floor.wait(1)
    floor.measure("25", Quality.UNCERTAIN)
    floor.wait(1)
    floor.measure("15", Quality.UNCERTAIN)
    found = triggers(floor, LIMITS)
    assert [(t.continues, t.scope.until) for t in found] == [("", None)]


def test_a_check_while_no_order_is_at_the_station_holds_nothing() -> None:
    floor = Press()
    floor.start("", "")
    floor.make("99")
    assert triggers(floor, LIMITS) == []


def test_a_changeover_ends_a_deviation_and_the_next_bad_check_holds_the_next_order() -> None:
    floor = Press()
    floor.make("15", "25", "25")
    floor.start("C", "B9")
    changed = floor.at
    floor.make("25", "15")
    first, ended, second, over = triggers(floor, LIMITS)
    assert (ended.continues, ended.scope.until, ended.quantity) == (first.trigger, changed, 2)
    assert (second.scope.order, second.scope.batch, second.scope.since) == ("C", "B9", changed)
    assert (over.continues, over.quantity) == (second.trigger, 1)


def test_pieces_that_nobody_checked_before_a_changeover_are_held_with_the_bad_check_after_it() -> None:
    floor = Press()
    floor.make("15", "-", "-")
    floor.start("A", "B2")
    floor.make("-", "25")
    before, after = triggers(floor, LIMITS)
    assert [(t.scope.batch, t.quantity, t.scope.until is None) for t in (before, after)] == [
        ("B1", 2, False),
        ("B2", 1, True),
    ]
    assert before.reason.reason == after.reason.reason


def test_a_word_that_is_not_accepted_is_a_failed_inspection() -> None:
    floor = Press()
    floor.make("-")
    floor.measure("OK")
    floor.wait(1)
    floor.measure("NOK")
    words = {"id": "vision", "station": "press", "tag": "Force", "accepted": ("OK",)}
    (opened,) = triggers(floor, words)
    assert (opened.reason.cause, opened.reason.text) == (HoldCause.INSPECTION, "Force NOK kN is not OK")


def test_too_many_rejects_among_the_latest_pieces_hold_the_good_ones_since_the_first_of_them() -> None:
    floor = Press()
    floor.make(*["-"] * 20)
    floor.make("-", "-", good=False)
    assert triggers(floor, RATE) == []
    floor.make(*["-"] * 3)
    floor.make("-", good=False)
    (opened,) = triggers(floor, RATE)
    assert opened.reason.cause is HoldCause.DEFECT_RATE
    assert opened.reason.text == "3 of the latest 10 pieces were bad, more than 20 %; the latest: rejected"
    assert opened.scope.since == floor.pieces[19][0] + timedelta(microseconds=1)
    assert opened.quantity == 3
    floor.make(*["-"] * 10)
    assert triggers(floor, RATE)[-1].continues == opened.trigger


def test_a_defect_rate_of_checks_counts_those_of_its_tag() -> None:
    floor = Press()
    floor.make("15", "25", "15", "25", "15", "15", "15", "15", "15", "25")
    rule = {**LIMITS, "defect_rate_percent": Decimal(20), "window_pieces": 10}
    (opened,) = triggers(floor, rule)
    assert opened.reason.text.startswith("3 of the latest 10 checks of Force were bad")
    assert held([opened], floor.pieces[1][0], "A", "B1") and not held([opened], floor.pieces[0][0], "A", "B1")


def test_what_is_made_while_an_alarm_of_the_class_stands_is_held_also_beyond_a_changeover() -> None:
    floor = Press()
    floor.make("-")
    floor.alarm("4711")
    floor.make("-")
    floor.alarm("5012")
    floor.make("-", "-")
    floor.start("C", "B9")
    floor.make("-")
    floor.alarm("5012", active=False)
    floor.make("-")
    first, ended, second, over = triggers(floor, ALARMS)
    assert (first.reason.cause, first.reason.text) == (HoldCause.ALARM, "alarm 5012")
    assert [(t.scope.order, t.quantity) for t in (ended, over)] == [("A", 2), ("C", 1)]
    assert second.reason.text == "alarm 5012 stands"
    found = [first, ended, second, over]
    expected = [False, False, True, True, True, False]
    assert [held(found, at, order, batch) for at, order, batch, _ in floor.pieces] == expected


def test_the_end_names_serial_numbers_where_every_piece_has_one() -> None:
    floor = Press()
    floor.make("15")
    for serial in ("S1", "S2", "S3"):
        floor.wait(1)
        floor._say(OrderEvent, "press", "Serial", aspect=OrderAspect.SERIAL, value=serial)
        floor.make("25" if serial != "S3" else "15")
    opened, ended = triggers(floor, LIMITS)
    assert (opened.scope.serials, ended.scope.serials) == ((), ("S1", "S2"))


def test_a_long_deviation_is_told_again_every_five_minutes_and_keeps_its_first_and_latest_evidence() -> None:
    floor = Press()
    floor.make("15", *["25"] * 130, "15")
    opened, grown, grown_again, ended = triggers(floor, LIMITS)
    assert {t.continues for t in (grown, grown_again, ended)} == {opened.trigger}
    assert grown.scope == grown_again.scope == opened.scope
    assert opened.quantity < grown.quantity < grown_again.quantity < ended.quantity == 130
    evidence = ended.reason.evidence
    assert len(evidence) == 60
    assert (evidence[0].value, evidence[1].value, evidence[-1].value) == ("15", "25", "15")


def test_other_limits_judge_anew_and_end_what_was_told_under_the_old_ones() -> None:
    floor = Press()
    floor.make("15", "25")
    line = run(floor, line_for(LIMITS))
    (opened,) = line.state.new_holds
    wider = plant_with({**LIMITS, "version": 2, "upper": Decimal(30)})
    line = LineBook(LineState.model_validate_json(line.state.model_dump_json()), wider)
    known = len(floor.events)
    floor.at += timedelta(days=3)
    floor.make("25")
    line.ingest(batch_of(floor.sequenced()[known:]))
    line.ingest(heartbeat(len(floor.events), floor.at + timedelta(days=1)))
    assert line.state.new_holds[-1].continues == opened.trigger


def test_a_line_from_before_there_were_rules_goes_on_with_them() -> None:
    state = LineState(plant=PLANT, line=LINE).model_dump(mode="json")
    for name in ("new_holds", "hold_outbox"):
        del state[name]
    floor = Press()
    floor.make("25")
    line = run(floor, LineBook(LineState.model_validate(state), plant_with(LIMITS)))
    assert [t.scope.since for t in line.state.new_holds] == [START + timedelta(seconds=1)], "since its order came"


# --- any way of arriving ---------------------------------------------------------------------------------------

ACTIONS = ("15", "15", "15", "25", "25", "5", "-", "scrap", "bad", "gap", "order", "batch", "alarm", "clear", "long")


@st.composite
def presses(draw: st.DrawFn) -> Press:
    floor = Press()
    for action in draw(st.lists(st.sampled_from(ACTIONS), min_size=5, max_size=60)):
        match action:
            case "order":
                floor.start(draw(st.sampled_from(["A", "C"])), draw(st.sampled_from(["B1", "B2"])))
            case "batch":
                floor.wait(1)
                floor.batch("press", draw(st.sampled_from(["B1", "B2", "B3"])))
            case "scrap":
                floor.make("-", good=False)
            case "bad":
                floor.measure("99", Quality.BAD)
            case "gap":
                floor.gap()
            case "alarm" | "clear":
                floor.alarm("5012", active=action == "alarm")
            case "long":
                floor.wait(400)
            case value:
                floor.make(value)
    floor.wait(1)
    return floor


@settings(deadline=None, max_examples=60)
@given(floor=presses(), data=st.data())
def test_any_batching_and_any_restart_give_the_same_triggers_as_a_backlog(floor: Press, data: st.DataObject) -> None:
    rules = (LIMITS, {**LIMITS, "id": "three", "consecutive": 3}, RATE, ALARMS)
    line, events, at = line_for(*rules), floor.sequenced(), 0
    found: list[HoldTrigger] = []
    while at < len(events):
        size = data.draw(st.integers(1, 12))
        part = events[at : at + size]
        behind = data.draw(st.sampled_from([0, 0, 3, 30]))
        line.ingest(batch_of(part, watermark=part[-1].event.at - timedelta(seconds=behind, microseconds=1)))
        if data.draw(st.booleans()):  # the same batch once more
            line.ingest(batch_of(part))
        at += size
        if data.draw(st.booleans()):
            found += line.take_news().holds
            line = reborn(line)
    line.ingest(heartbeat(len(events), floor.at + timedelta(days=2)))
    found += line.take_news().holds
    assert found == triggers(floor, *rules)
    assert len({t.trigger for t in found}) == len(found)
    assert [t.trigger for t in line.state.hold_outbox] == [t.trigger for t in found]


@settings(deadline=None, max_examples=80)
@given(floor=presses())
def test_every_piece_that_failed_its_check_is_held_and_none_that_passed(floor: Press) -> None:
    found = triggers(floor, LIMITS)
    for at, order, batch, passed in floor.pieces:
        if passed is not None:
            assert held(found, at, order, batch) is not passed


@settings(deadline=None, max_examples=40)
@given(floor=presses())
def test_quantities_are_the_good_pieces_counted_in_the_scope(floor: Press) -> None:
    latest = {t.continues or t.trigger: t for t in triggers(floor, LIMITS)}
    for told in latest.values():
        if told.scope.until is None:
            continue
        inside = [p for p in floor.pieces if held([told], p[0], p[1], p[2])]
        scrapped = {e.at for e in floor.events if e.tag == "Reject"}
        assert told.quantity == len([p for p in inside if p[0] not in scrapped])


def remembered(floor: Press) -> int:
    line = run(floor, line_for(LIMITS, RATE))
    return len(line.state.station("press").model_dump_json())


def test_what_is_remembered_stays_small_however_long_it_goes_on() -> None:
    floor = Press()
    floor.make(*["25", "15", "25"] * 30)
    short = remembered(floor)
    floor.make(*["25", "15", "25"] * 200)
    assert remembered(floor) < short * 1.1


def test_what_speaks_against_material_is_known_before_it_is_judged_in_its_place() -> None:
    floor = Press()
    floor.make("15", "21")
    floor.alarm("5012")
    floor.alarm("5012", active=False)
    floor.alarm("4711")
    quality = plant_with(LIMITS, ALARMS).quality
    assert [e.tag for e in floor.events if speaks_against(quality, LINE, e)] == ["Force", "Alarm"]
    assert not any(speaks_against(QualityConfig(), LINE, e) for e in floor.events)


@pytest.mark.parametrize("cuts", [1, 7])
def test_a_backlog_of_hours_holds_the_same_as_live_data(cuts: int) -> None:
    floor = Press()
    for _ in range(6):
        floor.make(*["15"] * 20, "25", "26", "15")
        floor.wait(1800)
    line, events = line_for(LIMITS), floor.sequenced()
    for at in range(0, len(events), cuts):
        part = events[at : at + cuts]
        line.ingest(batch_of(part, watermark=part[-1].event.at - timedelta(microseconds=1)))
    line.ingest(heartbeat(len(events), floor.at + timedelta(days=2)))
    assert line.state.new_holds == triggers(floor, LIMITS)
    assert len(line.state.new_holds) == 12
