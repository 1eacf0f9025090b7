"""The plant file's `[[quality.part]]`: what inspection programs call a part, and how the plant and its ERP call it."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from pydantic import Field, field_validator

from signals.base import Code, Message


class InspectedPart(Message):
    """Names of one material in inspection results. Letters' case makes no difference."""

    name: str = Field(min_length=1, description='the part as results name it, with * and ?: "bracket_rev*"')
    material: Code = Field(description="the material's number in plant and ERP")
    serial: str = Field(
        default="", description="pattern with one group: the plant's serial number inside what results write"
    )

    @field_validator("serial")
    @classmethod
    def _has_one_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"serial pattern {value!r} is no regular expression: {error}") from error
        if value and groups != 1:
            raise ValueError(f"serial pattern {value!r} needs one group in parentheses, it has {groups}")
        return value

    def means(self, name: str) -> bool:
        """Whether results with this part name are about the material."""
        return fnmatchcase(name.casefold(), self.name.casefold())

    def serial_of(self, written: str) -> str:
        """The plant's serial number; as written where the pattern does not fit."""
        found = re.search(self.serial, written) if self.serial and written else None
        return (found.group(1) or written) if found else written


def named_by_the_plant(parts: tuple[InspectedPart, ...], name: str, serial: str) -> tuple[str, str]:
    """Material and serial number as the plant writes them; as they came where no entry fits. The first one wins."""
    part = next((p for p in parts if p.means(name)), None)
    return (name, serial) if part is None else (part.material, part.serial_of(serial))
