"""Ids: the same business facts give the same id everywhere, different ones a different id."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from signals.ids import (
    case_id,
    edge_task_queue,
    erp_task_queue,
    event_id,
    intake_workflow_id,
    line_workflow_id,
    order_workflow_id,
    parked_item_id,
    plant_task_queue,
    posting_key,
    report_id,
    short_hash,
    short_key,
    time_text,
)

words = st.text(st.characters(codec="utf-8", exclude_characters="\x1f"), max_size=12)
reports = st.lists(words, min_size=1, max_size=6)


@given(reports, st.randoms())
def test_a_posting_key_does_not_depend_on_the_order_of_its_reports(ids: list[str], random: Random) -> None:
    shuffled = list(ids)
    random.shuffle(shuffled)
    assert posting_key("p", "o", "10", "confirm", ids, 0) == posting_key("p", "o", "10", "confirm", shuffled, 0)


@given(st.tuples(words, words, words, words, words), st.tuples(words, words, words, words, words))
def test_different_facts_give_different_ids(
    one: tuple[str, str, str, str, str], other: tuple[str, str, str, str, str]
) -> None:
    assume(one != other)
    assert posting_of(one) != posting_of(other)
    assert report_of(one) != report_of(other)
    assert event_id(*one) != event_id(*other)
    assert parked_item_id(*one) != parked_item_id(*other)
    assert (case_id(*one[:4]) == case_id(*other[:4])) is (one[:4] == other[:4])


def posting_of(facts: tuple[str, str, str, str, str]) -> UUID:
    plant, order, operation, kind, report = facts
    return posting_key(plant, order, operation, kind, [report], 0)


def report_of(facts: tuple[str, str, str, str, str]) -> str:
    plant, line, order, operation, span = facts
    return report_id(plant, line, order, operation, [span], "")


@given(reports, st.integers(0, 5), st.integers(0, 5))
def test_a_revision_is_a_key_of_its_own(ids: list[str], one: int, other: int) -> None:
    assume(one != other)
    assert posting_key("p", "o", "10", "t", ids, one) != posting_key("p", "o", "10", "t", ids, other)


@given(words, words)
def test_where_one_part_ends_and_the_next_begins_matters(first: str, second: str) -> None:
    assume(second)
    assert short_hash(first, second) != short_hash(first + second)


def test_keys_never_change_between_releases() -> None:
    """Documents that ERPs hold already carry these: another derivation would make all of them unknown."""
    key = posting_key("north", "1000017", "0010", "confirm_production", ["r2", "r1"], 0)
    assert str(key) == "3e175f7c-1d4a-5abe-bacc-58256de14e1c"
    assert key.version == 5
    assert short_key(key) == "WCNXILFI76FTKYEN"
    assert report_id("north", "line-1", "1000017", "0010", ["b:1-2", "a:3-4"], "part") == "wusbevqf67edv76ulus3mwdujq"
    assert parked_item_id("north", "no_order", "e1") == "4mra546or6adzl6c"
    assert event_id("urn:x", "ns=1;s=Good", "2026-03-02T06:00:00.1234567Z", "0", "5") == "32ocri2sgd7gmls7xj3bhxf7m7"


@given(reports)
def test_a_short_key_fits_a_short_reference_field(ids: list[str]) -> None:
    short = short_key(posting_key("p", "o", "10", "t", ids, 0))
    assert len(short) == 16
    assert short == short.upper()
    assert len(base64.b32decode(short)) * 8 == 80


def test_ids_hold_as_many_bits_as_they_promise() -> None:
    assert len(short_hash("a")) == 16
    assert len(event_id("s", "n", "t", "0", "1")) == 26


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14, 14))
def test_an_instant_has_one_spelling_in_any_zone(at: datetime, hours: int) -> None:
    assume(datetime(2, 1, 1, tzinfo=UTC) < at < datetime(9998, 1, 1, tzinfo=UTC))
    assert time_text(at.astimezone(timezone(timedelta(hours=hours)))) == time_text(at)


def test_names_of_workflows_and_queues_are_those_of_the_design() -> None:
    assert line_workflow_id("north", "l1") == "line:north:l1"
    assert order_workflow_id("north", "4711") == "order:north:4711"
    assert intake_workflow_id("north") == "order-intake:north"
    assert plant_task_queue("north") == "plantwright.north"
    assert erp_task_queue("north") == "plantwright.north.erp"
    assert edge_task_queue("north", "l1") == "plantwright.north.edge.l1"
