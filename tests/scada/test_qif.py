"""QIF results are read as they stand; whatever is damaged, incomplete or hostile is told with its place."""

from __future__ import annotations

import gzip
import io
import random
import re
from pathlib import Path

import pytest

from domain.inspections import verdict_of
from scada import qif
from scada.qif import read_qif
from signals.errors import BadInput
from signals.inspections import Verdict

NIST = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "nist" / "qif"

COUNTED = {
    "incoming_PlateResults_20_samples": ("nist_mtc_crada_plate_Origin_Nikon_Touch", {"failed": 20}, 569, 51),
    "incoming_CoverResults_20_samples": ("nist_mtc_crada_cover_Origin_Nikon_Touch", {"passed": 20}, 541, 0),
    "fair_Plate_Results_2017-07-11": ("nist_mtc_crada_plate", {"failed": 19, "passed": 1, "disputed": 1}, 662, 98),
    "fair_Cover_Results_2017-07-18": ("nist_mtc_crada_cover", {"passed": 19, "failed": 1}, 559, 1),
}
"""Counted in the files by other means: material, pieces by verdict, characteristics passed and failed."""


def document(
    results: str = "",
    components: str = '<ActualComponent id="7"><SerialNumber>S-1</SerialNumber></ActualComponent>',
    *,
    root: str = '<QIFDocument xmlns="http://qifstandards.org/xsd/qif2" versionQIF="2.1.0">',
    head: str = "",
    value: str = "10.2",
    status: str = "PASS",
    piece: str = "PASS",
    tolerance: str = "<MaxValue>0.5</MaxValue><MinValue>-0.25</MinValue><DefinedAsLimit>false</DefinedAsLimit>",
) -> bytes:
    """A small document with one piece and one diameter."""
    results = (
        results
        or f"""<MeasurementResults id="20"><MeasuredCharacteristics><CharacteristicActuals n="1">
        <DiameterCharacteristicActual id="21">
        <Status><CharacteristicStatusEnum>{status}</CharacteristicStatusEnum></Status>
        <CharacteristicItemId>12</CharacteristicItemId><Value>{value}</Value></DiameterCharacteristicActual>
        </CharacteristicActuals></MeasuredCharacteristics>
        <InspectionStatus><InspectionStatusEnum>{piece}</InspectionStatusEnum></InspectionStatus>
        <ActualComponentIds n="1"><Id>7</Id></ActualComponentIds></MeasurementResults>"""
    )
    close = re.match(r"<([\w:]+)", root)
    assert close is not None
    return f"""{head}{root}<QPId>q-1</QPId><Version><TimeCreated>2017-03-07T10:39:11</TimeCreated></Version>
    <FileUnits><PrimaryUnits><LinearUnit><UnitName>mm</UnitName></LinearUnit></PrimaryUnits></FileUnits>
    <Product><PartSet n="1"><Part id="1"><ModelNumber>BRACKET</ModelNumber></Part></PartSet></Product>
    <Characteristics>
    <CharacteristicItems><DiameterCharacteristicItem id="12"><Name>Bore</Name>
    <CharacteristicNominalId>11</CharacteristicNominalId></DiameterCharacteristicItem></CharacteristicItems>
    <CharacteristicNominals><DiameterCharacteristicNominal id="11">
    <CharacteristicDefinitionId>10</CharacteristicDefinitionId><TargetValue>10</TargetValue></DiameterCharacteristicNominal></CharacteristicNominals>
    <CharacteristicDefinitions><DiameterCharacteristicDefinition id="10"><Tolerance>{tolerance}</Tolerance>
    </DiameterCharacteristicDefinition></CharacteristicDefinitions></Characteristics>
    <MeasurementsResults><MeasurementResultsSet n="1">{results}</MeasurementResultsSet>
    <ActualComponentSets><ActualComponentSet n="1">{components}</ActualComponentSet></ActualComponentSets>
    </MeasurementsResults></{close.group(1)}>""".encode()


