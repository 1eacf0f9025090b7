"""Tryton behind `erp.port`: JSON-RPC to a trytond of series 8.2 with the modules production, -work and -routing."""

from erp.tryton.adapter import TrytonErp, create_tryton

__all__ = ["TrytonErp", "create_tryton"]
