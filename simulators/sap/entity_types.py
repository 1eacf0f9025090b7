"""How the entity types of the simulated services are declared: one declaration serves tables, payload checks, filters
and answers. edm.py and its neighbours declare; nothing here posts anything.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Edm(StrEnum):
    """How a property is written, stored and compared. Quantities are stored in thousandths of their unit."""

    STRING = "s"
    NUMC = "n"
    QUANTITY = "q"
    ACTIVITY = "a"
    DATE = "d"
    TIME = "t"
    BOOLEAN = "b"
    GUID = "g"
    INT16 = "i"
    DOUBLE = "f"
    INSTANT = "o"


DECIMALS = frozenset({Edm.QUANTITY, Edm.ACTIVITY})
MOMENTS = frozenset({Edm.DATE, Edm.INSTANT})
EMPTY_GUID = "00000000-0000-0000-0000-000000000000"
EMPTY_TIME = "PT00H00M00S"

_COLUMNS = {
    Edm.STRING: "TEXT NOT NULL DEFAULT ''",
    Edm.NUMC: "TEXT NOT NULL DEFAULT '0'",
    Edm.QUANTITY: "INTEGER NOT NULL DEFAULT 0",
    Edm.ACTIVITY: "INTEGER NOT NULL DEFAULT 0",
    Edm.DATE: "INTEGER",
    Edm.TIME: f"TEXT NOT NULL DEFAULT '{EMPTY_TIME}'",
    Edm.BOOLEAN: "INTEGER NOT NULL DEFAULT 0",
    Edm.GUID: f"TEXT NOT NULL DEFAULT '{EMPTY_GUID}'",
    Edm.INT16: "INTEGER NOT NULL DEFAULT 0",
    Edm.DOUBLE: "REAL NOT NULL DEFAULT 0",
    Edm.INSTANT: "INTEGER",
}


@dataclass(frozen=True)
class Property:
    name: str
    kind: Edm
    length: int = 0

    @property
    def column(self) -> str:
        return f'"{self.name}" {_COLUMNS[self.kind]}'


@dataclass(frozen=True)
class Navigation:
    """`join` pairs the own property with the target's property."""

    target: str
    join: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class EntityType:
    """`private` are columns that never leave through OData; `only` is an SQL condition on the rows that do; `view` is
    the SELECT of a set that has no table of its own; `etag` is the property that changes with every change.
    """

    service: str
    set_name: str
    table: str
    keys: tuple[str, ...]
    properties: dict[str, Property]
    navigations: dict[str, Navigation] = field(default_factory=dict[str, Navigation])
    etag: str = ""
    private: str = ""
    only: str = "1 = 1"
    view: str = ""
    readable: bool = True
    mandatory_filters: tuple[str, ...] = ()

    @property
    def type_name(self) -> str:
        return f"{self.service}.{self.set_name}Type"


def properties(spec: str) -> dict[str, Property]:
    """`Name:s4` a string of 4, `:n10` digits, `:q` quantity, `:a` activity, `:d` date, `:t` time, `:b` Boolean,
    `:g` guid, `:i` Int16, `:f` Double, `:o` DateTimeOffset.
    """
    declared: dict[str, Property] = {}
    for word in spec.split():
        name, _, code = word.partition(":")
        declared[name] = Property(name, Edm(code[0]), int(code[1:] or 0))
    return declared


def joined(*names: str) -> tuple[tuple[str, str], ...]:
    """A navigation over properties that have one name on both sides."""
    return tuple((name, name) for name in names)
