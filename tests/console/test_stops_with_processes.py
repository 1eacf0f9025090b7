"""A stop before its real process: called, acknowledged, explained on the board, told to maintenance, closed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client

from console.app import build_app
from console.ports import Services
from ledger.connect import open_ledger
from ledger.people_port import Grant
from signals.downtime import StopState
from signals.upkeep import OpenDowntime
from tests.console.house import PASSWORD, House, HouseDesk, people_of
from tests.console.visits import send, signed_in
from tests.workflows.bench import LINE
from tests.workflows.stop_bench import stop_bench
from workers.accounts import HouseAccounts
from workers.console_desk import ConsoleDesk


async def test_an_operator_explains_a_stop_on_the_console_and_its_process_carries_it_out(
    temporal_client: Client, tmp_path: Path
) -> None:
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    async with stop_bench(temporal_client, ledger) as bench:
        people = people_of(ledger)
        for user, role in (("operator-1", "operator"), ("engineer-1", "quality engineer")):
            await people.add_user(user, password=PASSWORD, grants=(Grant(user=user, plant=bench.id, role=role),))

        async def client() -> Client:
            return bench.client

        def now() -> datetime:
            return datetime.now(UTC)

        plants = {bench.id: bench.plant}
        services = Services(
            plants=plants, ledger=ledger, desk=ConsoleDesk(client, ledger, plants, now),
            accounts=HouseAccounts(people), secret=b"s" * 32, now=now,
        )  # fmt: skip
        house = House(ledger, people, HouseDesk(ledger, plants), services, build_app(services))
        await bench.stands()
        await bench.until_stop(lambda r: r.level >= 1)
        board, path = f"/p/{bench.id}/stops", f"/p/{bench.id}/stops/{LINE}/{bench.stop}"
        async with signed_in(house, "operator-1") as person:
            assert "step 1 (response): operator" in (await person.get(board)).text
            assert bench.stop in (await person.get("/")).text, "who is called has it in the inbox"
            for act, fields in (("acknowledge", {}), ("classify", {"reason": "jam"})):
                answer = await send(person, path, f"{path}/{act}", action_id=f"a-{act}", back="board", **fields)
                assert answer.status_code == 303, answer.text
            refused = await send(person, path, f"{path}/recode", action_id="r", part="1", reason="break", comment="x")
            assert refused.status_code == 403
            again = await send(person, path, f"{path}/classify", action_id="again", reason="break")
            assert again.status_code == 409
        record = await bench.until_stop(lambda r: r.notification)
        assert (record.state, record.assigned_to) == (StopState.ACKNOWLEDGED, "operator-1")
        assert [(p.reason, p.by) for p in record.parts] == [("jam", "operator-1")]
        assert [t.reason for t in bench.upkeep.told(OpenDowntime)] == ["jam"]
        await bench.tell(end=datetime.now(UTC))
        assert (await bench.ended()).state is StopState.CLOSED
        async with await house.api("engineer-1", bench.id, "quality engineer") as program:
            view = (await program.get(f"/api/v1/plants/{bench.id}/stops/{LINE}/{bench.stop}")).json()
            assert (view["stop"]["state"], view["acts"]) == ("closed", [])
    await ledger.close()
