"""Trying a connection: each thing that is wrong has one clear message, and a hint that says what follows."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from erp.sap import create_sap
from erp.sap.probe import REFERENCES, SERVICES
from signals.erp_reads import Probe
from tests.erp.conftest import ENVIRON, config_for


async def probed(erp: Any) -> dict[str, Probe]:
    found = await erp.probe()
    await erp.aclose()
    return {probe.name: probe for probe in found}


async def test_a_healthy_system_answers_for_everything_and_nothing_is_booked(sap, order):
    books = await sap.books()
    found = await probed(sap.adapter(client="100"))
    assert [probe.message for probe in found.values() if not probe.ok] == []
    assert set(found) >= {"log-on", "plant"} | {f"service {service.name}" for service in SERVICES}
    assert {name for name in found if name.startswith("search ")} == {f"search {r.what}" for r in REFERENCES}
    assert await sap.books() == books


async def test_a_wrong_password_and_a_wrong_client_are_told_apart(sap):
    config = config_for(sap.url)
    wrong = await probed(create_sap(config, "demo", ENVIRON | {"SAP_PASSWORD": "wrong"}))
    assert list(wrong) == ["log-on"]
    assert not wrong["log-on"].ok
    assert "SAP_PASSWORD" in wrong["log-on"].hint
    assert "wrong" not in wrong["log-on"].message + wrong["log-on"].hint
    nowhere = await probed(sap.adapter(client="999"))
    assert not nowhere["log-on"].ok
    assert "client '999'" in nowhere["log-on"].hint


async def test_a_host_that_does_not_answer_is_told_with_its_address(unused_tcp_port):
    found = await probed(create_sap(config_for(f"http://127.0.0.1:{unused_tcp_port}"), "demo", ENVIRON))
    assert list(found) == ["connection"]
    assert not found["connection"].ok
    assert found["connection"].unreachable
    assert "Errno" not in found["connection"].message
    assert str(unused_tcp_port) in found["connection"].message


async def test_an_unknown_certificate_names_the_setting_that_helps():
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate")

    found = await probed(_scripted(handler))
    assert not found["log-on"].ok
    assert "ca_file" in found["log-on"].hint


async def test_a_service_that_is_not_active_or_not_allowed_names_its_scenario_and_what_is_lost(sap, order):
    await sap.settings(
        inactive_services=["API_DEFECT_SRV", "api_work_center"],
        forbidden_services=["API_MATERIAL_DOCUMENT_SRV"],
    )
    found = await probed(sap.adapter())
    inactive, denied = found["service API_DEFECT_SRV"], found["service API_MATERIAL_DOCUMENT_SRV"]
    assert "not activated" in inactive.message
    assert "SAP_COM_0153" in inactive.hint
    assert "no nonconformance" in inactive.hint
    assert "no authorisation" in denied.message
    assert "SAP_COM_0108" in denied.hint
    assert "search material documents" not in found
    assert not found["service api_work_center/srvd_a2x/sap/workcenter/0001"].ok
    assert found["log-on"].ok
    assert [probe.name for probe in found.values() if probe.required and not probe.ok] == []


async def test_an_unknown_plant_is_told(sap):
    found = await probed(sap.adapter(plant="9999"))
    assert not found["plant"].ok
    assert "9999" in found["plant"].message


async def test_references_that_cannot_be_searched_say_what_is_done_instead(sap, order):
    await sap.fault("key_not_searchable")
    found = await probed(sap.adapter())
    told = found["search confirmations"]
    assert not told.ok
    assert "confirmations cannot be searched by ExternalSystemConfirmation" in told.message
    assert "still exact" in told.hint
    assert not found["search material documents"].ok
    assert not found["search maintenance notifications"].ok


@pytest.mark.parametrize("status", [401])
async def test_an_expired_token_is_fetched_anew_and_what_is_refused_then_is_a_matter_of_set_up(status):
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "id.example":
            return httpx.Response(200, json={"access_token": "t1", "expires_in": 3600})
        return httpx.Response(status)

    found = await probed(_scripted(handler, auth="oauth", token_url="https://id.example/token"))
    assert not found["log-on"].ok
    assert "token" in found["log-on"].hint


def _scripted(handler: Any, **changes: Any) -> Any:
    environ = ENVIRON | {"SAP_CLIENT_ID": "plantwright", "SAP_CLIENT_SECRET": "s3cret"}
    config = config_for("https://sap.example", **changes)
    return create_sap(config, "demo", environ, transport=httpx.MockTransport(handler))
