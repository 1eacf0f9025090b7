"""The console's words in German: English is the key, `locale/de*.toml` the catalogue.

What the ledger holds (reasons, messages of the ERP) is shown as it was written.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

LANGUAGES = {"en": "English", "de": "Deutsch"}
DEFAULT = "en"

Translate = Callable[..., str]


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """English text to the language's; empty for English."""
    texts: dict[str, str] = {}
    for file in sorted((Path(__file__).parent / "locale").glob(f"{language}*.toml")):
        texts |= tomllib.loads(file.read_text(encoding="utf-8"))["texts"]
    return texts


def translator(language: str) -> Translate:
    """A function from English text to the language's; `{name}` in it is filled from keywords."""
    texts = catalogue(language)

    def translate(text: str, **values: object) -> str:
        said = texts.get(text, text)
        return said.format(**values) if values else said

    return translate


def choose(cookie: str, accepted: str) -> str:
    """The language: what was chosen, else the first of Accept-Language that we speak (RFC 9110 12.5.4)."""
    if cookie in LANGUAGES:
        return cookie
    wanted: list[tuple[float, int, str]] = []
    for position, part in enumerate(accepted.split(",")):
        name, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if quality > 0:
            wanted.append((-quality, position, name.strip().lower()[:2]))
    return next((name for _, _, name in sorted(wanted) if name in LANGUAGES), DEFAULT)