def read(content: bytes, name: str = "results.qif") -> qif.QifDocument:
    return read_qif(io.BytesIO(content), name)


@pytest.mark.parametrize("name", COUNTED)
def test_the_nist_results_are_read_as_they_were_counted(name: str) -> None:
    files = list(NIST.glob(f"{name}.*"))
    if not files:
        pytest.skip("needs ../shared/data/nist/qif, which is not here")
    with files[0].open("rb") as source:
        found = read_qif(source, files[0].name)
    material, verdicts, passed, failed = COUNTED[name]
    assert {p.material for p in found.pieces} == {material}
    by_verdict = [verdict_of(p).value for p in found.pieces]
    assert {v: by_verdict.count(v) for v in set(by_verdict)} == verdicts
    assert (found.measured_passed, found.measured_failed) == (passed, failed)


def test_a_measurement_carries_its_name_limits_unit_and_verdict() -> None:
    [piece] = read(document()).pieces
    [bore] = piece.results
    assert (bore.characteristic, bore.value, bore.unit, bore.passed) == ("Bore", "10.2", "mm", True)
    assert (bore.lower, bore.upper) == ("9.75", "10.5"), "deviations from the target become limits"
    assert (piece.material, piece.serial) == ("BRACKET", "S-1") and verdict_of(piece) is Verdict.PASSED
    absolute = "<MaxValue>4.8</MaxValue><MinValue>4.2</MinValue><DefinedAsLimit>true</DefinedAsLimit>"
    assert read(document(tolerance=absolute)).pieces[0].results[0].lower == "4.2"


def test_an_item_measured_at_two_places_is_two_characteristics() -> None:
    actual = re.search(rb"<DiameterCharacteristicActual .*?</DiameterCharacteristicActual>", document(), re.DOTALL)
    assert actual is not None
    twice = document().replace(actual[0], actual[0] * 2).replace(b'Actuals n="1"', b'Actuals n="2"')
    assert [r.characteristic for r in read(twice).pieces[0].results] == ["Bore", "Bore #2"]


def test_gzip_and_a_spelled_prefix_make_no_difference() -> None:
    plain = read(document())
    assert read(gzip.compress(document())) == plain
    spelled = re.sub(rb"<(/?)(\w)", rb"<\1q:\2", document()).replace(b"xmlns=", b"xmlns:q=")
    assert read(spelled) == plain


@pytest.mark.parametrize(
    ("status", "piece", "verdict"),
    [
        ("PASS", "PASS", Verdict.PASSED),
        ("FAIL", "FAIL", Verdict.FAILED),
        ("FAIL", "PASS", Verdict.DISPUTED),
        ("PASS", "FAIL", Verdict.DISPUTED),
        ("PASS", "UNKNOWN", Verdict.DISPUTED),
        ("NOT_MEASURED", "PASS", Verdict.DISPUTED),
        ("PASS", "pass", Verdict.DISPUTED),
    ],
)
def test_only_what_passes_in_every_word_passes(status: str, piece: str, verdict: Verdict) -> None:
    assert verdict_of(read(document(status=status, piece=piece)).pieces[0]) is verdict


def test_a_result_about_two_pieces_speaks_for_neither_that_says_otherwise() -> None:
    two = (
        '<ActualComponent id="7"><SerialNumber>S-1</SerialNumber><Status><InspectionStatusEnum>FAIL'
        "</InspectionStatusEnum></Status></ActualComponent></ActualComponentSet>"
        '<ActualComponentSet n="1"><ActualComponent id="8"><Status><InspectionStatusEnum>PASS</InspectionStatusEnum>'
        "</Status></ActualComponent>"
    )
    shared = document(components=two, status="FAIL", piece="FAIL").replace(
        b'<ActualComponentIds n="1"><Id>7</Id>', b'<ActualComponentIds n="2"><Id>7</Id><Id>8</Id>'
    )
    first, second = read(shared).pieces
    assert (first.serial, verdict_of(first)) == ("S-1", Verdict.FAILED)
    assert (second.serial, verdict_of(second)) == ("", Verdict.DISPUTED)
    assert read(shared).measured_failed == 1, "measured once, about two pieces"


