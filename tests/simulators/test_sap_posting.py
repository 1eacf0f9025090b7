"""What the simulated SAP books for confirmations and goods movements, and what it refuses."""

import uuid
from decimal import Decimal

import pytest


def refused(answer, code: str) -> str:
    """The message behind a 400, wherever the code sits."""
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    details = {detail["code"]: detail["message"] for detail in error["innererror"]["errordetails"]}
    assert code in details, answer.text
    return details[code]


def stock_of(books, material: str, stock_type: str = "01") -> Decimal:
    rows = [row for row in books["stock"] if (row["material"], row["stock_type"]) == (material, stock_type)]
    return sum((Decimal(row["quantity"]) for row in rows), Decimal(0))


def operations(books, order: str = "1000040") -> dict[str, tuple[str, str, bool]]:
    found = next(row for row in books["orders"] if row["order"] == order)
    return {row["operation"]: (row["yield"], row["scrap"], row["final"]) for row in found["operations"]}


async def test_order_runs_from_release_to_close_with_backflush_and_automatic_receipt(sap):
    key = str(uuid.uuid4())
    made = await sap.confirmed(
        "1000040",
        "0010",
        "98",
        ConfirmationScrapQuantity="2",
        ConfirmationUnit="PC",
        VarianceReasonCode="0001",
        ExternalSystemConfirmation=key,
        ConfirmationText="shift A",
        FinalConfirmationType="X",
        OpConfirmedWorkQuantity1="205.5",
        OpWorkQuantityUnit1="MIN",
    )
    assert (made["ConfirmationYieldQuantity"], made["OrderConfirmationRecordType"]) == ("98", "L40")
    moved = await sap.read(
        f"{sap.confirmations}/ProdnOrdConf2(ConfirmationGroup='{made['ConfirmationGroup']}',"
        f"ConfirmationCount='{made['ConfirmationCount']}')/to_ProdnOrdConfMatlDocItm"
    )
    assert [(row["Material"], row["GoodsMovementType"], row["QuantityInEntryUnit"]) for row in moved["results"]] == [
        ("RM1", "261", "200"),
        ("RM2", "261", "12.5"),
    ]
    await sap.confirmed("1000040", "0020", "98", IsFinalConfirmation=True)
    await sap.confirmed("1000040", "0030", "98", FinalConfirmationType="X", OpenReservationsIsCleared=True)
    books = await sap.books()
    booked = books["orders"][0]
    assert operations(books) == {"0010": ("98", "2", True), "0020": ("98", "0", True), "0030": ("98", "0", True)}
    assert {"REL", "CNF", "PDLV"} <= set(booked["status"])
    assert booked["operations"][0]["activities"]["1"]["confirmed"] == "205.5"
    assert [row["withdrawn"] for row in booked["components"]] == ["200", "12.5"]
    assert booked["items"][0]["received"] == "98"
    assert (stock_of(books, "RM1"), stock_of(books, "FG1")) == (800, 98)
    first = books["documents"][0]
    assert (first["kind"], first["key"], first["text"], first["reason"], first["manual"]) == (
        "confirmation",
        key,
        "shift A",
        "0001",
        False,
    )
    header = await sap.read(f"{sap.orders}/A_ProductionOrder_2('1000040')")
    assert (header["MfgOrderConfirmedYieldQty"], header["OrderIsConfirmed"]) == ("98", "X")
    for name, kind in (("TechlyCmpltOrder", "S"), ("TechlyCmpltOrder", "E"), ("CloseOrder", "S")):
        answer = await sap.post(f"{sap.orders}/{name}", params={"ManufacturingOrder": "'1000040'"})
        assert answer.status_code == 200
        assert answer.json()["d"][name]["SystemMessageType"] == kind
    codes = await sap.read(f"{sap.orders}/A_ProductionOrderStatus_2", _filter="ManufacturingOrder eq '1000040'")
    assert {"I0002", "I0009", "I0011", "I0045", "I0046"} <= {row["StatusCode"] for row in codes["results"]}


