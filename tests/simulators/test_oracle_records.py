"""Quality, maintenance, capacity and planning records of the simulated Oracle."""

from tests.simulators.oracle_bench import oracle_fixture, order, start_oracle_fixture

__all__ = ["oracle_fixture", "start_oracle_fixture"]
UPSERT = {"headers": {"upsert-mode": "true"}}
EVENTS = "/api/scm-core/operational-data/v1/events"
ISSUE = {
    "Name": "Burr at edge", "QualityTypeCode": "ORA_ENQ_QI_PR_ITEM", "Severity": "ORA_HIGH", "Source": "ORA_QUALITY",
    "OrganizationCode": "M1", "WorkflowTemplateId": 300100, "IssueNumber": "PW-1", "Downtime": 12.5,
}  # fmt: skip


async def test_an_issue_keeps_its_number_and_an_upsert_finds_it_again(oracle):
    parts = {"AffectedObjects": [{"ObjectTypeCode": "LOT", "ObjectName": "W1", "Quantity": 3}]}
    made = await oracle.created("qualityIssues", ISSUE | parts)
    assert (made["IssueNumber"], made["Downtime"], made["StatusTypeCode"]) == ("PW-1", 12.5, "OPEN")
    again = await oracle.post("qualityIssues", ISSUE | {"Severity": "ORA_LOW"}, **UPSERT)
    assert (again.status_code, again.json()["IssueId"], again.json()["Severity"]) == (200, made["IssueId"], "ORA_LOW")
    double = await oracle.post("qualityIssues", ISSUE)
    assert (double.status_code, double.json()["o:errorDetails"][0]["o:errorCode"]) == (400, "JBO-25013")
    unnumbered = await oracle.created("qualityIssues", {k: v for k, v in ISSUE.items() if k != "IssueNumber"})
    assert unnumbered["IssueNumber"].startswith("QI-")
    [found] = await oracle.items("qualityIssues", q="IssueNumber='PW-1'", expand="AffectedObjects")
    assert found["AffectedObjects"]["items"][0]["ObjectName"] == "W1"


async def test_an_issue_without_what_it_needs_is_refused(oracle):
    for missing in ("Name", "QualityTypeCode", "Severity", "Source", "OrganizationCode"):
        body = {name: value for name, value in ISSUE.items() if name != missing}
        answer = await oracle.post("qualityIssues", body)
        assert answer.json()["o:errorDetails"][0]["o:errorPath"] == f"/{missing}"
    assert (await oracle.post("qualityIssues", ISSUE | {"OrganizationCode": "M9"})).status_code == 400
    assert (await oracle.post("qualityIssues", ISSUE | {"Downtime": -1})).status_code == 400
    assert (await oracle.post("qualityIssues", ISSUE | {"IssueId": 5})).status_code == 400


async def test_an_action_follows_its_issue_and_can_be_closed(oracle):
    issue = await oracle.created("qualityIssues", ISSUE)
    action = await oracle.created("qualityActions", {"Name": "Grind", "IssueNumber": "PW-1", "ActionNumber": "PW-A1"})
    assert (action["IssueId"], action["StatusTypeCode"]) == (issue["IssueId"], "OPEN")
    closed = await oracle.patch(f"qualityActions/{action['ActionId']}", {"StatusTypeCode": "CLOSED"})
    assert closed.json()["StatusTypeCode"] == "CLOSED"
    assert (await oracle.post("qualityActions", {"Name": "Grind", "IssueNumber": "none"})).status_code == 400
    assert (await oracle.books())["quality"]["actions"][0]["IssueNumber"] == "PW-1"