def test_a_piece_that_no_result_is_about_never_passes() -> None:
    more = (
        '<ActualComponent id="7"/></ActualComponentSet><ActualComponentSet n="1"><ActualComponent id="8">'
        "<SerialNumber>S-2</SerialNumber><Status><InspectionStatusEnum>PASS</InspectionStatusEnum></Status>"
        "</ActualComponent>"
    )
    assert verdict_of(read(document(components=more)).pieces[1]) is Verdict.DISPUTED


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", r"is damaged: no element found \(line 1"),
        (b"serial;result\nS-1;PASS\n", r"is damaged: .*\(line 1, column \d+\)"),
        (b"<html><body/></html>", "is no QIF 2 document: it begins with html of no namespace"),
        (
            document(root='<QIFDocument xmlns="http://qifstandards.org/xsd/qif3" versionQIF="3.0">'),
            "of http://qifst.*qif3",
        ),
        (
            document(root='<QIFDocument xmlns="http://qifstandards.org/xsd/qif2" versionQIF="1.0">'),
            "says versionQIF 1.0",
        ),
        (document(head=BOMB, value="&b;"), r"declares a document type.*\(line 1"),
        (document(head=OUTSIDE, value="&secret;"), "declares a document type"),
        (document()[:900], r"is damaged: .*\(line \d+, column \d+\)"),
        (document()[:-60], r"is damaged: .*\(line \d+"),
        (gzip.compress(document())[:-30], "is a damaged gzip file"),
        (b"\x1f\x8bnothing", "is a damaged gzip file"),
        (
            document().replace(b'CharacteristicActuals n="1"', b'CharacteristicActuals n="2"'),
            "says 2 entries and has 1",
        ),
        (document().replace(b"<Id>7</Id>", b"<Id>9</Id>"), r"names component 9, which is missing \(line"),
        (document().replace(b"ItemId>12<", b"ItemId>13<"), r"names characteristic item 13, which is missing \(line"),
        (document(results=" ").replace(b'ResultsSet n="1"', b'ResultsSet n="0"'), "holds no measurement results"),
        (document(value="9" * 20_000), "more than 10000 characters in Value"),
        (document(head="<a>" * 300), "is no QIF 2 document"),
        (document(value="<a>" * 300 + "</a>" * 300), "nests more than 200"),
        (document(head='<?xml version="1.0" encoding="shift_jis"?>'), "is in an encoding that is not read"),
        (document(head='<?xml version="1.0" encoding="no-such"?>'), "is in an encoding that is not read"),
        (document(value="10,2"), r"says Value '10,2', which is no number: .* point \(line"),
        (document(value="NaN"), "says Value 'NaN', which is no number"),
        (document(tolerance="<MaxValue>0,5</MaxValue>"), "says MaxValue '0,5', which is no number"),
        (document(tolerance="<MaxValue>1e99999999</MaxValue>"), "says MaxValue '1e99999999', which is no number"),
        (document().replace(b"Value>10<", b"Value>10,0<"), "says TargetValue '10,0', which is no number"),
        (document(components='<ActualComponent id="7"/>' * 2).replace(b'Set n="1"', b"Set"), "two components have the"),
        (document(components="<ActualComponent/>"), "a component has no id"),
    ],
)
def test_what_cannot_be_trusted_is_told_with_file_and_place(content: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says) as refused:
        read(content, "strange.qif")
    assert str(refused.value).startswith("strange.qif ") and "line" in str(refused.value) and refused.value.hint


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-8-sig", "UTF-16", "ISO-8859-1", "windows-1252"])
def test_an_encoding_makes_no_difference(encoding: str) -> None:
    named = document().replace(b">S-1<", ">Gehäuse-1<".encode()).decode()
    declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>' + named
    assert read(declared.encode(encoding)).pieces[0].serial == "Gehäuse-1"


