"""Maintenance requests, work orders, stop types, calendars and resources of the simulated D365."""

from tests.simulators.dynamics_bench import erp_fixture, order, start_dynamics_fixture

__all__ = ["erp_fixture", "start_dynamics_fixture"]
REQUESTS = "AssetMaintenanceRequestsV2"


def key(entity, **names):
    return f"{entity}(dataAreaId='usmf',{','.join(f'{name}={value}' for name, value in names.items())})"


async def test_a_request_is_opened_found_by_its_text_and_closed(erp):
    made = await erp.create(
        REQUESTS,
        {
            "RequestTypeId": "Breakdown", "Description": "key-1", "Notes": "press stands", "MaintenanceAssetId": "PR-1",
            "ProductionStopFrom": "2026-03-02T07:30:00+01:00", "ActualStart": "2026-03-02T06:30:00Z",
        },
    )  # fmt: skip
    assert (made["RequestId"], made["RequestLifecycleStateId"], made["IsRequestActive"]) == ("MR-000001", "New", "Yes")
    assert (made["ProductionStopFrom"], made["ActualEnd"]) == ("2026-03-02T06:30:00Z", "1900-01-01T00:00:00Z")
    assert made["NextRequestLifecycleStateId"] == "InProgress"
    [found] = await erp.read(REQUESTS, _filter="Description eq 'key-1' and MaintenanceAssetId eq 'PR-1'")
    path = key(REQUESTS, RequestId=f"'{found['RequestId']}'")
    assert (await erp.call("PATCH", f"/data/{path}", json={"RequestLifecycleStateId": "InProgress"})).status_code == 204
    assert "has been started" in (await erp.call("DELETE", f"/data/{path}")).text
    assert "ActualEnd must not be before" in await erp.refused(path, {"ActualEnd": "2026-03-02T06:00:00Z"}, "PATCH")
    assert "Lifecycle states" in await erp.refused(path, {"RequestLifecycleStateId": "Odd"}, "PATCH")
    done = {"RequestLifecycleStateId": "Finished", "ActualEnd": "2026-03-02T08:00:00Z"}
    assert (await erp.call("PATCH", f"/data/{path}", json=done)).status_code == 204
    row = await erp.read(path)
    assert (row["IsRequestActive"], row["ActualEnd"]) == ("No", "2026-03-02T08:00:00Z")
    assert "from Finished to New" in await erp.refused(path, {"RequestLifecycleStateId": "New"}, "PATCH")
    [shown] = (await erp.books())["maintenance"]
    assert (shown["request"], shown["text"], shown["active"], shown["end"]) == (
        "MR-000001", "key-1", False, "2026-03-02T08:00:00Z"
    )  # fmt: skip


async def test_a_request_has_a_type_and_may_name_faults(erp):
    assert "'Maintenance request type' must be filled in" in await erp.refused(REQUESTS, {"Description": "x"})
    made = await erp.create(REQUESTS, {"RequestTypeId": "Breakdown"})
    fault = {"RequestId": made["RequestId"], "FaultSymptomId": "Noise"}
    assert [(await erp.create("AssetMaintenanceRequestAssetFaults", fault))["LineNumber"] for _ in range(2)] == [1, 2]
    assert "Maintenance requests" in await erp.refused("AssetMaintenanceRequestAssetFaults", {"RequestId": "X"})


async def test_no_entity_registers_downtime(erp):
    assert (await erp.get("AssetMaintenanceProductionStops")).status_code == 404
    await erp.seed(stop_types={"MECH": "Mechanical"})
    [row] = await erp.read("AssetMaintenanceProductionStopTypes")
    assert (row["ProductionStopTypeId"], row["Name"]) == ("MECH", "Mechanical")


async def test_work_orders_are_created_and_moved_on(erp):
    entity = "AssetMaintenanceWorkOrderTablesV2"
    made = await erp.create(entity, {"Description": "key-2", "WorkOrderTypeId": "Corrective", "ServiceLevel": 3})
    path = key(entity, WorkOrderId=f"'{made['WorkOrderId']}'")
    assert (await erp.call("PATCH", f"/data/{path}", json={"WorkOrderLifecycleStateId": "Finished"})).status_code == 204
    assert "from Finished" in await erp.refused(path, {"WorkOrderLifecycleStateId": "InProgress"}, "PATCH")


async def test_calendar_intervals_are_seconds_of_a_day_and_do_not_overlap(erp):
    day = {"WorkCalendarId": "STD", "CalendarDate": "2026-03-02T12:00:00Z"}
    interval = {"WorkCalendarId": "STD", "WorkCalendarDate": "2026-03-02T12:00:00Z", "StartTime": 21_600}
    entity = "WorkCalendarTimeIntervals"
    assert "Work calendar days" in await erp.refused(entity, interval | {"EndTime": 50_400})
    await erp.create("WorkCalendarDays", day)
    made = await erp.create(entity, interval | {"EndTime": 50_400})
    assert made["EfficiencyPercentage"] == 100
    assert "The record already exists." in await erp.refused(entity, interval | {"EndTime": 50_400})
    assert "overlaps" in await erp.refused(entity, interval | {"StartTime": 46_800, "EndTime": 60_000})
    assert "must start before it ends" in await erp.refused(entity, interval | {"StartTime": 60_000, "EndTime": 60_000})
    await erp.create(entity, interval | {"StartTime": 50_400, "EndTime": 79_200})
    path = key(entity, WorkCalendarId="'STD'", WorkCalendarDate="2026-03-02T12:00:00Z", StartTime=21_600)
    assert "overlaps" in await erp.refused(path, {"EndTime": 50_401}, "PATCH")
    assert (await erp.call("PATCH", f"/data/{path}", json={"EndTime": 43_200})).status_code == 204
    row = await erp.read(key("WorkCalendarDays", WorkCalendarId="'STD'", CalendarDate="2026-03-02T12:00:00Z"))
    assert row["WorkingDayDefinition"] == "Open"
    assert (await erp.call("DELETE", f"/data/{path}")).status_code == 204


async def test_resources_come_with_the_orders_and_their_capacity_can_be_changed(erp):
    path = key("OperationsResources", ResourceId="'PRESS'")
    assert (await erp.read(path))["EfficiencyPercentage"] == 100
    assert (await erp.call("PATCH", f"/data/{path}", json={"EfficiencyPercentage": 50})).status_code == 204
    assert (await erp.read(path))["EfficiencyPercentage"] == 50
    await erp.seed(order("P000041", scheduled_start="2026-03-02T06:00:00Z"))
    [load] = await erp.read(
        "OperationsResourceCapacityReservations",
        _filter="ReferenceNumber eq 'P000041' and OperationsResourceId eq 'PRESS'",
    )
    assert (load["ReservedHours"], load["ReservationDate"]) == (3.333333, "2026-03-02T12:00:00Z")
