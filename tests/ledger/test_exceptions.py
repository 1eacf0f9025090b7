"""Cases in the ledger: found by what people search for, amended with the original kept, taken back, escalated (D3)."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from activities.erp_cases import rejected
from domain.error_classes import REFUSALS
from domain.error_codes import CODES
from ledger.connect import MIGRATIONS, create_engine, open_ledger
from ledger.database import WRITER
from ledger.port import PostingRecord
from ledger.store import SqlLedger
from signals.decisions import VoidOrder
from signals.documents import Case, CaseAction, CaseKind, PostingState
from signals.errors import BadInput, ErpRejected, ErrorType
from signals.exceptions import CaseFile, CaseSearch
from tests.ledger.examples import ORDER, PLANT, START, document, order, posting, reversal, trouble
from tests.ledger.test_cases import decide, in_doubt

ALL = (CaseAction.RETRY, CaseAction.AMEND, CaseAction.SKIP, CaseAction.COMPENSATE)


async def refused(ledger: SqlLedger, *reports: str, **changes: Any) -> tuple[PostingRecord, Case]:
    claimed = posting(*reports)
    await ledger.claim(claimed)
    await ledger.mark_outcome(claimed.key, state=PostingState.REFUSED, error_code="M7/053")
    said: dict[str, Any] = {"error_code": "M7/053", "owner_role": "finance", "allowed": ALL, **changes}
    return claimed, await ledger.open_case(trouble(claimed, CaseKind.ERP_REJECTED, **said))


async def file_of(ledger: SqlLedger, case: Case) -> CaseFile:
    found = await ledger.case_file(PLANT, case.case_id)
    assert found is not None
    return found


def less(record: PostingRecord, pieces: str = "8") -> Any:
    return record.transaction.model_copy(update={"yield_quantity": Decimal(pieces)})


async def test_a_case_gets_class_deadline_and_runbook_when_it_is_opened(ledger: SqlLedger) -> None:
    await ledger.take_order(order())
    _, case = await refused(ledger, "r1")
    assert case.opened_at is not None and case.due_at == case.opened_at + timedelta(hours=8)
    assert case.error_class == "period_closed" and "OB52" in case.runbook and case.consequence
    given = await ledger.open_case(trouble(posting("r2"), opened_at=START, due_at=START + timedelta(hours=2)))
    assert (given.opened_at, given.due_at) == (START, START + timedelta(hours=2))
    assert (await file_of(ledger, case)).material == "FRAME"
    assert await ledger.case_file(PLANT, "nothing") is None


async def test_cases_are_found_by_what_people_search_for(ledger: SqlLedger) -> None:
    await ledger.take_order(order())
    _, closed_period = await refused(ledger, "r1")
    _, old = await refused(ledger, "r2", error_code="M7/021", owner_role="planner", opened_at=START,
                           due_at=START + timedelta(hours=1))  # fmt: skip
    await ledger.note_rung(PLANT, old.case_id, 2, ("supervisor", "admin"))

    async def found(**search: Any) -> list[str]:
        return [c.case.case_id for c in await ledger.find_cases(PLANT, CaseSearch(**search))]

    both = [old.case_id, closed_period.case_id]
    assert await found() == both, "oldest first"
    assert await found(code="M7/*") == await found(order=ORDER, material="FRAME") == both
    assert await found(code="M7/05?") == [closed_period.case_id]
    assert await found(code="M7_053") == await found(code="%") == await found(material="TUBE") == []
    assert await found(error_class="stock_short") == await found(due_before=START + timedelta(days=1)) == [old.case_id]
    assert await found(owner="finance") == [closed_period.case_id]
    assert await found(owner="supervisor") == await found(owner="planner") == [old.case_id]
    assert await found(posting_key=old.posting_key) == await found(opened_before=START + timedelta(days=1)) == both[:1]
    await ledger.close_case(PLANT, old.case_id, "gone")
    assert await found() == both[1:]
    assert await found(open_only=False) == both
    assert await ledger.find_cases("south", CaseSearch()) == []


async def test_every_catalogued_refusal_is_one_open_case_with_its_class_and_owner(ledger: SqlLedger) -> None:
    refusals = [e for e in CODES if e.type is ErrorType.ERP_REJECTED and e.code and not set("*?[") & set(e.code)]
    assert len(refusals) > 40
    for number, entry in enumerate(refusals):
        claimed = posting(f"r{number}")
        await ledger.claim(claimed)
        await ledger.mark_outcome(claimed.key, state=PostingState.REFUSED, error_code=entry.code)
        error = ErpRejected(entry.means, code=entry.code, reason=entry.reason)
        for _ in range(2):
            await ledger.open_case(rejected(claimed, error, erp=entry.erp))
        search = CaseSearch(code=entry.code, error_class=entry.reason.value, order=ORDER, posting_key=claimed.key)
        [found] = await ledger.find_cases(PLANT, search)
        case = found.case
        owner = entry.owner or REFUSALS[entry.reason].owner
        assert case.owner_role == owner.value and entry.do in case.runbook, entry.code
        assert case.due_at is not None and case.consequence
        assert set(case.allowed) == {CaseAction.RETRY, CaseAction.AMEND, CaseAction.SKIP, CaseAction.COMPENSATE}
    assert len(await ledger.cases(PLANT)) == len(refusals)


async def test_the_ladder_is_never_climbed_down(ledger: SqlLedger) -> None:
    _, case = await refused(ledger, "r1")
    for level in (2, 1, 3):
        await ledger.note_rung(PLANT, case.case_id, level, ("admin",))
    assert (await file_of(ledger, case)).level == 3
    await ledger.close_case(PLANT, case.case_id, "gone")
    await ledger.note_rung(PLANT, case.case_id, 4, ())
    assert (await file_of(ledger, case)).level == 3
    await ledger.open_case(case)
    assert (await file_of(ledger, case)).level == 0, "new trouble begins at the bottom"


async def test_an_amended_payload_stands_under_the_same_key_and_the_original_beside_it(ledger: SqlLedger) -> None:
    claimed, case = await refused(ledger, "r1")
    wish = decide(case, CaseAction.AMEND).model_copy(update={"amended": less(claimed), "role": "finance"})
    for _ in range(2):
        await ledger.decide_case(PLANT, wish)
    amended = await ledger.posting(claimed.key)
    assert amended is not None
    assert (amended.state, amended.transaction, amended.report_ids) == (PostingState.CLAIMED, less(claimed), ("r1",))
    [kept] = (await file_of(ledger, case)).amendments
    assert (kept.number, kept.before, kept.after) == (1, claimed.transaction, less(claimed))
    assert (kept.by, kept.role, kept.reason) == ("supervisor", "finance", "checked at the line")
    assert (await ledger.trace(PLANT, ORDER)).amendments == (kept,)
    async with ledger._db.read() as session:
        from ledger.tables import PostingRow

        row = await session.get_one(PostingRow, claimed.key)
        assert row.transaction_hash == hashlib.sha256(row.transaction_json.encode()).hexdigest()

    other = decide(case, CaseAction.AMEND, "d9").model_copy(update={"amended": less(claimed, "7")})
    with pytest.raises(BadInput, match="decided already: amend"):
        await ledger.decide_case(PLANT, other)

    # Refused once more: amended again, up to what was verified at first.
    await ledger.mark_outcome(claimed.key, state=PostingState.REFUSED)
    await ledger.open_case(case)
    too_many = decide(case, CaseAction.AMEND, "d2").model_copy(update={"amended": less(claimed, "11")})
    with pytest.raises(BadInput, match="amend-quantity/1"):
        await ledger.decide_case(PLANT, too_many)
    back = decide(case, CaseAction.AMEND, "d3").model_copy(update={"amended": less(claimed, "10")})
    await ledger.decide_case(PLANT, back)
    assert [a.number for a in (await file_of(ledger, case)).amendments] == [1, 2]
    await ledger.mark_outcome(claimed.key, state=PostingState.POSTED, document=document("200/1"))
    assert (await ledger.totals(PLANT, ORDER))[0].yield_quantity == 10


async def test_what_may_have_been_booked_is_never_amended(ledger: SqlLedger) -> None:
    doubtful = await in_doubt(ledger, "r1")
    await ledger.decide_case(PLANT, decide(doubtful, CaseAction.RETRY))
    key = posting("r1").key
    await ledger.mark_outcome(key, state=PostingState.REFUSED)
    case = await ledger.open_case(trouble(posting("r1"), CaseKind.ERP_REJECTED, case_id="case-refused", allowed=ALL))
    wish = decide(case, CaseAction.AMEND, "d2").model_copy(update={"amended": less(posting("r1"))})
    with pytest.raises(BadInput, match="certainly has not booked"):
        await ledger.decide_case(PLANT, wish)
    with pytest.raises(BadInput, match="without a change"):
        await ledger.decide_case(PLANT, decide(case, CaseAction.AMEND, "d3"))
    unchanged = await ledger.posting(key)
    assert unchanged is not None and unchanged.transaction == posting("r1").transaction
    assert (await file_of(ledger, case)).amendments == ()


async def test_a_role_that_the_catalogue_does_not_allow_decides_nothing(ledger: SqlLedger) -> None:
    _, case = await refused(ledger, "r1")
    wish = decide(case, CaseAction.SKIP)
    for role, word in (("operator", "finance"), ("boss", "no role")):
        with pytest.raises(BadInput, match=word):
            await ledger.decide_case(PLANT, wish.model_copy(update={"role": role}))
    assert (await file_of(ledger, case)).decisions == ()
    await ledger.decide_case(PLANT, wish.model_copy(update={"role": "admin"}))
    file = await file_of(ledger, case)
    assert (file.is_open, file.action, file.note) == (False, "skip", case.consequence)
    assert [d.decision.role for d in file.decisions] == ["admin"] and file.closed_at is not None


async def test_compensation_keeps_the_case_until_everything_is_taken_back(ledger: SqlLedger) -> None:
    claimed, case = await refused(ledger, "r1")
    await ledger.decide_case(PLANT, decide(case, CaseAction.COMPENSATE))
    assert [c.case_id for c in await ledger.cases(PLANT)] == [case.case_id]
    with pytest.raises(BadInput, match="decided already: compensate"):
        await ledger.decide_case(PLANT, decide(case, CaseAction.SKIP, "d2"))
    for _ in range(2):
        await ledger.finish_compensation(PLANT, case.case_id, "compensated by somebody")
    cancelled = await ledger.posting(claimed.key)
    assert cancelled is not None
    assert (cancelled.state, cancelled.message) == (PostingState.CANCELLED, "compensated by somebody")
    assert await ledger.cases(PLANT) == []


async def test_a_document_that_a_person_found_of_a_posting_in_doubt_stands_until_it_is_reversed(
    ledger: SqlLedger,
) -> None:
    case = await in_doubt(ledger, "r1")
    case = await ledger.open_case(case.model_copy(update={"case_id": "case-2", "document": "", "allowed": ALL}))
    wish = decide(case, CaseAction.COMPENSATE).model_copy(update={"document": "300/7"})
    await ledger.decide_case(PLANT, wish)
    found = await ledger.posting(posting("r1").key)
    assert found is not None and (found.state, found.document) == (PostingState.ADOPTED, "300/7")
    await ledger.finish_compensation(PLANT, case.case_id, "done")
    found = await ledger.posting(posting("r1").key)
    assert found is not None and found.state is PostingState.ADOPTED, "it was booked, and reversed: both are true"


async def test_a_reversal_made_by_hand_in_the_erp_takes_its_original_out_of_the_totals(ledger: SqlLedger) -> None:
    await ledger.claim(posting("r1"))
    await ledger.mark_outcome(posting("r1").key, state=PostingState.POSTED, document=document("200/1"))
    back = reversal("200/1")
    await ledger.claim(back)
    await ledger.mark_outcome(back.key, state=PostingState.REFUSED, error_code="reversal_by_person")
    case = await ledger.open_case(
        trouble(back, CaseKind.REVERSAL_BY_PERSON, document="200/1", allowed=(CaseAction.ADOPT, CaseAction.SKIP))
    )
    await ledger.decide_case(PLANT, decide(case, CaseAction.ADOPT))
    adopted = await ledger.posting(back.key)
    assert adopted is not None and (adopted.state, adopted.document) == (PostingState.ADOPTED, "")
    assert await ledger.totals(PLANT, ORDER) == ()


async def test_what_waits_in_the_erp_s_own_queue_can_be_settled_by_a_person(ledger: SqlLedger) -> None:
    claimed = posting("r1")
    await ledger.claim(claimed)
    await ledger.mark_sent(claimed.key, token="t", deadline=START, totals_before=(), documents_before=())
    allowed = (CaseAction.ACCEPT, CaseAction.RETRY, CaseAction.SKIP)
    case = await ledger.open_case(trouble(claimed, CaseKind.ERP_PENDING, allowed=allowed))
    with pytest.raises(BadInput, match="on its way"):
        await ledger.decide_case(PLANT, decide(case, CaseAction.SKIP))
    await ledger.mark_accepted(claimed.key, token="t", receipt="m-1")
    await ledger.decide_case(PLANT, decide(case, CaseAction.RETRY))
    again = await ledger.posting(claimed.key)
    assert again is not None and (again.state, again.accepted) == (PostingState.CLAIMED, False)


async def test_only_what_was_certainly_not_booked_is_given_up(ledger: SqlLedger) -> None:
    claimed, case = await refused(ledger, "r1")
    await ledger.claim(posting("r2"))
    await ledger.claim(posting("r3"))
    await ledger.mark_sent(posting("r3").key, token="t", deadline=START, totals_before=(), documents_before=())
    keys = [posting(r).key for r in ("r1", "r2", "r3")]
    await ledger.give_up_postings(PLANT, keys, "void")
    states = {p.key: p.state for p in await ledger.order_postings(PLANT, ORDER)}
    assert [states[k] for k in keys] == [PostingState.CANCELLED, PostingState.CANCELLED, PostingState.SENT]
    assert claimed.key == keys[0] and not (await file_of(ledger, case)).is_open


async def test_an_order_is_declared_void_once(ledger: SqlLedger) -> None:
    first = VoidOrder(decision_id="v1", by="a", role="planner", reason="never made")
    assert await ledger.void_of(PLANT, ORDER) is None
    assert await ledger.declare_void(PLANT, ORDER, first) == first
    assert await ledger.declare_void(PLANT, ORDER, first.model_copy(update={"decision_id": "v2"})) == first
    assert await ledger.void_of(PLANT, ORDER) == first


async def test_sub_decisions_of_a_bulk_decision_are_counted(ledger: SqlLedger) -> None:
    for number in range(3):
        _, case = await refused(ledger, f"r{number}")
        await ledger.decide_case(PLANT, decide(case, CaseAction.RETRY, f"bulk_1:{case.case_id}"))
    _, other = await refused(ledger, "r9")
    await ledger.decide_case(PLANT, decide(other, CaseAction.RETRY, "bulkx1:other"))
    assert await ledger.decisions_under(PLANT, "bulk_1:") == 3
    assert await ledger.decisions_under("south", "bulk_1:") == 0


async def test_cases_of_the_first_schema_are_found_after_the_migration(database_url: str) -> None:
    case = trouble(posting("r1"), CaseKind.ERP_REJECTED, error_code="M7/053", owner_role="finance", opened_at=START)
    old = case.model_dump(mode="json", exclude={"error_class", "due_at", "runbook", "consequence", "completion_only"})

    def first_schema(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        row = {"plant": PLANT, "case_id": case.case_id, "order_id": ORDER, "payload": json.dumps(old)}
        connection.execute(
            text(
                "INSERT INTO exception_case (plant, case_id, order_id, is_open, action, note, payload, recorded_at) "
                f"VALUES (:plant, :case_id, :order_id, {'true' if connection.dialect.name != 'sqlite' else 1}, "
                "'', '', :payload, '2026-11-20T06:00:00.000000+00:00')"
            ),
            row,
        )

    engine = create_engine(database_url)
    async with engine.execution_options(**{WRITER: True}).begin() as connection:
        await connection.run_sync(first_schema)
    await engine.dispose()
    migrated = await open_ledger(database_url)
    search = CaseSearch(code="M7/053", owner="finance", posting_key=case.posting_key)
    assert [c.case.case_id for c in await migrated.find_cases(PLANT, search)] == [case.case_id]
    await migrated.close()
