"""An order that changes while nobody watches the line: what is certain is counted, the rest parked, never guessed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from signals.events import GapEvent, MachineEvent, Quality
from signals.reports import ParkedWhy
from tests.domain.floor import LINE, Floor, booked, busy, ends, ordered, parked, run


def unwatched(floor: Floor, since: datetime, seen_before: int) -> None:
    """Of what happened meanwhile only every tag's last value is seen, as a new subscription shows it."""
    latest: dict[tuple[str, str], MachineEvent] = {}
    for event in floor.events[seen_before:]:
        latest[event.equipment, event.tag] = event
    floor.wait(1)
    gap = GapEvent(
        event_id=f"gap{seen_before}",
        at=floor.at,
        equipment=LINE,
        tag="session",
        quality=Quality.BAD,
        gap_from=since,
        reason="the gateway was not running",
    )
    floor.events[seen_before:] = [gap, *latest.values()]


def changeover(before: int, after: int, first: str = "A") -> Floor:
    """Pieces of the old order and of order B, made while nobody watched."""
    floor = busy() if first == "A" else Floor()
    since, seen = floor.at, len(floor.events)
    for _ in range(before):
        floor.wait(1)
        floor.piece("press")
    floor.wait(1)
    floor.order("press", "B")
    for _ in range(after):
        floor.wait(1)
        floor.piece("press")
    unwatched(floor, since, seen)
    return floor


@pytest.mark.parametrize(("before", "after"), [(2, 3), (1, 1), (0, 2), (4, 1)])
def test_pieces_across_an_unseen_change_are_parked_but_the_last_one(before: int, after: int) -> None:
    floor = changeover(before, after)
    floor.wait(5)
    floor.piece("press")
    line = run(floor)
    (item,) = parked(line)
    assert (item.why, int(item.yield_quantity)) == (ParkedWhy.GAP, before + after - 1)
    made = {key[0]: good for key, (good, _) in booked(line).items()}
    assert made == {"A": 3, "B": 2}
    assert sum(made.values()) + int(item.yield_quantity) == sum(good for good, _ in floor.truth.values())


def test_one_piece_after_an_unseen_change_is_certain() -> None:
    line = run(floor := changeover(0, 1))
    assert parked(line) == []
    assert booked(line) == ordered(floor.truth)


def test_pieces_before_an_unseen_change_that_made_none_yet_are_the_old_orders() -> None:
    floor = changeover(4, 0)
    floor.wait(5)
    for _ in range(3):
        floor.piece("press")
    line = run(floor)
    assert parked(line) == []
    assert booked(line) == ordered(floor.truth)


def test_an_order_that_comes_to_an_idle_station_unseen_has_all_pieces() -> None:
    line = run(floor := changeover(0, 4, first=""))
    assert parked(line) == []
    assert booked(line) == ordered(floor.truth)


def test_a_gap_without_a_change_of_order_parks_nothing() -> None:
    floor = busy()
    since, seen = floor.at, len(floor.events)
    for _ in range(5):
        floor.wait(1)
        floor.piece("press")
    unwatched(floor, since, seen)
    line = run(floor)
    assert parked(line) == []
    assert booked(line) == ordered(floor.truth)


def test_a_change_that_was_watched_parks_nothing_though_a_gap_was_near() -> None:
    floor = changeover(0, 1)
    floor.wait(60)
    floor.order("press", "C")
    for _ in range(3):
        floor.wait(timedelta(seconds=1).total_seconds())
        floor.piece("press")
    line = run(floor)
    assert parked(line) == []
    assert booked(line) == ordered(floor.truth)


def test_an_end_that_nobody_watched_accuses_no_piece_of_being_still_inside() -> None:
    floor = changeover(2, 3)
    floor.wait(5)
    floor.order("press", "")
    line = run(floor)
    assert [(end.order, end.in_line) for end in ends(line)] == [("A", 0), ("B", 0)]
