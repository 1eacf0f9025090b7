"""Subscriptions that neither reorder nor hide: what asyncua's server leaves out of OPC UA Part 4, 5.13.1.5 and 7.25.

Stock asyncua groups a publish response by monitored item and drops from a full queue without a trace. Here values of
all items leave in the order in which the process wrote them (or grouped, where the scenario asks for it), and the
value after a dropped one carries the overflow bit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

from asyncua import ua
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.subscription_service import SubscriptionService

Delivery = Literal["process", "item"]

QUEUE_CAP = 100_000
"""Values one monitored item may keep; asyncua's own cap is 10,000. A request for 0 gets the cap."""

OVERFLOW = ua.StatusCode(ua.UInt32(0x480))


class TruthfulSubscription(InternalSubscription):
    delivery: Delivery = "process"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._serial = 0
        self._entered: dict[int, int] = {}

    async def enqueue_datachange_event(self, mid: int, eventdata: ua.MonitoredItemNotification, maxsize: int) -> None:
        queue = self._triggered_datachanges.get(mid, [])
        if maxsize and len(queue) >= maxsize:
            self._entered.pop(id(queue[0]), None)
            if len(queue) > 1:
                queue[1].Value = dataclasses.replace(queue[1].Value, StatusCode=OVERFLOW)
        self._serial += 1
        self._entered[id(eventdata)] = self._serial
        await super().enqueue_datachange_event(mid, eventdata, maxsize)

    def _pop_triggered_datachanges(self, result: ua.PublishResult) -> None:
        before = len(result.NotificationMessage.NotificationData)
        super()._pop_triggered_datachanges(result)
        if self.delivery == "process":
            for changes in result.NotificationMessage.NotificationData[before:]:
                changes.MonitoredItems.sort(key=lambda item: self._entered[id(item)])
        if len(result.NotificationMessage.NotificationData) > before:
            self._entered.clear()


class TruthfulSubscriptions(SubscriptionService):
    """asyncua's service with another class of subscription; its own one names the class in the method's body."""

    delivery: Delivery = "process"

    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Callable[..., Any],
        session_id: ua.NodeId,
        request_callback: Callable[..., Any] | None = None,
    ) -> ua.CreateSubscriptionResult:
        result = await super().create_subscription(params, callback, session_id, request_callback)
        stock = self.subscriptions[result.SubscriptionId]
        await stock.stop()
        own = TruthfulSubscription(
            stock.data, self.aspace, callback, session_id,
            request_callback=request_callback,
            delete_callback=stock.delete_callback,
            no_acks_limit=stock._no_acks_limit,
            max_queue_size=stock.max_queue_size,
            publishing_enabled=params.PublishingEnabled,
        )  # fmt: skip
        own.delivery = self.delivery
        await own.start()
        self.subscriptions[result.SubscriptionId] = own
        return result


class LineInternalServer(InternalServer):
    def __init__(self, delivery: Delivery) -> None:
        super().__init__()
        service = TruthfulSubscriptions(self.aspace, iserver=self)
        service.delivery = delivery
        self.subscription_service = service
        self.isession.subscription_service = service
        self.max_monitored_item_queue_size = QUEUE_CAP
        self.allow_remote_admin = False
        # CurrentTime is written by the line itself, in plant time like every other stamp.
        self.disabled_clock = True
        self.supported_tokens = (ua.AnonymousIdentityToken,)
