"""The examples in docs/simulators-oracle.md are what the simulated Oracle really takes and gives."""

import ast
import json
from pathlib import Path

from simulators.oracle.books import DEFAULT_SETTINGS
from tests.simulators.oracle_bench import line, oracle_fixture, start_oracle_fixture

__all__ = ["oracle_fixture", "start_oracle_fixture"]
HOME = Path(__file__).parents[2]
DOCS = HOME / "docs" / "simulators-oracle.md"
OURS = {"signals", "domain", "erp", "scada", "ledger", "activities", "workflows", "workers", "console", "temporalio"}


def example(heading: str) -> dict:
    section = DOCS.read_text(encoding="utf-8").split(f"## {heading}", 1)[1]
    return json.loads(section.split("```json", 1)[1].split("```", 1)[0])


async def test_the_documented_seed_is_accepted_whole_and_the_books_look_as_shown(start_oracle, tmp_path):
    oracle = await start_oracle(tmp_path / "oracle.db")
    assert await oracle.control("orders", example("Orders")) == {"created": ["1000040"], "kept": []}
    note = "pw 0f8fad5b-d9cb-469f-a165-70867728950e"
    march = {"TransactionDate": "2026-03-02T09:00:00Z"}
    await oracle.moved(line(10, 10, TransactionNote=note, **march), line(10, 2, "SCRAP", **march))
    shown, real = example("Books"), await oracle.books()
    assert set(shown) == set(real)
    assert set(shown["orders"][0]) == set(real["orders"][0])
    for part in ("operations", "components", "items"):
        assert set(shown["orders"][0][part][0]) == set(real["orders"][0][part][0])
    assert set(shown["stock"][0]) == set(real["stock"][0])
    for kind in ("confirmation", "material_document"):
        described = next(row for row in shown["documents"] if row["kind"] == kind)
        found = next(row for row in real["documents"] if row["kind"] == kind)
        assert set(described) == set(found)
        changing = {"id", "at", "user", "batch_call", "confirmation", "goods_movements"}
        same = set(described) - changing
        assert {name: described[name] for name in same} == {name: found[name] for name in same}
    assert set(shown["documents"][0]["goods_movements"][0]) == set(real["documents"][0]["goods_movements"][0])
    assert shown["orders"][0]["operations"][0] == real["orders"][0]["operations"][0]
    assert shown["stock"][0] == real["stock"][0]


def test_every_setting_is_documented():
    section = DOCS.read_text(encoding="utf-8").split("## Settings", 1)[1].split("##", 1)[0]
    assert [name for name in DEFAULT_SETTINGS if f'"{name}"' not in section] == []


def test_the_simulator_shares_no_code_with_what_it_judges():
    for module in (HOME / "simulators" / "oracle").glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & OURS, module.name
