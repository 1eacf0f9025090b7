"""Webhooks of Microsoft Teams (workflows: an Adaptive Card in a message) and Slack (incoming webhooks: blocks).

The address is the secret: it is never logged, and errors name the channel by the environment variable.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from activities.notify import DeliveryFailed
from domain.notification_texts import RenderedNotification
from domain.plant_notify import ChannelConfig

MOVED_OR_WRONG = (400, 401, 403, 404, 405, 410, 413)
"""Answers after which the same request cannot succeed until a person changes something."""

LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")


class WebhookChannel:
    """One address that takes messages by POST."""

    def __init__(self, config: ChannelConfig, url: str, client: httpx.AsyncClient) -> None:
        self._config = config
        self._url = url
        self._client = client

    async def deliver(self, notification: RenderedNotification) -> None:
        where = f"the webhook in {self._config.url_env}"
        body = slack_body(notification) if self._config.shape == "slack" else teams_body(notification)
        try:
            answer = await self._client.post(self._url, json=body, timeout=self._config.timeout_seconds)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryFailed(f"{where} does not answer ({type(error).__name__})") from None
        if answer.is_success:
            return
        final = answer.status_code in MOVED_OR_WRONG or answer.is_redirect
        raise DeliveryFailed(f"{where} answers {answer.status_code}", final=final)


@contextmanager
def unlogged(url: str) -> Iterator[None]:
    """httpx and httpcore log requests with their address, which is the secret here: those records are dropped."""
    target = httpx.URL(url)
    secrets = [text for text in (url, target.raw_path.decode("ascii", "replace")) if len(text) > 1]

    def says_no_secret(record: logging.LogRecord) -> bool:
        said = record.getMessage()
        return not any(secret in said for secret in secrets)

    for name in LOGGERS:
        logging.getLogger(name).addFilter(says_no_secret)
    try:
        yield
    finally:
        for name in LOGGERS:
            logging.getLogger(name).removeFilter(says_no_secret)


def teams_body(notification: RenderedNotification) -> dict[str, Any]:
    """A message with one Adaptive Card 1.4, as Teams' webhook workflows take it."""
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": notification.subject, "weight": "Bolder", "wrap": True},
            {"type": "TextBlock", "text": notification.body.replace("\n", "\n\n"), "wrap": True},
        ],
    }
    if notification.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Plantwright", "url": notification.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def slack_body(notification: RenderedNotification) -> dict[str, Any]:
    """Text for the notification line and blocks for the message; plain text, so nothing in it is markup."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": notification.subject[:150]}},
        {"type": "section", "text": {"type": "plain_text", "text": notification.body[:3000]}},
    ]
    return {"text": notification.subject, "blocks": blocks}