async def test_the_same_guid_posts_again(sap):
    key = str(uuid.uuid4())
    for _ in range(2):
        await sap.confirmed("1000040", "0010", "5", ExternalSystemConfirmation=key)
    assert operations(await sap.books())["0010"][0] == "10"


async def test_partial_confirmations_set_partial_statuses_and_counters_of_one_group(sap):
    first = await sap.confirmed("1000040", "0010", "10")
    second = await sap.confirmed("1000040", "0010", "10")
    assert (first["ConfirmationCount"], second["ConfirmationCount"]) == ("1", "2")
    assert first["ConfirmationGroup"] == second["ConfirmationGroup"]
    assert "PCNF" in (await sap.books())["orders"][0]["status"]


@pytest.mark.parametrize(
    ("status", "named"), [(["CRTD"], "CRTD"), (["REL", "TECO"], "TECO"), (["REL", "LKD"], "LKD"), (["CLSD"], "CLSD")]
)
async def test_only_released_open_unlocked_orders_are_confirmed(sap, make_order, status, named):
    await sap.seed(make_order("1000041", status=status))
    assert named in refused(await sap.confirm("1000041", "0010", "1"), "BS/013")


async def test_unknown_orders_operations_units_and_negative_quantities_are_refused(sap):
    refused(await sap.confirm("777", "0010", "1"), "CO/017")
    refused(await sap.confirm("1000040", "0099", "1"), "RU/006")
    refused(await sap.confirm("1000040", "0010", "1", ConfirmationUnit="KG"), "RU/103")
    refused(await sap.confirm("1000040", "0010", "1", ConfirmationUnitISOCode="KGM"), "RU/103")
    refused(await sap.confirm("1000040", "0010", "-1"), "RU/101")
    refused(await sap.confirm("1000040", "0010", "1", OpConfirmedWorkQuantity1="5", OpWorkQuantityUnit1="H"), "RU/103")
    assert (await sap.books())["documents"] == []
    await sap.confirmed("000001000040", "0010", "1", ConfirmationUnitISOCode="PCE")


async def test_an_operation_never_exceeds_its_predecessor_unless_overlap_is_seeded(sap, make_order):
    refused(await sap.confirm("1000040", "0020", "1"), "RU/108")
    await sap.confirmed("1000040", "0010", "10")
    await sap.confirmed("1000040", "0020", "8", ConfirmationScrapQuantity="1")
    refused(await sap.confirm("1000040", "0020", "2"), "RU/108")
    await sap.confirmed("1000040", "0020", "1")
    relaxed = make_order("1000050")
    relaxed["operations"][1]["overlap"] = True
    await sap.seed(relaxed)
    await sap.confirmed("1000050", "0020", "40")


async def test_yield_beyond_tolerance_is_refused(sap, make_order):
    refused(await sap.confirm("1000040", "0010", "100.001"), "RU/105")
    await sap.seed(make_order("1000051", over_delivery_tolerance="10"))
    await sap.confirmed("1000051", "0010", "110")
    refused(await sap.confirm("1000051", "0010", "0.001"), "RU/105")
    await sap.seed(make_order("1000052", unlimited_over_delivery=True))
    await sap.confirmed("1000052", "0010", "300", APIConfHasNoGoodsMovements=True)


async def test_final_below_tolerance_and_repeated_final_warn_in_the_header(sap, make_order):
    answer = await sap.confirm("1000040", "0010", "90", FinalConfirmationType="X")
    assert '"severity": "warning"' in answer.headers["sap-message"]
    again = await sap.confirm("1000040", "0010", "1")
    assert "finally confirmed" in again.headers["sap-message"]
    await sap.seed(make_order("1000053", under_delivery_tolerance="10"))
    quiet = await sap.confirm("1000053", "0010", "90", FinalConfirmationType="X")
    assert "sap-message" not in quiet.headers


async def test_automatic_final_type_is_final_only_when_the_plan_is_reached(sap):
    assert (await sap.confirmed("1000040", "0010", "60", FinalConfirmationType="1"))["IsFinalConfirmation"] is False
    assert (await sap.confirmed("1000040", "0010", "40", FinalConfirmationType="1"))["IsFinalConfirmation"] is True


