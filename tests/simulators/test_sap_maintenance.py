"""API_MAINTNOTIFICATION of the simulated SAP: opening, changing and completing malfunction reports."""

import httpx
import pytest

BODY = {
    "NotificationType": "M2",
    "NotificationText": "press stands",
    "MaintNotifLongTextForEdit": "hydraulic pressure lost",
    "TechnicalObject": "EQ-PRESS",
    "TechObjIsEquipOrFuncnlLoc": "EAMS_EQUI",
    "MalfunctionStartDate": "/Date(1772409600000)/",
    "MalfunctionStartTime": "PT08H15M00S",
    "MaintenanceObjectIsDown": True,
    "MalfunctionEffect": "1",
    "MaintPriority": "2",
    "MaintNotificationCodeGroup": "PRESS",
    "MaintNotificationCode": "HYDR",
    "MaintenancePlanningPlant": "1010",
    "MainWorkCenter": "MECH",
    "MainWorkCenterPlant": "1010",
    "MaintenancePlannerGroup": "010",
    "ReportedByUser": "SHIFT-A",
    "MaintNotifExtReferenceNumber": "PW-4ZK7Q2MXC5T3W8B6",
}


def refused(answer, code: str) -> str:
    assert answer.status_code == 400, answer.text
    details = {row["code"]: row["message"] for row in answer.json()["error"]["innererror"]["errordetails"]}
    assert code in details, answer.text
    return details[code]


