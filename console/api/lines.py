"""Plants and lines over the API."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from console.pages.board import view_of
from console.who import Visitor, call_for
from domain.permissions import Action
from signals.base import Amount
from signals.status import StationStatus

router = APIRouter(tags=["lines"])


class PlantSummary(BaseModel):
    """A plant at which the token's owner has a role."""

    plant: str
    name: str
    zone: str
    roles: list[str]


class LineSummary(BaseModel):
    """A line as it stands."""

    line: str
    name: str
    as_of: datetime | None = Field(description="plant time up to which it was seen; null: never")
    live: bool = Field(description="false: from the ledger, no worker answers")
    stations: list[StationStatus]
    open_pieces: Amount


@router.get("/plants", summary="The plants of this token")
async def list_plants(visitor: Visitor = call_for(Action.VIEW_BOARD)) -> list[PlantSummary]:
    return [
        PlantSummary(
            plant=config.plant.id, name=config.plant.name, zone=config.plant.zone,
            roles=[actor.role for actor in visitor.actors(config.plant.id)],
        )
        for config in visitor.plants
    ]  # fmt: skip


@router.get("/plants/{plant}/lines", summary="Lines with state, order and freshness")
async def list_lines(plant: str, visitor: Visitor = call_for(Action.VIEW_LINES)) -> list[LineSummary]:
    lines = [line for line in visitor.plant(plant).lines if visitor.sees(plant, line.id)]
    views = [await view_of(visitor, plant, line) for line in lines]
    return [
        LineSummary(
            line=v.line, name=v.name, as_of=v.as_of, live=v.live, stations=list(v.stations), open_pieces=v.open_pieces
        )
        for v in views
    ]
