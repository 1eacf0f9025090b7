"""Mail by SMTP (RFC 5321) with verified TLS. Plain text; the Message-ID derives from the notification's id.

A mail server that got a message whose acknowledgement was lost gets it once more under the same Message-ID.
"""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate

from activities.notify import DeliveryFailed
from domain.notification_texts import RenderedNotification
from domain.plant_notify import ChannelConfig

PORTS = {"starttls": 587, "tls": 465, "none": 25}


class SmtpChannel:
    """One mail server and sender. smtplib blocks, so each message is sent in a thread."""

    def __init__(self, config: ChannelConfig, user: str, password: str, context: ssl.SSLContext) -> None:
        self._config = config
        self._user = user
        self._password = password
        self._context = context

    async def deliver(self, notification: RenderedNotification) -> None:
        await asyncio.to_thread(self._send, message_of(notification, self._config.sender))

    def _send(self, message: EmailMessage) -> None:
        where = f"mail server {self._config.host}"
        try:
            with self._connect() as server:
                if self._config.security == "starttls":
                    server.starttls(context=self._context)
                if self._user:
                    server.login(self._user, self._password)
                refused = server.send_message(message)
        except smtplib.SMTPAuthenticationError as error:
            # The answer may repeat the login; the code alone says enough. Credentials can be put right meanwhile.
            raise DeliveryFailed(f"{where} does not accept user and password ({error.smtp_code})") from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            final = all(code >= 500 for code in codes)
            raise DeliveryFailed(f"{where} refuses every recipient ({codes})", final=final) from None
        except smtplib.SMTPNotSupportedError:
            raise DeliveryFailed(f"{where} does not offer what security {self._config.security} needs") from None
        except smtplib.SMTPResponseException as error:
            final = error.smtp_code >= 500
            raise DeliveryFailed(f"{where} refuses the message ({error.smtp_code})", final=final) from None
        except ssl.SSLError as error:
            raise DeliveryFailed(f"{where}: its certificate is not trusted ({error.reason})") from None
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryFailed(f"{where} does not answer ({type(error).__name__})") from None
        if refused:
            raise DeliveryFailed(f"{where} took it for others, but refuses {len(refused)} recipients", final=True)

    def _connect(self) -> smtplib.SMTP:
        config = self._config
        port = config.port or PORTS[config.security]
        if config.security == "tls":
            return smtplib.SMTP_SSL(config.host, port, timeout=config.timeout_seconds, context=self._context)
        return smtplib.SMTP(config.host, port, timeout=config.timeout_seconds)


def message_of(notification: RenderedNotification, sender: str) -> EmailMessage:
    """The mail; the same notification has the same Message-ID, by which mail systems recognise a copy."""
    message = EmailMessage()
    message["Subject"] = notification.subject
    message["From"] = sender
    message["To"] = ", ".join(notification.recipients)
    message["Date"] = formatdate(usegmt=True)
    identity = hashlib.sha256(f"{notification.plant}\x1f{notification.id}".encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{identity}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    if notification.severity == 1:
        message["Importance"] = "high"
    message.set_content(notification.body + "\n")
    return message
