"""Who may decide what about held material: sums, roles, four eyes, what comes too late, results that disagree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.hold_decisions import (
    DecisionRules,
    Verdict,
    conflicts_of,
    judge_cosign,
    judge_decision,
    judge_withdrawal,
    may_release,
    second_roles,
    sum_fault,
)
from domain.permissions import Action, roles_of
from domain.plant_quality import QualityConfig
from domain.roles import Role
from signals.holds import (
    CosignHold,
    DecideHold,
    DecisionState,
    HoldCause,
    HoldDisposition,
    HoldDispositionKind,
    HoldReason,
    HoldRecord,
    HoldScope,
    HoldState,
    InspectionOutcome,
    WithdrawHold,
)
from signals.people import Actor, Signature, SignatureMeaning, content_hash
from signals.quality import CharacteristicResult

K = HoldDispositionKind
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RULES = DecisionRules()
ENGINEER, MANAGER = Role.QUALITY_ENGINEER.value, Role.QUALITY_MANAGER.value


def reason(name: str = "r1", role: str = ENGINEER, cause: HoldCause = HoldCause.LIMIT) -> HoldReason:
    return HoldReason(reason=name, cause=cause, text="force too high", release_role=role, found_at=NOW)


def hold(quantity: int = 10, *reasons: HoldReason, **fields: Any) -> HoldRecord:
    scope = HoldScope(plant="north", line="line-1", order="1000017", serials=fields.pop("serials", ()))
    return HoldRecord(
        hold="h1", plant="north", scope=scope, quantity=Decimal(quantity), reasons=reasons or (reason(),),
        opened_at=NOW, **fields,
    )  # fmt: skip


def who(user: str = "inspector-1", role: str = ENGINEER) -> Actor:
    return Actor(user=user, role=role, plant="north")


def parts(*given: tuple[HoldDispositionKind, int]) -> tuple[HoldDisposition, ...]:
    return tuple(HoldDisposition(kind=kind, quantity=Decimal(quantity)) for kind, quantity in given)


def decide(record: HoldRecord, actor: Actor, *given: Any, rules: DecisionRules = RULES, **fields: Any) -> Verdict:
    named = [g if isinstance(g, HoldDisposition) else parts(g)[0] for g in given]
    act = DecideHold(action_id="d1", actor=actor, dispositions=tuple(named), **fields)
    return judge_decision(record, act, rules, NOW)


def with_first(record: HoldRecord, actor: Actor, *given: Any, rules: DecisionRules = RULES) -> HoldRecord:
    decision = decide(record, actor, *given, rules=rules).decision
    assert decision is not None
    state = HoldState.AWAITS_SECOND if decision.needs_second else HoldState.BLOCKED
    return record.model_copy(update={"decisions": (*record.decisions, decision), "state": state})


def cosign(record: HoldRecord, actor: Actor, *, rules: DecisionRules = RULES, **fields: Any) -> Verdict:
    return judge_cosign(record, CosignHold(action_id="c1", actor=actor, decision="d1", **fields), rules, NOW)


def result(name: str, *, passed: bool, serial: str = "S1", minutes: int = 0, **values: bool) -> InspectionOutcome:
    results = tuple(CharacteristicResult(characteristic=c, value="1", passed=p) for c, p in values.items())
    at = NOW + timedelta(minutes=minutes)
    return InspectionOutcome(inspection=name, material="FRAME", serial=serial, passed=passed, results=results, at=at)


# --- sums ------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 50), st.lists(st.tuples(st.sampled_from(list(K)), st.integers(0, 20)), min_size=1, max_size=5))
def test_a_decision_is_recorded_only_where_its_parts_sum_to_what_is_held(
    held: int, given: list[tuple[HoldDispositionKind, int]]
) -> None:
    fault = sum_fault(hold(held), parts(*given))
    if sum(q for _, q in given) != held:
        assert "are held" in fault
    elif len({k for k, _ in given}) == len(given) and all(q for _, q in given):
        assert fault == ""
    decided = decide(hold(held), who("manager-1", MANAGER), *given).decision
    if decided is not None:
        assert sum(d.quantity for d in decided.dispositions) == held


def test_serial_numbers_get_one_disposition_each_and_only_held_ones_get_one() -> None:
    record = hold(3, serials=("S1", "S2", "S3"))

    def split(*serials: tuple[str, ...]) -> str:
        first, second = (
            HoldDisposition(kind=kind, quantity=Decimal(len(s)), serials=s)
            for kind, s in zip((K.RELEASE, K.SCRAP), serials, strict=True)
        )
        return decide(record, who(), first, second).refused

    assert split(("S1", "S2"), ("S3",)) == ""
    assert "two dispositions" in split(("S1", "S2"), ("S2",))
    assert "not held here" in split(("S1", "S2"), ("S9",))
    assert "which of them" in decide(record, who(), (K.RELEASE, 2), (K.SCRAP, 1)).refused
    wrong = HoldDisposition(kind=K.SCRAP, quantity=Decimal(3), serials=("S1",))
    assert "1 serial numbers for 3" in decide(record, who(), wrong).refused


def test_pieces_without_serial_number_are_never_released_where_the_order_asks_for_one() -> None:
    for record, rules in (
        (hold(2, reason(cause=HoldCause.NO_SERIAL)), RULES),
        (hold(2), DecisionRules(needs_serials=True)),
    ):
        for kind in (K.RELEASE, K.REPAIR):
            assert "identify them" in decide(record, who("m-1", MANAGER), (kind, 2), rules=rules).refused
        assert decide(record, who(), (K.SCRAP, 2), rules=rules).refused == ""
        named = HoldDisposition(kind=K.RELEASE, quantity=Decimal(2), serials=("S1", "S2"))
        assert decide(record, who(), named, rules=rules).refused == ""


# --- roles -----------------------------------------------------------------------------------------------------------


def test_each_reason_is_released_by_its_own_role_and_what_is_scrapped_needs_one_of_them() -> None:
    record = hold(10, reason("r1"), reason("r2", MANAGER))
    released = decide(record, who(), (K.RELEASE, 10)).decision
    assert released is not None and released.reasons == ("r1",)
    assert "released by quality manager" in decide(record, who(), (K.RELEASE, 10), reasons=("r2",)).refused
    assert "is none of" in decide(record, who(), (K.RELEASE, 10), reasons=("r9",)).refused
    manager = decide(record, who("m-1", MANAGER), (K.RELEASE, 10)).decision
    assert manager is not None and manager.reasons == ("r1", "r2")
    scrapped = decide(record, who(), (K.SCRAP, 10)).decision
    assert scrapped is not None and scrapped.reasons == ("r1", "r2")


def test_a_role_that_releases_none_of_the_reasons_decides_nothing() -> None:
    record = hold(10, reason("r1", MANAGER))
    assert "released by quality manager" in decide(record, who(), (K.SCRAP, 10)).refused


@pytest.mark.parametrize("role", [*Role, "nobody"])
def test_to_administer_or_to_stand_elsewhere_on_the_ladder_releases_no_quality_reason(role: str) -> None:
    assert may_release(str(role), ENGINEER) is (str(role) in (ENGINEER, MANAGER))


def test_roles_that_decide_one_after_the_other_decide_the_same() -> None:
    quality = QualityConfig(four_eyes={K.RELEASE: ()})
    rules = DecisionRules(quality=quality)
    record = with_first(hold(10, reason("r1"), reason("r2", MANAGER)), who(), (K.RELEASE, 10), rules=rules)
    other = decide(record, who("m-1", MANAGER), (K.SCRAP, 10), rules=rules)
    assert "inspector-1 decided 10 release" in other.refused
    assert decide(record, who("m-1", MANAGER), (K.RELEASE, 10), rules=rules).decision is not None


# --- four eyes -------------------------------------------------------------------------------------------------------

people = st.builds(who, st.sampled_from(["a", "b", "c", "opener"]), st.sampled_from([r.value for r in Role]))
kinds = st.lists(st.sampled_from(list(K)), min_size=1, max_size=5, unique=True)


@given(people, people, kinds, st.booleans())
def test_two_approvers_are_different_people_of_different_functions_and_neither_opened_the_hold(
    first: Actor, second: Actor, wanted: list[HoldDispositionKind], disagree: bool
) -> None:
    inspections = (result("i1", passed=True), result("i2", passed=False)) if disagree else ()
    record = hold(len(wanted), opened_by="opener", inspections=inspections)
    decision = decide(record, first, *((kind, 1) for kind in wanted)).decision
    if decision is None:
        return
    assert first.user != "opener" and first.role in (ENGINEER, MANAGER)
    if K.RELEASE in wanted or K.REPAIR in wanted:
        assert decision.state is DecisionState.AWAITS_SECOND and first.role not in decision.needs_second
    else:
        assert decision.state is DecisionState.IN_FORCE
        return
    waiting = record.model_copy(update={"decisions": (decision,), "state": HoldState.AWAITS_SECOND})
    signed = cosign(waiting, second).decision
    if signed is None:
        return
    assert signed.state is DecisionState.IN_FORCE
    assert second.user not in (first.user, "opener") and second.role != first.role
    assert MANAGER in (first.role, second.role)


def test_every_role_that_is_asked_to_sign_second_may_do_so() -> None:
    allowed = {r.value for r in roles_of(Action.HOLD_COSIGN)}
    for first in (ENGINEER, MANAGER, Role.SUPERVISOR.value):
        for kind in K:
            asked = second_roles(hold(1), parts((kind, 1)), who(role=first), RULES)
            assert set(asked) <= allowed and first not in asked


def test_much_scrap_wants_a_second_person_where_the_plant_says_so() -> None:
    rules = DecisionRules(quality=QualityConfig(four_eyes_quantity=Decimal(5)))
    few = decide(hold(5), who(), (K.SCRAP, 5), rules=rules).decision
    many = decide(hold(6), who(), (K.SCRAP, 6), rules=rules).decision
    assert few and not few.needs_second and many and many.needs_second == (MANAGER,)


def test_who_opened_the_hold_decides_nothing_unless_the_plant_allows_it() -> None:
    record = hold(1, opened_by="inspector-1")
    assert "opened the hold" in decide(record, who(), (K.SCRAP, 1)).refused
    allowed = DecisionRules(quality=QualityConfig(initiator_may_decide=True))
    assert decide(record, who(), (K.SCRAP, 1), rules=allowed).decision is not None


def test_a_second_signature_is_for_the_named_decision_that_waits() -> None:
    record = with_first(hold(1), who(), (K.RELEASE, 1))
    act = CosignHold(action_id="c1", actor=who("m-1", MANAGER), decision="d9")
    assert "no decision d9" in judge_cosign(record, act, RULES, NOW).refused
    assert "waits for its second signature" in decide(record, who("inspector-2"), (K.RELEASE, 1)).refused
    rejected = cosign(record, who("m-1", MANAGER), agree=False).decision
    assert rejected is not None and rejected.state is DecisionState.REJECTED
    after = record.model_copy(update={"decisions": (rejected,), "state": HoldState.BLOCKED})
    assert "rejected already" in cosign(after, who("m-1", MANAGER)).late


# --- late and stale --------------------------------------------------------------------------------------------------


def signature(record: HoldRecord) -> Signature:
    return Signature(
        user="inspector-1", name="", role=ENGINEER, meaning=SignatureMeaning.APPROVAL, signed_at=NOW,
        content_hash=content_hash(record.content()), key_id="k", value="v",
    )  # fmt: skip


@pytest.mark.parametrize("state", [s for s in HoldState if s.is_over or s is HoldState.EXECUTING])
def test_what_comes_after_the_decision_is_late(state: HoldState) -> None:
    assert "already" in decide(hold(1, state=state), who(), (K.SCRAP, 1)).late


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": Decimal(2)},
        {"reasons": (reason(), reason("r2"))},
        {"inspections": (result("i1", passed=True),)},
        {"segregated": Decimal(1)},
    ],
    ids=["quantity", "reason", "result", "count"],
)
def test_a_signature_on_what_is_no_more_shown_is_late(change: dict[str, Any]) -> None:
    seen = hold(1)
    now = seen.model_copy(update=change)
    assert "has changed" in decide(now, who(), (K.SCRAP, 1), signature=signature(seen)).late
    assert decide(now, who(), (K.SCRAP, int(now.quantity)), signature=signature(now)).late == ""


def test_claiming_and_escalating_do_not_make_a_signature_stale() -> None:
    seen = hold(1)
    now = seen.model_copy(update={"assigned_to": "inspector-2", "level": 2, "revision": 9, "erp": "blocked"})
    assert decide(now, who(), (K.SCRAP, 1), signature=signature(seen)).late == ""


# --- inspections and withdrawal --------------------------------------------------------------------------------------


def test_results_that_disagree_about_one_piece_or_characteristic_are_a_conflict() -> None:
    def found(*results: InspectionOutcome, rules: DecisionRules = RULES) -> int:
        return len(conflicts_of(hold(1, inspections=results), rules))

    assert found(result("i1", passed=True), result("i2", passed=False)) == 1
    assert found(result("i1", passed=True), result("i2", passed=False, serial="S2")) == 0
    assert found(result("i1", passed=False, width=True), result("i2", passed=False, width=False)) == 1
    after = DecisionRules(results_from=NOW + timedelta(minutes=1))
    assert found(result("i1", passed=False), result("i2", passed=True, minutes=2), rules=after) == 0
    assert len(conflicts_of(hold(1, reason(cause=HoldCause.CONFLICT)), RULES)) == 1


def test_a_hold_with_disagreeing_results_is_released_by_the_quality_manager_and_another_only() -> None:
    no_four_eyes = DecisionRules(quality=QualityConfig(four_eyes={K.RELEASE: ()}))
    disagree = (result("i1", passed=True), result("i2", passed=False))
    record = hold(1, inspections=disagree)
    by_engineer = decide(record, who(), (K.RELEASE, 1), rules=no_four_eyes).decision
    by_manager = decide(record, who("m-1", MANAGER), (K.RELEASE, 1), rules=no_four_eyes).decision
    assert by_engineer and by_engineer.needs_second == (MANAGER,)
    assert by_manager and by_manager.needs_second == (ENGINEER,)
    assert decide(hold(1), who(), (K.RELEASE, 1), rules=no_four_eyes).decision.needs_second == ()  # type: ignore[union-attr]


def test_a_hold_is_withdrawn_by_those_who_could_release_it_and_not_after_a_failed_result() -> None:
    def withdrawn(record: HoldRecord, actor: Actor) -> str:
        return judge_withdrawal(record, WithdrawHold(action_id="w", actor=actor), RULES).refused

    assert withdrawn(hold(1), who()) == ""
    assert "opened the hold" in withdrawn(hold(1, opened_by="inspector-1"), who())
    assert "released by quality manager" in withdrawn(hold(1, reason(role=MANAGER)), who())
    assert "failed" in withdrawn(hold(1, inspections=(result("i1", passed=False),)), who())
    assert "may not" in withdrawn(hold(1), who(role="supervisor"))
