"""The rules of all entity sets that can be written."""

from simulators.dynamics import rules_production
from simulators.dynamics.writing import Rules

RULES: dict[str, Rules] = {**rules_production.RULES}
