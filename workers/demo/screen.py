"""The demo's screen (Rich): the line, three sets of books side by side, what happened, and the keys."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from signals.packml import state_from_number
from workers.demo.books import Pieces
from workers.demo.watch import Snapshot

KEYS = {
    "u": "unplug ERP", "p": "plug in", "k": "kill worker", "b": "break machine",
    "s": "bad part", "d": "drift (hold)", "h": "decide holds", "c": "change over", "m": "confirm by hand in ERP",
    "a": "adopt hand entries", "q": "quit",
}  # fmt: skip
STATE_STYLES = {"execute": "green", "aborted": "red", "held": "red", "suspended": "yellow", "complete": "cyan"}
LATEST = 7
WIDTH = 118


def render(seen: Snapshot, happened: Sequence[str], addresses: Mapping[str, str], *, keys: bool) -> RenderableType:
    """The whole screen for one snapshot."""
    parts: list[RenderableType] = [_head(seen)]
    parts.append(Columns([_line(seen), _documents(seen)], padding=(0, 2)))
    parts.append(_figures(seen))
    if seen.cases:
        parts.append(_cases(seen))
    parts.append(Panel(Text("\n".join(happened[-LATEST:])), title="what happened", title_align="left", box=box.ROUNDED))
    parts.append(_addresses(addresses))
    if keys:
        parts.append(Text.assemble(*[t for key, what in KEYS.items() for t in ((f" {key} ", "reverse"), f" {what}  ")]))
    return Group(*parts)


def _head(seen: Snapshot) -> RenderableType:
    mark = Text.assemble(("Plantwright demo", "bold"), f"   {seen.seconds:5.0f} s   ERP ")
    if seen.erp_up:
        mark.append("up", "bold green")
        mark.append(f" (was away {seen.outage_seconds:.0f} s)" if seen.outage_seconds else "")
    else:
        mark.append(f"UNPLUGGED for {seen.outage_seconds:.0f} s", "bold red")
    for name, alive in (("worker", seen.worker_alive), ("edge gateway", seen.edge_alive)):
        mark.append(f"   {name} ")
        mark.append("alive" if alive else "DEAD", "bold green" if alive else "bold red")
    if seen.open_holds:
        mark.append(f"   holds {len(seen.open_holds)}", "bold red")
    mark.append(f"   open cases {len(seen.cases)}", "bold yellow" if seen.cases else "")
    return mark


def _line(seen: Snapshot) -> Table:
    made = _table("The line", "station", "state", "order", "batch", "in", "good", "reject")
    for station in seen.truth["stations"]:
        state = state_from_number(int(station["state"])).value
        made.add_row(
            station["name"], Text(state, STATE_STYLES.get(state, "")), station["order"] or "–", station["batch"] or "–",
            str(station["infeed"]), str(station["good"]), str(station["reject"]),
        )  # fmt: skip
    return made


def _documents(seen: Snapshot) -> Table:
    shown = _table("ERP's last confirmations", "document", "order", "op", "yield", "scrap", "by")
    for document in seen.confirmations[-4:]:
        who = Text("by hand", "yellow") if document["manual"] else Text(document["text"][:16], "dim")
        shown.add_row(
            document["id"], document["order"], document["operation"], document["yield"], document["scrap"], who
        )
    return shown


def _figures(seen: Snapshot) -> Table:
    figures = _table("Good / scrap", "order", "operation", "machine", "Plantwright", "ERP", "ERP behind", "phase")
    for place in sorted({*seen.machine, *seen.erp}):
        machine, counted, erp = (side.get(place, Pieces()) for side in (seen.machine, seen.counted, seen.erp))
        behind = (machine.good + machine.scrap) - (erp.good + erp.scrap)
        gap = Text(f"{behind:+f}" if behind else "=", "red" if behind else "green")
        record = seen.records.get(place.order)
        figures.add_row(
            place.order, place.operation, _pieces(machine), _pieces(counted), _pieces(erp), gap,
            record.phase if record else "",
        )  # fmt: skip
    return figures


def _cases(seen: Snapshot) -> Table:
    cases = _table("Cases that wait for a person", "kind", "order", "op", "owner", "what")
    for case in seen.cases[:4]:
        cases.add_row(Text(case.kind.value, "yellow"), case.order, case.operation, case.owner_role, case.summary)
    return cases


def _addresses(addresses: Mapping[str, str]) -> Text:
    return Text("   ".join(f"{name} {address}" for name, address in addresses.items()), "dim")


def _pieces(pieces: Pieces) -> str:
    return f"{pieces.good:f} / {pieces.scrap:f}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        numeric = column in ("in", "good", "reject", "yield", "scrap", "machine", "Plantwright", "ERP", "ERP behind")
        table.add_column(column, justify="right" if numeric else "left")
    return table


def plain_line(seen: Snapshot) -> str:
    """One line of figures, for those without a screen."""
    sides = (("machine", seen.machine), ("Plantwright", seen.counted), ("ERP", seen.erp))
    figures = "  ".join(
        f"{name} {sum((p.good + p.scrap for p in side.values()), Pieces().good):f}" for name, side in sides
    )
    up = "up" if seen.erp_up else "unplugged"
    return f"pieces over all operations: {figures}  ERP {up}  cases {len(seen.cases)}"


def save_screenshot(screen: RenderableType, file: Path) -> None:
    """The screen as SVG."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor", markup=False
    )
    console.print(screen)
    console.save_svg(str(file), title="plantwright demo")


def closing_table(result: Mapping[str, Any]) -> RenderableType:
    """The end: three sets of books and the verdict."""
    table = _table(
        "Machine, Plantwright and ERP: good / scrap", "order", "operation", "machine", "Plantwright", "ERP", ""
    )
    for row in result["operations"]:
        sides = [row[side] for side in ("machine", "plantwright", "erp")]
        judged = sides[:2] if result["mode"] == "shadow" else sides
        same = all(side == judged[0] for side in judged)
        cells = [f"{side['yield']} / {side['scrap']}" for side in sides]
        table.add_row(row["order"], row["operation"], *cells, Text("agree", "green") if same else Text("DIFFER", "red"))
    verdict = Text.assemble(
        ("The books agree" if result["agree"] else "The books differ", "bold green" if result["agree"] else "bold red"),
        f": {result['missing']} missing, {result['duplicate']} duplicate, {result['in_doubt']} in doubt, "
        f"{result['open_cases']} open cases; {_holds(result['holds'])}; "
        f"{result['documents']} documents of ours in the ERP, which was away for "
        f"{result['erp_outage_seconds']:.0f} s.",
    )
    parts: list[RenderableType] = [table, verdict, *(Text(f"- {what}", "red") for what in result["differences"])]
    if result["mode"] == "shadow":
        parts.append(_would_post(result["would_post"]))
    return Group(*parts)


def _holds(holds: Mapping[str, Any]) -> str:
    states = ", ".join(f"{count} {state}" for state, count in holds["states"].items())
    if not holds["count"]:
        return "no holds"
    return f"holds: {states} ({holds['blocked']} pieces blocked, {holds['released']} released)"


def _would_post(postings: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Would have been posted", "order", "operation", "type", "yield", "scrap", "final")
    for posting in postings:
        table.add_row(
            posting["order"], posting["operation"], posting["type"], posting.get("yield", ""), posting.get("scrap", ""),
            "yes" if posting.get("final") else "",
        )  # fmt: skip
    return table