async def test_an_inspection_is_decided_with_its_results_and_decided_anew(oracle):
    results = [
        {"CharacteristicName": "Diameter", "ResultValueNumber": 12.013, "UOMCode": "MM", "ResultStatus": "IN_RANGE"},
        {"CharacteristicName": "Surface", "ResultValueChar": "rough", "ResultStatus": "OUT_OF_RANGE"},
    ]
    body = {"OrganizationCode": "M1", "ItemNumber": "FG1", "WorkOrderNumber": "1000040", "InspectedQuantity": 5,
            "InspectionEventNumber": "PW-I1", "CharacteristicResults": results}  # fmt: skip
    made = await oracle.created("inspectionEvents", body)
    assert made["EventDisposition"] == "PENDING"
    url = f"inspectionEvents/{made['InspectionEventId']}"
    for decision in ("REJECT", "ACCEPT"):
        assert (await oracle.patch(url, {"EventDisposition": decision})).json()["EventDisposition"] == decision
    assert (await oracle.patch(url, {"EventDisposition": "PENDING"})).status_code == 400
    assert (await oracle.patch(url, {"EventDisposition": "MAYBE"})).status_code == 400
    shown = (await oracle.get(url, expand="CharacteristicResults")).json()
    assert [row["ResultValueNumber"] for row in shown["CharacteristicResults"]["items"]] == [12.013, None]
    one = {"CharacteristicName": "Length", "ResultValueNumber": 7}
    answer = await oracle.post(f"{url}/child/CharacteristicResults", one)
    assert (answer.status_code, answer.json()["InspectionEventId"]) == (201, made["InspectionEventId"])
    again = {name: value for name, value in body.items() if name != "CharacteristicResults"}
    upserted = await oracle.post("inspectionEvents", again | {"EventDisposition": "COMPLETE"}, **UPSERT)
    assert (upserted.status_code, upserted.json()["InspectionEventId"]) == (200, made["InspectionEventId"])


BREAKDOWN = {
    "OrganizationCode": "M1", "AssetNumber": "PRESS", "WorkOrderNumber": "PW-DOWN-1", "WorkOrderTypeCode": "EMERGENCY",
    "WorkOrderStatusCode": "ORA_RELEASED", "PlannedStartDate": "2026-03-02T06:00:00Z", "ExplosionFlag": False,
}  # fmt: skip


async def test_a_maintenance_order_keeps_our_number_and_refuses_it_twice(oracle):
    made = await oracle.created("maintenanceWorkOrders", BREAKDOWN)
    assert (made["WorkOrderNumber"], made["WorkOrderSystemStatusCode"]) == ("PW-DOWN-1", "RELEASED")
    double = await oracle.post("maintenanceWorkOrders", BREAKDOWN)
    assert (double.status_code, double.json()["o:errorDetails"][0]["o:errorCode"]) == (400, "JBO-25013")
    upsert = await oracle.post("maintenanceWorkOrders", BREAKDOWN, **UPSERT)
    assert upsert.status_code == 400
    url = f"maintenanceWorkOrders/{made['WorkOrderId']}"
    done = {"WorkOrderStatusCode": "ORA_COMPLETED", "ActualStartDate": "2026-03-02T06:00:00Z"}
    assert (await oracle.patch(url, done)).json()["ActualCompletionDate"]
    assert (await oracle.patch(url, {"WorkOrderStatusCode": "ORA_CANCELED"})).status_code == 400
    assert (await oracle.post("maintenanceWorkOrders", BREAKDOWN | {"AssetNumber": "GHOST"})).status_code == 400
    [found] = await oracle.items("maintenanceWorkOrders", q="WorkOrderNumber='PW-DOWN-1'")
    assert found["AssetNumber"] == "PRESS"
    assert (await oracle.books())["maintenance"]["orders"][0]["WorkOrderSystemStatusCode"] == "COMPLETED"


