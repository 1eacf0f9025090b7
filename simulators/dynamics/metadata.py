"""`$metadata`, the service document and the entity catalogue of the simulated service."""

from typing import Any
from xml.sax.saxutils import quoteattr

from simulators.dynamics.catalogue import ENTITIES
from simulators.dynamics.edm import ENUMS, NAMESPACE, EntityType

_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
    '<edmx:DataServices><Schema Namespace="{}" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
)


def _public() -> list[EntityType]:
    return [entity for entity in ENTITIES.values() if entity.public]


def service_document(base: str) -> dict[str, Any]:
    sets = [{"name": entity.set_name, "kind": "EntitySet", "url": entity.set_name} for entity in _public()]
    return {"@odata.context": f"{base}/data/$metadata", "value": sets}


def catalogue() -> dict[str, Any]:
    rows = [
        {
            "Name": f"{entity.type_name}Entity",
            "PublicEntityName": entity.type_name,
            "PublicCollectionName": entity.set_name,
            "DataServiceEnabled": True,
            "IsReadOnly": not entity.methods,
        }
        for entity in _public()
    ]
    return {"value": rows}


def edmx() -> str:
    parts = [_HEAD.format(NAMESPACE)]
    for name, members in ENUMS.items():
        body = "".join(f'<Member Name="{member}" Value="{value}"/>' for value, member in enumerate(members))
        parts.append(f'<EnumType Name="{name}">{body}</EnumType>')
    parts += [_type(entity) for entity in _public()]
    sets = "".join(f'<EntitySet Name="{entity.set_name}" EntityType="{entity.full_type}"/>' for entity in _public())
    parts.append(f'<EntityContainer Name="Resources">{sets}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>')
    return "".join(parts)


def _type(entity: EntityType) -> str:
    keys = "".join(f'<PropertyRef Name="{key}"/>' for key in entity.keys)
    properties = "".join(
        f"<Property Name={quoteattr(prop.name)} Type={quoteattr(prop.edm_type)}"
        f' Nullable="{"false" if prop.name in entity.keys else "true"}"/>'
        for prop in entity.properties.values()
    )
    navigations = "".join(
        f'<NavigationProperty Name="{name}" Type="{_target(navigation.target, many=navigation.many)}"/>'
        for name, navigation in entity.navigations.items()
    )
    return f'<EntityType Name="{entity.type_name}"><Key>{keys}</Key>{properties}{navigations}</EntityType>'


def _target(name: str, *, many: bool) -> str:
    full = ENTITIES[name].full_type
    return f"Collection({full})" if many else full
