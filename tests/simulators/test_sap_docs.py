"""The examples in docs/simulators-sap.md are what the simulated SAP really takes and gives."""

import json
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "simulators-sap.md"


def example(heading: str) -> dict:
    section = DOCS.read_text(encoding="utf-8").split(f"## {heading}", 1)[1]
    return json.loads(section.split("```json", 1)[1].split("```", 1)[0])


async def test_the_documented_seed_is_accepted_whole(start_sap, tmp_path):
    sap = await start_sap(tmp_path / "sap.db")
    seeded = example("Orders")
    assert await sap.control("orders", seeded) == {"created": ["1000040"], "kept": []}
    assert (await sap.http.get("/_control/settings")).json()["open_periods"] == ["2026-03", "2026-04"]


async def test_the_documented_books_have_the_fields_that_books_have(start_sap, tmp_path):
    sap = await start_sap(tmp_path / "sap.db")
    await sap.control("orders", example("Orders"))
    await sap.confirmed("1000040", "0010", "98", PostingDate="2026-03-02T00:00:00")
    shown, real = example("Books"), await sap.books()
    assert set(shown) == set(real)
    assert set(shown["orders"][0]) == set(real["orders"][0])
    for part in ("operations", "components", "items"):
        assert set(shown["orders"][0][part][0]) == set(real["orders"][0][part][0])
    assert set(shown["stock"][0]) == set(real["stock"][0])
    for described, found in zip(shown["documents"], real["documents"], strict=True):
        assert set(described) == set(found)
    line = real["documents"][0]["goods_movements"][0]
    assert set(shown["documents"][0]["goods_movements"][0]) == set(line)
    assert line["reservation"] == "77"


def described(what: str) -> set[str]:
    """The field names of `what {"a", "b"}` in the prose on the books."""
    prose = DOCS.read_text(encoding="utf-8").split("Besides:", 1)[1]
    return set(re.findall(r'"(\w+)"', re.split(rf"(?<!quality ){what}\s`{{", prose, maxsplit=1)[1].split("}`", 1)[0]))


async def test_the_documented_records_of_maintenance_quality_and_capacity_are_what_books_have(start_sap, tmp_path):
    sap = await start_sap(tmp_path / "sap.db")
    seed = example("Orders")
    seed["orders"][0] |= {"inspection_type": "04", "operations": [{"operation": "0030", "control_profile": "PP11"}]}
    seed["orders"][0]["components"] = []
    await sap.control("orders", seed)
    await sap.confirmed("1000040", "0030", "10", PostingDate="2026-03-02T00:00:00")
    await sap.post(sap.notifications, {"NotificationType": "M2"})
    await sap.post(sap.defects, {"DefectCodeGroup": "Q", "DefectCode": "S"})
    await sap.post(sap.quality, {"NotificationType": "Q3"})
    books = await sap.books()
    for what, name in (
        ("notification", "notifications"),
        ("inspection lot", "inspection_lots"),
        ("defect", "defects"),
        ("quality notification", "quality_notifications"),
        ("capacity interval", "capacity_intervals"),
    ):
        assert described(what) == set(books[name][0]), what


async def test_the_documented_settings_are_all_there_are(start_sap, tmp_path):
    sap = await start_sap(tmp_path / "sap.db")
    line = DOCS.read_text(encoding="utf-8").split("## Settings", 1)[1].split("`{", 1)[1].split("}`", 1)[0]
    assert set(re.findall(r'"(\w+)":', line)) == set((await sap.http.get("/_control/settings")).json())
