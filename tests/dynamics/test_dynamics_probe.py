"""The probe says what is wrong with a connection, one clear message each, and books nothing."""

from __future__ import annotations

import pytest

from domain.plant_erp import ErpConfig
from erp.dynamics import DynamicsErp, create_dynamics
from signals.erp_reads import Probe
from signals.errors import ErpRejected
from tests.dynamics.conftest import ENVIRON, TENANT, DynamicsProcess, config_for, until


async def failed(erp: DynamicsErp) -> Probe:
    """The one required thing that does not work."""
    found = [p for p in await erp.probe() if not p.ok and p.required]
    await erp.aclose()
    assert len(found) == 1, found
    return found[0]


def connect(config: ErpConfig, **environ: str) -> DynamicsErp:
    return create_dynamics(config, "demo", ENVIRON | environ)


async def test_a_good_connection_is_good_in_everything_required(erp: DynamicsErp, order: str) -> None:
    found = await erp.probe()
    assert [p.name for p in found if not p.ok] == ["events"]
    assert next(p for p in found if p.name == "events").message.startswith("no event endpoint")
    assert next(p for p in found if p.name == "search transfer journals").message.startswith("descriptions can be")


async def test_a_wrong_secret(dynamics: DynamicsProcess) -> None:
    probe = await failed(connect(config_for(dynamics.url), DYNAMICS_CLIENT_SECRET="wrong-secret"))
    assert probe.name == "log-on"
    assert "AADSTS7000215" in probe.message
    assert "wrong-secret" not in probe.message


async def test_an_expired_secret(dynamics: DynamicsProcess, erp: DynamicsErp) -> None:
    await dynamics.settings(secret_expired=True)
    assert "has expired" in (await failed(erp)).message


async def test_an_unknown_tenant(dynamics: DynamicsProcess) -> None:
    url = f"{dynamics.url}/elsewhere.onmicrosoft.com/oauth2/v2.0/token"
    assert "the tenant is unknown" in (await failed(connect(config_for(dynamics.url, token_url=url)))).message


async def test_a_wrong_client_id(dynamics: DynamicsProcess) -> None:
    probe = await failed(connect(config_for(dynamics.url), DYNAMICS_CLIENT_ID="somebody-else"))
    assert "not registered in this tenant" in probe.message


async def test_a_scope_without_default(dynamics: DynamicsProcess) -> None:
    probe = await failed(connect(config_for(dynamics.url, scope=f"{dynamics.url}/user_impersonation")))
    assert "/.default" in probe.message


@pytest.mark.parametrize("status", [401, 403])
async def test_an_app_that_dynamics_does_not_know(dynamics: DynamicsProcess, erp: DynamicsErp, status: int) -> None:
    await dynamics.settings(registered_apps=[], unregistered_answer=status)
    probe = await failed(erp)
    assert probe.name == "app"
    assert "register the app id" in probe.hint


async def test_a_wrong_company(dynamics: DynamicsProcess, order: str) -> None:
    found = await dynamics.adapter({"company": "XXXX"}).probe()
    company = next(p for p in found if p.name == "company")
    assert not company.ok
    assert "there are some in" in company.message
    assert "USMF" in company.message


async def test_an_unknown_site(dynamics: DynamicsProcess, order: str) -> None:
    found = {p.name: p for p in await dynamics.adapter(plant="99").probe()}
    assert not found["site"].ok
    assert "orders of this company are of 1" in found["site"].message
    assert found["company"].ok


async def test_nobody_at_the_address() -> None:
    probe = await failed(connect(config_for("http://127.0.0.1:9")))
    assert (probe.name, probe.unreachable) == ("log-on", True)


async def test_descriptions_that_cannot_be_searched_cost_speed_only(
    dynamics: DynamicsProcess, erp: DynamicsErp
) -> None:
    await dynamics.fault("key_not_searchable")
    found = {p.name: p for p in await erp.probe()}
    assert found["transfer journals"].ok
    told = found["search transfer journals"]
    assert (told.ok, told.required) == (False, False)
    assert "cannot be searched" in told.message
    assert "still exact" in told.hint


async def test_the_token_expires_mid_run_and_work_goes_on(dynamics: DynamicsProcess, order: str) -> None:
    erp = dynamics.adapter()
    await erp.read_order(order)
    dead = await erp._client._authorization()

    async def status() -> int:
        answer = await dynamics.control.get("/data/ProductionOrderHeaders", headers={"authorization": dead})
        return answer.status_code

    await dynamics.settings(token_seconds=3)
    await until(status, lambda code: code == 401)
    assert await erp._client._authorization() == dead
    assert (await erp.read_order(order)).order == order
    assert await erp._client._authorization() != dead


async def test_orders_of_other_sites_and_unknown_ones_are_refused_by_name(
    dynamics: DynamicsProcess, order: str
) -> None:
    with pytest.raises(ErpRejected) as other:
        await dynamics.adapter(plant="99").read_order(order)
    assert other.value.code == "order_of_other_plant"
    with pytest.raises(ErpRejected) as unknown:
        await dynamics.adapter().read_order("NOBODY")
    assert unknown.value.code == "order_not_found"


async def test_released_orders_are_those_of_the_site(dynamics: DynamicsProcess, erp: DynamicsErp, order: str) -> None:
    await dynamics.settings(page_size=2)
    heads = {head.order: head.status for head in await erp.released_orders()}
    assert heads[order] == "released"
    assert order not in {h.order for h in await dynamics.adapter(plant="99").released_orders()}


def test_the_tenant_s_own_endpoint_is_the_usual_one() -> None:
    config = config_for("https://x.operations.dynamics.com", token_url="")
    erp = create_dynamics(config, "demo", ENVIRON)
    assert TENANT in repr(erp._client._tokens)
    assert ENVIRON["DYNAMICS_CLIENT_SECRET"] not in repr(erp._client._tokens)
