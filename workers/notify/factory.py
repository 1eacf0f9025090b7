"""Channels made from the plant file and the environment; what is missing is told before a worker starts."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from activities.notify import NotificationChannel
from domain.plant_notify import ChannelConfig, NotifyConfig
from signals.errors import BadInput
from workers.notify.smtp import SmtpChannel
from workers.notify.webhook import WebhookChannel, unlogged


@asynccontextmanager
async def open_channels(
    config: NotifyConfig, environ: Mapping[str, str]
) -> AsyncIterator[dict[str, NotificationChannel]]:
    """The plant's channels by id. Raises BadInput that names the variable or file that is missing."""
    contexts = {c.id: _tls(c) for c in config.channels}
    secrets = {c.id: _secrets(c, environ) for c in config.channels}
    channels: dict[str, NotificationChannel] = {}
    async with AsyncExitStack() as stack:
        for channel in config.channels:
            if channel.kind == "smtp":
                user, password = secrets[channel.id]
                channels[channel.id] = SmtpChannel(channel, user, password, contexts[channel.id])
            else:
                url = secrets[channel.id][0]
                stack.enter_context(unlogged(url))
                client = httpx.AsyncClient(verify=contexts[channel.id], follow_redirects=False)
                channels[channel.id] = WebhookChannel(channel, url, await stack.enter_async_context(client))
        yield channels


def _secrets(channel: ChannelConfig, environ: Mapping[str, str]) -> tuple[str, str]:
    names = (channel.user_env, channel.password_env) if channel.kind == "smtp" else (channel.url_env, "")
    for name in names:
        if name and not environ.get(name):
            hint = f"set it before the worker starts, or take channel {channel.id} out of [notify]"
            raise BadInput(f"environment variable {name} is not set", subject=f"notify.channel {channel.id}", hint=hint)
    first, second = (environ.get(name, "") if name else "" for name in names)
    if channel.kind == "webhook" and not _is_address(first):
        hint = "a webhook's address begins with https://"
        raise BadInput(
            f"{channel.url_env} holds no address of a webhook", subject=f"notify.channel {channel.id}", hint=hint
        )
    return first, second


def _is_address(url: str) -> bool:
    """https, or http to this machine."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    local = parsed.host in ("127.0.0.1", "::1", "localhost")
    return bool(parsed.host) and (parsed.scheme == "https" or (parsed.scheme == "http" and local))


def _tls(channel: ChannelConfig) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=channel.ca_file or None)
    except OSError as error:
        raise BadInput(
            f"channel {channel.id}: ca_file {channel.ca_file} cannot be read: {error.strerror or error}",
            subject=channel.ca_file,
            hint="give a PEM file with the certification authority",
        ) from error
