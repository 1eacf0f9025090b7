"""QIF characteristics: a measurement names an item, the item a nominal, the nominal a definition with its tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from domain.inspections import PASS
from signals.quality import CharacteristicResult

if TYPE_CHECKING:
    from scada.qif import Element

DEFINITION, NOMINAL, ITEM = "CharacteristicDefinition", "CharacteristicNominal", "CharacteristicItem"
ANGULAR = ("Angle", "Angularity", "AngleBetween", "AngleFrom")
LONGEST_VALUE = 80


@dataclass(frozen=True)
class _Definition:
    name: str
    kind: str
    lower: str
    upper: str
    is_limit: bool
    zone: str


class Characteristics:
    """The characteristics of one document, by their ids."""

    def __init__(self) -> None:
        self._definitions: dict[str, _Definition] = {}
        self._nominals: dict[str, tuple[str, str]] = {}
        self._items: dict[str, tuple[str, str]] = {}
        self._linear = ""
        self._angular = ""

    def take(self, element: Element) -> bool:
        """Keep what the element says; False where it is none of a characteristic."""
        name, number = element.name, element.attributes.get("id", "")
        if name.endswith(DEFINITION):
            tolerance = element.child("Tolerance")
            self._definitions[number] = _Definition(
                name=element.said("Name"),
                kind=name.removesuffix(DEFINITION),
                lower=tolerance.said("MinValue") if tolerance else "",
                upper=tolerance.said("MaxValue") if tolerance else "",
                is_limit=bool(tolerance) and tolerance.said("DefinedAsLimit") in ("true", "1"),
                zone=element.said("ToleranceValue"),
            )
        elif name.endswith(NOMINAL):
            self._nominals[number] = (element.said("CharacteristicDefinitionId"), element.said("TargetValue"))
        elif name.endswith(ITEM):
            named = element.said("Name") or element.said("KeyCharacteristic", "Designator")
            self._items[number] = (named, element.said("CharacteristicNominalId"))
        else:
            return False
        return True

    def units(self, root: Element) -> None:
        """The file's units for lengths and angles."""
        self._linear = root.said("FileUnits", "PrimaryUnits", "LinearUnit", "UnitName")
        self._angular = root.said("FileUnits", "PrimaryUnits", "AngularUnit", "UnitName")

    def result(self, item: str, value: str, status: str) -> CharacteristicResult | None:
        """One measurement with its limits; None where the document does not say what was measured."""
        if item not in self._items:
            return None
        name, nominal = self._items[item]
        definition_id, target = self._nominals.get(nominal, ("", ""))
        definition = self._definitions.get(definition_id)
        lower, upper = _limits(definition, target) if definition else ("", "")
        kind = definition.kind if definition else ""
        named = name or (definition.name if definition else "") or f"{kind or 'characteristic'} {item}"
        return CharacteristicResult(
            characteristic=named[:LONGEST_VALUE],
            value=value[:LONGEST_VALUE],
            unit=self._angular if kind in ANGULAR else self._linear,
            lower=lower,
            upper=upper,
            passed=status == PASS,
        )


def _limits(definition: _Definition, target: str) -> tuple[str, str]:
    """Limits as values: those of a tolerance may be deviations from the target. A zone has no lower limit."""
    if not (definition.lower or definition.upper):
        zone = _number(definition.zone)
        return "", f"{zone:f}" if zone is not None and zone > 0 else ""
    base = Decimal(0) if definition.is_limit else _number(target)
    if base is None:
        return "", ""
    low, high = _number(definition.lower), _number(definition.upper)
    return (f"{base + low:f}" if low is not None else "", f"{base + high:f}" if high is not None else "")


def _number(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
