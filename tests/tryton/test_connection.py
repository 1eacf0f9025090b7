"""Set-up is idempotent, and what is wrong with a connection is said once and clearly."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable

import httpx
import pytest

from erp.tryton.adapter import TrytonErp, create_tryton
from erp.tryton.failures import TrytonWarning, error_of, failure_of
from signals.errors import ErpBusy, ErpError, ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable, Reason
from signals.transactions import TransactionType
from tests.tryton.conftest import Order, post
from workers.server_ports import free_port
from workers.tryton_server import TrytonServer


async def test_set_up_and_seeding_are_idempotent(running: TrytonServer, order: Order) -> None:
    before = await running.books(order.number)
    again = await running.seed(order.seed(), stock=False)
    assert (again.created, again.kept) == ((), (order.number,))
    assert await running.books(order.number) == before
    await running.stop()
    await running.start()
    assert await running.books(order.number) == before


async def test_passwords_are_kept_where_only_their_owner_reads_them(running: TrytonServer) -> None:
    mode = stat.S_IMODE(running.database.secrets.stat().st_mode)
    assert mode == 0o600
    kept = json.loads(running.database.secrets.read_text())
    assert kept["admin"] not in running.database.log.read_text(errors="replace")
    assert kept["password"] not in running.database.log.read_text(errors="replace")


async def test_wrong_password_is_one_clear_error(running: TrytonServer, connect: Callable[..., TrytonErp]) -> None:
    from domain.plant_erp import ErpConfig

    config = ErpConfig(kind="tryton", url=running.url, plant="1010")
    erp = create_tryton(config, "demo", {**running.credentials, "TRYTON_PASSWORD": "wrong"})
    with pytest.raises(ErpMisconfigured, match="check the user and the password"):
        await erp.read_order("1")
    (probe,) = await erp.probe()
    assert not probe.ok and "password" in probe.message
    await erp.aclose()


async def test_missing_credentials_are_named() -> None:
    from domain.plant_erp import ErpConfig

    config = ErpConfig(kind="tryton", url="http://127.0.0.1:1", plant="1010")
    with pytest.raises(ErpMisconfigured, match="set TRYTON_USER and TRYTON_PASSWORD"):
        create_tryton(config, "demo", {})


async def test_unreachable_tryton_is_unavailable(connect: Callable[..., TrytonErp], order: Order) -> None:
    erp = connect(url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ErpUnavailable):
        await erp.read_order(order.number)
    with pytest.raises(ErpUnavailable):
        await post(erp, order.confirm("0010", 1))


async def test_wrong_database_warehouse_and_order_are_named(connect: Callable[..., TrytonErp], order: Order) -> None:
    with pytest.raises(ErpMisconfigured, match="database"):
        await connect(tryton={"database": "nowhere"}).read_order(order.number)
    with pytest.raises(ErpMisconfigured, match="company"):
        await connect(tryton={"company": "Nobody Ltd"}).read_order(order.number)
    with pytest.raises(ErpRejected, match="belongs to warehouse 1010") as other:
        await connect(plant="2020").read_order(order.number)
    assert other.value.code == "order_of_other_plant"
    with pytest.raises(ErpRejected) as unknown:
        await connect().read_order("no-such-order")
    assert unknown.value.code == "order_not_found"


async def test_session_that_tryton_forgot_is_opened_again(erp: TrytonErp, order: Order, running: TrytonServer) -> None:
    await erp.read_order(order.number)
    admin = await running.admin()
    user = await admin.find("res.user", [("login", "=", running.credentials["TRYTON_USER"])])
    # A changed password ends all sessions of the user.
    await admin.call("model.res.user.write", [user], {"password": running.credentials["TRYTON_PASSWORD"]})
    assert (await erp.read_order(order.number)).order == order.number


async def test_probe_finds_nothing_wrong(erp: TrytonErp, order: Order) -> None:
    probes = await erp.probe()
    assert [p.message for p in probes if not p.ok] == []
    assert {"log_in", "modules", "warehouse", "waste_location", "key_search", "reversal"} == {p.name for p in probes}


async def test_every_transaction_is_declared_with_a_reason_where_it_is_not_supported(erp: TrytonErp) -> None:
    declared = erp.capabilities.transactions
    assert set(declared) == set(TransactionType)
    assert all(capability.reason for capability in declared.values() if not capability.supported)


@pytest.mark.parametrize(
    ("payload", "booking", "expected", "code"),
    [
        (
            ["UserError", ['To modify stock move "X" you must reopen period "12/31/2020".', "", None]],
            True,
            ErpRejected,
            "UserError/period_closed",
        ),
        (["UserError", ['You are not allowed to access "Note".', "", None]], True, ErpMisconfigured, "AccessError"),
        (["UserWarning", ["abc.some_question", "Really?", ""]], True, TrytonWarning, "UserWarning/some_question"),
        (["ConcurrencyException", ["changed"]], True, ErpBusy, "ConcurrencyException"),
        (["LoginException", ["sms", "Code", "char"]], False, ErpMisconfigured, "LoginException"),
        (["database is locked", ""], True, ErpBusy, "locked"),
        (["'production.work'", ""], False, ErpMisconfigured, "module_missing"),
        (["list index out of range", ""], True, ErpInDoubt, "fault"),
        (["list index out of range", ""], False, ErpUnavailable, "fault"),
    ],
)
def test_error_of_tryton_is_put_into_one_class(
    payload: list[object], booking: bool, expected: type[ErpError], code: str
) -> None:
    error = error_of(payload, "a call", booking=booking)
    assert type(error) is expected and error.code == code
    if code.endswith("period_closed"):
        assert error.reason is Reason.PERIOD_CLOSED


@pytest.mark.parametrize(
    ("status", "booking", "expected"),
    [
        (401, True, ErpMisconfigured),
        (403, True, ErpMisconfigured),
        (404, True, ErpMisconfigured),
        (302, True, ErpMisconfigured),
        (429, True, ErpBusy),
        (413, True, ErpRejected),
        (504, True, ErpInDoubt),
        (500, True, ErpInDoubt),
        (503, False, ErpUnavailable),
    ],
)
def test_http_answer_is_put_into_one_class(status: int, booking: bool, expected: type[ErpError]) -> None:
    assert type(failure_of(httpx.Response(status), "a call", booking=booking)) is expected
