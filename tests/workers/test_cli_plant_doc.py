"""docs/plant-file.md names every key and every word of the plant file, and nothing that is none."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import BaseModel

from domain import plant
from domain.plant_downtime import OnCallConfig, RungConfig, StopReasonConfig
from domain.plant_erp import SapOptions
from domain.plant_inspection import InspectedPart
from domain.plant_notify import ChannelConfig

DOC = re.sub(
    r"```.*?```", "", (Path(__file__).resolve().parents[2] / "docs" / "plant-file.md").read_text(), flags=re.DOTALL
)
NAMED = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", DOC))))
MODELS = [
    m for m in vars(plant).values() if isinstance(m, type) and issubclass(m, BaseModel) and m is not plant.Message
]
MODELS += [SapOptions, ChannelConfig, InspectedPart, StopReasonConfig, RungConfig, OnCallConfig]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_every_key_is_documented(model: type[BaseModel]) -> None:
    keys = {field.alias or name for name, field in model.model_fields.items()}
    assert keys <= NAMED


@pytest.mark.parametrize("words", [plant.TagKind, plant.CounterRole, plant.ResetRule, plant.PostingMode])
def test_every_word_is_documented(words: type[StrEnum]) -> None:
    assert {word.value for word in words} <= NAMED


def test_every_documented_key_exists() -> None:
    keys = {field.alias or name for model in MODELS for name, field in model.model_fields.items()}
    first_columns = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \|.*\| (?!worker|all|edge)", DOC, re.M)
    documented = {
        name.split()[-1].strip("[]").split(".")[-1]
        for column in first_columns
        for name in re.findall(r"`([^`]+)`", column)
    }
    words = {word.value for kind in (plant.TagKind, plant.CounterRole) for word in kind}
    variables = {name for name in documented if name.isupper() or name.startswith("…")}
    assert documented - keys - words - variables == set()
