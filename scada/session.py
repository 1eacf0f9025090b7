"""Keeps a line's OPC UA session alive for ever and hands over what it says, in order and at least once.

On any trouble the client is thrown away and a new one built (a fresh client is the only dependable cure); what was not
seen meanwhile is told as a gap. Reads only. Not for deciding what is worth keeping (scada.filter).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import structlog
from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds

from domain.clock import PlantClock
from domain.plant import LineConfig, OpcUaConfig, TagKind
from scada.channel import REQUEST_SECONDS, browse_around, discard, namespace_array, open_client, warn_of_weakness
from scada.nodes import (
    NodeAddressError,
    TagAddress,
    heartbeat_time,
    line_tags,
    merge_order,
    parse_node,
    reading,
)
from scada.reading import Reading
from scada.subscription import LiveSubscription, Message, SubscriptionLost
from signals.ids import time_text

SERVER_CLOCK = "i=2258"
"""Server_ServerStatus_CurrentTime: the heartbeat where the plant file names none."""

_HOLD_SECONDS = 60.0
_ITEM_RETRY_SECONDS = (5.0, 10.0, 30.0, 60.0)

BatchHandler = Callable[[list[Reading], datetime | None], Awaitable[None]]


class SessionDown(ConnectionError):
    """There is no session with the line's server now; ask again later."""


