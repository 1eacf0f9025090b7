"""All entity sets of the simulated service by name."""

from simulators.dynamics import entities_inventory, entities_maintenance, entities_production
from simulators.dynamics.edm import EntityType

ENTITIES: dict[str, EntityType] = {
    one.set_name: one
    for one in (*entities_production.ENTITIES, *entities_inventory.ENTITIES, *entities_maintenance.ENTITIES)
}
