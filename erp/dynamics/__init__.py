"""Dynamics 365 SCM behind `erp.port`: the MES message queue for production, OData V4 for the rest (reference 3)."""

from erp.dynamics.adapter import DynamicsErp, create_dynamics

__all__ = ["DynamicsErp", "create_dynamics"]
