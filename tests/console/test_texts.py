"""The German catalogue is whole: every text of a template, and every name that a page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import console
from console.pages.flows import FLOWS
from console.shown import words
from console.texts import catalogue, choose, translator
from domain.error_catalogue import REFUSALS, TROUBLES
from domain.roles import Role
from domain.stop_reasons import OWN_TEXTS
from signals.documents import CaseAction, CaseKind, PostingState
from signals.downtime import CapacityState, ReasonStatus, StopState, TimeClass
from signals.holds import DecisionState, HoldDispositionKind, HoldState
from signals.orders import OrderPhase
from signals.packml import MachineState
from signals.people import SignatureMeaning
from signals.reports import ParkedWhy
from signals.transactions import TransactionType
from workers.plant_worker import WORKFLOWS

ROOT = Path(console.__file__).parent
SAID = re.compile(r"""\bt\(\s*(?:"([^"]+)"|'([^']+)')""")
ENUMS = (Role, CaseAction, CaseKind, PostingState, DecisionState, HoldDispositionKind, HoldState, OrderPhase,
         MachineState, SignatureMeaning, ParkedWhy, TransactionType, TimeClass, StopState, CapacityState,
         ReasonStatus)  # fmt: skip


def texts_in(file: Path) -> set[str]:
    return {double or single for double, single in SAID.findall(file.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("file", sorted(p.name for p in (ROOT / "templates").glob("*.html")))
def test_every_text_of_a_template_is_there_in_german(file: str) -> None:
    assert texts_in(ROOT / "templates" / file) - set(catalogue("de")) == set()


def test_every_name_that_a_page_shows_is_there_in_german() -> None:
    names = {words(member.value) for kind in ENUMS for member in kind}
    names |= {words(trouble.name) for trouble in (*REFUSALS.values(), *TROUBLES.values())}
    names |= set(OWN_TEXTS.values())
    names |= {text for flow in FLOWS for text in (flow.does, flow.starts, flow.ends)}
    assert names - set(catalogue("de")) == set()


def test_the_catalogue_of_flows_names_every_process_that_a_plant_runs() -> None:
    assert sorted(flow.name for flow in FLOWS) == sorted(process.__name__ for process in WORKFLOWS)


def test_a_translation_keeps_its_blanks_to_fill_in() -> None:
    blank = re.compile(r"\{\w+\}|%s")
    for english, german in catalogue("de").items():
        assert sorted(blank.findall(english)) == sorted(blank.findall(german)), english


def test_what_was_chosen_goes_before_what_the_browser_asks_for() -> None:
    assert choose("", "") == "en"
    assert choose("", "de-AT,de;q=0.9,en;q=0.8") == "de"
    assert choose("", "fr,en;q=0.5,de;q=0.7") == "de"
    assert choose("", "de;q=0,en") == "en"
    assert choose("en", "de") == "en"
    assert choose("xx", "de;q=oops,en") == "en"
    assert translator("de")("in {span}", span="3 Min") == "in 3 Min"
