"""The examples in docs/simulators-sap.md are what the simulated SAP really takes and gives."""

import json
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