async def test_a_milestone_confirms_the_predecessors_that_are_not_confirmed_themselves(sap, make_order):
    wanted = make_order("1000060")
    wanted["operations"] = [
        {"operation": "0010", "work_centre": "CUT"},
        {"operation": "0020", "work_centre": "OUT", "control_profile": "PP02"},
        {"operation": "0030", "work_centre": "WELD"},
        {"operation": "0040", "work_centre": "PACK", "control_profile": "PP13"},
    ]
    await sap.seed(wanted)
    made = await sap.confirmed("1000060", "0040", "30", ConfirmationScrapQuantity="1")
    books = await sap.books("1000060")
    assert operations(books, "1000060") == {
        "0010": ("31", "0", False),
        "0020": ("0", "0", False),
        "0030": ("31", "0", False),
        "0040": ("30", "1", False),
    }
    automatic = [row for row in books["documents"] if row["kind"] == "confirmation" and row["automatic_of"]]
    assert [row["operation"] for row in automatic] == ["0010", "0030"]
    assert {row["key"] for row in automatic} == {None}
    assert books["orders"][0]["components"][0]["withdrawn"] == "62"
    assert books["orders"][0]["items"][0]["received"] == "30"
    assert (await sap.cancel(made)).status_code == 200
    assert {row[:2] for row in operations(await sap.books(), "1000060").values()} == {("0", "0")}
    await sap.confirmed("1000060", "0030", "0", APIConfHasNoGoodsMovements=True)
    refused(await sap.confirm("1000060", "0040", "5"), "RU/108")
    refused(await sap.confirm("1000060", "0020", "5"), "RU/102")


async def test_an_order_level_confirmation_confirms_every_operation(sap):
    body = {"OrderID": "1000040", "ConfirmationYieldQuantity": "40", "ConfirmationScrapQuantity": "2"}
    answer = await sap.post(f"{sap.confirmations}/ProdnOrdConf2", body)
    assert answer.status_code == 201
    assert operations(await sap.books()) == {
        "0010": ("42", "0", False),
        "0020": ("42", "0", False),
        "0030": ("40", "2", False),
    }


async def test_client_items_replace_the_proposal_bare_or_wrapped(sap):
    item = {"GoodsMovementType": "261", "Material": "RM1", "QuantityInEntryUnit": "7", "EntryUnit": "PC"}
    for items in ([item], {"results": [item]}):
        await sap.confirmed("1000040", "0010", "10", to_ProdnOrdConfMatlDocItm=items)
    components = (await sap.books())["orders"][0]["components"]
    assert [row["withdrawn"] for row in components] == ["14", "0"]
    strange = item | {"Material": "NOSUCH"}
    refused(await sap.confirm("1000040", "0010", "1", to_ProdnOrdConfMatlDocItm=[strange]), "M3/305")
    refused(
        await sap.confirm("1000040", "0010", "1", to_ProdnOrdConfMatlDocItm=[item | {"GoodsMovementType": "344"}]),
        "M7/202",
    )


async def test_no_goods_movements_flag_suppresses_backflush_and_receipt(sap):
    await sap.confirmed("1000040", "0010", "10", APIConfHasNoGoodsMovements=True)
    books = await sap.books()
    assert books["documents"][0]["goods_movements"] == []
    assert stock_of(books, "RM1") == 1000


