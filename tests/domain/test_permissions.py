"""The permission table against one written by hand: the full product of role, plant, line and action, no leak."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from domain.error_catalogue import deciders
from domain.error_classes import REFUSALS, TROUBLES
from domain.people_rules import LockOut, check_password, login_of
from domain.permissions import (
    CASE_ACTIONS,
    DISPOSITIONS,
    TABLE,
    Action,
    hold_actions,
    may,
    may_act,
    roles_of,
    visible,
    visible_on_any,
)
from domain.roles import VOIDERS, Role
from signals.documents import Case, CaseAction, CaseKind
from signals.errors import BadInput
from signals.holds import DecideHold, HoldDisposition, HoldDispositionKind
from signals.people import Actor
from tests.domain.permission_table import ACTIONS, COLUMNS, MAY, SERVICE_MAY, VIEWS

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def actor(role: str, *lines: str, service: bool = False, plant: str = "north") -> Actor:
    return Actor(user="somebody", role=role, plant=plant, lines=lines, service=service)


def test_the_hand_written_table_names_every_role_and_every_action():
    assert set(COLUMNS) == {role.value for role in Role}
    assert set(ACTIONS) == {action.value for action in Action} and set(TABLE) == set(Action)
    assert set(CASE_ACTIONS) == set(CaseAction) and set(DISPOSITIONS) == set(HoldDispositionKind)


def expected(role: str, action: str, *, service: bool, own_plant: bool, limited: bool, line: str) -> bool:
    """From the table and three sentences: other plants and lines are closed; the plant as a whole is not for who is
    limited to lines, pages apart; services are limited."""
    if not own_plant or (limited and line == "other"):
        return False
    if limited and line == "all" and action not in VIEWS:
        return False
    return MAY[role, action] and (SERVICE_MAY[action] or not service)


def test_the_full_product_of_role_plant_line_and_action_has_no_leak():
    lines = {"own": "L1", "other": "L2", "all": ""}
    asked = 0
    for role, action, service, own_plant, limited, line in product(
        COLUMNS, ACTIONS, (False, True), (True, False), (True, False), lines
    ):
        who = actor(role, *(["L1"] if limited else []), service=service)
        said = may(who, Action(action), plant="north" if own_plant else "south", line=lines[line])
        wanted = expected(role, action, service=service, own_plant=own_plant, limited=limited, line=line)
        assert (said == "") is wanted, (role, action, service, own_plant, limited, line, said)
        asked += 1
    assert asked == 10 * len(ACTIONS) * 24


def test_who_has_no_role_or_an_invented_one_may_nothing():
    for role, action in product(("", "god", "Admin "), Action):
        said = may(actor(role), action, plant="north")
        assert (said == "") is (role == "Admin " and MAY["admin", action.value]), (role, action)


def test_what_is_not_ones_own_is_answered_like_what_does_not_exist():
    for role in COLUMNS:
        who = actor(role, "L1")
        assert may(who, Action.VIEW_HOLDS, plant="south", line="L1").replace("south", "nowhere") == may(
            who, Action.VIEW_HOLDS, plant="nowhere", line="L1"
        )
        assert may(who, Action.VIEW_HOLDS, plant="north", line="L2").replace("L2", "L77") == may(
            who, Action.VIEW_HOLDS, plant="north", line="L77"
        )


def test_rows_are_visible_by_plant_and_line():
    everywhere, limited = actor("supervisor"), actor("supervisor", "L1", "L2")
    assert visible(everywhere, "north", "L9") and visible(everywhere, "north")
    assert visible(limited, "north", "L2") and not visible(limited, "north", "L3") and not visible(limited, "north")
    assert not visible(everywhere, "south", "L1") and not visible(limited, "south", "L1")
    assert visible_on_any(limited, "north", ("L3", "L1")) and not visible_on_any(limited, "north", ("L3",))
    assert not visible_on_any(limited, "north", ()) and visible_on_any(everywhere, "north", ())


def test_a_split_decision_needs_every_permission_it_uses():
    def decide(role: str, *kinds: str) -> DecideHold:
        parts = tuple(HoldDisposition(kind=HoldDispositionKind(k), quantity=Decimal(1)) for k in kinds)
        return DecideHold(action_id="a", actor=actor(role), dispositions=parts)

    split = decide("supervisor", "release", "scrap", "repair", "scrap")
    assert hold_actions(split) == (Action.HOLD_RELEASE, Action.HOLD_SCRAP, Action.HOLD_REPAIR)
    assert "repaired" in may_act(split, plant="north")
    assert may_act(decide("supervisor", "release", "scrap"), plant="north", line="L1") == ""
    assert may_act(decide("quality engineer", "release", "repair"), plant="north") == ""
    assert "no plant" in may_act(decide("quality engineer", "release"), plant="south")


def test_the_table_lets_everybody_in_whom_a_finer_rule_lets_decide():
    """The finer rule is asked second: whom the table stops, an escalation could call in vain."""
    for trouble in (*REFUSALS.values(), *TROUBLES.values()):
        case = Case(
            case_id="c", plant="north", order="1", kind=CaseKind.ERP_REJECTED, owner_role=trouble.owner.value,
            summary="s", allowed=trouble.actions,
        )  # fmt: skip
        for role, action in product(deciders(case), trouble.actions):
            assert role in roles_of(CASE_ACTIONS[action]), (trouble.name, role, action)
    assert set(roles_of(Action.ORDER_VOID)) == set(VOIDERS)


@pytest.mark.parametrize("text", ["", "a", "Ä-user", "a b", "-x", "a" * 81, "x/y", "x\ny"])
def test_a_login_that_is_none_is_refused_by_name(text: str):
    with pytest.raises(BadInput, match="no login name") as error:
        login_of(text)
    assert error.value.hint


def test_logins_are_the_same_in_any_case():
    assert login_of("  QE-1@Plant.example ") == "qe-1@plant.example"


@pytest.mark.parametrize(
    ("password", "said"), [("short", "has 5"), ("x" * 1025, "has 1025"), ("Supervisor-1!", "made")]
)
def test_a_poor_password_is_refused_with_its_reason(password: str, said: str):
    with pytest.raises(BadInput, match=said) as error:
        check_password(password, "supervisor-1")
    assert password not in str(error.value) and error.value.hint


def test_the_lock_falls_at_the_last_failure_that_counts_and_opens_after_the_window():
    rule = LockOut(failures=3, window=timedelta(minutes=10))

    def until(*minutes: int, now: int) -> Any:
        return rule.locked_until([NOON + timedelta(minutes=m) for m in minutes], NOON + timedelta(minutes=now))

    assert until(0, 1, now=2) is None
    assert until(0, 1, 2, now=2) == NOON + timedelta(minutes=12)
    assert until(0, 1, 2, now=10) is None, "the first one is older than the window"
    assert until(0, 5, 9, now=9) == NOON + timedelta(minutes=19)
