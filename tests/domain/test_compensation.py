"""What is taken back: newest first, each document once, through the confirmation a movement hangs on (D11)."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.compensation import Booked, Standing, reversal_of, standing_documents
from signals.bookings import ComponentUse
from signals.documents import ErpDocument, GoodsMovement, PostingState
from signals.ids import posting_key
from signals.stock import IssueComponents
from signals.transactions import ConfirmProduction, Reverse, Transaction

DAY = date(2026, 11, 20)
T0 = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
USE = ComponentUse(material="SHEET", quantity=Decimal(1), unit="PC")


def confirmation() -> Transaction:
    return ConfirmProduction(
        plant="north", order="1", operation="0010", posting_date=DAY, yield_quantity=Decimal(1), unit="PC"
    )


def issue() -> Transaction:
    return IssueComponents(plant="north", order="1", operation="0010", posting_date=DAY, lines=(USE,))


def booked(number: int, transaction: Transaction | None = None, **changes) -> Booked:
    return Booked(
        key=uuid.UUID(int=number), order="1", operation="0010", state=PostingState.POSTED,
        transaction=transaction or confirmation(), document=f"D{number}", sent_at=T0 + timedelta(seconds=number),
    ).model_copy(update=changes)  # fmt: skip


def document(number: int | str, *materials: str, **changes) -> ErpDocument:
    name = f"D{number}" if isinstance(number, int) else number
    movements = tuple(
        GoodsMovement(material_document=m, material="SHEET", movement_type="261", quantity=Decimal(1), unit="PC")
        for m in materials
    )
    return ErpDocument(document=name, order="1", operation="0010", goods_movements=movements).model_copy(update=changes)


postings = st.lists(
    st.tuples(
        st.sampled_from(PostingState), st.booleans(), st.booleans(), st.sampled_from(["confirm", "issue", "reverse"])
    ),
    max_size=12,
)


@given(postings)
def test_all_that_stands_is_reversed_once_and_newest_first(found: list[tuple[PostingState, bool, bool, str]]):
    kinds = {"confirm": confirmation(), "issue": issue(),
             "reverse": Reverse(plant="north", order="1", posting_date=DAY, document="X")}  # fmt: skip
    mine, documents, expected = [], [], []
    for number, (state, is_reversed, known, kind) in enumerate(found):
        mine.append(booked(number, kinds[kind], state=state))
        if known:
            documents.append(document(number, reversed=is_reversed))
        stands = state in (PostingState.POSTED, PostingState.ADOPTED) and not (known and is_reversed)
        if stands and kind != "reverse":
            expected.append(f"D{number}")
    standing = [s.document for s in standing_documents(mine, documents)]
    assert standing == expected[::-1]
    assert len(standing) == len(set(standing))


@given(st.permutations(range(6)))
def test_the_order_of_requests_decides_whatever_the_order_of_claims(order: list[int]):
    standing = standing_documents([booked(n) for n in order], [])
    assert [s.document for s in standing] == [f"D{n}" for n in sorted(order, reverse=True)]


def test_a_movement_that_hangs_on_a_confirmation_goes_with_it():
    mine = [booked(1), booked(2, issue(), document="M1"), booked(3, issue(), document="M9")]
    standing = standing_documents(mine, [document(1, "M1", "M2")])
    assert [s.document for s in standing] == ["M9", "D1"]
    assert standing[1].original_key == mine[0].key
    alone = standing_documents([mine[1]], [document(1, "M1")])
    assert [s.document for s in alone] == ["D1"], "reversed through the confirmation, whoever booked that"
    gone = standing_documents([mine[1]], [document(1, "M1", reversed=True)])
    assert gone == [], "it went with its confirmation already"


def test_hand_entries_of_a_void_order_go_too_but_only_once():
    entries = [document("H1"), document("H2", reversed=True), document("M1")]
    standing = standing_documents([booked(1)], [document(1, "M1"), document("H1")], entries=entries)
    assert [s.document for s in standing] == ["H1", "D1"]
    assert standing[0].original is None


def test_a_reversal_has_the_key_that_every_way_of_taking_back_arrives_at():
    original = booked(7)
    standing = Standing(document="D7", order="1", operation="0010", original=original.transaction,
                        original_key=original.key, posting_date=DAY)  # fmt: skip
    intent = reversal_of("north", standing, today=DAY + timedelta(days=9), text="void")
    assert intent.key == posting_key("north", "1", "0010", "reverse", ["reverse:D7"], 0)
    assert isinstance(intent.transaction, Reverse)
    assert (intent.transaction.original_key, intent.transaction.posting_date) == (original.key, DAY)
    by_hand = reversal_of("north", Standing(document="D7", order="1", operation="0010"), today=DAY)
    assert by_hand.key == intent.key and by_hand.transaction.posting_date == DAY