async def test_short_stock_and_missing_batch_go_to_the_error_list_while_the_confirmation_stands(sap, make_order):
    await sap.seed(
        make_order(
            "1000070",
            components=[
                {"material": "LOT1", "required": "100", "unit": "PC", "storage_location": "RM01"},
                {"material": "RM1", "required": "2000", "unit": "PC", "storage_location": "RM01"},
                {"material": "FREE", "required": "100", "unit": "PC"},
            ],
        ),
        stock=[
            {
                "material": "LOT1",
                "plant": "1010",
                "storage_location": "RM01",
                "batch": "B7",
                "quantity": "500",
                "unit": "PC",
            }
        ],
        materials={"FREE": {"negative_stock": True}},
    )
    answer = await sap.confirm("1000070", "0010", "60")
    assert answer.status_code == 201
    assert "COGI" in answer.headers["sap-message"]
    books = await sap.books("1000070")
    assert {(row["material"], row["code"], row["quantity"]) for row in books["cogi"]} == {
        ("LOT1", "M7/018", "60"),
        ("RM1", "M7/021", "1200"),
    }
    assert operations(books, "1000070")["0010"][0] == "60"
    assert [row["withdrawn"] for row in books["orders"][0]["components"]] == ["0", "0", "60"]
    assert stock_of(books, "FREE") == -60
    entry = next(row["id"] for row in books["cogi"] if row["material"] == "LOT1")
    rest = await sap.control("cogi", {"id": entry, "batch": "B7"})
    assert [row["material"] for row in rest["cogi"]] == ["RM1"]
    assert stock_of(await sap.books(), "LOT1") == 440


async def test_goods_movements_may_come_later_than_the_answer(sap):
    await sap.control("settings", {"goods_movement_delay_seconds": 3600})
    made = await sap.confirmed("1000040", "0010", "10")
    books = await sap.books()
    assert books["documents"][0]["goods_movements"] == []
    assert len(books["pending_goods_movements"]) == 1
    await sap.control("settings", {"goods_movement_delay_seconds": 0.01})
    await sap.confirmed("1000040", "0010", "5")
    for _ in range(200):
        books = await sap.books()
        if len(books["pending_goods_movements"]) == 1:
            break
    assert stock_of(books, "RM1") == 990
    assert (await sap.cancel(made)).status_code == 200
    assert (await sap.books())["pending_goods_movements"] == []


async def test_cancelling_books_a_reversal_with_its_own_guid_and_undoes_the_goods_movements(sap):
    made = await sap.confirmed("1000040", "0010", "10", FinalConfirmationType="X", OpenReservationsIsCleared=True)
    key = str(uuid.uuid4())
    answer = await sap.cancel(made, ExternalSystemConfirmation=f"guid'{key}'", ConfirmationText="'wrong shift'")
    reversal = answer.json()["d"]
    assert (reversal["IsReversal"], reversal["ExternalSystemConfirmation"]) == (True, key)
    found = (await sap.read(f"{sap.confirmations}/ProdnOrdConf2", _filter="OrderID eq '1000040'"))["results"]
    assert [(row["IsReversed"], row["IsReversal"]) for row in found] == [(True, False), (False, True)]
    books = await sap.books()
    assert operations(books)["0010"] == ("0", "0", False)
    assert (stock_of(books, "RM1"), stock_of(books, "RM2")) == (1000, 50)
    assert [row["withdrawn"] for row in books["orders"][0]["components"]] == ["0", "0"]
    assert not {"PCNF", "CNF"} & set(books["orders"][0]["status"])
    net = sum(Decimal(row["yield"]) for row in books["documents"] if row["kind"] == "confirmation")
    assert net == 0
    refused(await sap.cancel(made), "RU/110")
    refused(await sap.cancel(reversal), "RU/110")
    await sap.confirmed("1000040", "0010", "10")
    assert operations(await sap.books())["0010"][0] == "10"


async def test_a_closed_period_refuses_postings_and_cancellations(sap):
    march, april = "/Date(1772323200000)/", "/Date(1775001600000)/"
    made = await sap.confirmed("1000040", "0010", "10", PostingDate=march)
    await sap.control("orders", {"periods": {"open": ["2026-04"]}})
    refused(await sap.confirm("1000040", "0010", "1", PostingDate=march), "M7/053")
    await sap.confirmed("1000040", "0010", "1", PostingDate=april)
    refused(await sap.cancel(made, PostingDate="datetime'2026-03-31T00:00:00'"), "M7/053")
    assert (await sap.cancel(made, PostingDate="datetime'2026-04-02T00:00:00'")).status_code == 200
    assert (await sap.books())["documents"][0]["posting_date"] == "2026-03-01"
    await sap.control("orders", {"periods": {}})
    await sap.confirmed("1000040", "0010", "1", PostingDate=march)


