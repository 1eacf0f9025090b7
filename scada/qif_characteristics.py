"""QIF characteristics: a measurement names an item, the item a nominal, the nominal a definition with its tolerance."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from domain.inspections import FAIL, PASS, decimal_of
from signals.quality import CharacteristicResult

if TYPE_CHECKING:
    from scada.qif import Element

ACTUAL = "CharacteristicActual"
DEFINITION, NOMINAL, ITEM = "CharacteristicDefinition", "CharacteristicNominal", "CharacteristicItem"
ANGULAR = ("Angle", "AngleBetween", "AngleFrom", "UserDefinedAngular")
ATTRIBUTE = "UserDefinedAttribute"
"""Characteristics whose values are words."""
UNITLESS = re.compile(r"UserDefined(?!Linear|Angular)")
"""Characteristics that are neither lengths nor angles: the file's units are not theirs."""
GROWING = ("MAXIMUM", "LEAST")
"""Material conditions under which a zone grows with the feature's size: its width is no limit."""
OWN_UNITS = ("linearUnit", "angularUnit", "unitName")
COMMA = re.compile(r"[+-]?\d*,\d+")
LONGEST_VALUE = 80


@dataclass(frozen=True)
class Actual:
    """One measurement in the file's own words."""

    item: str
    value: str
    status: str
    unit: str
    line: int


@dataclass(frozen=True)
class _Definition:
    name: str
    kind: str
    lower: str
    upper: str
    is_limit: bool
    zone: str
    units: frozenset[str]


@dataclass(frozen=True)
class _Nominal:
    definition: str
    target: str
    units: frozenset[str]


class Characteristics:
    """The characteristics of one document, by their ids. `refuse` is told what cannot be, and the line."""

    def __init__(self, refuse: Callable[[str, int], NoReturn]) -> None:
        self._refuse = refuse
        self._definitions: dict[str, _Definition] = {}
        self._nominals: dict[str, _Nominal] = {}
        self._items: dict[str, tuple[str, str]] = {}
        self._linear = ""
        self._angular = ""

    def take(self, element: Element) -> bool:
        """Keep what the element says; False where it is none of a characteristic."""
        name, number = element.name, element.attributes.get("id", "")
        if name.endswith(DEFINITION):
            self._once(element, number, self._definitions)
            self._definitions[number] = self._definition(element)
        elif name.endswith(NOMINAL):
            self._once(element, number, self._nominals)
            is_words = name.removesuffix(NOMINAL) == ATTRIBUTE
            target = element.said("TargetValue") if is_words else self._number(element, "TargetValue")
            self._nominals[number] = _Nominal(
                element.said("CharacteristicDefinitionId"), target, _units(element, ("TargetValue",))
            )
        elif name.endswith(ITEM):
            self._once(element, number, self._items)
            named = element.said("Name") or element.said("KeyCharacteristic", "Designator")
            self._items[number] = (named, element.said("CharacteristicNominalId"))
        else:
            return False
        return True

    def _definition(self, element: Element) -> _Definition:
        tolerance = element.child("Tolerance")
        grows = element.said("MaterialCondition") in GROWING
        return _Definition(
            name=element.said("Name"),
            kind=element.name.removesuffix(DEFINITION),
            lower=self._number(tolerance, "MinValue") if tolerance else "",
            upper=self._number(tolerance, "MaxValue") if tolerance else "",
            is_limit=bool(tolerance) and tolerance.said("DefinedAsLimit") in ("true", "1"),
            zone="" if grows else self._number(element, "ToleranceValue"),
            units=_units(tolerance or element, ("MinValue", "MaxValue", "ToleranceValue")),
        )

    def _once(self, element: Element, number: str, known: Mapping[str, object]) -> None:
        if number in known:
            self._refuse(f"is damaged: two characteristics have the id {number or '(none)'}", element.line)

    def _number(self, element: Element, name: str) -> str:
        """Text of a child that has to be a number; empty where there is none."""
        child = element.child(name)
        if child is not None and child.text and decimal_of(child.text) is None:
            self._refuse(_no_number(name, child.text), child.line)
        return child.text if child is not None else ""

    def units(self, root: Element) -> None:
        """The file's units for lengths and angles."""
        self._linear = root.said("FileUnits", "PrimaryUnits", "LinearUnit", "UnitName")
        self._angular = root.said("FileUnits", "PrimaryUnits", "AngularUnit", "UnitName")

    def result(self, actual: Actual) -> CharacteristicResult:
        """One measurement with its limits."""
        if actual.item not in self._items:
            self._refuse(f"is damaged: a result names characteristic item {actual.item}, which is missing", actual.line)
        name, nominal_id = self._items[actual.item]
        nominal = self._nominals.get(nominal_id, _Nominal("", "", frozenset()))
        definition = self._definitions.get(nominal.definition)
        kind = definition.kind if definition else ""
        of_file = "" if UNITLESS.match(kind) else self._angular if kind in ANGULAR else self._linear
        unit = actual.unit or of_file
        lower, upper = _limits(definition, nominal.target) if definition else ("", "")
        self._check_value(actual, kind, is_number=bool(lower or upper))
        if definition and {u or of_file for u in definition.units | nominal.units} - {unit}:
            lower = upper = ""
        named = name or (definition.name if definition else "") or f"{kind or 'characteristic'} {actual.item}"
        return CharacteristicResult(
            characteristic=named[:LONGEST_VALUE],
            value=actual.value[:LONGEST_VALUE],
            unit=unit,
            lower=lower,
            upper=upper,
            passed=actual.status == PASS,
        )

    def _check_value(self, actual: Actual, kind: str, *, is_number: bool) -> None:
        """What is judged by limits must be a number, and no number has a comma. What is not judged may be anything."""
        if not actual.value or kind == ATTRIBUTE or actual.status not in (PASS, FAIL):
            return
        if decimal_of(actual.value) is None and (is_number or COMMA.fullmatch(actual.value)):
            self._refuse(_no_number("Value", actual.value), actual.line)


def unit_of(element: Element | None) -> str:
    """The unit that a value names for itself; empty where it is in the file's."""
    said = element.attributes if element is not None else {}
    return next((said[name][:LONGEST_VALUE] for name in OWN_UNITS if said.get(name)), "")


def _units(element: Element, names: tuple[str, ...]) -> frozenset[str]:
    found = (element.child(name) for name in names)
    return frozenset(unit_of(child) for child in found if child is not None and child.text)


def _no_number(name: str, text: str) -> str:
    return f"says {name} {text[:LONGEST_VALUE]!r}, which is no number: decimals are written with a point"


def _limits(definition: _Definition, target: str) -> tuple[str, str]:
    """Limits as values: those of a tolerance may be deviations from the target. A zone has no lower limit."""
    if not (definition.lower or definition.upper):
        zone = decimal_of(definition.zone)
        return "", f"{zone:f}" if zone is not None and zone > 0 else ""
    base = decimal_of("0" if definition.is_limit else target)
    if base is None:
        return "", ""
    low, high = decimal_of(definition.lower), decimal_of(definition.upper)
    return (f"{base + low:f}" if low is not None else "", f"{base + high:f}" if high is not None else "")
