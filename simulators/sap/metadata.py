"""Service documents and `$metadata` of the simulated services, written from the declarations in edm.py."""

from typing import Any
from xml.sax.saxutils import quoteattr

from simulators.sap.catalogue import ENTITIES
from simulators.sap.entity_types import Edm, EntityType

_TYPES = {
    Edm.STRING: "Edm.String",
    Edm.NUMC: "Edm.String",
    Edm.QUANTITY: "Edm.Decimal",
    Edm.ACTIVITY: "Edm.Decimal",
    Edm.DATE: "Edm.DateTime",
    Edm.TIME: "Edm.Time",
    Edm.BOOLEAN: "Edm.Boolean",
    Edm.GUID: "Edm.Guid",
    Edm.INT16: "Edm.Int16",
    Edm.DOUBLE: "Edm.Double",
    Edm.INSTANT: "Edm.DateTimeOffset",
}


def service_document(service: str) -> dict[str, Any]:
    return {"d": {"EntitySets": [entity.set_name for entity in ENTITIES.values() if entity.service == service]}}


def edmx(service: str) -> str:
    own = [entity for entity in ENTITIES.values() if entity.service == service]
    types = "".join(_entity_type(entity) for entity in own)
    sets = "".join(f"<EntitySet Name={quoteattr(e.set_name)} EntityType={quoteattr(e.type_name)}/>" for e in own)
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx">'
        '<edmx:DataServices m:DataServiceVersion="2.0"'
        ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
        f'<Schema Namespace={quoteattr(service)} xmlns="http://schemas.microsoft.com/ado/2008/09/edm">{types}'
        f'<EntityContainer Name={quoteattr(service + "_Entities")} m:IsDefaultEntityContainer="true">{sets}'
        "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )


def _entity_type(entity: EntityType) -> str:
    keys = "".join(f"<PropertyRef Name={quoteattr(key)}/>" for key in entity.keys)
    declared: list[str] = []
    for prop in entity.properties.values():
        facets = f' MaxLength="{prop.length}"' if prop.length else ""
        if prop.kind in (Edm.QUANTITY, Edm.ACTIVITY):
            facets = ' Precision="13" Scale="3"'
        nullable = ' Nullable="false"' if prop.name in entity.keys else ""
        declared.append(f'<Property Name="{prop.name}" Type="{_TYPES[prop.kind]}"{nullable}{facets}/>')
    name = quoteattr(entity.set_name + "Type")
    return f"<EntityType Name={name}><Key>{keys}</Key>{''.join(declared)}</EntityType>"
