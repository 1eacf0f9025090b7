"""The call counter that all simulated ERPs share: what it counts, what it leaves out."""

import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from simulators.common.calls import Calls, count_calls


def test_calls_are_counted_in_the_second_in_which_they_came():
    clock = iter([100.0, 100.9, 101.0, 105.5])
    calls = Calls(lambda: next(clock))
    for _ in range(4):
        calls.count()
    assert calls.shown() == [[100, 2], [101, 1], [105, 1]]


async def test_only_calls_of_the_erp_count_and_the_control_side_shows_and_forgets_them():
    async def ok(_):
        return PlainTextResponse("ok")

    app = count_calls(Starlette(routes=[Route("/api/{rest:path}", ok), Route("/healthz", ok)]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://erp") as http:
        for address in ("/api/a", "/api/b", "/healthz", "/unknown", "/_control/calls"):
            await http.get(address)
        shown = (await http.get("/_control/calls")).json()
        assert sum(count for _, count in shown) == 3
        assert (await http.delete("/_control/calls")).json() == []
        assert (await http.get("/_control/calls")).json() == []
