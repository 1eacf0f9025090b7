"""Reader of inspection results in QIF 2.1 (ANSI/DMSC QIF 2.1-2016, MeasurementsResults), plain or gzipped.

Streamed: features, geometry and statistics are passed over, so size does not matter. Document types are refused, and
with them every entity. What cannot be read is BadInput with file, line and column; nothing is guessed.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NoReturn
from xml.parsers import expat

from domain.inspections import FAIL, PASS, PieceStatement, serial_in
from scada.qif_characteristics import ACTUAL, Actual, Characteristics, unit_of
from scada.qif_materials import Materials
from signals.errors import BadInput
from signals.quality import CharacteristicResult

NAMESPACE = "http://qifstandards.org/xsd/qif2"
ROOT, COMPONENT = "QIFDocument", "ActualComponent"
CHUNK = 1 << 16
MOST_BYTES = 2 << 30
"""Unpacked; a file that says more is no inspection report but an attack or a mistake."""
DEEPEST = 200
LONGEST_TEXT = 10_000
LONGEST_SERIAL = 200
LONGEST_TOKEN = 4 << 20
"""Bytes of one tag or comment: the parser keeps it whole, and reads it again with every chunk."""
MOST_KEPT = 500_000
"""Elements that stay in the tree: all but the passed over ones, measurements and characteristics."""

PASSED_OVER = frozenset(
    {"MeasuredFeatures", "Features", "Statistics", "GeometrySet", "TopologySet", "ViewSet", "VisualizationSet",
     "MeasurementResources", "Rules", "MeasurementPlan", "UserDataXML"}
)  # fmt: skip
COUNTED = frozenset({"MeasurementResultsSet", "CharacteristicActuals", "ActualComponentSet", "ActualComponentIds"})
"""Lists that say in `n` how many entries they have; another number means that something is missing."""
GZIP = b"\x1f\x8b"


@dataclass(slots=True)
class Element:
    """One element with what is below it."""

    name: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    entries: int = 0

    @property
    def text(self) -> str:
        return "".join(self.texts).strip()

    def child(self, *path: str) -> Element | None:
        """The first element along the path, None where there is none."""
        found: Element | None = self
        for name in path:
            found = next((c for c in found.children if c.name == name), None) if found is not None else None
        return found

    def said(self, *path: str) -> str:
        """Text of the element along the path; empty where there is none."""
        found = self.child(*path)
        return found.text if found is not None else ""

    def all_below(self) -> Iterator[Element]:
        """All elements below this one."""
        for child in self.children:
            yield child
            yield from child.all_below()

    def below(self, name: str) -> Iterator[Element]:
        """Those of that name."""
        return (element for element in self.all_below() if element.name == name)

    def status(self, name: str) -> str:
        """The inspection status in the child of that name, in whichever form it is said."""
        found = self.child(name)
        return next((c.text for c in found.children if c.text), "") if found is not None else ""


@dataclass(frozen=True)
class QifDocument:
    """One file. `created` is the document's own time text, often without a zone; empty where it names none."""

    qpid: str
    created: str
    mode: str
    pieces: tuple[PieceStatement, ...]
    measured_passed: int = 0
    measured_failed: int = 0
    measured_unjudged: int = 0
    """Characteristics as measured, each once, also where a result is about several pieces."""


@dataclass
class _Result:
    """One MeasurementResults: which pieces it is about, and its measurements by characteristic item."""

    line: int
    status: str = ""
    components: tuple[str, ...] = ()
    hint: str = ""
    actuals: list[Actual] = field(default_factory=list)


