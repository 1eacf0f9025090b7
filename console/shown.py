"""How values look: quantities, times in the plant's zone, durations, states. Filters of the templates."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from console.texts import Translate
from domain.plant import PlantConfig

DASH = "–"


def quantity(value: Decimal | int | str | None, language: str = "en") -> str:
    """Without trailing zeros, with the language's decimal sign."""
    if value is None or value == "":
        return DASH
    number = Decimal(value)
    text = f"{number.normalize():f}" if number else "0"
    return text.replace(".", ",") if language == "de" else text


def money(value: Decimal | None, currency: str, language: str = "en") -> str:
    if value is None:
        return DASH
    text = f"{value:,.2f}"
    if language == "de":
        text = text.replace(",", " ").replace(".", ",").replace(" ", ".")
    return f"{text} {currency}".strip()


def moment(value: datetime | None, zone: str, language: str = "en", *, now: datetime | None = None) -> Markup:
    """A time of the plant: hours today, with its date on other days; the exact instant is in the element."""
    if value is None:
        return Markup(DASH)
    local = value.astimezone(ZoneInfo(zone))
    today = now is not None and now.astimezone(ZoneInfo(zone)).date() == local.date()
    day = "" if today else f"{local:%d.%m.%Y} " if language == "de" else f"{local:%Y-%m-%d} "
    return Markup('<time datetime="{}">{}{}</time>').format(value.isoformat(), day, f"{local:%H:%M:%S}")


def duration(value: timedelta | None, t: Translate) -> str:
    """In the two largest units."""
    if value is None:
        return DASH
    seconds = int(abs(value.total_seconds()))
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = ((days, t("d")), (hours, t("h")), (minutes, t("min")), (seconds, t("s")))
    first = next((n for n, (amount, _) in enumerate(parts) if amount), 3)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount or first == 3)


def as_span(value: timedelta | Decimal) -> timedelta:
    """Seconds as they are summed are spans too."""
    return value if isinstance(value, timedelta) else timedelta(seconds=float(value))


def wall(value: datetime, zone: str) -> str:
    """The plant's time for a browser's field (HTML Living Standard 2.3.5.5)."""
    return f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M:%S}"


def due(value: datetime | None, now: datetime, t: Translate) -> str:
    """How long is left, or since when it is overdue."""
    if value is None:
        return t("no deadline")
    span = duration(value - now, t)
    return t("overdue by {span}", span=span) if value < now else t("in {span}", span=span)


def line_name(config: PlantConfig, line: str) -> str:
    """What people call the line."""
    known = config.line(line)
    return known.name or line if known is not None else line


def words(value: object) -> str:
    """A name as people read it: `awaits_second` is `awaits second`."""
    return str(value).replace("_", " ")


def class_words(value: object) -> str:
    """A class of time in words; a line is not blocked as material is."""
    return "blocked downstream" if str(value) == "blocked" else words(value)


def paragraphs(text: str) -> Markup:
    """Line breaks as people typed them."""
    return Markup("<br>").join(escape(line) for line in text.splitlines())


def capitalise(text: str) -> str:
    """The first letter large, the rest as it is."""
    return text[:1].upper() + text[1:]


def clock(value: datetime, zone: str) -> str:
    """The plant's time of day."""
    return f"{value.astimezone(ZoneInfo(zone)):%H:%M:%S}"