async def test_maintenance_material_leaves_stock_and_answers_in_the_body(oracle):
    await oracle.created("maintenanceWorkOrders", BREAKDOWN)
    part = {"OrganizationCode": "M1", "WorkOrderNumber": "PW-DOWN-1", "InventoryItemNumber": "RM1",
            "TransactionTypeCode": "MATERIAL_ISSUE", "TransactionQuantity": 3, "SubinventoryCode": "RM01"}  # fmt: skip
    body = {"SourceSystemCode": "PLANTWRIGHT", "InterfaceBatchStatus": "VALID", "MaterialTransactionDetail": [part]}
    made = await oracle.created("maintenanceMaterialTransactions", body)
    assert made["MaterialTransactionDetail"]["items"][0]["InvTransactionId"]
    assert await oracle.stock("RM1") == {"RM01": "997"}
    body["MaterialTransactionDetail"] = [part | {"TransactionQuantity": 5000}]
    assert (await oracle.created("maintenanceMaterialTransactions", body))["ErrorsExistFlag"] == "true"
    work = {"OrganizationCode": "M1", "WorkOrderNumber": "PW-DOWN-1", "WoOperationSequenceNumber": 10,
            "FromDispatchState": "READY", "ToDispatchState": "COMPLETE", "TransactionQuantity": 1}  # fmt: skip
    operation = {"SourceSystemCode": "PLANTWRIGHT", "OperationTransactionDetail": [work]}
    assert (await oracle.created("maintenanceOperationTransactions", operation))["ErrorsExistFlag"] == "false"


async def test_failures_events_and_exceptions_are_recorded(oracle):
    await oracle.created("maintenanceWorkOrders", BREAKDOWN)
    failure = {"AssetNumber": "PRESS", "OrganizationCode": "M1", "FailureDate": "2026-03-02T06:00:00Z",
               "FailureEventNumber": "PW-F1", "FailureCode": "JAM", "WorkOrderNumber": "PW-DOWN-1"}  # fmt: skip
    made = await oracle.created("assetFailureEvents", failure)
    again = await oracle.post("assetFailureEvents", failure | {"CauseCode": "DIRT"}, **UPSERT)
    assert (again.status_code, again.json()["FailureEventId"]) == (200, made["FailureEventId"])
    assert (await oracle.post("assetFailureEvents", failure | {"WorkOrderNumber": "none"})).status_code == 400
    event = {
        "entityCode": "PRESS",
        "eventTypeCode": "CA_FAULT",
        "eventTime": "2026-03-02T06:00:00Z",
        "data": {"code": 5},
    }
    answer = await oracle.http.post(EVENTS, json=event)
    assert answer.status_code == 200
    for missing in event:
        body = {name: value for name, value in event.items() if name != missing}
        assert (await oracle.http.post(EVENTS, json=body)).status_code == 400
    assert (await oracle.http.get(EVENTS)).status_code == 405
    await oracle.control("orders", {"production_exceptions": [{"plant": "M1", "work_centre": "PRESS", "text": "jam"}]})
    [found] = await oracle.items("productionExceptions", q="StatusCode='OPEN'")
    assert found["WorkCenterCode"] == "PRESS"
    assert (await oracle.post("productionExceptions", {"Description": "no"})).status_code == 405
    kept = (await oracle.books())["maintenance"]
    assert ([row["type"] for row in kept["events"]], len(kept["failures"])) == (["CA_FAULT"], 1)


