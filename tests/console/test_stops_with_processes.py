"""A stop before its real process: called, acknowledged and explained on the board under seal, told, closed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client

from console.app import build_app
from console.ports import Services
from ledger.people_port import Grant
from signals.downtime import StopState
from signals.upkeep import OpenDowntime
from tests.console.house import PASSWORD, House, HouseDesk
from tests.console.visits import send, signed_in
from tests.people.sealing_floor import standing_line
from tests.workflows.bench import LINE
from workers.accounts import HouseAccounts


async def test_an_operator_explains_a_stop_on_the_console_and_its_process_carries_it_out(
    temporal_client: Client, tmp_path: Path
) -> None:
    async with standing_line(temporal_client, tmp_path) as (bench, staff):
        ledger, people = staff.ledger, staff.people
        grant = Grant(user="engineer-1", plant=bench.id, role="quality engineer")
        await people.add_user("engineer-1", password=PASSWORD, grants=(grant,))

        def now() -> datetime:
            return datetime.now(UTC)

        plants = {bench.id: bench.plant}
        services = Services(
            plants=plants, ledger=ledger, desk=staff.desk(bench.client, bench.plant),
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
        async with await house.api("operator-1", bench.id, "operator") as program:
            said = {"kind": "comment", "comment": "the fitter is here"}
            path = f"/api/v1/plants/{bench.id}/stops/{LINE}/{bench.stop}/acts"
            answer = await program.post(path, json=said, headers={"Idempotency-Key": "c1"})
            assert (answer.status_code, answer.json().get("accepted")) == (200, True), answer.text
        record = await bench.until_stop(lambda r: r.notification)
        assert (record.state, record.assigned_to) == (StopState.ACKNOWLEDGED, "operator-1")
        assert [(p.reason, p.by) for p in record.parts] == [("jam", "operator-1")]
        assert [t.reason for t in bench.upkeep.told(OpenDowntime)] == ["jam"]
        await bench.tell(end=datetime.now(UTC))
        assert (await bench.ended()).state is StopState.CLOSED
        async with await house.api("engineer-1", bench.id, "quality engineer") as program:
            view = (await program.get(f"/api/v1/plants/{bench.id}/stops/{LINE}/{bench.stop}")).json()
            assert (view["stop"]["state"], view["acts"]) == ("closed", [])
