"""Every trouble has class, owner, deadline and runbook, the ladder skips nobody, and the documents say the same.

`PLANTWRIGHT_WRITE_DOCS=1` renews the tables of docs/errors.md and docs/ownership.md.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalogue_text import tables
from domain.error_catalogue import (
    RungKind,
    actions_for,
    completed,
    consequence_of_skip,
    deciders,
    judge,
    ladder_of,
    may_decide,
    next_rung_at,
    roles_at,
    rungs_due,
    severity_of,
)
from domain.error_classes import REFUSALS, TROUBLES
from domain.error_codes import CODES, REJECTED, find_entry
from domain.ownership import ownership_table
from domain.roles import LADDER, Role
from signals.documents import Case, CaseAction, CaseKind
from signals.errors import ErrorType, Reason
from signals.transactions import CompleteOrder, ConfirmProduction, Reverse

DOCS = Path(__file__).resolve().parents[2] / "docs"
T0 = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
CONFIRMATION = ConfirmProduction(
    plant="north", order="1", operation="0010", posting_date=date(2026, 11, 20), yield_quantity=Decimal(3),
    scrap_quantity=Decimal(1), unit="PC",
)  # fmt: skip


def case(kind: CaseKind = CaseKind.ERP_REJECTED, owner: Role = Role.PLANNER, **changes) -> Case:
    return Case(
        case_id="c1", plant="north", order="1", kind=kind, owner_role=owner.value, summary="s",
        allowed=(CaseAction.RETRY,), opened_at=T0, due_at=T0 + timedelta(hours=4),
    ).model_copy(update=changes)  # fmt: skip


def test_every_reason_and_every_kind_has_its_class():
    assert set(REFUSALS) == set(Reason)
    assert set(TROUBLES) == {k.value for k in CaseKind if k is not CaseKind.ERP_REJECTED}
    for trouble in (*REFUSALS.values(), *TROUBLES.values()):
        assert trouble.hours > 0 and 1 <= trouble.severity <= 4 and trouble.runbook and trouble.actions
        assert bool(trouble.skip) == (CaseAction.SKIP in trouble.actions), trouble.name


@pytest.mark.parametrize(
    ("erp", "code", "answer", "name", "owner"),
    [
        ("sap", "M7/053", "", "period_closed", Role.FINANCE),
        ("sap", "M8/147", "", "master_data", Role.FINANCE),
        ("sap", "M7/021", "", "stock_short", Role.PLANNER),
        ("sap", "RU/505", "", "stock_short", Role.PLANNER),
        ("sap", "MM_IM_ODATA_API_MDOC/014", "", "client_bug", Role.INTEGRATION),
        ("sap", "/IWBEP/CM_MGW_RT/021", "", "client_bug", Role.INTEGRATION),
        ("oracle", "", "Negative inventory balances are not allowed in this organization", "stock_short", Role.PLANNER),
        ("dynamics", "", "5 cannot be picked because only 2 is/are available from the inventory.", "stock_short",
         Role.PLANNER),
        ("dynamics", "", "Inventory dimension Location must be specified.", "master_data", Role.PLANNER),
        ("dynamics", "HTTP/500", "Fiscal period for 2026-10-31 is not open.", "period_closed", Role.FINANCE),
        ("tryton", "UserError", "The move cannot be posted: its period is closed", "other", Role.PLANNER),
        ("", "not_supported", "", "not_supported", Role.INTEGRATION),
        ("", "hold-route/1", "", "rule", Role.PLANNER),
        ("", "quantity_not_representable", "", "rule", Role.INTEGRATION),
        ("", "HTTP/400", "", "client_bug", Role.INTEGRATION),
        ("", "never seen", "", "other", Role.PLANNER),
    ],
)  # fmt: skip
def test_a_refusal_goes_to_the_role_that_can_do_something(erp, code, answer, name, owner):
    verdict = judge(CaseKind.ERP_REJECTED, erp=erp, code=code, answer=answer)
    assert (verdict.trouble.name, verdict.owner) == (name, owner)
    assert verdict.runbook


def test_what_the_adapter_says_goes_before_what_a_code_usually_means():
    verdict = judge(CaseKind.ERP_REJECTED, erp="tryton", code="UserError", reason=Reason.PERIOD_CLOSED)
    assert (verdict.trouble.name, verdict.owner) == ("period_closed", Role.FINANCE)


def test_every_code_is_found_as_itself():
    for entry in CODES:
        if entry.code and not set("*?[") & set(entry.code):
            assert find_entry(entry.code, erp=entry.erp) is entry, entry.code
        assert entry.means and entry.do
        assert entry.type in ErrorType and (entry.type is REJECTED or entry.reason is Reason.OTHER)


def test_every_code_that_an_adapter_gives_is_in_the_catalogue():
    sources = [p.read_text() for p in (DOCS.parent / "erp").rglob("*.py")]
    given_ = {c for text in sources for c in re.findall(r'code="([^"{}]+)"', text)}
    given_ |= {c for text in sources for c in re.findall(r'"((?:infolog|UserError)/[a-z_]+)"', text)}
    assert len(given_) > 40
    assert {c for c in given_ if find_entry(c) is None} == set()


def test_what_may_be_decided_fits_the_posting():
    rejected = REFUSALS[Reason.OTHER]
    reverse = Reverse(plant="north", order="1", posting_date=date(2026, 11, 20), document="7/1")
    complete = CompleteOrder(plant="north", order="1", posting_date=date(2026, 11, 20))
    A = CaseAction
    assert actions_for(rejected, CONFIRMATION) == (A.RETRY, A.AMEND, A.SKIP, A.COMPENSATE)
    assert actions_for(rejected, reverse) == (A.RETRY, A.SKIP, A.ADOPT)
    assert actions_for(rejected, complete) == (A.RETRY, A.SKIP)
    assert "3 PC yield, 1 PC scrap" in consequence_of_skip(rejected, CONFIRMATION)
    assert "document 7/1 stands" in consequence_of_skip(rejected, reverse)
    assert consequence_of_skip(TROUBLES["erp_misconfigured"], CONFIRMATION) == ""


@given(kind=st.sampled_from(CaseKind), code=st.sampled_from(["", "M7/053", "whatever"]))
def test_an_opened_case_lacks_nothing(kind: CaseKind, code: str):
    found = completed(case(kind, error_code=code, opened_at=None, due_at=None), T0)
    assert found.opened_at == T0 and found.due_at is not None and found.due_at > T0
    assert found.error_class and found.runbook
    assert completed(found, T0 + timedelta(days=1)) == found, "what is known is kept"


def test_owners_those_above_them_and_admins_decide():
    found = case(owner=Role.FINANCE)
    assert deciders(found) == (Role.FINANCE, Role.INTEGRATION, Role.ADMIN)
    assert may_decide(found, "finance") == may_decide(found, "Admin") == ""
    assert "finance" in may_decide(found, "operator") and "no role" in may_decide(found, "boss")
    assert Role.OPERATOR not in {r for owner in Role for r in LADDER[owner]}


@given(
    owner=st.sampled_from(Role),
    hours=st.floats(min_value=0.1, max_value=100),
    looks=st.lists(st.floats(min_value=0, max_value=10), max_size=8),
)
def test_the_ladder_skips_no_rung_whenever_it_is_looked_at(owner: Role, hours: float, looks: list[float]):
    found = case(owner=owner, due_at=T0 + timedelta(hours=hours))
    climbed, level = [], 0
    for look in sorted(looks):
        for rung in rungs_due(found, level, T0 + look * timedelta(hours=hours)):
            assert rung.level == level + 1
            climbed.append(rung)
            level = rung.level
    ladder = ladder_of(found)
    assert tuple(climbed) == ladder[: len(climbed)]
    assert [r.kind for r in ladder[:1]] == [RungKind.REMIND] and ladder[0].at < found.due_at
    assert [r.at for r in ladder] == sorted(r.at for r in ladder)
    assert next_rung_at(found, len(ladder)) is None
    assert roles_at(found, len(ladder))[-1] == (LADDER[owner] or (owner,))[-1].value
    assert 1 <= severity_of(found, level) <= severity_of(found, 0)


def renewed(text: str, found: dict[str, str], marker: str) -> str:
    """The document with the tables between its marks."""
    for name, body in found.items():
        mark = f"<!-- {marker}{name} -->"
        assert mark in text, f"the document lacks {mark}"
        text = re.sub(f"{re.escape(mark)}\n.*?<!-- end -->", lambda _, m=mark, b=body: f"{m}\n{b}\n<!-- end -->", text,
                      count=1, flags=re.DOTALL)  # fmt: skip
    return text


@pytest.mark.parametrize(
    ("document", "marker", "found"),
    [("errors.md", "catalogue: ", tables()), ("ownership.md", "", {"ownership": ownership_table()})],
)
def test_the_documents_say_what_the_tables_say(document: str, marker: str, found: dict[str, str]):
    path = DOCS / document
    wanted = renewed(path.read_text(), found, marker)
    if os.environ.get("PLANTWRIGHT_WRITE_DOCS"):
        path.write_text(wanted)
    assert path.read_text() == wanted, "PLANTWRIGHT_WRITE_DOCS=1 pytest tests/domain/test_error_catalogue.py renews it"