async def test_proposals_show_what_would_be_posted_and_post_nothing(sap):
    arguments = {"OrderID": "'1000040'", "OrderOperation": "'0010'", "Sequence": "'0'"}
    answer = await sap.post(
        f"{sap.confirmations}/GetConfProposal", params=arguments | {"QuantityIsToBeProposed": "true"}
    )
    proposal = answer.json()["d"]["GetConfProposal"]
    assert (proposal["ConfirmationYieldQuantity"], proposal["OpConfirmedWorkQuantity1"]) == ("100", "200.000")
    answer = await sap.post(
        f"{sap.confirmations}/GetGdsMvtProposal", params=arguments | {"ConfirmationYieldQuantity": "10M"}
    )
    assert [row["QuantityInEntryUnit"] for row in answer.json()["d"]["results"]] == ["20", "1.25"]
    assert (await sap.books())["documents"] == []


def movement(kind: str, quantity: str, **more: str) -> dict[str, str]:
    base = {"GoodsMovementType": kind, "Plant": "1010", "StorageLocation": "FG01", "Material": "FG1", "EntryUnit": "PC"}
    return base | {"QuantityInEntryUnit": quantity} | more


def document(code: str, *items: dict[str, str], **header: str) -> dict[str, object]:
    return {"GoodsMovementCode": code, "to_MaterialDocumentItem": list(items), **header}


async def test_material_documents_receive_hold_release_and_issue(sap):
    path = f"{sap.documents}/A_MaterialDocumentHeader"
    order = {"ManufacturingOrder": "1000040", "ManufacturingOrderItem": "0001", "GoodsMovementRefDocType": "F"}
    receipt = await sap.post(path, document("02", movement("101", "20", **order), ReferenceDocument="KEY-1"))
    assert receipt.status_code == 201
    assert receipt.json()["d"]["to_MaterialDocumentItem"] == {"results": []}
    found = (await sap.read(path, _filter="ReferenceDocument eq 'KEY-1'", _expand="to_MaterialDocumentItem"))["results"]
    assert found[0]["to_MaterialDocumentItem"]["results"][0]["QuantityInEntryUnit"] == "20"
    hold = await sap.post(path, document("04", movement("344", "5", GoodsMovementReasonCode="0007")))
    books = await sap.books()
    assert (stock_of(books, "FG1"), stock_of(books, "FG1", "07")) == (15, 5)
    assert books["holds"][0]["quantity"] == "5"
    stock = await sap.read(
        f"{sap.stock}/A_MatlStkInAcctMod", _filter="Material eq 'FG1' and InventoryStockType eq '07'"
    )
    assert stock["results"][0]["MatlWrhsStkQtyInMatlBaseUnit"] == "5"
    refused(await sap.post(path, document("04", movement("343", "6"))), "M7/021")
    await sap.post(path, document("04", movement("343", "2")))
    key = {"MaterialDocumentYear": hold.json()["d"]["MaterialDocumentYear"]}
    key |= {"MaterialDocument": hold.json()["d"]["MaterialDocument"]}
    params = {name: f"'{value}'" for name, value in key.items()}
    refused(await sap.post(f"{sap.documents}/Cancel", params=params), "M7/021")
    await sap.post(path, document("04", movement("344", "2")))
    cancelled = await sap.post(f"{sap.documents}/Cancel", params=params)
    assert cancelled.status_code == 200
    refused(await sap.post(f"{sap.documents}/Cancel", params=params), "M7/102")
    assert stock_of(await sap.books(), "FG1") == 20
    await sap.post(path, document("03", movement("201", "1", CostCenter="CC1", GLAccount="400000")))
    issue = movement("261", "3", Material="RM1", StorageLocation="RM01", ManufacturingOrder="1000040")
    assert (await sap.post(path, document("03", issue))).status_code == 201
    back = issue | {"GoodsMovementType": "262"}
    refused(await sap.post(path, document("06", back)), "MM_IM_ODATA_API_MDOC/011")
    assert (await sap.post(path, document("06", back | {"MaterialDocumentPostingType": "1"}))).status_code == 201
    books = await sap.books()
    assert books["orders"][0]["components"][0]["withdrawn"] == "0"
    assert books["orders"][0]["items"][0]["received"] == "20"
    assert (stock_of(books, "FG1"), stock_of(books, "RM1")) == (19, 1000)


