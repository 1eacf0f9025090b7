"""Notifications: told once per channel however often asked for, tried again, remembered, and without secrets."""

from __future__ import annotations

import asyncio
import datetime as dt
import email
import email.policy
import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities.notify import NotifyActivities
from domain.notification_texts import ASKS, HEADLINES, rendered
from domain.plant_notify import NotifyConfig
from ledger.connect import open_ledger
from ledger.store import SqlLedger
from signals.errors import BadInput
from signals.notify import DeliveryState, Notification, NotificationKind
from workers.notify.factory import open_channels

NOW = dt.datetime(2026, 3, 2, 6, 0, tzinfo=dt.UTC)
PASSWORD = "open-sesame-4711"


@dataclass
class MailServer:
    """Speaks as much SMTP as a client needs; answers as the test says."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    answer_data: list[str] = field(default_factory=list)
    answer_recipient: str = "250 ok"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        say("220 test")
        while line := await reader.readline():
            command = line.decode().strip()
            self.said.append(command)
            match command.partition(" ")[0].upper():
                case "EHLO":
                    say("250-test")
                    say("250 AUTH PLAIN")
                case "AUTH":
                    say("235 ok")
                case "RCPT":
                    self.recipients.append(command)
                    say(self.answer_recipient)
                case "DATA":
                    say("354 go on")
                    body = await reader.readuntil(b"\r\n.\r\n")
                    answer = self.answer_data.pop(0) if self.answer_data else "250 ok"
                    if answer.startswith("250"):
                        parsed = email.message_from_bytes(body[:-5], policy=email.policy.default)
                        assert isinstance(parsed, EmailMessage)
                        self.mails.append(parsed)
                    say(answer)
                case "QUIT":
                    say("221 bye")
                    break
                case _:
                    say("250 ok")
        writer.close()


@dataclass
class Hook:
    """A web server that takes messages by POST; answers with the statuses the test gives, then 200."""

    port: int = 0
    path: str = "/hook/T0P-S3CRET-9"
    bodies: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith(f"POST {self.path} ")
        length = next(int(x.split(":")[1]) for x in head.splitlines() if x.lower().startswith("content-length"))
        body = json.loads(await reader.readexactly(length))
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.bodies.append(body)
        writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"


@asynccontextmanager
async def serving(server: MailServer | Hook, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        listening.close()
        await listening.wait_closed()


@pytest_asyncio.fixture(loop_scope="session")
async def mail() -> AsyncIterator[MailServer]:
    server = MailServer()
    async with serving(server):
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def hook() -> AsyncIterator[Hook]:
    server = Hook()
    async with serving(server):
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    opened = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    await opened.close()


def mail_channel(port: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": "mail", "kind": "smtp", "host": "127.0.0.1", "port": port, "security": "none",
        "sender": "plantwright@example.com", "timeout_seconds": 5,
        "addresses": {"quality engineer": ["quality@example.com"], "qe-1": ["qe-1@example.com"]},
    } | changes  # fmt: skip


def hook_channel(**changes: Any) -> dict[str, Any]:
    return {"id": "team", "kind": "webhook", "url_env": "TEAM_URL", "timeout_seconds": 5} | changes


def config(*channels: dict[str, Any], **table: Any) -> NotifyConfig:
    return NotifyConfig.model_validate({"console_url": "https://console.example.com", "channel": channels} | table)


def opened_hold(**changes: Any) -> Notification:
    facts = {"subject": "H-1", "what": "press force 452 kN is above 430 kN", "order": "1000001", "quantity": "12 PC"}
    return Notification.model_validate(
        {
            "id": "hold:H-1:opened", "plant": "p1", "kind": "hold_opened", "roles": ("quality engineer",),
            "facts": facts, "severity": 2, "link": "/holds/H-1", "at": NOW,
        } | changes
    )  # fmt: skip


Tell = Callable[..., Any]


async def tell(
    ledger: SqlLedger, wanted: NotifyConfig, notification: Notification, environ: dict[str, str] | None = None
) -> dict[str, DeliveryState]:
    """One attempt of the activity; how each channel stands after it."""
    async with open_channels(wanted, environ or {}) as channels:
        activities = NotifyActivities(ledger, wanted, channels, now=lambda: dt.datetime.now(dt.UTC))
        told = await activities.notify(notification)
    return {d.channel: d.state for d in told.deliveries}


async def test_a_notification_reaches_roles_and_users_once_however_often_it_is_asked_for(ledger, mail, hook):
    wanted = config(mail_channel(mail.port), hook_channel())
    notification = opened_hold(users=("qe-1",))
    for _ in range(2):
        await tell(ledger, wanted, notification, {"TEAM_URL": hook.url})
    states = await tell(ledger, wanted, notification, {"TEAM_URL": hook.url})
    assert states == {"inbox": "delivered", "mail": "delivered", "team": "delivered"}
    [message], [body] = mail.mails, hook.bodies
    assert message["Subject"] == "[p1] Hold H-1: material is blocked"
    assert message["To"] == "qe-1@example.com, quality@example.com"
    text = message.get_content()
    assert "press force 452 kN is above 430 kN" in text and "Order: 1000001" in text
    assert "https://console.example.com/p/p1/holds/H-1" in text
    card = body["attachments"][0]["content"]
    assert card["actions"][0]["url"] == "https://console.example.com/p/p1/holds/H-1"
    assert await ledger.notifications("p1", roles=["quality engineer"]) == [notification]
    assert await ledger.notifications("p1", roles=["planner"]) == []
    assert await ledger.notifications("p2") == []


async def test_what_one_channel_did_not_take_is_tried_again_there_only_and_remembered(ledger, mail, hook):
    wanted = config(mail_channel(mail.port), hook_channel())
    hook.statuses, mail.answer_data = [503], []
    with pytest.raises(ApplicationError, match="the webhook in TEAM_URL answers 503") as failed:
        await tell(ledger, wanted, opened_hold(), {"TEAM_URL": hook.url})
    assert not failed.value.non_retryable
    after = {d.channel: d for d in await ledger.deliveries("p1", "hold:H-1:opened")}
    assert after["mail"].state == "delivered" and after["team"].state == "pending"
    assert after["team"].error == "the webhook in TEAM_URL answers 503" and after["team"].attempts == 1
    states = await tell(ledger, wanted, opened_hold(), {"TEAM_URL": hook.url})
    assert states["team"] == "delivered" and len(mail.mails) == 1 and len(hook.bodies) == 1


async def test_a_mail_server_that_is_busy_or_away_gets_it_later_under_the_same_message_id(ledger, mail):
    wanted = config(mail_channel(mail.port))
    away = config(mail_channel(1))
    with pytest.raises(ApplicationError, match=r"mail server 127\.0\.0\.1 does not answer"):
        await tell(ledger, away, opened_hold())
    mail.answer_data = ["451 try later"]
    with pytest.raises(ApplicationError, match=r"refuses the message \(451\)"):
        await tell(ledger, wanted, opened_hold())
    assert (await tell(ledger, wanted, opened_hold()))["mail"] == "delivered"
    assert (await tell(ledger, wanted, opened_hold(plant="p2")))["mail"] == "delivered"
    first, second = mail.mails
    assert first["Message-ID"] != second["Message-ID"], "another plant's notification is another one"


async def test_what_a_channel_refuses_for_good_is_not_tried_again(ledger, mail, hook):
    wanted = config(mail_channel(mail.port), hook_channel())
    mail.answer_recipient, hook.statuses = "550 no such user", [404]
    states = await tell(ledger, wanted, opened_hold(), {"TEAM_URL": hook.url})
    assert states == {"inbox": "delivered", "mail": "refused", "team": "refused"}
    tried = len(mail.recipients)
    await tell(ledger, wanted, opened_hold(), {"TEAM_URL": hook.url})
    assert len(mail.recipients) == tried and not hook.bodies


async def test_two_attempts_at_once_send_one_message_and_a_dead_attempt_is_taken_over(ledger, hook):
    wanted = config(hook_channel())
    await ledger.record_notification(opened_hold(), ["team"])
    assert await ledger.claim_delivery("p1", "hold:H-1:opened", "team", dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    with pytest.raises(ApplicationError, match="another attempt has it"):
        await tell(ledger, wanted, opened_hold(), {"TEAM_URL": hook.url})
    assert not hook.bodies
    await ledger.record_notification(opened_hold(id="second"), ["team"])
    assert await ledger.claim_delivery("p1", "second", "team", dt.datetime.now(dt.UTC))
    assert (await tell(ledger, wanted, opened_hold(id="second"), {"TEAM_URL": hook.url}))["team"] == "delivered"
    assert len(hook.bodies) == 1


async def test_no_secret_is_logged_or_kept(ledger, mail, hook, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    key, certificate = own_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    secure = MailServer(answer_data=["451 later"])
    async with serving(secure, tls):
        wanted = config(
            mail_channel(secure.port, security="tls", ca_file=str(certificate), user_env="U", password_env="P"),
            hook_channel(),
        )
        hook.statuses = [500]
        environ = {"TEAM_URL": hook.url, "U": "robot", "P": PASSWORD}
        for again in (True, False):
            if again:
                with pytest.raises(ApplicationError) as failed:
                    await tell(ledger, wanted, opened_hold(), environ)
                assert hook.path not in str(failed.value) and PASSWORD not in str(failed.value)
            else:
                await tell(ledger, wanted, opened_hold(), environ)
    assert any(x.startswith("AUTH") for x in secure.said) and len(secure.mails) == len(hook.bodies) == 1
    kept = (tmp_path / "ledger.db").read_bytes() + (tmp_path / "ledger.db-wal").read_bytes()
    said = caplog.text + "".join(capfd.readouterr())
    assert "TEAM_URL answers 500" in said
    for secret in (hook.path.rpartition("/")[2], PASSWORD):
        assert secret not in said and secret.encode() not in kept


async def test_a_server_with_an_untrusted_certificate_gets_nothing(ledger, tmp_path):
    key, certificate = own_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    stranger = MailServer()
    async with serving(stranger, tls):
        with pytest.raises(ApplicationError, match="certificate is not trusted"):
            await tell(ledger, config(mail_channel(stranger.port, security="tls")), opened_hold())
    assert not stranger.said


async def test_german_readers_get_german_and_slack_gets_blocks(ledger, mail, hook):
    wanted = config(mail_channel(mail.port), hook_channel(shape="slack"), language="de")
    await tell(ledger, wanted, opened_hold(), {"TEAM_URL": hook.url})
    assert mail.mails[0]["Subject"] == "[p1] Sperre H-1: Material ist gesperrt"
    assert "Auftrag: 1000001" in mail.mails[0].get_content()
    assert hook.bodies[0]["blocks"][0]["text"]["text"] == "[p1] Sperre H-1: Material ist gesperrt"


async def test_a_fact_cannot_forge_a_header(ledger, mail):
    nasty = opened_hold(facts={"subject": "H-1\r\nBcc: everybody@example.com", "what": "x\u2028y"})
    await tell(ledger, config(mail_channel(mail.port)), nasty)
    [message] = mail.mails
    assert message["Bcc"] is None and "Bcc: everybody" in message["Subject"]
    assert len(mail.recipients) == 1


@pytest.mark.parametrize("kind", NotificationKind)
@pytest.mark.parametrize("language", ["en", "de"])
def test_every_kind_has_its_words_in_both_languages(kind, language):
    assert HEADLINES[language][kind] and ASKS[language][kind]
    text = rendered(opened_hold(kind=kind, facts={"subject": "X-9"}), language, "")
    assert "X-9" in text.subject and "{" not in text.subject + text.body and text.link == ""


@pytest.mark.parametrize(
    ("severity", "roles", "reached"), [(1, ("maintenance",), {"mail"}), (3, ("maintenance",), set()), (1, (), set())]
)
def test_a_channel_tells_only_what_it_is_for(severity, roles, reached):
    channel = mail_channel(25, severity=2, roles=["Maintenance"], addresses={"*": ["all@example.com"]})
    found = config(channel).channels_for(opened_hold(severity=severity, roles=roles))
    assert found == ("inbox", *reached)


@pytest.mark.parametrize(
    ("channel", "says"),
    [
        (mail_channel(25, host=""), "a smtp channel needs host"),
        (mail_channel(25, url_env="X"), "url_env is no key of a smtp channel"),
        (hook_channel(url_env=""), "a webhook channel needs url_env"),
        (mail_channel(25, addresses={"planner": ["nobody"]}), "is no mail address"),
        (mail_channel(25, user_env="U", password_env="P"), "never goes out unencrypted"),
        (mail_channel(25, roles=["boss"]), "no role is named 'boss'"),
        (hook_channel(id="inbox"), "taken by the console's inbox"),
    ],
)
def test_a_channel_that_cannot_work_is_told_with_its_fix(channel, says):
    with pytest.raises(ValidationError, match=says):
        config(channel)


@pytest.mark.parametrize(
    ("environ", "says"),
    [({}, "TEAM_URL is not set"), ({"TEAM_URL": "http://127.0.0.1.example.com/x"}, "holds no address of a webhook")],
)
async def test_a_missing_or_unusable_secret_is_told_before_anything_starts(environ, says):
    with pytest.raises(BadInput, match=says):
        async with open_channels(config(hook_channel()), environ):
            pass


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for 127.0.0.1 that nobody else vouches for."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test mail server")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "server.pem", folder / "server.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return private, pem
