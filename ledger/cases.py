"""Cases: opened once, found by what people search for, decided, escalated, closed.

What a decision does to postings and documents is `ledger.case_effects`; acting on the ERP is the workflow's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from domain.error_catalogue import completed, may_decide
from ledger.case_effects import amendments_of, check_undecided, is_back, take_effect
from ledger.database import Books, upsert
from ledger.parking import already_recorded, record_decision
from ledger.postings import posting_record
from ledger.tables import DecisionRow, ExceptionCaseRow, PostingRow, ProductionOrderRow
from signals.decisions import DecideCase
from signals.documents import Case, CaseAction
from signals.errors import BadInput
from signals.exceptions import CaseDecisionMade, CaseFile, CaseSearch, ListedCase
from signals.orders import ProductionOrder

STAYS_OPEN = (CaseAction.REVERSE, CaseAction.COMPENSATE)
"""What was decided is still to be booked; the case closes after it."""


class CaseBooks(Books):
    """Everything only a person can settle."""

    async def open_case(self, case: Case) -> Case:
        async with self._db.write() as session:
            now = self._db.now()
            opened = completed(case, now)
            material = await _material_of(session, case.plant, case.order)
            statement = upsert(session, ExceptionCaseRow).values(
                plant=case.plant,
                case_id=case.case_id,
                order_id=case.order,
                action="",
                recorded_at=now,
                **_opened_columns(opened, material),
            )
            inserted = statement.on_conflict_do_nothing().returning(col(ExceptionCaseRow.case_id))
            if await session.scalar(inserted) is not None:
                return opened
            row = await _locked_case(session, case.plant, case.case_id)
            if await is_back(session, row):
                row.action = ""
                for name, value in _opened_columns(opened, material).items():
                    setattr(row, name, value)
            return Case.model_validate_json(row.payload)

    async def cases(self, plant: str, *, order: str = "", open_only: bool = True) -> list[Case]:
        async with self._db.read() as session:
            return await cases_of(session, plant, order, open_only=open_only)

    async def find_cases(self, plant: str, search: CaseSearch) -> list[ListedCase]:
        async with self._db.read() as session:
            wanted = select(ExceptionCaseRow).where(ExceptionCaseRow.plant == plant, *_conditions(search))
            first = func.coalesce(col(ExceptionCaseRow.opened_at), col(ExceptionCaseRow.recorded_at))
            rows = await session.scalars(wanted.order_by(first, col(ExceptionCaseRow.case_id)))
            return [_listed(row) for row in rows]

    async def case_file(self, plant: str, case_id: str) -> CaseFile | None:
        async with self._db.read() as session:
            row = await session.get(ExceptionCaseRow, (plant, case_id))
            return None if row is None else await _file(session, row)

    async def decide_case(self, plant: str, decision: DecideCase) -> Case:
        async with self._db.write() as session:
            row = await _locked_case(session, plant, decision.case_id)
            case = Case.model_validate_json(row.payload)
            if await already_recorded(session, plant, decision):
                return case
            _check_allowed(case, decision)
            # Two people who want the same are both answered; two amendments never say the same.
            if row.action != decision.action or decision.action is CaseAction.AMEND:
                await check_undecided(session, row, case)
                await take_effect(session, plant, case, decision, self._db.now())
            row.action = decision.action
            row.is_open = decision.action in STAYS_OPEN
            if decision.action is CaseAction.SKIP:
                row.note = case.consequence
            row.closed_at = None if row.is_open else self._db.now()
            record_decision(session, plant, decision, self._db.now())
            return case

    async def close_case(self, plant: str, case_id: str, note: str) -> None:
        async with self._db.write() as session:
            row = await _locked_case(session, plant, case_id)
            if row.is_open:
                row.is_open, row.note, row.closed_at = False, note, self._db.now()

    async def note_rung(self, plant: str, case_id: str, level: int, roles: Iterable[str]) -> None:
        async with self._db.write() as session:
            row = await _locked_case(session, plant, case_id)
            if row.is_open and level > row.level:
                row.level, row.escalated_to = level, ",".join(roles)

    async def decisions_under(self, plant: str, prefix: str) -> int:
        async with self._db.read() as session:
            of_prefix = func.substr(col(DecisionRow.decision_id), 1, len(prefix)) == prefix
            wanted = select(func.count()).select_from(DecisionRow).where(DecisionRow.plant == plant, of_prefix)
            return await session.scalar(wanted) or 0


async def cases_of(session: AsyncSession, plant: str, order: str = "", *, open_only: bool = True) -> list[Case]:
    """Cases by the time they were opened; an empty `order` means all of the plant."""
    wanted = select(ExceptionCaseRow).where(ExceptionCaseRow.plant == plant)
    if order:
        wanted = wanted.where(ExceptionCaseRow.order_id == order)
    if open_only:
        wanted = wanted.where(col(ExceptionCaseRow.is_open).is_(True))
    rows = await session.scalars(wanted.order_by(col(ExceptionCaseRow.recorded_at), col(ExceptionCaseRow.case_id)))
    return [Case.model_validate_json(row.payload) for row in rows]


def _opened_columns(case: Case, material: str) -> dict[str, object]:
    return {
        "is_open": True,
        "note": "",
        "payload": case.model_dump_json(),
        "kind": case.kind.value,
        "operation": case.operation,
        "material": material,
        "error_code": case.error_code,
        "error_class": case.error_class,
        "owner_role": case.owner_role,
        "posting_key": case.posting_key,
        "opened_at": case.opened_at,
        "due_at": case.due_at,
        "closed_at": None,
        "level": 0,
        "escalated_to": "",
    }


async def _material_of(session: AsyncSession, plant: str, order: str) -> str:
    row = await session.get(ProductionOrderRow, (plant, order))
    if row is None or row.payload is None:
        return ""
    return ProductionOrder.model_validate_json(row.payload).material


def _conditions(search: CaseSearch) -> list[ColumnElement[bool]]:
    row = ExceptionCaseRow
    equal = (
        (col(row.order_id), search.order),
        (col(row.operation), search.operation),
        (col(row.material), search.material),
        (col(row.kind), search.kind),
        (col(row.error_class), search.error_class),
    )
    found: list[ColumnElement[bool]] = [column == value for column, value in equal if value]
    if search.open_only:
        found.append(col(row.is_open).is_(True))
    if search.code:
        pattern = search.code.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        found.append(col(row.error_code).like(pattern.replace("*", "%").replace("?", "_"), escape="\\"))
    if search.owner:
        climbed = ("," + col(row.escalated_to) + ",").contains(f",{search.owner},", autoescape=True)
        found.append(or_(col(row.owner_role) == search.owner, climbed))
    if search.posting_key is not None:
        found.append(col(row.posting_key) == search.posting_key)
    if search.due_before is not None:
        found.append(col(row.due_at) < search.due_before)
    if search.opened_before is not None:
        found.append(col(row.opened_at) < search.opened_before)
    return found


def _listed(row: ExceptionCaseRow) -> ListedCase:
    case = Case.model_validate_json(row.payload)
    return ListedCase(case=case, is_open=row.is_open, action=row.action, material=row.material, level=row.level)


async def _file(session: AsyncSession, row: ExceptionCaseRow) -> CaseFile:
    posting = await session.get(PostingRow, row.posting_key) if row.posting_key is not None else None
    record = None if posting is None else posting_record(posting)
    decided = select(DecisionRow).where(
        DecisionRow.plant == row.plant, DecisionRow.subject == row.case_id, DecisionRow.kind == "case"
    )
    made = await session.scalars(decided.order_by(col(DecisionRow.recorded_at), col(DecisionRow.decision_id)))
    return CaseFile(
        case=Case.model_validate_json(row.payload),
        is_open=row.is_open,
        action=row.action,
        note=row.note,
        material=row.material,
        level=row.level,
        closed_at=row.closed_at,
        transaction=record.transaction if record else None,
        posting_state=record.state if record else None,
        posting_document=record.document if record else "",
        posting_message=record.message if record else "",
        attempts=record.attempts if record else 0,
        amendments=tuple(await amendments_of(session, row.plant, key=row.posting_key)) if row.posting_key else (),
        decisions=tuple(
            CaseDecisionMade(decision=DecideCase.model_validate_json(d.payload), at=d.recorded_at) for d in made
        ),
    )


def _check_allowed(case: Case, decision: DecideCase) -> None:
    if decision.action not in case.allowed:
        allowed = ", ".join(case.allowed)
        raise BadInput(
            f"case {case.case_id} ({case.kind}) cannot be settled by {decision.action}",
            subject=case.case_id,
            hint=f"allowed here: {allowed}",
        )
    forbidden = may_decide(case, decision.role) if decision.role else ""
    if forbidden:
        raise BadInput(forbidden, subject=case.case_id, hint="ask one of them, or decide in that role")


async def _locked_case(session: AsyncSession, plant: str, case_id: str) -> ExceptionCaseRow:
    row = await session.get(ExceptionCaseRow, (plant, case_id), with_for_update=True)
    if row is None:
        hint = "list the open cases; an id is only known in the plant it was opened in"
        raise BadInput(f"plant {plant} has no case {case_id}", subject=case_id, hint=hint)
    return row


async def open_cases_about(session: AsyncSession, keys: Iterable[UUID]) -> list[ExceptionCaseRow]:
    """Open cases about any of the postings."""
    wanted = select(ExceptionCaseRow).where(
        col(ExceptionCaseRow.posting_key).in_(list(keys)), col(ExceptionCaseRow.is_open).is_(True)
    )
    return list(await session.scalars(wanted))
