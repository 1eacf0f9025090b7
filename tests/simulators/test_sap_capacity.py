"""The V4 services of the simulated SAP: work centres with their capacity, quality notifications."""

import httpx
import pytest

PRESS = {
    "work_centre": "PRESS",
    "plant": "1010",
    "text": "Press 1",
    "group": "FORMING",
    "capacities": 2,
    "cost_centres": [{"cost_centre": "CC-PRESS", "activity_type": "MACH", "controlling_area": "A000"}],
    "intervals": [{"start": "2026-03-01", "end": "2026-03-31", "utilisation": 85}],
}
CENTRES = [
    PRESS,
    {"work_centre": "PRESS2", "plant": "1010", "group": "FORMING"},
    {"work_centre": "PACK", "plant": "1010", "group": "PACKING"},
]
APRIL = {"IntervalStartDate": "2026-04-01", "IntervalEndDate": "2026-04-30", "CapacityNumberOfCapacities": 1}


@pytest.fixture
async def plant(sap):
    await sap.seed(work_centres=CENTRES)
    return sap


async def capacity_path(sap) -> str:
    centre = (await sap.read4(f"{sap.work_centres}/WorkCenter", _filter="WorkCenter eq 'PRESS'"))["value"][0]
    key = f"WorkCenterInternalID='{centre['WorkCenterInternalID']}',WorkCenterTypeCode='A'"
    capacity = (await sap.read4(f"{sap.work_centres}/WorkCenter({key})/_WorkCenterCapacity"))["value"][0]
    return f"{sap.work_centres}/WorkCenterCapacity({key},CapacityInternalID='{capacity['CapacityInternalID']}')"


