"""The HTTP API: one module a thing, each with its router."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
