"""One OPC UA subscription: ordered notifications, acknowledged only after they were handed over (OPC 10000-4, 5.14).

asyncua's Subscription object acknowledges before anybody has stored anything: its callback only queues. This one is
registered below it, at the session: asyncua's publish loop awaits the callback and sends the acknowledgement with the
next publish request. A callback that raised would be acknowledged all the same, so a failed one never returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from asyncua import ua
from asyncua.client.client import Client

from domain.plant import OpcUaConfig
from scada.nodes import TagAddress

KEEP_ALIVE_MS = 5_000
LIFETIME_MS = 120_000
_ITEMS_PER_CALL = 500
_LARGEST_HOLE = 100
_HEARTBEAT_HANDLE = 1
_FILTER_REFUSED = ("BadFilterNotAllowed", "BadMonitoredItemFilterInvalid", "BadMonitoredItemFilterUnsupported")


class SubscriptionLost(ConnectionError):
    """The server ended the subscription or it cannot be trusted any more: a new session is needed."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one publish response carried. `whole` is false while the server announces more of the same moment."""

    values: tuple[tuple[TagAddress, ua.DataValue], ...]
    heartbeat: ua.DataValue | None
    whole: bool
    lost: int = 0


@dataclass
class ItemTerms:
    """What the server made of the wished sampling and queue."""

    items: int = 0
    smallest_queue: int | None = None
    slowest_sampling_ms: float = 0.0
    refused: dict[TagAddress, str] = field(default_factory=dict)


