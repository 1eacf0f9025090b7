"""What people read: one plain-text template per kind of notification and language. Unknown facts leave no gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signals.notify import Notification, NotificationKind

Language = Literal["de", "en"]


@dataclass(frozen=True)
class RenderedNotification:
    """A notification as one channel sends it."""

    id: str
    plant: str
    subject: str
    body: str
    link: str
    severity: int
    recipients: tuple[str, ...] = ()


HEADLINES: dict[Language, dict[NotificationKind, str]] = {
    "en": {
        NotificationKind.HOLD_OPENED: "Hold {subject}: material is blocked",
        NotificationKind.HOLD_ESCALATED: "Hold {subject} is overdue and now yours too",
        NotificationKind.SECOND_SIGNATURE: "Hold {subject} waits for a second signature",
        NotificationKind.HOLD_CLOSED: "Hold {subject} is over",
        NotificationKind.CASE_ESCALATED: "Case {subject} is overdue",
        NotificationKind.STOP_ESCALATED: "Stop {subject} goes on",
        NotificationKind.HANDOVER: "Shift handover {subject}",
    },
    "de": {
        NotificationKind.HOLD_OPENED: "Sperre {subject}: Material ist gesperrt",
        NotificationKind.HOLD_ESCALATED: "Sperre {subject} ist überfällig und jetzt auch Ihre Aufgabe",
        NotificationKind.SECOND_SIGNATURE: "Sperre {subject} wartet auf eine zweite Unterschrift",
        NotificationKind.HOLD_CLOSED: "Sperre {subject} ist erledigt",
        NotificationKind.CASE_ESCALATED: "Fall {subject} ist überfällig",
        NotificationKind.STOP_ESCALATED: "Stillstand {subject} dauert an",
        NotificationKind.HANDOVER: "Schichtübergabe {subject}",
    },
}

ASKS: dict[Language, dict[NotificationKind, str]] = {
    "en": {
        NotificationKind.HOLD_OPENED: "Please put the material aside and decide what becomes of it.",
        NotificationKind.HOLD_ESCALATED: "Nobody has decided in time. Please decide or see that somebody does.",
        NotificationKind.SECOND_SIGNATURE: "Please check the decision and sign it, or refuse it.",
        NotificationKind.HOLD_CLOSED: "Nothing is left to do.",
        NotificationKind.CASE_ESCALATED: "Nobody has settled it in time. Please settle it or see that somebody does.",
        NotificationKind.STOP_ESCALATED: "Please acknowledge the stop.",
        NotificationKind.HANDOVER: "Please read and take over.",
    },
    "de": {
        NotificationKind.HOLD_OPENED: "Bitte das Material absondern und über seine Verwendung entscheiden.",
        NotificationKind.HOLD_ESCALATED: "Niemand hat rechtzeitig entschieden. Bitte entscheiden oder veranlassen.",
        NotificationKind.SECOND_SIGNATURE: "Bitte die Entscheidung prüfen und unterschreiben oder ablehnen.",
        NotificationKind.HOLD_CLOSED: "Es ist nichts mehr zu tun.",
        NotificationKind.CASE_ESCALATED: "Niemand hat ihn rechtzeitig erledigt. Bitte erledigen oder veranlassen.",
        NotificationKind.STOP_ESCALATED: "Bitte den Stillstand bestätigen.",
        NotificationKind.HANDOVER: "Bitte lesen und übernehmen.",
    },
}

LABELS: dict[Language, dict[str, str]] = {
    "en": {
        "order": "Order", "material": "Material", "batch": "Batch", "quantity": "Quantity", "line": "Line",
        "owner": "Owner", "due": "Due", "by": "By", "result": "Result",
    },
    "de": {
        "order": "Auftrag", "material": "Material", "batch": "Charge", "quantity": "Menge", "line": "Linie",
        "owner": "Zuständig", "due": "Fällig", "by": "Von", "result": "Ergebnis",
    },
}  # fmt: skip
"""Facts in the order in which they are listed."""


def rendered(
    notification: Notification, language: Language, console_url: str, recipients: tuple[str, ...] = ()
) -> RenderedNotification:
    """The text in a language. The link is left out where the console's address is not known."""
    facts = {name: one_line(value) for name, value in notification.facts.items()}
    headline = HEADLINES[language][notification.kind].replace("{subject}", facts.get("subject", "")).strip()
    link = (
        f"{console_url}/p/{notification.plant}{notification.link}"
        if console_url and notification.link.startswith("/")
        else ""
    )
    listed = [f"{label}: {facts[name]}" for name, label in LABELS[language].items() if facts.get(name)]
    paragraphs = [facts.get("what", ""), "\n".join(listed), ASKS[language][notification.kind], link]
    return RenderedNotification(
        id=notification.id,
        plant=notification.plant,
        subject=f"[{notification.plant}] {headline}",
        body="\n\n".join(p for p in paragraphs if p),
        link=link,
        severity=notification.severity,
        recipients=recipients,
    )


def one_line(text: str, longest: int = 500) -> str:
    """Facts come from machines and people: no line break of theirs reaches a mail's header or forges a line."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"