async def opened(sap, **changes) -> str:
    answer = await sap.post(sap.notifications, BODY | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()["d"]["MaintenanceNotification"]


async def call(sap, function: str, number: str, **arguments: str):
    params = {"MaintenanceNotification": f"'{number}'"} | arguments
    return await sap.post(f"{sap.maintenance}/{function}", params=params)


async def test_a_malfunction_runs_from_report_to_completion(sap):
    answer = await sap.post(sap.notifications, BODY)
    made = answer.json()["d"]
    assert answer.status_code == 201
    assert answer.headers["location"].endswith(f"MaintenanceNotification('{made['MaintenanceNotification']}')")
    number = made["MaintenanceNotification"]
    assert (made["NotifProcessingPhase"], made["MaintenanceObjectIsDown"]) == ("1", True)
    assert made["MalfunctionStartDateTime"] == "/Date(1772439300000+0000)/"
    assert (await call(sap, "SetMaintNotifToInProcess", number)).json()["d"]["NotifProcessingPhase"] == "3"
    change = {"MalfunctionEndDate": "/Date(1772409600000)/", "MalfunctionEndTime": "PT09H45M00S"}
    answer = await sap.change("PATCH", f"{sap.notifications}('{number}')", change)
    assert (answer.status_code, answer.content) == (204, b"")
    done = await call(
        sap,
        "CompleteMaintNotification",
        number,
        NotificationReferenceDate="datetime'2026-03-02T00:00:00'",
        NotificationReferenceTime="time'PT10H00M00S'",
    )
    completed = done.json()["d"]
    assert (completed["IsCompleted"], completed["NotifProcessingPhase"]) == (True, "4")
    assert (completed["NotificationReferenceTime"], completed["MaintObjectDowntimeDuration"]) == (
        "PT10H00M00S",
        "1.5000000000000000E+00",
    )
    found = await sap.read(sap.notifications, _filter="MaintNotifExtReferenceNumber eq 'PW-4ZK7Q2MXC5T3W8B6'")
    assert [row["MaintenanceNotification"] for row in found["results"]] == [number]
    booked = (await sap.books())["notifications"]
    assert [(row["id"], row["key"], row["phase"], row["down"], row["started"], row["ended"]) for row in booked] == [
        (
            number,
            BODY["MaintNotifExtReferenceNumber"],
            "completed",
            True,
            "2026-03-02T08:15:00Z",
            "2026-03-02T09:45:00Z",
        )
    ]


async def test_a_completed_notification_refuses_every_change(sap):
    number = await opened(sap)
    warned = await call(sap, "CompleteMaintNotification", number)
    assert "without a malfunction end" in warned.headers["sap-message"]
    refused(await call(sap, "CompleteMaintNotification", number), "IM/310")
    refused(await call(sap, "SetMaintNotifToInProcess", number), "IM/310")
    refused(await sap.change("PATCH", f"{sap.notifications}('{number}')", {"NotificationText": "x"}), "IM/310")


async def test_type_is_fixed_and_an_end_before_the_start_is_refused(sap):
    refused(await sap.post(sap.notifications, BODY | {"NotificationType": "ZZ"}), "IM/302")
    number = await opened(sap)
    path = f"{sap.notifications}('{number}')"
    refused(await sap.change("PATCH", path, {"NotificationType": "M1"}), "IM/303")
    early = {"MalfunctionEndDate": "/Date(1772409600000)/", "MalfunctionEndTime": "PT08H14M59S"}
    refused(await sap.change("PATCH", path, early), "IM/341")
    start_gone = {"MalfunctionStartDate": None} | early
    refused(await sap.change("PATCH", path, start_gone), "IM/340")
    assert (await sap.books())["notifications"][0]["ended"] is None


async def test_notifications_cannot_be_deleted_or_put_and_unknown_ones_are_404(sap):
    number = await opened(sap)
    for method in ("DELETE", "PUT"):
        assert (await sap.change(method, f"{sap.notifications}('{number}')", {})).status_code == 405
    assert (await sap.change("PATCH", f"{sap.notifications}('77')", {})).status_code == 404
    assert (await call(sap, "SetMaintNotifToInProcess", "77")).status_code == 404
    answer = await sap.change("PATCH", f"{sap.notifications}('{number}')", {"NotificationColour": "red"})
    assert answer.status_code == 400


async def test_malfunction_times_are_in_the_zone_of_the_system(sap):
    await sap.control("settings", {"time_zone": "America/New_York"})
    await opened(sap)
    assert (await sap.books())["notifications"][0]["started"] == "2026-03-02T13:15:00Z"
    wrong = await sap.http.post("/_control/settings", json={"time_zone": "Mars/Olympus"})
    assert (wrong.status_code, "Europe/Berlin" in wrong.text) == (400, True)


async def test_work_requests_are_decided_once_and_only_they_are(sap):
    report = await opened(sap)
    refused(await call(sap, "ApproveMaintWorkRequest", report), "IM/320")
    request = await opened(sap, NotificationType="M1")
    asked = await call(sap, "SetMaintNotifToInfoRequired", request)
    assert asked.json()["d"]["MaintWorkRequestStatus"] == "IR"
    await call(sap, "RejectMaintWorkRequest", request)
    refused(await call(sap, "ApproveMaintWorkRequest", request), "IM/321")
    refused(await call(sap, "SetMaintNotifToInProcess", request), "IM/312")


async def test_technical_objects_are_checked_once_the_plant_has_named_them(sap):
    await opened(sap, TechnicalObject="ANYTHING")
    await sap.seed(technical_objects=[{"object": "EQ-PRESS"}, {"object": "LINE1-PRESS", "kind": "EAMS_FL"}])
    await opened(sap)
    refused(await sap.post(sap.notifications, BODY | {"TechnicalObject": "ANYTHING"}), "IM/160")
    refused(await sap.post(sap.notifications, BODY | {"TechnicalObject": "LINE1-PRESS"}), "IM/161")


async def test_the_same_reference_is_stored_twice_and_every_fault_mode_reaches_notifications(sap):
    await sap.sign_on()
    await sap.fault("refuse", calls=1)
    assert (await sap.post(sap.notifications, BODY)).status_code == 503
    await sap.fault("business_error", calls=1, code="IM/999")
    refused(await sap.post(sap.notifications, BODY), "IM/999")
    await sap.fault("timeout_before_commit", calls=1, seconds=0.05)
    assert (await sap.post(sap.notifications, BODY)).status_code == 504
    assert (await sap.books())["notifications"] == []
    await sap.fault("error_after_commit", calls=1)
    assert (await sap.post(sap.notifications, BODY)).status_code == 500
    await sap.fault("duplicate_answer", calls=1)
    assert (await sap.post(sap.notifications, BODY)).json()["error"]["code"] == "/IWBEP/CM_COS/005"
    await sap.fault("timeout_after_commit", calls=1)
    with pytest.raises(httpx.ReadTimeout):
        await sap.post(sap.notifications, BODY, timeout=0.2)
    await sap.fault("forget_keys", calls=1)
    await opened(sap)
    keys = [row["key"] for row in (await sap.books())["notifications"]]
    assert keys == [BODY["MaintNotifExtReferenceNumber"]] * 3 + [None]
    await sap.fault("key_not_searchable")
    answer = await sap.get(sap.notifications, _filter="MaintNotifExtReferenceNumber eq 'X'")
    assert (answer.status_code, "not filterable" in answer.text) == (400, True)


async def test_a_partial_notification_lacks_its_malfunction_or_keeps_its_phase(sap):
    await sap.fault("partial", calls=3)
    answer = await sap.post(sap.notifications, BODY)
    assert "without its malfunction data" in answer.headers["sap-message"]
    number = answer.json()["d"]["MaintenanceNotification"]
    assert (await sap.books())["notifications"][0]["started"] is None
    await sap.change(
        "PATCH", f"{sap.notifications}('{number}')", {"MaintenanceObjectIsDown": True, "MaintPriority": "1"}
    )
    kept = await call(sap, "SetMaintNotifToInProcess", number)
    assert (kept.status_code, kept.json()["d"]["NotifProcessingPhase"], kept.json()["d"]["MaintPriority"]) == (
        200,
        "1",
        "1",
    )
    assert (await call(sap, "SetMaintNotifToInProcess", number)).json()["d"]["NotifProcessingPhase"] == "3"
