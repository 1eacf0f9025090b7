"""Telling people: first an outbox row in the ledger, then each channel, each remembered (design section 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from domain.notification_texts import RenderedNotification, rendered
from domain.plant_notify import INBOX, NotifyConfig
from ledger.notification_port import NotificationLedger
from signals.notify import Delivery, DeliveryState, Notification, ToldPeople

NOT_DELIVERED = "NotificationNotDelivered"
"""Error type of an attempt after which something is left to try."""

CLAIM_SPARE = timedelta(seconds=30)
"""An attempt that died is taken over this long after its channel would have given up."""

log = structlog.get_logger(__name__)


class DeliveryFailed(Exception):
    """A channel did not take a notification. `final`: trying again would not help, a person must change something.

    The message goes into logs and the ledger: adapters keep addresses with secrets out of it.
    """

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class NotificationChannel(Protocol):
    """One way to reach people."""

    async def deliver(self, notification: RenderedNotification) -> None:
        """Hand it over; returns when the other side has taken it. Raises DeliveryFailed."""
        ...


class NotifyActivities:
    """The outbox and its channels, by the ids of the plant file's `[notify]`."""

    def __init__(
        self,
        ledger: NotificationLedger,
        config: NotifyConfig,
        channels: Mapping[str, NotificationChannel],
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._config = config
        self._channels = channels
        self._now = now

    @activity.defn(name="notify")
    async def notify(self, notification: Notification) -> ToldPeople:
        """Deliver by every channel that has not taken it yet. Raises for another attempt where one may still do so."""
        deliveries = await self._ledger.record_notification(notification, self._config.channels_for(notification))
        for delivery in deliveries:
            if delivery.state in (DeliveryState.PENDING, DeliveryState.SENDING):
                await self._deliver(notification, delivery)
        told = ToldPeople(
            id=notification.id,
            deliveries=tuple(await self._ledger.deliveries(notification.plant, notification.id)),
        )
        if not told.is_over:
            left = ", ".join(
                f"{d.channel}: {d.error or 'another attempt has it'}"
                for d in told.deliveries
                if d.state in (DeliveryState.PENDING, DeliveryState.SENDING)
            )
            raise ApplicationError(f"notification {notification.id} not delivered by {left}", type=NOT_DELIVERED)
        return told

    async def _deliver(self, notification: Notification, delivery: Delivery) -> None:
        """One attempt at one channel. What is claimed by another attempt is left to it."""
        plant, name = notification.plant, delivery.channel
        config = self._config.channel(name)
        seconds = config.timeout_seconds if config else 0
        until = self._now() + timedelta(seconds=seconds) + CLAIM_SPARE
        if not await self._ledger.claim_delivery(plant, notification.id, name, until):
            return
        try:
            if name != INBOX:
                await self._hand_over(notification, name)
        except DeliveryFailed as error:
            log.warning("not told", notification=notification.id, channel=name, why=str(error), final=error.final)
            await self._ledger.note_delivery(
                plant, notification.id, name, delivered=False, final=error.final, error=str(error)
            )
        else:
            await self._ledger.note_delivery(plant, notification.id, name, delivered=True)

    async def _hand_over(self, notification: Notification, name: str) -> None:
        config, channel = self._config.channel(name), self._channels.get(name)
        if config is None or channel is None:
            raise DeliveryFailed("the plant file no longer has this channel", final=True)
        text = rendered(
            notification,
            config.language or self._config.language,
            self._config.console_url,
            config.recipients(notification),
        )
        await channel.deliver(text)