@pytest.mark.parametrize(("value", "status", "piece", "verdict"), [
    ("10.5", "PASS", "PASS", Verdict.PASSED),
    ("1.05e1", "PASS", "PASS", Verdict.PASSED),
    ("10.501", "PASS", "PASS", Verdict.DISPUTED),
    ("9.7", "PASS", "PASS", Verdict.DISPUTED),
    ("9.7", "PASS", "FAIL", Verdict.FAILED),
    ("10.1", "FAIL", "FAIL", Verdict.FAILED),
    ("", "PASS", "PASS", Verdict.PASSED),
])  # fmt: skip
def test_a_pass_with_a_value_beyond_its_limits_is_disputed(
    value: str, status: str, piece: str, verdict: Verdict
) -> None:
    assert verdict_of(read(document(value=value, status=status, piece=piece)).pieces[0]) is verdict


def test_a_status_that_is_missing_is_never_a_pass_and_a_failed_measurement_fails_the_piece() -> None:
    def without_piece(status: str) -> Verdict:
        said = re.sub(rb"<InspectionStatus>.*?</InspectionStatus>", b"", document(status=status), flags=re.DOTALL)
        return verdict_of(read(said).pieces[0])

    assert (without_piece("PASS"), without_piece("FAIL")) == (Verdict.DISPUTED, Verdict.FAILED)
    assert verdict_of(read(document(status="")).pieces[0]) is Verdict.DISPUTED
    other = b"<OtherInspectionStatus>SCRAPPED</OtherInspectionStatus>"
    own = '<ActualComponent id="7"><Status><InspectionStatusEnum>PASS</InspectionStatusEnum></Status></ActualComponent>'
    said = document(components=own).replace(
        b"<InspectionStatus><InspectionStatusEnum>PASS</InspectionStatusEnum>", b"<InspectionStatus>" + other
    )
    assert verdict_of(read(said).pieces[0]) is Verdict.DISPUTED, "a status of the source's own is a status"


def test_what_is_neither_pass_nor_fail_is_counted_as_neither() -> None:
    found = read(document(status="NOT_MEASURED", value=""))
    assert (found.measured_passed, found.measured_failed, found.measured_unjudged) == (0, 0, 1)


@pytest.mark.parametrize("condition", ["MAXIMUM", "LEAST", "NONE"])
def test_a_zone_that_grows_with_the_feature_is_no_limit(condition: str) -> None:
    zone = f"<ToleranceValue>0.2</ToleranceValue><MaterialCondition>{condition}</MaterialCondition>"
    said = re.sub(rb"<Tolerance>.*?</Tolerance>", zone.encode(), document(value="0.3"))
    [piece] = read(said.replace(b"Diameter", b"Position")).pieces
    assert piece.results[0].upper == ("0.2" if condition == "NONE" else "")
    assert verdict_of(piece) is (Verdict.DISPUTED if condition == "NONE" else Verdict.PASSED)


def test_a_value_in_a_unit_of_its_own_is_not_judged_by_limits_in_another() -> None:
    inch = document(value="0.4").replace(b"<Value>", b'<Value linearUnit="inch">')
    [piece] = read(inch).pieces
    assert (piece.results[0].unit, piece.results[0].lower, verdict_of(piece)) == ("inch", "", Verdict.PASSED)
    both = inch.replace(b"<MaxValue>", b'<MaxValue linearUnit="inch">')
    both = both.replace(b"<MinValue>", b'<MinValue linearUnit="inch">').replace(
        b"<TargetValue>", b'<TargetValue linearUnit="inch">'
    )
    assert read(both).pieces[0].results[0].lower == "9.75" and verdict_of(read(both).pieces[0]) is Verdict.DISPUTED


