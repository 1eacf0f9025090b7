"""The activities around the ERP: results are returned, bad input and ERP errors fail by their stable types."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.posting import (
    DocumentsRequest,
    ErpActivities,
    OrderRequest,
    ReleasedOrdersRequest,
    ResumeRequest,
    VerifyRequest,
)
from domain.plant import PlantConfig
from signals.documents import PostingState
from signals.errors import ErpBusy, ErpRejected


@pytest.fixture
def plant() -> PlantConfig:
    return PlantConfig.model_validate(
        {
            "plant": {"id": "demo"},
            "line": [{"id": "L1", "station": [{"id": "press"}]}],
            "erp": {"kind": "sap", "url": "https://sap.example", "plant": "1010"},
        }
    )


@pytest.fixture
def activities(bench, plant) -> ErpActivities:
    return ErpActivities.for_plant(bench.erp, bench.ledger, plant, now=bench.clock.now)


async def test_a_posting_is_settled_and_verified_through_the_activities(bench, activities):
    run = ActivityEnvironment().run
    draft = bench.draft()
    settled = await run(activities.settle_posting, draft)
    assert settled.outcomes[0].state is PostingState.POSTED
    request = VerifyRequest(plant="demo", intent=draft.intent, document=settled.outcomes[0].document)
    assert (await run(activities.verify_posting, request)).complete
    resumed = await run(activities.resume_posting, ResumeRequest(plant="demo", key=draft.intent.key))
    assert resumed.outcomes == settled.outcomes


async def test_totals_and_documents_are_handed_on(bench, activities):
    run = ActivityEnvironment().run
    await run(activities.settle_posting, bench.draft())
    documents = await run(activities.erp_documents, DocumentsRequest(plant="demo", order=bench.order))
    totals = await run(activities.erp_totals, OrderRequest(plant="demo", order=bench.order))
    assert [d.yield_quantity for d in documents.documents] == [t.yield_quantity for t in totals.totals]


async def test_another_plants_work_and_unknown_postings_are_bad_input_for_good(bench, activities):
    run = ActivityEnvironment().run
    other = bench.draft().model_copy(update={"plant": "other"})
    unknown = ResumeRequest(plant="demo", key=bench.draft("nobody-claimed-this").intent.key)
    for method, request in ((activities.settle_posting, other), (activities.resume_posting, unknown)):
        with pytest.raises(ApplicationError) as failed:
            await run(method, request)
        assert (failed.value.type, failed.value.non_retryable) == ("BadInput", True)


async def test_erp_errors_of_reads_fail_by_their_stable_type(bench, activities):
    run = ActivityEnvironment().run

    async def unknown(order):
        raise ErpRejected("no such order", code="order_not_found")

    async def busy(changed_after=""):
        raise ErpBusy("throttled", retry_after=7)

    bench.erp.read_order, bench.erp.released_orders = unknown, busy
    with pytest.raises(ApplicationError) as refused:
        await run(activities.read_order, OrderRequest(plant="demo", order="1"))
    assert (refused.value.type, refused.value.non_retryable) == ("ErpRejected", True)
    with pytest.raises(ApplicationError) as waits:
        await run(activities.released_orders, ReleasedOrdersRequest(plant="demo"))
    assert (waits.value.type, waits.value.non_retryable) == ("ErpBusy", False)
    assert waits.value.next_retry_delay == timedelta(seconds=7)
