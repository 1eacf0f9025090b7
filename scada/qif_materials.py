"""QIF products: which part an inspected component is one of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scada.qif import Element


class Materials:
    """A document's parts. A component is one of them by its assembly path, or as the document's only part."""

    def __init__(self, root: Element) -> None:
        product = root.child("Product")
        parts = list(product.below("Part")) if product is not None else []
        self._parts = {p.attributes["id"]: _part_name(p) for p in parts if "id" in p.attributes}
        components = list(product.below("Component")) if product is not None else []
        self._of_component = {c.attributes.get("id", ""): c.said("Part", "Id") for c in components}
        paths = list(product.below("AsmPath")) if product is not None else []
        self._of_path = {p.attributes.get("id", ""): p.said("ComponentIds", "Id") for p in paths}
        self._product = product.said("Header", "Name") if product is not None else ""

    def of(self, component: Element | None) -> str:
        """Name of the part; empty where the document does not say."""
        path = component.said("AsmPathId") if component is not None else ""
        part = self._of_component.get(self._of_path.get(path, ""), "")
        if part in self._parts:
            return (self._parts[part] or self._product)[:80]
        names = set(self._parts.values())
        return (names.pop() or self._product)[:80] if len(names) == 1 else (self._product[:80] if not names else "")


def _part_name(part: Element) -> str:
    models = (*part.below("DigitalModel"), *part.below("PrintedDrawing"))
    named = (part.said("Header", "Name"), *(m.said("Name") for m in models), part.said("ModelNumber"))
    return next((name for name in named if name), "")
