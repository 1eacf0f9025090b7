"""Proofs by volume: `long` samples for every long run, and the full `proof` when it is asked for by its marker."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "proof: the full volume of a proof, an hour in all; run by `-m proof` only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "proof" in (config.option.markexpr or ""):
        return
    for item in items:
        if item.get_closest_marker("proof") is not None:
            item.add_marker(pytest.mark.skip(reason="the full volume runs by -m proof"))