class SessionState(StrEnum):
    """What the session is doing."""

    CONNECTING = "connecting"
    LIVE = "live"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing was seen between two source times: of one tag, or of the whole line where `tag` is None."""

    gap_from: datetime
    at: datetime
    reason: str
    tag: TagAddress | None = None


@dataclass(frozen=True, slots=True)
class TagTrouble:
    """A tag that the server does not let us watch, and what to do about it."""

    code: str
    detail: str
    since: datetime | None = None


GapHandler = Callable[[Gap], Awaitable[None]]


class OpcUaSession:
    """One line's session. `on_batch` returns when the readings are durable: only then are they acknowledged.

    `last_seen` is the source time up to which a former life of this gateway has seen everything.
    """

    def __init__(
        self,
        line: LineConfig,
        environ: Mapping[str, str],
        on_batch: BatchHandler,
        on_gap: GapHandler,
        *,
        clock: PlantClock | None = None,
        last_seen: datetime | None = None,
        retry_seconds: Sequence[float] = (1, 2, 5, 10, 30),
    ) -> None:
        if line.opcua is None:
            raise ValueError(f"line {line.id} has no [line.opcua] table; an edge gateway needs its endpoint")
        self._line = line
        self._config: OpcUaConfig = line.opcua
        self._environ = environ
        self._on_batch = on_batch
        self._on_gap = on_gap
        self._clock = clock or PlantClock()
        self._retry = retry_seconds
        self._log = structlog.get_logger().bind(line=line.id, endpoint=self._config.endpoint)
        self._client: Client | None = None
        self._namespaces: list[str] = []
        self._subscription: LiveSubscription | None = None
        self._heard = time.monotonic()
        self._open_gaps: list[tuple[datetime, str, TagAddress | None]] = []
        self._states: dict[TagAddress, Reading] = {}
        self._warned: set[str] = set()
        self.heartbeat: datetime | None = last_seen
        self.state = SessionState.DOWN
        self.last_error = ""
        self._ended_by = "the gateway was not running"
        self.troubles: dict[TagAddress, TagTrouble] = {}
        self.expected: tuple[TagAddress, ...] = line_tags(line)

    @property
    def live_tags(self) -> frozenset[TagAddress]:
        """The tags that the server watches for us now; `expected` are those it should."""
        return self._subscription.live_tags if self._subscription is not None else frozenset()

    # --- supervision ---------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Connects, watches, and begins anew after every trouble, until cancelled."""
        warn_of_weakness(self._line.id, self._config)
        failures = 0
        while True:
            before = self.heartbeat
            try:
                await self._live()
            except Exception as trouble:
                self._tell_trouble(str(trouble) or repr(trouble))
                if self.heartbeat != before:
                    self._ended_by = self.last_error
            failures = 0 if self.heartbeat != before else failures + 1
            await asyncio.sleep(self._retry[min(failures, len(self._retry) - 1)])

    def _tell_trouble(self, why: str) -> None:
        tell = self._log.debug if why == self.last_error else self._log.warning
        tell("no session with the line's OPC UA server; a new one is tried", why=why)
        self.last_error = why

    async def _live(self) -> None:
        self.state = SessionState.CONNECTING
        client = await open_client(self._line.id, self._config, self._environ, self._on_connection_lost)
        try:
            self._namespaces = await namespace_array(client)
            subscription = LiveSubscription(client, self._line.id, self._config, self._on_message)
            self._subscription = subscription
            await self._subscribe(client, subscription)
            self._client = client
            self.state = SessionState.LIVE
            self.last_error = ""
            await self._watch(subscription)
        finally:
            self._client, self._subscription, self.state = None, None, SessionState.DOWN
            await discard(client)

    async def _subscribe(self, client: Client, subscription: LiveSubscription) -> None:
        self._warned.clear()
        self._states.clear()
        self._open_gaps = self._gap_since_last_life()
        nodes = self._resolve(self.expected)
        await browse_around(client, list(nodes.values()))
        await subscription.open()
        await self._monitor(subscription, nodes)
        self._heard = time.monotonic()
        await self._start(subscription)
        self._log.info("watching the line", tags=len(self.live_tags), expected=len(self.expected))

    def _gap_since_last_life(self) -> list[tuple[datetime, str, TagAddress | None]]:
        if self.heartbeat is None:
            return []
        # What happened within the settling time before the last heartbeat may not have been published any more.
        start = self.heartbeat - timedelta(milliseconds=self._config.settle_ms)
        why = self._ended_by[:200]
        return [(start, f"not watched: {why}", None)]

    def _resolve(self, addresses: Sequence[TagAddress]) -> dict[TagAddress, ua.NodeId]:
        """NodeIds for this session: indexes may shift at every restart of a server, URIs do not."""
        nodes: dict[TagAddress, ua.NodeId] = {}
        for address in addresses:
            try:
                nodes[address] = self._node_id(address.tag.node, address.name)
            except NodeAddressError as unknown:
                self._report(address, "BadNodeIdUnknown", str(unknown))
        return nodes

    def _node_id(self, text: str, name: str) -> ua.NodeId:
        node = parse_node(text)
        if node.namespace_uri is None and node.index > 0:
            self._warn_once(
                f"ns:{name}",
                "a NodeId by namespace index breaks when the server renumbers its namespaces; write nsu=URI instead",
                tag=name,
                node=text,
            )
        return node.node_id(self._namespaces)

    async def _monitor(self, subscription: LiveSubscription, nodes: Mapping[TagAddress, ua.NodeId]) -> None:
        terms = await subscription.watch(nodes)
        for address, code in terms.refused.items():
            fix = (
                f"no tag {address.tag.node!r} is watchable there; correct node of {address.name} or the server's rights"
            )
            self._report(address, code, fix)
        for address in nodes.keys() - terms.refused.keys():
            trouble = self.troubles.pop(address, None)
            if trouble is not None:
                self._log.info("tag is watched again", tag=address.name)
                if trouble.since is not None:
                    self._open_gaps.append((trouble.since, f"tag was not watched: {trouble.code}", address))

    def _report(self, address: TagAddress, code: str, detail: str) -> None:
        known = self.troubles.get(address)
        if known is None or known.code != code:
            self._log.error("tag cannot be watched", tag=address.name, node=address.tag.node, code=code, fix=detail)
        self.troubles[address] = TagTrouble(code, detail, known.since if known else None)

    async def _start(self, subscription: LiveSubscription) -> None:
        chosen = self._config.heartbeat or SERVER_CLOCK
        try:
            refused = await subscription.start(self._node_id(chosen, "heartbeat"))
        except NodeAddressError as unknown:
            refused = str(unknown)
        if refused and chosen != SERVER_CLOCK:
            self._log.error(
                "the heartbeat cannot be watched, the server's clock serves instead; correct [line.opcua] heartbeat",
                node=chosen,
                why=refused,
            )
            refused = await subscription.start(parse_node(SERVER_CLOCK).node_id(self._namespaces))
        if refused:
            raise SubscriptionLost(f"no heartbeat: {chosen} is refused with {refused}")

    async def _on_connection_lost(self, reason: Exception) -> None:
        if self._subscription is not None:
            await self._subscription.lost(ConnectionError(f"connection lost: {reason or type(reason).__name__}"))

    async def _watch(self, subscription: LiveSubscription) -> None:
        """Returns never: raises when the subscription failed or fell silent."""
        attempt, retry_at = 0, time.monotonic() + _ITEM_RETRY_SECONDS[0]
        while True:
            silent_at = self._heard + self._config.silence_seconds
            wake_at = min(silent_at, retry_at) if self.troubles else silent_at
            await asyncio.wait({subscription.failed}, timeout=max(0.05, wake_at - time.monotonic()))
            if subscription.failed.done():
                raise subscription.failed.result()
            now = time.monotonic()
            # While a batch is being stored nothing can be heard; that is the log's delay, not the server's silence.
            if subscription.busy:
                self._heard = now
            if now - self._heard >= self._config.silence_seconds:
                raise SubscriptionLost(f"no heartbeat for {self._config.silence_seconds} s")
            if self.troubles and now >= retry_at:
                await self._retry_items(subscription)
                attempt += 1
                retry_at = now + _ITEM_RETRY_SECONDS[min(attempt, len(_ITEM_RETRY_SECONDS) - 1)]

    async def _retry_items(self, subscription: LiveSubscription) -> None:
        """The audit of the expected tags against the live ones."""
        missing = [address for address in self.expected if address not in subscription.live_tags]
        if self._client is not None:
            self._namespaces = await namespace_array(self._client)
        await self._monitor(subscription, self._resolve(missing))

    # --- what comes in -------------------------------------------------------------------------------------
    async def _on_message(self, message: Message) -> None:
        received_at = self._clock.plant_time(datetime.now(UTC))
        readings = merge_order([reading(a, v, received_at=received_at) for a, v in message.values])
        self._states.update({_address(r): r for r in readings if r.tag.kind is TagKind.STATE})
        if message.lost and self.heartbeat is not None:
            self._open_gaps.append((self.heartbeat, f"{message.lost} notifications lost", None))
        beat = self._accepted_beat(message, received_at)
        gaps = self._close_gaps(beat) if beat is not None else []
        if beat is not None and gaps:
            readings += self._states_after(gaps, beat, readings)
        await self._hand_over(gaps, readings, beat)
        if beat is not None:
            self.heartbeat = beat
            self._note_missing_since(beat)

    def _accepted_beat(self, message: Message, now: datetime) -> datetime | None:
        """The heartbeat's time if it may move the watermark: newer than the last, complete, not from the future."""
        beat = heartbeat_time(message.heartbeat) if message.heartbeat is not None else None
        if beat is None:
            return None
        self._heard = time.monotonic()
        if beat > now + timedelta(seconds=self._line.future_seconds):
            self._warn_once(
                "future",
                "the heartbeat is ahead of the plant clock and does not count: set the server's clock, or the "
                "gateway's plant clock where the line is simulated",
                heartbeat=time_text(beat),
                plant_time=time_text(now),
            )
            return None
        if self.heartbeat is not None and beat <= self.heartbeat:
            if beat < self.heartbeat:
                self._warn_once("back", "the heartbeat went back; it counts again when it has caught up", at=str(beat))
            return None
        # More of this moment is still on its way: a later message of it may hold earlier changes.
        return beat if message.whole else None

    def _close_gaps(self, beat: datetime) -> list[Gap]:
        gaps = [Gap(start, beat, reason, tag) for start, reason, tag in self._open_gaps if start < beat]
        self._open_gaps.clear()
        return gaps

    def _states_after(self, gaps: list[Gap], beat: datetime, readings: list[Reading]) -> list[Reading]:
        """Machine states as observed at the end of a gap: their own times may lie before it, and it would hide them."""
        wanted = {gap.tag.equipment if gap.tag else "" for gap in gaps}
        return [
            replace(state, at=beat, at_text=time_text(beat), overflow=False)
            for address, state in self._states.items()
            if state.at < beat and ("" in wanted or address.equipment in wanted)
        ]

    async def _hand_over(self, gaps: list[Gap], readings: list[Reading], beat: datetime | None) -> None:
        """Until it is stored. A full disk holds the acknowledgement back, then the session is given up."""
        deadline, wait = time.monotonic() + _HOLD_SECONDS, 0.5
        while True:
            try:
                while gaps:
                    await self._on_gap(gaps[0])
                    del gaps[0]
                await self._on_batch(readings, beat)
                return
            except Exception as trouble:
                if time.monotonic() + wait > deadline:
                    raise
                self._log.error("readings cannot be stored; the server is not acknowledged", why=str(trouble))
                await asyncio.sleep(wait)
                wait = min(wait * 2, 10.0)

    def _note_missing_since(self, beat: datetime) -> None:
        for address, trouble in self.troubles.items():
            if trouble.since is None:
                self.troubles[address] = replace(trouble, since=beat)

    def _warn_once(self, key: str, event: str, **about: object) -> None:
        if key not in self._warned:
            self._warned.add(key)
            self._log.warning(event, **about)

    # --- second evidence -----------------------------------------------------------------------------------
    async def read_now(self, addresses: Sequence[TagAddress]) -> list[Reading]:
        """Reads tags from the machine itself, now, beside the subscription. Raises SessionDown.

        A tag that the server does not know comes back with quality bad and no value.
        """
        client = self._client
        if client is None:
            raise SessionDown(f"line {self._line.id}: no session with {self._config.endpoint} ({self.last_error})")
        nodes = self._resolve(addresses)
        request = ua.ReadParameters(
            MaxAge=0.0,  # type: ignore[arg-type]
            TimestampsToReturn=ua.TimestampsToReturn.Both,
            NodesToRead=[ua.ReadValueId(NodeId=n, AttributeId=AttributeIds.Value) for n in nodes.values()],  # type: ignore[arg-type]
        )
        values: list[ua.DataValue] = []
        if nodes:
            try:
                async with asyncio.timeout(REQUEST_SECONDS):
                    values = await client.uaclient.session.read(request)
            except (OSError, TimeoutError, ua.UaError) as trouble:
                raise SessionDown(f"line {self._line.id}: reading failed: {trouble!r}") from trouble
        found = dict(zip(nodes, values, strict=True))
        unknown = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown))  # type: ignore[arg-type]
        received_at = self._clock.plant_time(datetime.now(UTC))
        return [reading(address, found.get(address, unknown), received_at=received_at) for address in addresses]


def _address(found: Reading) -> TagAddress:
    return TagAddress(found.equipment, found.tag)