class QifReader:
    """Reads one document; `name` is what errors call it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: list[Element] = []
        self._over = 0
        self._kept = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._characteristics = Characteristics(self._refuse)
        self._components: dict[str, Element] = {}
        self._results: list[_Result] = []
        self._result: _Result | None = None
        self._root: Element | None = None
        self._namesakes: set[tuple[str, str]] = set()

    def read(self, source: BinaryIO) -> QifDocument:
        """The document in `source`, gzipped or not. Raises BadInput."""
        try:
            self._feed(source)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            self._refuse(f"is damaged: {what}", error.lineno, error.offset + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self._refuse(f"is a damaged gzip file: {error}", self._parser.CurrentLineNumber)
        except (LookupError, ValueError) as error:
            # Only the parser's search for the encoding of the first line raises these.
            self._refuse(f"is in an encoding that is not read, UTF-8 is: {error}", 1)
        if self._root is None:
            self._refuse("holds no QIF document", 1)
        return self._document(self._root)

    def _feed(self, source: BinaryIO) -> None:
        head = source.read(2)
        source.seek(0)
        stream = gzip.GzipFile(fileobj=source) if head == GZIP else source
        total = 0
        while chunk := stream.read(CHUNK):
            total += len(chunk)
            if total > MOST_BYTES:
                self._refuse(f"unpacks to more than {MOST_BYTES >> 30} GiB", self._parser.CurrentLineNumber)
            self._parser.Parse(chunk, False)
            if total - self._parser.CurrentByteIndex > LONGEST_TOKEN:
                self._refuse(
                    f"has a tag or comment of more than {LONGEST_TOKEN >> 20} MiB", self._parser.CurrentLineNumber
                )
        self._parser.Parse(b"", True)

    def _refuse(self, what: str, line: int, column: int = 0) -> NoReturn:
        where = f"line {line}" + (f", column {column}" if column else "")
        hint = "ask for the file again, or export it as QIF 2.1 results; nothing of it was taken in"
        raise BadInput(f"{self._name} {what} ({where})", subject=self._name, hint=hint)

    # --- elements --------------------------------------------------------------------------------------------
    def _doctype(self, *_: object) -> None:
        self._refuse("declares a document type; QIF has none, and entities are refused", self._parser.CurrentLineNumber)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        space, _, name = tag.rpartition(" ")
        if not self._open:
            self._check_root(space, name, attributes, line)
        if len(self._open) >= DEEPEST:
            self._refuse(f"nests more than {DEEPEST} elements", line)
        if self._open:
            self._open[-1].entries += 1
        self._kept += 1
        if self._kept > MOST_KEPT:
            self._refuse(f"has more than {MOST_KEPT} elements that are no measurements", line)
        element = Element(name, attributes, line)
        self._open.append(element)
        if name in PASSED_OVER or space != NAMESPACE:
            self._pass_over()
        elif name == "MeasurementResults":
            self._result = _Result(line)

    def _pass_over(self) -> None:
        """Only count how deep it goes until it ends: these parts are by far the largest."""
        self._over = 1
        self._parser.StartElementHandler = self._deeper
        self._parser.EndElementHandler = self._higher
        self._parser.CharacterDataHandler = None

    def _deeper(self, _: str, __: dict[str, str]) -> None:
        self._over += 1
        if self._over > DEEPEST:
            self._refuse(f"nests more than {DEEPEST} elements", self._parser.CurrentLineNumber)

    def _higher(self, _: str) -> None:
        self._over -= 1
        if self._over == 0:
            self._open.pop()
            self._kept -= 1
            self._parser.StartElementHandler = self._start
            self._parser.EndElementHandler = self._end
            self._parser.CharacterDataHandler = self._text

    def _check_root(self, space: str, name: str, attributes: dict[str, str], line: int) -> None:
        if name != ROOT or space != NAMESPACE:
            self._refuse(f"is no QIF 2 document: it begins with {name} of {space or 'no namespace'}", line)
        version = attributes.get("versionQIF", "")
        if not version.startswith("2."):
            self._refuse(f"says versionQIF {version or '(none)'}; version 2.1 is read", line)

    def _text(self, text: str) -> None:
        if not self._open:
            return
        element = self._open[-1]
        if sum(map(len, element.texts)) + len(text) > LONGEST_TEXT:
            if text.strip():
                self._refuse(f"has more than {LONGEST_TEXT} characters in {element.name}", element.line)
            return
        element.texts.append(text)

    def _end(self, _: str) -> None:
        element = self._open.pop()
        if element.name in COUNTED:
            self._check_count(element)
        if not self._open:
            self._root = element
        elif self._taken(element):
            self._kept -= 0 if element.name == COMPONENT else 1 + sum(1 for _ in element.all_below())
        else:
            self._open[-1].children.append(element)

    def _check_count(self, element: Element) -> None:
        said = element.attributes.get("n", "")
        if said and said != str(element.entries):
            self._refuse(f"is incomplete: {element.name} says {said} entries and has {element.entries}", element.line)

    def _taken(self, element: Element) -> bool:
        """Whether the element is kept in a form of its own and need not stay in the tree."""
        name, result = element.name, self._result
        if name.endswith(ACTUAL) and result is not None:
            result.actuals.append(
                Actual(
                    item=element.said("CharacteristicItemId"),
                    value=element.said("Value"),
                    status=element.status("Status"),
                    unit=unit_of(element.child("Value")),
                    line=element.line,
                )
            )
            return True
        if name == "MeasurementResults" and result is not None:
            result.status = element.status("InspectionStatus")
            ids = element.child("ActualComponentIds")
            result.components = tuple(c.text for c in ids.children if c.name == "Id") if ids is not None else ()
            result.hint = next((uri.text for uri in element.below("URI")), "")
            self._results.append(result)
            self._result = None
            return True
        if name == COMPONENT:
            number = element.attributes.get("id", "")
            if not number or number in self._components:
                what = f"two components have the id {number}" if number else "a component has no id"
                self._refuse(f"is damaged: {what}", element.line)
            self._components[number] = element
            return True
        return self._characteristics.take(element)

    # --- the document ----------------------------------------------------------------------------------------
    def _document(self, root: Element) -> QifDocument:
        if not self._results:
            self._refuse("holds no measurement results", root.line)
        self._characteristics.units(root)
        materials = Materials(root)
        named = Counter(
            (materials.of(element), serial.casefold())
            for element in self._components.values()
            if (serial := serial_in(element.said("SerialNumber")))
        )
        self._namesakes = {name for name, times in named.items() if times > 1}
        by_component: dict[str, list[_Result]] = {}
        pieces: list[PieceStatement] = []
        for result in self._results:
            if not result.components:
                pieces.append(self._piece(None, result, materials))
            for component in result.components:
                if component not in self._components:
                    self._refuse(f"is damaged: a result names component {component}, which is missing", result.line)
                by_component.setdefault(component, []).append(result)
        for component, element in self._components.items():
            own = by_component.get(component, []) or [_Result(element.line)]
            pieces.extend(self._piece(element, result, materials) for result in own)
        statuses = Counter(actual.status for result in self._results for actual in result.actuals)
        return QifDocument(
            qpid=root.said("QPId"),
            created=root.said("Version", "TimeCreated")
            or root.said("MeasurementsResults", "InspectionTraceability", "ReportPreparationDate"),
            mode=root.said("PreInspectionTraceability", "InspectionMode"),
            pieces=tuple(pieces),
            measured_passed=statuses[PASS],
            measured_failed=statuses[FAIL],
            measured_unjudged=statuses.total() - statuses[PASS] - statuses[FAIL],
        )

    def _piece(self, component: Element | None, result: _Result, materials: Materials) -> PieceStatement:
        line = component.line if component is not None else result.line
        material = materials.of(component)
        if not material:
            self._refuse("names no part that the piece is one of", line)
        serial = serial_in(component.said("SerialNumber")) if component is not None else ""
        if len(serial) > LONGEST_SERIAL:
            self._refuse(f"has a serial number of more than {LONGEST_SERIAL} characters", line)
        results: list[CharacteristicResult] = []
        times: Counter[str] = Counter()
        for actual in result.actuals:
            measured = self._characteristics.result(actual)
            # One item may be measured at several places of a piece: each is a characteristic of its own.
            times[measured.characteristic] += 1
            if (nth := times[measured.characteristic]) > 1:
                measured = measured.model_copy(update={"characteristic": f"{measured.characteristic[:74]} #{nth}"})
            results.append(measured)
        return PieceStatement(
            material=material,
            serial=serial,
            own_status=component.status("Status") if component is not None else "",
            result_status=result.status,
            results=tuple(results),
            shared=len(result.components) > 1,
            fails=any(actual.status == FAIL for actual in result.actuals),
            namesake=(material, serial.casefold()) in self._namesakes,
            hint=result.hint[:300],
        )


def read_qif(source: BinaryIO, name: str) -> QifDocument:
    """The results in a QIF 2.1 file. Raises BadInput that names the file and the place."""
    return QifReader(name).read(source)
