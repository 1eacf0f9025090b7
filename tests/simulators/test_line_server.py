"""The simulated line over OPC UA and HTTP, seen by a plain asyncua client: complete, in order, in plant time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.subscription import DataChangeEvent, OverflowPolicy
from asyncua.ua.object_ids import ObjectIds

from simulators.line.model import STATION_TAGS
from simulators.line.server import serve

ROOT = Path(__file__).parents[2]
NAMESPACE = "urn:plantwright:simulated-line"

LINE = """
line = "L1"
start = "control"
[[station]]
name = "press"
operation = "0010"
cycle_seconds = 2
counter = { good = 4294967290 }
measurement = [{ tag = "Force", nominal = 400.0, noise = 5.0, unit = "kN" }]
[[station]]
name = "weld"
operation = "0020"
cycle_seconds = 3
[[station]]
name = "inspect"
operation = "0030"
cycle_seconds = 2
"""
RUNS = """
[[run]]
order = "1000001"
batch = "B1"
quantity = 20
[[run]]
order = "1000002"
batch = "B2"
quantity = 10
[[run]]
order = "1000001"
batch = "B3"
quantity = 15
[[defect]]
run = 1
piece = 4
origin = "press"
reason = "SCRATCH"
[[defect]]
run = 1
piece = 5
origin = "press"
reason = "SCRATCH"
[[defect]]
run = 2
piece = 3
origin = "weld"
reason = "POROSITY"
"""


@dataclass
class Served:
    endpoint: str
    control: httpx.AsyncClient

    async def truth(self) -> dict[str, Any]:
        return (await self.control.get("/_control/truth")).raise_for_status().json()

    async def post(self, what: str, **body: Any) -> dict[str, Any]:
        answer = await self.control.post(f"/_control/{what}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def when(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first truth of which the condition holds."""
        async with asyncio.timeout(60):
            while True:
                # The control side has no push, so a person (and this test) asks again and again.
                truth = await self.truth()
                if condition(truth):
                    return truth
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def line(folder: Path, text: str, **options: Any) -> AsyncIterator[Served]:
    scenario = folder / "line.toml"
    scenario.write_text(text, encoding="utf-8")
    ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(scenario, on_ready=ready.set_result, **options))
    try:
        await asyncio.wait([serving, ready], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        addresses = ready.result()
        async with httpx.AsyncClient(base_url=addresses["control"], verify=False) as control:
            yield Served(addresses["endpoint"], control)
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


@dataclass
class Arrival:
    tag: str
    value: Any
    source: datetime
    status: int


@dataclass
class Recording:
    """Everything one subscription delivered, in the order of arrival. Initial values come first."""

    arrivals: list[Arrival] = field(default_factory=list)
    truth: dict[str, Any] = field(default_factory=dict)

    def of(self, tag: str) -> list[Arrival]:
        return [arrival for arrival in self.arrivals if arrival.tag == tag]

    def watermark(self) -> datetime:
        return max((arrival.source for arrival in self.of("Heartbeat")), default=datetime.min.replace(tzinfo=UTC))

    def steps(self, tag: str) -> list[Arrival]:
        """Without the value the item had when it was created."""
        return self.of(tag)[1:]


@contextlib.asynccontextmanager
async def recorded(
    served: Served, tags: list[str], *, publishing: float = 100, queue: int = 10_000
) -> AsyncIterator[tuple[Recording, Callable[[datetime], Awaitable[None]]]]:
    """Subscribes `<station>.<tag>` names and the heartbeat; the second value waits for a heartbeat at or after T."""
    recording = Recording()
    beat = asyncio.Condition()
    client = Client(served.endpoint, timeout=30)
    async with client:
        index = await client.get_namespace_index(NAMESPACE)
        subscription = await client.create_subscription(
            publishing, queue_maxsize=1_000_000, overflow=OverflowPolicy.DISCONNECT
        )
        nodes = [client.get_node(f"ns={index};s=L1.{tag}") for tag in (*tags, "Heartbeat")]

        async def collect() -> None:
            async for event in subscription:
                assert isinstance(event, DataChangeEvent)
                value = event.data.monitored_item.Value
                tag = str(event.node.nodeid.Identifier).removeprefix("L1.")
                stamp = value.SourceTimestamp.replace(tzinfo=UTC)
                recording.arrivals.append(Arrival(tag, event.value, stamp, value.StatusCode.value))
                if tag == "Heartbeat":
                    async with beat:
                        beat.notify_all()

        async def passed(moment: datetime) -> None:
            async with asyncio.timeout(60), beat:
                await beat.wait_for(lambda: recording.watermark() >= moment)

        handles = await subscription.subscribe_data_change(nodes, queuesize=queue)
        assert all(isinstance(handle, int) for handle in handles)
        collecting = asyncio.create_task(collect())
        try:
            yield recording, passed
        finally:
            collecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await collecting
            await subscription.delete()


def moment_of(truth: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(truth["plant_time"])


def all_tags() -> list[str]:
    return [f"{station}.{tag}" for station in ("press", "weld", "inspect") for tag in STATION_TAGS] + [
        "press.Force",
        "Speed",
    ]


@pytest.fixture(scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A scenario played to its end, fast, with every tag subscribed before the first piece."""
    folder = tmp_path_factory.mktemp("line")
    async with line(folder, LINE + RUNS, speed=60, seed=1) as served:
        async with recorded(served, all_tags()) as (recording, passed):
            await passed(moment_of(await served.truth()))
            await served.post("start")
            recording.truth = await served.when(lambda truth: truth["finished"])
            await passed(moment_of(recording.truth))
        return recording


async def test_every_step_arrives_and_the_sums_are_the_truth(whole: Recording):
    for station in whole.truth["stations"]:
        for tag, total in (("Infeed", "infeed"), ("Good", "good"), ("Reject", "reject")):
            first, *later = [arrival.value for arrival in whole.of(f"{station['name']}.{tag}")]
            assert later == [(first + step) % 2**32 for step in range(1, station[total] + 1)]
    assert [station["infeed"] for station in whole.truth["stations"]] == [45, 45, 45]
    assert whole.truth["cycles"] == 135
    assert len(whole.steps("press.Force")) == 45


async def test_the_truth_adds_up_by_order_operation_batch_and_reason(whole: Recording):
    first, second = whole.truth["orders"]
    assert [first["order"], second["order"]] == ["1000001", "1000002"]
    inspect = first["operations"][2]
    assert (inspect["operation"], inspect["infeed"], inspect["yield"], inspect["scrap"]) == ("0030", 35, 33, 2)
    assert inspect["scrap_by_reason"] == {"SCRATCH": 2}
    assert inspect["by_batch"] == {"B1": {"yield": 18, "scrap": 2}, "B3": {"yield": 15, "scrap": 0}}
    assert second["operations"][2]["scrap_by_reason"] == {"POROSITY": 1}
    assert second["operations"][2]["scrap_by_origin"] == {"weld": 1}


async def test_a_counter_wraps_at_32_bits_without_a_gap(whole: Recording):
    values = [arrival.value for arrival in whole.of("press.Good")]
    assert values[5:8] == [2**32 - 1, 0, 1]


async def test_each_station_changes_over_in_its_own_time_and_before_its_first_piece(whole: Recording):
    starts: list[datetime] = []
    for station in ("press", "weld", "inspect"):
        orders = whole.steps(f"{station}.Order")
        assert [arrival.value for arrival in orders] == ["1000001", "1000002", "1000001", ""]
        assert [arrival.value for arrival in whole.steps(f"{station}.Batch")] == ["B1", "B2", "B3", ""]
        infeeds, goods = whole.steps(f"{station}.Infeed"), whole.steps(f"{station}.Good")
        for change, first_piece in zip(orders[:3], (0, 20, 30), strict=True):
            assert change.source <= infeeds[first_piece].source
            if first_piece:
                assert infeeds[first_piece - 1].source < change.source
        assert goods[-1].source < orders[3].source
        starts.append(orders[1].source)
    assert starts == sorted(starts)
    assert len(set(starts)) == 3


async def test_scrap_is_found_two_stations_later_and_its_cause_arrives_first(whole: Recording):
    assert whole.steps("press.Reject") == whole.steps("weld.Reject") == []
    told = [
        (arrival.tag.partition(".")[2], arrival.value)
        for arrival in whole.arrivals
        if arrival.tag in ("inspect.Reject", "inspect.RejectReason", "inspect.RejectOrigin")
    ][3:]
    # The cause of the second scratch equals the first one's, and an equal value is not reported again.
    assert told == [
        ("RejectReason", "SCRATCH"), ("RejectOrigin", "press"), ("Reject", 1), ("Reject", 2),
        ("RejectReason", "POROSITY"), ("RejectOrigin", "weld"), ("Reject", 3),
    ]  # fmt: skip
    first, third = whole.steps("inspect.Reject")[0], whole.steps("inspect.Reject")[2]
    assert whole.steps("inspect.RejectReason")[0].source == first.source
    assert whole.steps("inspect.RejectReason")[1].source == third.source


async def test_nothing_older_than_a_heartbeat_arrives_after_it(whole: Recording):
    watermark = datetime.min.replace(tzinfo=UTC)
    started = next(index for index, arrival in enumerate(whole.arrivals) if arrival.tag == "Heartbeat") + 1
    beats = 0
    for arrival in whole.arrivals[started:]:
        assert arrival.source >= watermark, f"{arrival} came after a heartbeat of {watermark}"
        if arrival.tag == "Heartbeat":
            watermark, beats = arrival.source, beats + 1
    assert beats > 5


async def test_values_arrive_in_the_order_of_their_instants(whole: Recording):
    started = next(index for index, arrival in enumerate(whole.arrivals) if arrival.tag == "Heartbeat") + 1
    sources = [arrival.source for arrival in whole.arrivals[started:]]
    assert sources == sorted(sources)


async def test_instants_are_the_process_s_own_and_not_the_tick_s(whole: Recording):
    goods = [arrival.source for arrival in whole.steps("press.Good")]
    # The press is not the bottleneck for its first pieces, so they follow each other by its cycle time exactly.
    assert [later - earlier for earlier, later in pairwise(goods[:3])] == [timedelta(seconds=2)] * 2


async def test_a_break_stops_the_station_until_it_is_repaired(tmp_path: Path):
    text = LINE + '[[run]]\norder="A"\nquantity=100000\n'
    async with line(tmp_path, text, speed=60, seed=1) as served, recorded(served, all_tags()) as (recording, passed):
        await served.post("start")
        await served.when(lambda truth: truth["stations"][1]["good"] >= 2)
        await served.post("break", station="weld", alarm=42)
        down = await served.when(lambda truth: truth["stations"][1]["state"] == 9)
        later = await served.when(lambda truth: truth["stations"][2]["state"] == 5)
        assert later["stations"][1]["good"] == down["stations"][1]["good"]
        again = await served.control.post("/_control/break", json={"station": "weld"})
        assert again.status_code == 400
        assert "repair it first" in again.json()["error"]
        await served.post("repair", station="weld")
        up = await served.when(lambda truth: truth["stations"][1]["good"] > down["stations"][1]["good"])
        await passed(moment_of(up))
    assert [arrival.value for arrival in recording.steps("weld.Alarm")] == [42, 0]
    states = [arrival.value for arrival in recording.steps("weld.State")]
    assert states[2:10] == [8, 9, 1, 2, 15, 4, 3, 6]


async def test_a_timed_break_ends_by_itself_after_plant_seconds(tmp_path: Path):
    text = LINE + '[[run]]\norder="A"\nquantity=100000\n'
    async with line(tmp_path, text, speed=200, seed=1) as served, recorded(served, ["press.Alarm"]) as (seen, passed):
        await served.post("start")
        await served.post("break", station="press", seconds=90)
        await served.when(lambda truth: truth["stations"][0]["state"] in (8, 9))
        await passed(moment_of(await served.when(lambda truth: truth["stations"][0]["state"] == 6)))
    down, up = seen.steps("press.Alarm")
    assert (down.value, up.value) == (1000, 0)
    assert up.source - down.source == timedelta(seconds=90)


async def test_a_drift_asked_for_by_a_person_moves_the_next_measurements_and_the_truth_says_which(tmp_path: Path):
    async with line(tmp_path, LINE + RUNS, speed=60, seed=1) as served:
        answer = await served.post("drift", pieces=2)
        assert answer == {"station": "press", "tag": "Force", "offset": 30.0, "pieces": 2}
        await served.post("start")
        truth = await served.when(lambda told: len(told["drifted"]) == 2 and told["cycles"] > 5)
    assert [(d["order"], d["batch"], d["value"] > 420) for d in truth["drifted"]] == [("1000001", "B1", True)] * 2
    now = datetime.fromisoformat(truth["plant_time"])
    assert all(datetime.fromisoformat(d["at"]) < now for d in truth["drifted"])


async def test_a_bad_part_ordered_by_a_person_is_found_two_stations_later(tmp_path: Path):
    text = LINE + '[[run]]\norder="A"\nquantity=5\n'
    async with line(tmp_path, text, speed=200, seed=1) as served:
        answer = await served.post("bad-part", reason="DENT")
        assert answer == {"origin": "press", "found": "inspect", "reason": "DENT"}
        await served.post("start")
        truth = await served.when(lambda truth: truth["finished"])
    operations = truth["orders"][0]["operations"]
    assert [operation["scrap"] for operation in operations] == [0, 0, 1]
    assert operations[2]["scrap_by_reason"] == {"DENT": 1}


async def test_pieces_flow_only_after_the_start_and_appended_runs_are_made(tmp_path: Path):
    async with line(tmp_path, LINE, speed=200, seed=1) as served, recorded(served, all_tags()) as (recording, passed):
        answer = await served.post("runs", order="9000001", batch="X", quantity=3)
        assert answer == {"run": 1, "order": "9000001", "batch": "X", "quantity": 3}
        truth = await served.truth()
        await passed(moment_of(truth) + timedelta(seconds=60))
        assert (truth["running"], truth["finished"], truth["cycles"]) == (False, False, 0)
        assert recording.steps("press.Infeed") == []
        await served.post("start")
        truth = await served.when(lambda truth: truth["finished"])
        assert truth["orders"][0]["operations"][2]["yield"] == 3


async def test_all_stamps_are_plant_time_of_the_given_clock(tmp_path: Path):
    plant = datetime(2031, 5, 6, 7, 8, tzinfo=UTC)
    clock = f"{datetime.now(UTC).isoformat()},{plant.isoformat()},100"
    text = LINE.replace("control", "auto", 1) + '[[run]]\norder="A"\nquantity=3\n'
    async with line(tmp_path, text, clock=clock, seed=1) as served, recorded(served, all_tags()) as (recording, passed):
        truth = await served.when(lambda truth: truth["finished"])
        await passed(moment_of(truth))
        refused = await served.control.post("/_control/pace", json={"speed": 5})
        assert refused.status_code == 400
        async with Client(served.endpoint) as client:
            status = await client.get_node(f"i={ObjectIds.Server_ServerStatus_CurrentTime}").read_value()
    assert all(plant <= arrival.source < plant + timedelta(hours=1) for arrival in recording.arrivals)
    assert plant < moment_of(truth) < plant + timedelta(hours=1)
    assert plant < status.replace(tzinfo=UTC) < plant + timedelta(hours=1)


async def test_another_pace_changes_speed_without_a_jump(tmp_path: Path):
    text = LINE + '[[run]]\norder="A"\nquantity=100\n'
    async with line(tmp_path, text, speed=1, seed=1) as served:
        await served.post("start")
        before = moment_of(await served.truth())
        assert await served.post("pace", speed=500) == {"speed": 500}
        after = moment_of(await served.truth())
        assert before <= after < before + timedelta(seconds=300)
        await served.when(lambda truth: truth["finished"])


async def test_clients_can_read_and_browse_but_never_write(tmp_path: Path):
    async with line(tmp_path, LINE, seed=1) as served, Client(served.endpoint) as client:
        index = await client.get_namespace_index(NAMESPACE)
        root = client.get_node(f"ns={index};s=L1")
        names = [(await child.read_browse_name()).Name for child in await root.get_children()]
        assert names == ["Heartbeat", "Speed", "press", "weld", "inspect"]
        good = client.get_node(f"ns={index};s=L1.press.Good")
        assert (await good.read_data_value()).Value == ua.Variant(4_294_967_290, ua.VariantType.UInt32)
        assert (await client.get_node(f"ns={index};s=L1.press.State").read_value()) == 4
        for name in ("press.Good", "press.Order", "Heartbeat"):
            node = client.get_node(f"ns={index};s=L1.{name}")
            with pytest.raises(ua.UaStatusCodeError):
                await node.write_value(await node.read_data_value())
        unit = await client.get_node(f"ns={index};s=L1.press.Force.EngineeringUnits").read_value()
        assert unit.DisplayName.Text == "kN"


async def test_nobody_becomes_an_administrator_by_name(tmp_path: Path):
    async with line(tmp_path, LINE, seed=1) as served:
        client = Client(served.endpoint)
        client.set_user("admin")
        client.set_password("admin")
        with pytest.raises((ua.UaError, ConnectionError)):
            async with client:
                pass


async def test_a_queue_that_was_too_small_says_so(tmp_path: Path):
    text = LINE.replace("cycle_seconds = 2\ncounter", "cycle_seconds = 1\ncounter", 1)
    text += '[[run]]\norder="A"\nquantity=300\n'
    async with (
        line(tmp_path, text, speed=400, seed=1) as served,
        recorded(served, ["inspect.Good"], publishing=1000, queue=5) as (recording, passed),
    ):
        await served.post("start")
        await passed(moment_of(await served.when(lambda truth: truth["finished"])))
    steps = recording.steps("inspect.Good")
    jumps = [later for earlier, later in pairwise(steps) if later.value != earlier.value + 1]
    assert len(steps) < 300
    assert jumps
    assert {arrival.status for arrival in jumps} == {0x480}
    assert {arrival.status for arrival in steps if arrival not in jumps and arrival is not steps[0]} == {0}


async def test_delivery_by_item_groups_each_message_but_loses_nothing(tmp_path: Path):
    text = 'delivery = "item"\n' + LINE + '[[run]]\norder="A"\nquantity=60\n'
    async with (
        line(tmp_path, text, speed=200, seed=1) as served,
        recorded(served, all_tags(), publishing=500) as (recording, passed),
    ):
        await passed(moment_of(await served.truth()))
        await served.post("start")
        await passed(moment_of(await served.when(lambda truth: truth["finished"])))
        await passed(recording.watermark() + timedelta(seconds=1))
    assert len(recording.steps("inspect.Good")) == 60
    sources = [arrival.source for arrival in recording.arrivals]
    assert sources != sorted(sources)


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("break", b"{", "not JSON"),
        ("break", b"[]", "not a JSON object"),
        ("break", b"{}", "station: Field required; send an object with station, alarm (optional)"),
        ("break", b'{"station": "paint"}', "it has press, weld, inspect"),
        ("break", b'{"station": "weld", "seconds": -1}', "seconds"),
        ("repair", b'{"station": "weld"}', "not down"),
        ("runs", b'{"order": "A"}', "quantity: Field required"),
        ("runs", b'{"order": "A", "quantity": 0}', "quantity"),
        ("bad-part", b'{"why": 1}', "send an object with reason (optional)"),
        ("drift", b'{"tag": "Gap"}', "measured is press/Force"),
        ("drift", b'{"pieces": 0}', "pieces"),
        ("start", b'{"now": true}', "send no body at all"),
        ("pace", b'{"speed": 0}', "speed"),
    ],
)
async def test_a_malformed_request_is_taught_and_changes_nothing(idle: Served, path: str, body: bytes, says: str):
    before = await idle.truth()
    answer = await idle.control.post(f"/_control/{path}", content=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    after = await idle.truth()
    assert {**before, "plant_time": ""} == {**after, "plant_time": ""}


@pytest.fixture(scope="module")
async def idle(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with line(tmp_path_factory.mktemp("idle"), LINE, seed=1) as served:
        yield served


@pytest.mark.parametrize("clock", ["now", "2026-01-01T00:00:00,2026-01-01T00:00:00,1", "2026-01-01T00:00Z,x,1"])
async def test_a_clock_that_cannot_be_read_is_refused(tmp_path: Path, clock: str):
    with pytest.raises(ValueError, match="WALL_ISO,PLANT_ISO,FACTOR"):
        async with line(tmp_path, LINE, clock=clock):
            pass


@pytest.mark.long
async def test_ten_thousand_pieces_arrive_whole(tmp_path: Path):
    text = (ROOT / "simulators" / "line" / "scenarios" / "volume.toml").read_text(encoding="utf-8")
    text = text.replace('"Line1"', '"L1"')
    tags = [f"{station}.{tag}" for station in ("press", "weld", "inspect") for tag in STATION_TAGS]
    async with line(tmp_path, text, speed=1000, seed=1) as served, recorded(served, tags) as (recording, passed):
        await passed(moment_of(await served.truth()))
        await served.post("start")
        truth = await served.when(lambda truth: truth["finished"])
        await passed(moment_of(truth))
    for station in truth["stations"]:
        for tag, total in (("Infeed", "infeed"), ("Good", "good"), ("Reject", "reject")):
            assert [arrival.value for arrival in recording.of(f"{station['name']}.{tag}")] == list(
                range(station[total] + 1)
            )
