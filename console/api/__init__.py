"""The HTTP API: one module a thing, each with its router."""

from __future__ import annotations

from fastapi import APIRouter

from console.api import cases, holds, inspections, lines, orders, parked, shifts, stops

router = APIRouter()
for module in (holds, stops, shifts, cases, parked, orders, lines, inspections):
    router.include_router(module.router)