async def test_material_documents_hide_the_cause_in_a_container_and_post_all_or_nothing(sap):
    path = f"{sap.documents}/A_MaterialDocumentHeader"
    good = movement("561", "5")
    answer = await sap.post(path, document("05", good, movement("562", "50")))
    refused(answer, "M7/021")
    assert answer.json()["error"]["code"] == "MM_IM_ODATA_API_MDOC/014"
    assert (await sap.books())["documents"] == []
    refused(await sap.post(path, document("03", good)), "MM_IM_ODATA_API_MDOC/011")
    refused(
        await sap.post(path, document("02", movement("101", "5", ManufacturingOrder="1000040"))),
        "MM_IM_ODATA_API_MDOC/011",
    )
    order = {"ManufacturingOrder": "1000040", "GoodsMovementRefDocType": "F"}
    refused(await sap.post(path, document("02", movement("101", "100.5", **order))), "M7/022")
    refused(await sap.post(path, document("02", movement("101", "1", **order) | {"Material": "RM1"})), "M7/360")
    refused(await sap.post(path, document("05", movement("561", "5", EntryUnit="KG"))), "BM/302")


async def test_a_person_confirms_by_hand_under_the_same_rules_and_without_a_guid(sap):
    answer = await sap.control(
        "manual", {"order": "1000040", "operation": "0010", "yield": "2", "scrap": "1", "text": "by hand", "count": 3}
    )
    assert len(answer["documents"]) == 3
    books = await sap.books()
    assert operations(books)["0010"][:2] == ("6", "3")
    manual = [row for row in books["documents"] if row["kind"] == "confirmation"]
    assert {(row["manual"], row["key"], row["user"], row["text"]) for row in manual} == {
        (True, None, "GUI_USER", "by hand")
    }
    wrong = await sap.http.post("/_control/manual", json={"order": "1000040", "operation": "0020", "yield": "99"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "RU/108")


async def test_released_orders_are_seeded_once_and_bad_seeds_teach(sap, make_order):
    await sap.confirmed("1000040", "0010", "10")
    answer = await sap.control("orders", {"orders": [make_order(), make_order("1000099")]})
    assert answer == {"created": ["1000099"], "kept": ["1000040"]}
    assert operations(await sap.books())["0010"][0] == "10"
    for wrong, told in [
        ({"orders": [make_order("1", quantity="-5")]}, "orders.0.quantity"),
        ({"orders": [make_order("1") | {"colour": "red"}]}, "orders.0.colour"),
        ({"ordres": []}, "ordres"),
        ({"orders": [make_order("1", operations=[{"operation": "0010", "control_profile": "XX99"}])]}, "XX99"),
        ([], "for example"),
    ]:
        refusal = await sap.http.post("/_control/orders", json=wrong)
        assert refusal.status_code == 400
        assert told in refusal.json()["error"]["message"]
    assert [row["order"] for row in (await sap.books())["orders"]] == ["1000040", "1000099"]


async def test_control_profiles_are_kept_per_plant(sap, make_order):
    profiles = {
        "3030": {"PP01": {"confirmation": "none"}, "ZZ01": {"confirmation": "required", "automatic_receipt": True}}
    }
    wanted = make_order("1000080", plant="3030", components=[])
    wanted["operations"] = [{"operation": "0010"}, {"operation": "0020", "control_profile": "ZZ01"}]
    await sap.seed(wanted, control_profiles=profiles)
    refused(await sap.confirm("1000080", "0010", "1"), "RU/102")
    await sap.confirmed("1000080", "0020", "5")
    assert stock_of(await sap.books(), "FG1") == 5
    await sap.confirmed("1000040", "0010", "1")
