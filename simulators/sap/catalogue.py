"""All entity sets and services of the simulated SAP, by name."""

from simulators.sap import edm, edm_capacity, edm_maintenance, edm_planning, edm_quality
from simulators.sap.entity_types import EntityType

ENTITIES: dict[str, EntityType] = {
    entity.set_name: entity
    for declared in (edm, edm_maintenance, edm_quality, edm_planning, edm_capacity)
    for entity in declared.ENTITIES
}
SERVICES = tuple(dict.fromkeys(entity.service for entity in ENTITIES.values()))
