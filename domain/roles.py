"""Roles of design section 7, and who is asked next when one of them lets a deadline pass.

Which role may decide which case is `domain.error_catalogue`'s; plants, lines and signatures are not looked at here.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Who somebody is when deciding."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    QUALITY_ENGINEER = "quality engineer"
    QUALITY_MANAGER = "quality manager"
    MAINTENANCE = "maintenance"
    PLANNER = "planner"
    FINANCE = "finance"
    INTEGRATION = "integration ops"
    AUDITOR = "auditor"
    ADMIN = "admin"


LADDER: dict[Role, tuple[Role, ...]] = {
    Role.OPERATOR: (Role.SUPERVISOR, Role.PLANNER, Role.ADMIN),
    Role.SUPERVISOR: (Role.PLANNER, Role.ADMIN),
    Role.QUALITY_ENGINEER: (Role.QUALITY_MANAGER, Role.ADMIN),
    Role.QUALITY_MANAGER: (Role.ADMIN,),
    Role.MAINTENANCE: (Role.SUPERVISOR, Role.ADMIN),
    Role.PLANNER: (Role.SUPERVISOR, Role.ADMIN),
    Role.FINANCE: (Role.INTEGRATION, Role.ADMIN),
    Role.INTEGRATION: (Role.ADMIN,),
    Role.AUDITOR: (Role.ADMIN,),
    Role.ADMIN: (),
}
"""Owner -> those who are asked one after the other, each after one more deadline."""


VOIDERS = (Role.PLANNER, Role.SUPERVISOR, Role.FINANCE, Role.ADMIN)
"""Who may declare an order void."""


def may_void(role: str) -> str:
    """Empty where the role may declare an order void, else why not."""
    if role_named(role) in VOIDERS:
        return ""
    return f"an order is declared void by {' or '.join(r.value for r in VOIDERS)}, not by {role or 'nobody named'}"


def role_named(text: str) -> Role | None:
    """The role with this name, None where there is none."""
    return next((role for role in Role if role.value == text.strip().lower()), None)