def test_values_of_attributes_are_words() -> None:
    said = document(value="a, b", tolerance="").replace(b"Diameter", b"UserDefinedAttribute")
    [piece] = read(said.replace(b"TargetValue>10<", b"TargetValue>smooth, dry<")).pieces
    assert (piece.results[0].value, piece.results[0].unit, verdict_of(piece)) == ("a, b", "", Verdict.PASSED)


@pytest.mark.parametrize("serial", ["", "  ", "-", "?", "&#x200B;", "&#xA0;"])
def test_a_serial_without_letter_or_digit_is_none(serial: str) -> None:
    named = f'<ActualComponent id="7"><SerialNumber>{serial}</SerialNumber></ActualComponent>'
    assert read(document(components=named)).pieces[0].serial == ""


def test_a_serial_that_two_pieces_of_a_file_have_passes_neither() -> None:
    two = "".join(
        f'<ActualComponent id="{n}"><SerialNumber>{s}</SerialNumber></ActualComponent>'
        for n, s in ((7, "N/A"), (8, "n/a"))
    )
    result = re.search(rb"<MeasurementResults .*</MeasurementResults>", document(), re.DOTALL)
    assert result is not None
    said = document(components=two).replace(result[0], result[0] + result[0].replace(b"<Id>7", b"<Id>8"))
    said = said.replace(b'Set n="1"', b"Set")
    assert [verdict_of(p) for p in read(said).pieces] == [Verdict.DISPUTED] * 2


def test_elements_of_other_namespaces_say_nothing() -> None:
    strange = b'<x:InspectionStatus xmlns:x="urn:x"><x:Enum>PASS</x:Enum></x:InspectionStatus>'
    said = document(piece="FAIL", status="FAIL").replace(b"<InspectionStatus>", strange + b"<InspectionStatus>")
    assert verdict_of(read(said).pieces[0]) is Verdict.FAILED


def test_what_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qif, "LONGEST_TOKEN", 200_000)
    with pytest.raises(BadInput, match="has a tag or comment of more than"):
        read(document(head="<!--" + "x" * 500_000 + "-->"))
    monkeypatch.setattr(qif, "MOST_KEPT", 1000)
    with pytest.raises(BadInput, match="has more than 1000 elements that are no measurements"):
        read(document().replace(b"<QPId>", b"<Note/>" * 1000 + b"<QPId>"))


def test_no_damage_makes_it_crash_and_what_is_still_read_has_a_verdict() -> None:
    chance, whole = random.Random(7), document()
    for _ in range(600):
        damaged = bytearray(whole)
        first, second = chance.randrange(len(whole)), chance.randrange(len(whole))
        match chance.randrange(3):
            case 0:
                damaged[first] = chance.randrange(256)
            case 1:
                del damaged[first : first + chance.randint(1, 60)]
            case _:
                damaged[first:first] = damaged[second : second + chance.randint(1, 80)]
        try:
            found = read(bytes(damaged))
        except BadInput as refused:
            assert "line" in str(refused)
        else:
            assert all(verdict_of(p) in Verdict for p in found.pieces)


def test_a_file_that_unpacks_beyond_all_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qif, "MOST_BYTES", 200_000)
    with pytest.raises(BadInput, match="unpacks to more"):
        read(gzip.compress(document(head=" " * 300_000)))


def test_features_and_statistics_are_passed_over_however_large() -> None:
    load = (
        "<MeasuredFeatures><FeatureActuals n='9'>"
        + "<A><V>1 2 3</V></A>" * 50_000
        + "</FeatureActuals></MeasuredFeatures>"
    )
    heavy = document().replace(b"<MeasuredCharacteristics>", load.encode() + b"<MeasuredCharacteristics>")
    assert read(heavy) == read(document())
