"""The API's own OpenAPI document, tried out with generated requests: whatever comes, there is no server error."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from signals.documents import Case as ExceptionCase
from signals.documents import CaseAction, CaseKind
from signals.reports import ParkedItem, ParkedWhy
from tests.console.browsing import served
from tests.console.house import NORTH, START, House
from tests.console.stop_floor import stands

EXAMPLES = int(os.environ.get("PLANTWRIGHT_TEST_EXAMPLES", "15"))
"""For each operation, with real ids where the path wants one."""
SHIFT = {"day": "2026-11-20", "name": "early"}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore")  # the tool's own dependencies warn
@pytest.mark.parametrize("role", ["quality engineer", "supervisor"])
async def test_no_generated_request_gets_a_server_error(house: House, role: str) -> None:
    real = {"plant": NORTH, "hold": await house.hold(), "order": "1000017", **await others(house)}
    user = {"quality engineer": "engineer-1", "supervisor": "supervisor-1"}[role]
    token = await house.token(user, NORTH, role)
    async with served(house.app) as address:
        tried = await asyncio.to_thread(try_out, house.app.openapi(), address, token, real)
    assert tried >= 17, "the document names fewer operations than there are"


async def others(house: House) -> dict[str, str]:
    case = ExceptionCase(
        case_id="case-1", plant=NORTH, order="1000017", kind=CaseKind.SECOND_EVIDENCE, owner_role="supervisor",
        summary="counters differ", allowed=(CaseAction.ACCEPT, CaseAction.AMEND),
    )  # fmt: skip
    await house.ledger.open_case(case)
    item = ParkedItem(item="item-1", plant=NORTH, line="line-1", why=ParkedWhy.NO_ORDER, detail="no order", at=START)
    await house.ledger.park((item,))
    stop = await stands(house.ledger, house.services.plants[NORTH], house.now[0])
    return {"case": "case-1", "item": "item-1", "line": stop.line, "stop": stop.stop, **SHIFT}


def try_out(document: dict[str, Any], address: str, token: str, real: dict[str, str]) -> int:
    """Every operation, once for things that exist and once for anything; how many operations there were."""
    schema = schemathesis.openapi.from_dict(document)
    headers = {"authorization": f"Bearer {token}"}
    operations: list[Any] = [found.ok() for found in schema.get_all_operations()]  # pyright: ignore
    for operation in operations:
        try_operation(operation, address, headers, real)
        try_operation(operation, address, headers, {})
    return len(operations)


def try_operation(operation: Any, address: str, headers: dict[str, str], real: dict[str, str]) -> None:
    """Generated requests, with the real ids where given."""

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def ask(case: Case) -> None:
        if real:
            case.path_parameters = {name: real[name] for name in case.path_parameters or {}}
        case.call_and_validate(base_url=address, headers=headers, checks=CHECKS, timeout=20)

    ask()
