"""`$batch` of the simulated SAP: change sets commit as a whole, reads stand between them, faults still apply."""

import json
import uuid

import httpx
import pytest

CONFIRMATIONS = "/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV"


def part(method: str, url: str, body: object = None, content_id: str = "") -> str:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    lines += [f"Content-ID: {content_id}"] if content_id else []
    text = "" if body is None else json.dumps(body)
    lines += ["", f"{method} {url} HTTP/1.1", "Accept: application/json", "Content-Type: application/json", "", text]
    return "\r\n".join(lines)


def change_set(*parts: str, boundary: str = "c") -> str:
    inner = "".join(f"--{boundary}\r\n{one}\r\n" for one in parts) + f"--{boundary}--\r\n"
    return f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n{inner}"


def batch(*parts: str) -> str:
    return "".join(f"--b\r\n{one}\r\n" for one in parts) + "--b--\r\n"


def confirmation(quantity: str, operation: str = "0010", content_id: str = "") -> str:
    body = {"OrderID": "1000040", "OrderOperation": operation, "ConfirmationYieldQuantity": quantity}
    return part("POST", "ProdnOrdConf2", body | {"ExternalSystemConfirmation": str(uuid.uuid4())}, content_id)


def statuses(answer) -> list[int]:
    return [int(line.split()[1]) for line in answer.text.split("\r\n") if line.startswith("HTTP/1.1")]


def yields(books) -> list[str]:
    return [row["yield"] for row in books["orders"][0]["operations"]]


async def test_change_sets_commit_as_a_whole_and_reads_stand_between_them(sap):
    body = batch(
        change_set(confirmation("5", content_id="1"), confirmation("4", "0020", "2")),
        part("GET", "ProdnOrdConf2?$filter=OrderID%20eq%20'1000040'&$select=ConfirmationYieldQuantity"),
        change_set(confirmation("3"), confirmation("90", "0020")),
        part("GET", "/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV/ProdnOrdConf2/$count"),
    )
    answer = await sap.batch(CONFIRMATIONS, body)
    assert answer.status_code == 202
    assert answer.headers["content-type"].startswith("multipart/mixed; boundary=")
    assert statuses(answer) == [201, 201, 200, 400, 200]
    assert "Content-ID: 1" in answer.text and "Content-ID: 2" in answer.text
    assert "RU/108" in answer.text
    assert yields(await sap.books()) == ["5", "4", "0"]


async def test_boundaries_may_begin_alike(sap):
    body = batch(change_set(confirmation("2"), boundary="bc"))
    assert statuses(await sap.batch(CONFIRMATIONS, body)) == [201]
    assert statuses(await sap.batch(CONFIRMATIONS, body.replace("\r\n", "\n"))) == [201]
    assert yields(await sap.books())[0] == "4"


async def test_a_read_in_a_batch_fails_alone(sap):
    answer = await sap.batch(CONFIRMATIONS, batch(part("GET", "NoSuchSet"), part("GET", "ProdnOrdConf2")))
    assert statuses(answer) == [404, 200]


async def test_csrf_applies_to_a_batch(sap):
    headers = {"content-type": "multipart/mixed; boundary=b"}
    answer = await sap.http.post(f"{CONFIRMATIONS}/$batch", content=batch().encode(), headers=headers)
    assert (answer.status_code, answer.headers["x-csrf-token"]) == (403, "Required")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (batch(confirmation("1")), "change set"),
        (batch(change_set(part("GET", "ProdnOrdConf2"))), "GET"),
        (batch(change_set(confirmation("1"))).removesuffix("--b--\r\n"), "closing boundary"),
        (batch("Content-Type: text/plain\r\n\r\nhello"), "application/http"),
        (batch(change_set(part("POST", "$1/to_Items"))), "references"),
    ],
)
async def test_a_malformed_batch_is_refused_as_a_whole(sap, body, told):
    answer = await sap.batch(CONFIRMATIONS, body)
    assert answer.status_code == 400
    assert told in answer.json()["error"]["message"]["value"]
    assert (await sap.books())["documents"] == []


async def test_faults_apply_to_a_batch_by_its_own_address_and_by_those_of_its_parts(sap):
    await sap.sign_on()
    await sap.fault("refuse", calls=1, path="/API_PROD_ORDER_CONFIRMATION_2_SRV/ProdnOrdConf2")
    assert (await sap.batch(CONFIRMATIONS, batch(change_set(confirmation("1"))))).status_code == 503
    await sap.fault("throttle", calls=1, path="/API_PROD_ORDER_CONFIRMATION_2_SRV/$batch", method="POST")
    assert (await sap.batch(CONFIRMATIONS, batch(change_set(confirmation("1"))))).status_code == 429
    await sap.fault("business_error", calls=1)
    answer = await sap.batch(CONFIRMATIONS, batch(change_set(confirmation("1")), change_set(confirmation("2"))))
    assert (answer.status_code, statuses(answer)) == (202, [400, 201])
    await sap.fault("timeout_after_commit", calls=1)
    with pytest.raises(httpx.ReadTimeout):
        await sap.batch(CONFIRMATIONS, batch(change_set(confirmation("4"))), timeout=0.3)
    assert yields(await sap.books())[0] == "6"
    await sap.fault("partial", calls=1)
    assert statuses(await sap.batch(CONFIRMATIONS, batch(change_set(confirmation("10"))))) == [201]
    assert len((await sap.books())["cogi"]) == 2
    await sap.fault("key_not_searchable")
    text = "ProdnOrdConf2?$filter=ExternalSystemConfirmation%20eq%20guid'0f8fad5b-d9cb-469f-a165-70867728950e'"
    assert statuses(await sap.batch(CONFIRMATIONS, batch(part("GET", text)))) == [400]


async def test_a_batch_of_which_nothing_was_committed_leaves_the_fault_after_the_commit_unused(sap):
    await sap.sign_on()
    await sap.fault("error_after_commit", calls=1)
    answer = await sap.batch(CONFIRMATIONS, batch(change_set(confirmation("500"))))
    assert (answer.status_code, statuses(answer)) == (202, [400])
    assert (await sap.http.get("/_control/faults")).json()["faults"][0]["left"] == 1


async def test_a_change_set_waits_for_no_lock(sap):
    await sap.sign_on()
    await sap.fault("slow", calls=1, seconds=1.0, path="/API_PROD_ORDER_CONFIRMATION_2_SRV/ProdnOrdConf2")
    with pytest.raises(httpx.ReadTimeout):
        await sap.batch(CONFIRMATIONS, batch(change_set(confirmation("5"))), timeout=0.2)
    assert statuses(await sap.batch(CONFIRMATIONS, batch(change_set(confirmation("1"))))) == [423]


async def test_v4_services_take_batches_too(sap):
    quality = sap.quality.removesuffix("/QualityNotification")
    body = {"NotificationType": "Q3", "NotificationText": "scratches"}
    good, bad = (
        part("POST", "QualityNotification", body),
        part("POST", "QualityNotification", {"NotificationType": "X"}),
    )
    answer = await sap.batch(
        quality, batch(change_set(good), change_set(good, bad), part("GET", "QualityNotification"))
    )
    assert (answer.status_code, statuses(answer)) == (200, [201, 400, 200])
    assert '"code": "QM/302"' in answer.text
    assert len((await sap.books())["quality_notifications"]) == 1
