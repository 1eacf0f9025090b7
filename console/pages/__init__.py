"""Pages for people: one module a page, each with its router."""

from __future__ import annotations

from fastapi import APIRouter

from console.pages import board, cases, flows, holds, inbox, losses, orders, parked, shifts, sign_in, stops, stream


def routers() -> tuple[APIRouter, ...]:
    """All pages."""
    modules = (sign_in, inbox, board, orders, holds, stops, losses, shifts, cases, parked, flows, stream)
    return tuple(module.router for module in modules)
