"""The rules of all entity sets that can be written."""

from simulators.dynamics import rules_inventory, rules_maintenance, rules_production
from simulators.dynamics.writing import Rules

RULES: dict[str, Rules] = {**rules_production.RULES, **rules_inventory.RULES, **rules_maintenance.RULES}
