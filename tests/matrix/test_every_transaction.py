"""Canonical transaction x fault mode x adapter: the effect is there once, or not at all and a person knows."""

from __future__ import annotations

from typing import Any

import pytest

from signals.documents import CaseKind, PostingState
from tests.matrix.harness import (
    MODES,
    Run,
    Scene,
    change,
    figures,
    is_confirmation,
    is_invisible,
    is_reversible,
    may_end_in_doubt,
    quantities,
    reversal_of,
)
from tests.matrix.worlds import SCENES, WORLDS

USUAL = ("timeout_after_commit",)
"""What asks most of a posting is the usual run's: it has happened and nobody answers. The other modes are long."""
PERSON = (PostingState.REFUSED, PostingState.CLAIMED, PostingState.IN_DOUBT)
BOOKED = (PostingState.POSTED, PostingState.ADOPTED)
_undisturbed: dict[tuple[str, str], dict[tuple[str, ...], Any]] = {}


def cases(modes: tuple[str, ...], marks: tuple[pytest.MarkDecorator, ...] = ()) -> Any:
    return [
        pytest.param(world, scene, mode, id=f"{world}-{scene.name}-{mode}", marks=marks)
        for world in WORLDS
        for scene in SCENES[world]
        for mode in modes
    ]


OTHER_MODES = tuple(mode for mode in MODES if mode not in (*USUAL, "none"))
LONG = (pytest.mark.long,)


async def played(world, books, scene: Scene, tag: str, mode: str):
    """One posting under a mode: how it ended, and what it changed in the ERP's books."""
    transaction = await scene.build(world, tag)
    await world.quiet()
    before = figures(await world.books(), tag)
    for fault in MODES[mode]:
        await world.fault(**fault)
    run = Run(world, books, tag)
    draft = run.draft(transaction)
    await run.settle(draft)
    if mode != "forget_keys":
        await world.heal()
    await world.quiet()
    return run, draft, before


async def undisturbed(world, books, scene: Scene, tag: str) -> dict[tuple[str, ...], Any]:
    """What one posting changes when nothing goes wrong."""
    known = _undisturbed.get((world.name, scene.name))
    if known is None:
        own = f"{tag}0"
        run, _, before = await played(world, books, scene, own, "none")
        assert run.states[0] in BOOKED, run.states
        known = change(before, figures(await world.books(), own))
        _undisturbed[world.name, scene.name] = known
    return known


@pytest.mark.parametrize(("world", "scene", "mode"), [*cases(USUAL), *cases(OTHER_MODES, LONG)], indirect=["world"])
async def test_the_effect_is_there_once_or_not_at_all_and_a_person_knows(world, scene, mode, books, tag):
    expected = await undisturbed(world, books, scene, tag)
    run, draft, before = await played(world, books, scene, tag, mode)
    effect = change(before, figures(await world.books(), tag))
    transaction = draft.intent.transaction
    if run.states[0] is PostingState.IN_DOUBT:
        assert may_end_in_doubt(world, transaction, mode), await books.posting(draft.intent.key)
        assert effect in ({}, expected)
        assert CaseKind.ERP_IN_DOUBT in await run.cases(draft)
    if run.states[0] in PERSON and effect == {}:
        # Refused or in doubt itself, or waiting for the order's start that was. A person looks, and has it tried again.
        known = mode in ("business_error", "duplicate_answer", "forget_keys")
        assert known or is_invisible(world, transaction, mode), run.states
        await world.person_clears_the_way()
        for case in await books.cases(draft.plant, order=transaction.lane):
            assert case.posting_key is not None
            await books.reopen(case.posting_key)
        await run.settle(draft)
        await world.quiet()
        effect = change(before, figures(await world.books(), tag))
    if run.states[0] is PostingState.IN_DOUBT:
        assert effect == expected
        return
    assert run.states[0] in BOOKED, await books.posting(draft.intent.key)
    if mode == "partial" and effect != expected:
        # What was left out is told: goods movements of a confirmation, or parts of another document.
        confirmation = is_confirmation(transaction)
        told = CaseKind.GOODS_MOVEMENT_SHORTFALL if confirmation else CaseKind.PARTLY_BOOKED
        assert told in await run.cases(draft)
        return
    assert effect == expected


REVERSALS = [*cases(USUAL), *cases(("none", "error_after_commit"), LONG)]


@pytest.mark.parametrize(("world", "scene", "mode"), REVERSALS, indirect=["world"])
async def test_a_reversal_nets_to_nothing_or_is_left_to_a_person(world, scene, mode, books, tag):
    run, draft, before = await played(world, books, scene, tag, "none")
    posting = await books.posting(draft.intent.key)
    assert posting is not None
    transaction = draft.intent.transaction
    for fault in MODES[mode]:
        await world.fault(**fault)
    reversals = [p for p in reversed(await books.family(draft.intent.key)) if p.state in BOOKED]
    for member in reversals:
        await run.settle(run.draft(reversal_of(member.transaction, member.document, member.key)))
    await world.heal()
    await world.quiet()
    effect = change(before, figures(await world.books(), tag))
    if not is_reversible(world, transaction):
        assert run.states == [PostingState.REFUSED]
        assert CaseKind.REVERSAL_BY_PERSON in await run.cases(draft)
        return
    assert run.states[0] in BOOKED, run.states
    assert quantities(effect) == {}
