"""The one stream of live updates (server-sent events)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from console.who import Visitor, page_for
from domain.permissions import Action

router = APIRouter()


@router.get("/live")
async def live(request: Request, visitor: Visitor = page_for(Action.VIEW_BOARD)) -> StreamingResponse:
    """Topics of the visitor's plants that have changed."""
    plants = {config.plant.id for config in visitor.plants}
    stream = request.app.state.news.stream(plants)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
