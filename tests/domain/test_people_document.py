"""docs/people.md shows the permission table as the code has it. PLANTWRIGHT_WRITE_DOCS=1 renews it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from domain.permissions import BY_SERVICES, TABLE, Action
from domain.roles import Role

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "people.md"


def permission_table() -> str:
    rows = ["| action | " + " | ".join(role.value for role in Role) + " | service |", "| --- |" + " :-: |" * 11]
    for action in Action:
        marks = ["x" if role in TABLE[action] else "" for role in Role]
        rows.append(f"| {action.value} | {' | '.join([*marks, 'x' if action in BY_SERVICES else ''])} |")
    return "\n".join(rows)


def test_the_document_shows_the_table_that_is_asked():
    text = DOCUMENT.read_text()
    mark = "<!-- permissions -->"
    body = f"{mark}\n{permission_table()}\n<!-- end -->"
    wanted = re.sub(f"{mark}\n.*?<!-- end -->", lambda _: body, text, count=1, flags=re.DOTALL)
    if os.environ.get("PLANTWRIGHT_WRITE_DOCS"):
        DOCUMENT.write_text(wanted)
    assert mark in text and DOCUMENT.read_text() == wanted, f"PLANTWRIGHT_WRITE_DOCS=1 pytest {Path(__file__).name}"
