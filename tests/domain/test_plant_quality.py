"""A hold rule that cannot judge anything is refused before the plant runs, with what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from domain.plant import PlantConfig
from domain.plant_quality import QualityConfig
from signals.holds import HoldDispositionKind

TAGS = [
    {"name": "Force", "kind": "measurement"},
    {"name": "Each", "kind": "measurement", "filter": {"every": True}},
    {"name": "Thinned", "kind": "measurement", "filter": {"deadband": "2"}},
    {"name": "Good", "kind": "count", "counter": {"role": "good"}},
]


def plant(**rule: Any) -> PlantConfig:
    return PlantConfig.model_validate(
        {
            "plant": {"id": "p"},
            "erp": {"kind": "sap", "url": "http://erp", "plant": "1010"},
            "line": [{"id": "line1", "station": [{"id": "press", "operation": "0010", "tag": TAGS}]}],
            "quality": {"rule": [{"id": "r", "station": "press", **rule}]},
        }
    )


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"station": "weld", "tag": "Force", "upper": 1}, "no station weld; stations are line1/press"),
        ({"line": "line2", "tag": "Force", "upper": 1}, "no line line2; lines are line1"),
        ({"tag": "Forse", "upper": 1}, "Forse is no measurement there; measurements are Force, Each, Thinned"),
        ({"tag": "Good", "upper": 1}, "Good is no measurement there"),
        ({"tag": "Thinned", "upper": 1}, "can hide a bad value"),
        ({"tag": "Force", "upper": 1, "consecutive": 3}, "every = true"),
        ({"tag": "Force", "lower": 2, "upper": 1}, "lower 2 is above upper 1"),
        ({"tag": "Force", "lower": 2, "target": 1}, "target 1 lies outside"),
        ({"tag": "Force"}, "needs lower, upper or accepted"),
        ({"upper": 1}, "limits need the tag"),
        ({}, "judges nothing"),
        ({"tag": "Force", "upper": 1, "accepted": ["OK"]}, "not both"),
        ({"defect_rate_percent": 5}, "belong together"),
        ({"defect_rate_percent": 5, "window_pieces": 20}, "counters of good and of rejected"),
        ({"alarms": ["50*"]}, "no tag of kind alarm"),
        ({"alarms": ["50*"], "tag": "Force", "upper": 1}, "make two rules of it"),
        ({"tag": "Force", "upper": 1, "release_role": "boss"}, "no role is named 'boss'"),
        ({"tag": "Force", "upper": "NaN"}, "finite number"),
    ],
)
def test_a_rule_that_cannot_judge_is_refused_with_the_fix(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        plant(**rule)
    assert words in str(refused.value)


def test_two_rules_of_one_name_are_refused() -> None:
    rule = {"id": "r", "station": "press", "tag": "Force", "upper": 1}
    with pytest.raises(ValidationError, match="declared twice"):
        QualityConfig.model_validate({"rule": [rule, rule]})


def test_release_and_repair_want_a_second_person_unless_the_plant_says_who_or_nobody() -> None:
    assert QualityConfig().four_eyes == {
        HoldDispositionKind.RELEASE: ("quality manager",),
        HoldDispositionKind.REPAIR: ("quality manager",),
    }
    told = QualityConfig.model_validate({"four_eyes": {"release": [], "scrap": ["Finance"]}})
    assert told.four_eyes == {
        HoldDispositionKind.RELEASE: (),
        HoldDispositionKind.REPAIR: ("quality manager",),
        HoldDispositionKind.SCRAP: ("finance",),
    }


def test_a_rule_holds_for_its_station_on_the_lines_it_names() -> None:
    rules = QualityConfig.model_validate(
        {
            "rule": [
                {"id": "all", "station": "press", "tag": "F", "upper": 1},
                {"id": "one", "station": "press", "line": "b", "tag": "F", "upper": 1},
                {"id": "other", "station": "weld", "tag": "F", "upper": 1},
            ]
        }
    )
    assert [[r.name for r in rules.rules_of(line, "press")] for line in ("a", "b")] == [["all/1"], ["all/1", "one/1"]]
