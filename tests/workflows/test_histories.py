"""What earlier releases' workflows wrote, today's code replays; and what is stored tells nothing of its machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHistory
from temporalio.workflow import NondeterminismError

from tests.workflows.bench import new_replayer
from workers.data_converter import ZlibPayloadCodec
from workers.plant_worker import WORKFLOWS

HISTORIES = Path(__file__).parents[1] / "histories"
STORED = sorted(HISTORIES.glob("*/*.json"))
SCENARIOS = {"plain-order", "outage", "manual-entry", "chain", "cancel"}
TELLTALE = re.compile(
    r"""(?:^|[\s"'(])/(?!(?:holds|exceptions|stops|shifts)/)(?:[\w.-]+/)+[\w.-]+
    | [A-Z]:\\\w | \.py\b | site-packages | password"\s*:\s*"[^"] | secret""",
    re.IGNORECASE | re.VERBOSE,
)
"""Paths, code and credentials; names of environment variables and links to the console's pages are none."""


def text_of(path: Path) -> str:
    return path.read_text()


def names(kind: str) -> set[str]:
    return {re.sub(r"^\d+\.\d+\.\d+-|-\d+$", "", p.stem) for p in STORED if p.parent.name == kind}


def test_every_workflow_has_stored_histories_of_every_scenario():
    assert {p.parent.name for p in STORED} == {cls.__name__ for cls in WORKFLOWS}
    assert names("Line") >= SCENARIOS and names("ProductionOrder") >= SCENARIOS


@pytest.mark.parametrize("path", STORED, ids=lambda p: f"{p.parent.name}/{p.stem}")
async def test_a_stored_history_replays(path: Path):
    history = WorkflowHistory.from_json(f"stored:{path.stem}", text_of(path))
    await new_replayer().replay_workflow(history)


async def test_a_history_that_today_s_code_would_not_write_fails():
    path = next(p for p in STORED if p.parent.name == "ProductionOrder" and "plain" in p.name)
    found = json.loads(text_of(path))
    for event in found["events"]:
        scheduled = event.get("activityTaskScheduledEventAttributes")
        if scheduled and scheduled["activityType"]["name"] == "settle_posting":
            scheduled["activityType"]["name"] = "something_else"
    with pytest.raises(NondeterminismError):
        await new_replayer().replay_workflow(WorkflowHistory.from_json("stored:changed", found))


@pytest.mark.parametrize("path", STORED, ids=lambda p: f"{p.parent.name}/{p.stem}")
async def test_a_stored_history_holds_no_paths_and_no_secrets(path: Path):
    found = json.loads(text_of(path))
    payloads = [ParseDict(part, Payload()) for part in payloads_in(found)]
    texts = [p.data.decode(errors="replace") for p in await ZlibPayloadCodec().decode(payloads)]
    assert len(texts) > 3
    for text in (text_of(path), *texts):
        assert not (leak := TELLTALE.search(text)), f"{path.name} tells {text[leak.start() - 40 : leak.end() + 40]!r}"
    assert len(text_of(path)) < 300_000, "stored histories are small ones"


def payloads_in(part: Any) -> Iterator[dict[str, Any]]:
    """Every payload of a history in JSON."""
    if isinstance(part, dict):
        if "metadata" in part and "data" in part:
            yield part
        for value in part.values():
            yield from payloads_in(value)
    elif isinstance(part, list):
        for each in part:
            yield from payloads_in(each)