class LiveSubscription:
    """The subscription of one session. `failed` completes with the reason when it must be given up."""

    def __init__(
        self, client: Client, line: str, config: OpcUaConfig, hand_over: Callable[[Message], Awaitable[None]]
    ) -> None:
        self._session = client.uaclient.session
        self._config = config
        self._hand_over = hand_over
        self._log = structlog.get_logger().bind(line=line, endpoint=config.endpoint)
        self._items: dict[int, TagAddress] = {}
        self._next_handle = _HEARTBEAT_HANDLE + 1
        self._id = 0
        self._sequence: int | None = None
        self.busy = False
        self.failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    @property
    def live_tags(self) -> frozenset[TagAddress]:
        """The tags that the server watches for us now."""
        return frozenset(self._items.values())

    async def open(self) -> None:
        """Creates the subscription, silent until `start`, so that the first message holds every first value."""
        interval = self._config.publishing_ms
        wished = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=interval,
            RequestedLifetimeCount=max(30, LIFETIME_MS // interval),
            RequestedMaxKeepAliveCount=max(3, KEEP_ALIVE_MS // interval),
            MaxNotificationsPerPublish=0,
            PublishingEnabled=False,
            Priority=0,
        )
        granted = await self._session.create_subscription(wished, self._on_publish)
        self._id = granted.SubscriptionId
        self._log.info(
            "OPC UA subscription created",
            publishing_ms=granted.RevisedPublishingInterval,
            keep_alive=granted.RevisedMaxKeepAliveCount,
            lifetime=granted.RevisedLifetimeCount,
        )

    async def watch(self, nodes: Mapping[TagAddress, ua.NodeId]) -> ItemTerms:
        """Watches tags; every answer is looked at, because a list call never raises for one item."""
        terms, pending = ItemTerms(), list(nodes.items())
        while pending:
            part, pending = pending[:_ITEMS_PER_CALL], pending[_ITEMS_PER_CALL:]
            handles = range(self._next_handle, self._next_handle + len(part))
            self._next_handle += len(part)
            # Known before the call: a notification may come before the answer.
            self._items.update(zip(handles, (address for address, _ in part), strict=True))
            requests = [
                self._request(handle, node, stamps=address.tag.filter.every)
                for handle, (address, node) in zip(handles, part, strict=True)
            ]
            results = await self._create_or_unfiltered(requests)
            for handle, (address, _), result in zip(handles, part, results, strict=True):
                self._judge(handle, address, result, terms)
        self._log.info(
            "monitored items created",
            items=terms.items,
            refused=len(terms.refused),
            smallest_queue=terms.smallest_queue,
            slowest_sampling_ms=terms.slowest_sampling_ms,
        )
        if terms.smallest_queue is not None and terms.smallest_queue < self._config.queue_size:
            self._log.warning(
                "the server grants shorter queues than asked: fast changes may be lost between two publishings",
                asked=self._config.queue_size,
                granted=terms.smallest_queue,
            )
        return terms

    async def start(self, heartbeat: ua.NodeId) -> str:
        """Watches the heartbeat, last of all, then lets the server publish. Returns the refusal's name, or nothing.

        Last, because a heartbeat proves that everything before it was seen: no tag may begin later than it.
        """
        (result,) = await self._create([self._request(_HEARTBEAT_HANDLE, heartbeat)])
        if not result.StatusCode.is_good():
            return result.StatusCode.name
        parameters = ua.SetPublishingModeParameters(PublishingEnabled=True, SubscriptionIds=[self._id])  # type: ignore[arg-type]
        (status,) = await self._session.set_publishing_mode(parameters)
        status.check()
        return ""

    async def _create(self, requests: list[ua.MonitoredItemCreateRequest]) -> Sequence[ua.MonitoredItemCreateResult]:
        parameters = ua.CreateMonitoredItemsParameters(
            SubscriptionId=self._id,  # type: ignore[arg-type]
            TimestampsToReturn=ua.TimestampsToReturn.Both,
            ItemsToCreate=requests,
        )
        results = await self._session.create_monitored_items(parameters)
        if len(results) != len(requests):
            raise SubscriptionLost(f"the server answered {len(results)} of {len(requests)} monitored items")
        return results

    async def _create_or_unfiltered(
        self, requests: list[ua.MonitoredItemCreateRequest]
    ) -> list[ua.MonitoredItemCreateResult]:
        """A small server may know no filters: there a value that repeats the one before is not reported."""
        results = list(await self._create(requests))
        unfiltered = [i for i, result in enumerate(results) if result.StatusCode.name in _FILTER_REFUSED]
        if not unfiltered:
            return results
        self._log.warning("the server knows no data change filter: equal values in a row are one", tags=len(unfiltered))
        for index in unfiltered:
            requests[index].RequestedParameters.Filter = None
        again = await self._create([requests[i] for i in unfiltered])
        for index, result in zip(unfiltered, again, strict=True):
            results[index] = result
        return results

    def _request(self, handle: int, node: ua.NodeId, *, stamps: bool = False) -> ua.MonitoredItemCreateRequest:
        """`stamps`: a new source timestamp is news also where the value is the same (OPC 10000-4, 7.22.2)."""
        wished = ua.MonitoringParameters(
            ClientHandle=handle,  # type: ignore[arg-type]
            SamplingInterval=float(self._config.sampling_ms),  # type: ignore[arg-type]
            QueueSize=self._config.queue_size,  # type: ignore[arg-type]
            DiscardOldest=True,
        )
        if stamps:
            wished.Filter = ua.DataChangeFilter(
                Trigger=ua.DataChangeTrigger.StatusValueTimestamp,
                DeadbandType=0,  # type: ignore[arg-type]
                DeadbandValue=0.0,  # type: ignore[arg-type]
            )
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),  # type: ignore[arg-type]
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=wished,
        )

    def _judge(self, handle: int, address: TagAddress, result: ua.MonitoredItemCreateResult, terms: ItemTerms) -> None:
        if not result.StatusCode.is_good():
            del self._items[handle]
            terms.refused[address] = result.StatusCode.name
            return
        terms.items += 1
        queue = int(result.RevisedQueueSize)
        terms.smallest_queue = queue if terms.smallest_queue is None else min(queue, terms.smallest_queue)
        terms.slowest_sampling_ms = max(terms.slowest_sampling_ms, float(result.RevisedSamplingInterval))

    # --- what comes in -------------------------------------------------------------------------------------
    async def _on_publish(self, result: ua.PublishResult) -> None:
        """Awaited by asyncua's publish loop; returning is what acknowledges."""
        if self.failed.done():
            await asyncio.Event().wait()
        self.busy = True
        try:
            notice = result.NotificationMessage
            ended = _status_change(notice)
            if ended is not None:
                self._fail(SubscriptionLost(f"the server ended the subscription: {ended}"))
                return
            if not notice.NotificationData:
                return
            lost = await self._fill_hole(notice.SequenceNumber)
            await self._hand_over(self._message([notice], whole=not result.MoreNotifications, lost=lost))
        except Exception as trouble:
            self._fail(trouble)
            await asyncio.Event().wait()
        finally:
            self.busy = False

    async def _fill_hole(self, number: int) -> int:
        """Fetches what was sent but never arrived (asyncua drops what it cannot parse). Returns how many are lost."""
        expected = number if self._sequence is None else _next_sequence(self._sequence)
        self._sequence = number
        missing = number - expected
        if missing <= 0:
            return 0
        if missing > _LARGEST_HOLE:
            return missing
        lost = 0
        for sequence in range(expected, number):
            try:
                notice = await self._session.republish(self._id, sequence)
            except ua.UaError as refused:
                self._log.warning("a notification is lost", sequence=sequence, why=str(refused))
                notice = None
            if notice is None or not notice.NotificationData:
                lost += 1
                continue
            await self._hand_over(self._message([notice], whole=False))
        return lost

    def _message(self, notices: Iterable[ua.NotificationMessage], *, whole: bool, lost: int = 0) -> Message:
        values: list[tuple[TagAddress, ua.DataValue]] = []
        heartbeat: ua.DataValue | None = None
        for item in _items_of(notices):
            if item.ClientHandle == _HEARTBEAT_HANDLE:
                heartbeat = item.Value
            elif (address := self._items.get(item.ClientHandle)) is not None:
                values.append((address, item.Value))
        return Message(tuple(values), heartbeat, whole, lost)

    def _fail(self, reason: Exception) -> None:
        if not self.failed.done():
            self.failed.set_result(reason)

    async def lost(self, reason: Exception) -> None:
        """The client's connection is gone."""
        self._fail(reason)


def _next_sequence(number: int) -> int:
    """Sequence numbers wrap from the largest UInt32 to 1."""
    return 1 if number >= 2**32 - 1 else number + 1


def _status_change(notice: ua.NotificationMessage) -> str | None:
    for part in notice.NotificationData or []:
        content: Any = part
        if isinstance(content, ua.StatusChangeNotification):
            return content.Status.name
    return None


def _items_of(notices: Iterable[ua.NotificationMessage]) -> Iterable[ua.MonitoredItemNotification]:
    for notice in notices:
        for part in notice.NotificationData or []:
            content: Any = part
            if isinstance(content, ua.DataChangeNotification):
                yield from content.MonitoredItems
