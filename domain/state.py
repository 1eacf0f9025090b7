"""The base of what workflows carry: mutable, serialisable, tolerant of fields that a later release added."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class State(BaseModel):
    """A mutable part of a workflow's state. Only the room that decides changes it."""

    model_config = ConfigDict(extra="ignore")