def told(answer, code: str, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code, answer.text
    assert isinstance(error["message"], str) and isinstance(error["details"], list)
    return error["message"]


async def test_work_centres_are_read_with_cost_centre_capacity_and_alternates(plant):
    found = await plant.read4(
        f"{plant.work_centres}/WorkCenter",
        _filter="YY1_CapabilityGroup_WCT eq 'FORMING' and Plant eq '1010'",
        _orderby="WorkCenter",
        _expand="_WorkCenterCostCenter($select=CostCenter,CostCtrActivityType),"
        "_WorkCenterCapacity($expand=_WorkCenterCapacityInterval)",
        _count="true",
    )
    assert found["@odata.count"] == 2
    press, other = found["value"]
    assert (press["WorkCenter"], other["WorkCenter"]) == ("PRESS", "PRESS2")
    assert press["_WorkCenterCostCenter"] == [{"CostCenter": "CC-PRESS", "CostCtrActivityType": "MACH"}]
    capacity = press["_WorkCenterCapacity"][0]
    assert (capacity["CapacityNumberOfCapacities"], capacity["CapacityStartTimeID"]) == (2, "06:00:00")
    interval = capacity["_WorkCenterCapacityInterval"][0]
    assert (interval["IntervalStartDate"], interval["CapacityPlanUtilizationPercent"]) == ("2026-03-01", "85")
    assert interval["@odata.etag"].startswith('W/"')
    assert (await plant.read4(f"{plant.work_centres}/WorkCenter", _filter="Plant eq '9999'"))["value"] == []
    contained = await plant.read4(f"{plant.work_centres}/WorkCenter", _filter="contains(WorkCenter,'ESS2')")
    assert [row["WorkCenter"] for row in contained["value"]] == ["PRESS2"]
    assert (await plant.get(f"{plant.work_centres}/WorkCenter/$count")).text == "3"


async def test_intervals_are_created_changed_and_deleted_by_etag(plant):
    path = await capacity_path(plant)
    made = await plant.post(f"{path}/_WorkCenterCapacityInterval", APRIL)
    assert made.status_code == 201, made.text
    own = made.headers["location"]
    assert (made.json()["CapacityPlanUtilizationPercent"], made.json()["SAP__Messages"]) == ("100", [])
    assert "IntervalEndDate=2026-04-30" in own
    told(await plant.change("PATCH", own, {"CapacityNumberOfCapacities": 0}), "/IWBEP/CM_V4_RUNTIME/428", 428)
    changed = await plant.change("PATCH", own, {"CapacityNumberOfCapacities": 0}, made.headers["etag"])
    assert (changed.status_code, changed.json()["CapacityNumberOfCapacities"]) == (200, 0)
    told(await plant.change("DELETE", own, None, made.headers["etag"]), "/IWBEP/CM_V4_RUNTIME/412", 412)
    booked = (await plant.books())["capacity_intervals"]
    assert [(row["start"], row["end"], row["capacities"], row["work_centre"]) for row in booked] == [
        ("2026-03-01", "2026-03-31", 2, "PRESS"),
        ("2026-04-01", "2026-04-30", 0, "PRESS"),
    ]
    assert (await plant.change("DELETE", own, None, changed.headers["etag"])).status_code == 204
    assert (await plant.get(own)).status_code == 404
    assert len((await plant.books())["capacity_intervals"]) == 1


async def test_overlapping_and_impossible_intervals_are_refused(plant):
    path = f"{await capacity_path(plant)}/_WorkCenterCapacityInterval"
    told(await plant.post(path, APRIL | {"IntervalStartDate": "2026-03-31"}), "CR/301")
    told(await plant.post(path, APRIL | {"IntervalStartDate": "2026-05-31"}), "CR/302")
    told(await plant.post(path, {"IntervalStartDate": "2026-05-31"}), "CR/302")
    told(await plant.post(path, APRIL | {"CapacityNumberOfCapacities": -1}), "CR/303")
    assert (await plant.post(path, APRIL | {"NoSuchProperty": 1})).status_code == 400
    assert (await plant.post(path, APRIL | {"CapacityNumberOfCapacities": "1"})).status_code == 400
    own = (await plant.post(path, APRIL)).headers["location"]
    told(await plant.change("PATCH", own, {"IntervalStartDate": "2026-03-15"}, "*"), "CR/301")
    told(await plant.change("PATCH", own, {"IntervalEndDate": "2026-06-01"}, "*"), "CR/306")
    assert (await plant.post(f"{plant.work_centres}/WorkCenterCapacityInterval", APRIL)).status_code == 405


async def test_shifts_come_with_their_interval_or_alone_and_never_overlap(plant):
    early = {"WeekDay": "1", "ShiftStartTime": "06:00:00", "ShiftEndTime": "14:00:00"}
    made = await plant.post(
        f"{await capacity_path(plant)}/_WorkCenterCapacityInterval", APRIL | {"_WorkCenterCapacityShift": [early]}
    )
    assert made.json()["_WorkCenterCapacityShift"][0]["OperatingDurationInSeconds"] == 28800
    shifts = f"{made.headers['location']}/_WorkCenterCapacityShift"
    told(await plant.post(shifts, early | {"ShiftStartTime": "13:00:00", "ShiftEndTime": "15:00:00"}), "CR/305")
    told(await plant.post(shifts, early | {"WeekDay": "8"}), "CR/304")
    late = early | {"ShiftStartTime": "14:00:00", "ShiftEndTime": "22:00:00", "OperatingDurationInSeconds": 27000}
    second = await plant.post(shifts, late)
    assert second.status_code == 201, second.text
    own = second.headers["location"]
    shorter = await plant.change("PATCH", own, {"ShiftEndTime": "20:00:00"}, second.headers["etag"])
    assert shorter.json()["OperatingDurationInSeconds"] == 21600
    assert (await plant.change("DELETE", own, None, shorter.headers["etag"])).status_code == 204
    assert len((await plant.books())["capacity_intervals"][-1]["shifts"]) == 1


async def test_a_capacity_is_changed_in_its_own_fields_only(plant):
    path = await capacity_path(plant)
    read = await plant.get(path)
    told(await plant.change("PATCH", path, {"CapacityIsFinite": False}), "/IWBEP/CM_V4_RUNTIME/428", 428)
    body = {"CapacityIsFinite": False, "CapacityPlanUtilizationPercent": "70", "CapacityEndTimeID": "18:00:00"}
    changed = await plant.change("PATCH", path, body, read.headers["etag"])
    assert {name: changed.json()[name] for name in body} == body
    told(await plant.change("PATCH", path, {"Capacity": "X"}, "*"), "CR/306")
    assert (await plant.change("DELETE", path, None, "*")).status_code == 405


async def test_v4_changes_need_the_token_and_their_faults_are_those_of_v2(plant):
    path = f"{await capacity_path(plant)}/_WorkCenterCapacityInterval"
    bare = await plant.http.post(path, json=APRIL)
    assert (bare.status_code, bare.headers["x-csrf-token"]) == (403, "Required")
    fetched = await plant.http.get(f"{plant.work_centres}/", headers={"x-csrf-token": "Fetch"})
    plant.token = fetched.headers["x-csrf-token"]
    await plant.fault("refuse", calls=1, path="/api_work_center")
    assert (await plant.post(path, APRIL)).status_code == 503
    await plant.fault("business_error", calls=1, code="CR/999", path=plant.work_centres)
    answer = await plant.post(path, APRIL)
    assert [detail["code"] for detail in answer.json()["error"]["details"]] == ["CR/999"]
    assert len((await plant.books())["capacity_intervals"]) == 1
    await plant.fault("timeout_after_commit", calls=1)
    with pytest.raises(httpx.ReadTimeout):
        await plant.post(path, APRIL, timeout=0.3)
    assert len((await plant.books())["capacity_intervals"]) == 2
    await plant.fault("partial", calls=1)
    shift = {"WeekDay": "1", "ShiftStartTime": "06:00:00", "ShiftEndTime": "14:00:00"}
    may = {"IntervalStartDate": "2026-05-01", "IntervalEndDate": "2026-05-31", "_WorkCenterCapacityShift": [shift]}
    answer = await plant.post(path, may)
    assert answer.json()["SAP__Messages"][0]["code"] == "CR/450"
    assert (await plant.books())["capacity_intervals"][-1]["shifts"] == []


async def test_the_v4_service_describes_itself_and_wrong_options_are_refused(plant):
    document = await plant.read4(f"{plant.work_centres}/")
    assert "WorkCenterCapacityShift" in [row["name"] for row in document["value"]]
    metadata = await plant.get(f"{plant.work_centres}/$metadata")
    assert 'Name="IntervalEndDate" Type="Edm.Date"' in metadata.text
    for option in ("$filter=NoSuch eq 1", "$expand=_No", "$select=No", "$top=x", "$search=x"):
        assert (await plant.http.get(f"{plant.work_centres}/WorkCenter?{option}")).status_code == 400, option
    assert (await plant.get("/sap/opu/odata4/sap/api_nothing/srvd_a2x/sap/nothing/0001/X")).status_code == 404


async def test_quality_notifications_are_created_read_and_moved_on_by_people(sap):
    body = {
        "NotificationType": "Q3",
        "NotificationText": "scratches",
        "QltyNotifExtReferenceNumber": "PW-NC-1",
        "Material": "FG1",
        "Plant": "1010",
        "ManufacturingOrder": "1000040",
        "DefectiveQuantity": 2.5,
        "DefectiveQuantityUnit": "PC",
        "_QualityNotificationItem": [{"DefectCodeGroup": "QUAL", "DefectCode": "SCR", "NumberOfDefects": 2}],
    }
    made = await sap.post(sap.quality, body)
    assert made.status_code == 201, made.text
    number = made.json()["QualityNotification"]
    assert (made.json()["NotifProcessingPhase"], made.json()["DefectiveQuantity"]) == ("1", 2.5)
    found = await sap.read4(
        sap.quality, _filter="QltyNotifExtReferenceNumber eq 'PW-NC-1'", _expand="_QualityNotificationItem"
    )
    assert found["value"][0]["_QualityNotificationItem"][0]["DefectCode"] == "SCR"
    assert (await sap.change("PATCH", f"{sap.quality}('{number}')", {}, "*")).status_code == 405
    told(await sap.post(sap.quality, body | {"NotificationType": "M2"}), "QM/302")
    for phase in ("in_process", "completed"):
        await sap.control("notifications", {"quality_notification": number, "phase": phase})
    assert (await sap.read4(f"{sap.quality}('{number}')"))["NotifProcessingPhase"] == "4"
    await sap.fault("partial", calls=1)
    await sap.fault("forget_keys", calls=1)
    await sap.post(sap.quality, body)
    booked = (await sap.books())["quality_notifications"]
    assert [(row["key"], row["phase"], len(row["items"])) for row in booked] == [
        ("PW-NC-1", "completed", 1),
        (None, "outstanding", 0),
    ]
    await sap.fault("key_not_searchable")
    answer = await sap.get(sap.quality, _filter="QltyNotifExtReferenceNumber eq 'PW-NC-1'")
    assert (answer.status_code, "not filterable" in answer.json()["error"]["message"]) == (400, True)