async def test_capacity_is_changed_withdrawn_and_bound_to_the_work_centre(oracle):
    body = {
        "OrganizationCode": "M1", "WorkCenterCode": "PRESS", "StartDate": "2026-03-02", "EndDate": "2026-03-03",
        "ExceptionStartTime": "06:00:00", "ExceptionEndTime": "14:00:00", "Reason": "PW-1",
        "resourceAvailabilityOverrides": [{"ResourceCode": "PRESS", "UnitsAvailable": 0}],
    }  # fmt: skip
    made = await oracle.created("workCenterResourceExceptions", body)
    url = f"workCenterResourceExceptions/{made['WorkCenterResourceExceptionId']}"
    shown = (await oracle.get(url, expand="all")).json()
    assert shown["resourceAvailabilityOverrides"]["items"][0]["UnitsAvailable"] == 0
    tag = (await oracle.get(url)).headers["etag"]
    changed = await oracle.patch(url, {"EndDate": "2026-03-02"}, headers={"if-match": tag})
    assert changed.json()["EndDate"] == "2026-03-02"
    assert (await oracle.patch(url, {"EndDate": "2026-03-01"})).status_code == 400
    override = shown["resourceAvailabilityOverrides"]["items"][0]["links"][0]["href"]
    assert (await oracle.http.patch(override, json={"UnitsAvailable": 1})).json()["UnitsAvailable"] == 1
    for wrong in ({"WorkCenterCode": "MOON"}, {"EndDate": "2026-03-01"}, {"StartDate": None}):
        assert (await oracle.post("workCenterResourceExceptions", body | wrong)).status_code == 400
    stray = [{"ResourceCode": "ROBOT", "UnitsAvailable": 0}]
    refused = await oracle.post("workCenterResourceExceptions", body | {"resourceAvailabilityOverrides": stray})
    assert refused.status_code == 400
    assert len((await oracle.books())["maintenance"]["capacity"]) == 1
    number = made["WorkCenterResourceExceptionId"]
    whole = {name: value for name, value in body.items() if name != "resourceAvailabilityOverrides"}
    again = await oracle.post(
        "workCenterResourceExceptions", whole | {"WorkCenterResourceExceptionId": number}, **UPSERT
    )
    assert (again.status_code, again.json()["EndDate"]) == (200, "2026-03-03")
    stale = await oracle.http.delete(f"/fscmRestApi/resources/11.13.18.05/{url}", headers={"if-match": tag})
    assert stale.status_code == 412
    assert (await oracle.http.delete(f"/fscmRestApi/resources/11.13.18.05/{url}")).status_code == 204
    assert (await oracle.get(url)).status_code == 404


async def test_statuses_of_ones_own_can_be_created_and_seeded_ones_cannot_be_changed(oracle):
    body = {"WoStatusCode": "WAIT_QA", "WoStatusName": "Waits for QA", "WoSystemStatusCode": "ON_HOLD"}
    await oracle.created("workOrderStatuses", body)
    renamed = await oracle.post("workOrderStatuses", body | {"WoStatusName": "QA"}, **UPSERT)
    assert (renamed.status_code, renamed.json()["WoStatusName"]) == (200, "QA")
    [seeded] = await oracle.items("workOrderStatuses", q="WoStatusCode='ORA_RELEASED'")
    assert (await oracle.patch(f"workOrderStatuses/{seeded['WoStatusId']}", {"WoStatusName": "Go"})).status_code == 400
    assert (await oracle.post("workOrderStatuses", body | {"WoSystemStatusCode": "LOST"})).status_code == 400


async def test_demand_behind_an_order_is_readable(oracle):
    demands = [{"demand": "SO-7", "customer": "ACME", "quantity": 60, "required": "2026-03-09T00:00:00Z"}]
    await oracle.seed(order("1000041", reservations=demands))
    [shown] = await oracle.items("workOrders", q="WorkOrderNumber='1000041'", expand="WorkOrderReservation")
    [reservation] = shown["WorkOrderReservation"]["items"]
    assert (reservation["DemandOrderNumber"], reservation["ReservationQuantity"]) == ("SO-7", 60)
    found = await oracle.items("workOrders", q="WorkOrderReservation.DemandOrderNumber='SO-7'")
    assert [row["WorkOrderNumber"] for row in found] == ["1000041"]


async def test_alternates_are_the_resources_of_one_class(oracle):
    presses = [{"code": "PRESS-A", "resource_class": "PRESSES"}, {"code": "PRESS-B", "resource_class": "PRESSES"}]
    await oracle.control("orders", {"work_centres": [{"work_centre": "HALL2", "plant": "M1", "resources": presses}]})
    rows = await oracle.items("workCenterResources", q="ResourceClassCode='PRESSES' and ResourceCode!='PRESS-A'")
    assert [(row["ResourceCode"], row["WorkCenterCode"], row["ResourceQuantity"]) for row in rows] == [
        ("PRESS-B", "HALL2", 1)
    ]
    [centre] = await oracle.items("workCenters", q="WorkCenterCode='HALL2'", expand="WorkCenterResource")
    assert len(centre["WorkCenterResource"]["items"]) == 2
