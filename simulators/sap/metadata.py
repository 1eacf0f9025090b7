"""Service documents and `$metadata` of the simulated services, written from their declarations."""

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

_TYPES4 = {Edm.DATE: "Edm.Date", Edm.TIME: "Edm.TimeOfDay"}


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


def service_document4(service: str) -> dict[str, Any]:
    names = [entity.set_name for entity in ENTITIES.values() if entity.service == service]
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in names]
    return {"@odata.context": "$metadata", "value": sets}


def edmx4(service: str) -> str:
    namespace = f"com.sap.gateway.srvd_a2x.{service.split('/')[-2]}.v0001"
    own = [entity for entity in ENTITIES.values() if entity.service == service]
    types = "".join(_entity_type4(entity, namespace) for entity in own)
    sets = "".join(f'<EntitySet Name="{e.set_name}" EntityType="{namespace}.{e.set_name}Type"/>' for e in own)
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
        f'<Schema Namespace="{namespace}" xmlns="http://docs.oasis-open.org/odata/ns/edm">{types}'
        f'<EntityContainer Name="Container">{sets}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>'
    )


def _entity_type4(entity: EntityType, namespace: str) -> str:
    keys = "".join(f'<PropertyRef Name="{key}"/>' for key in entity.keys)
    declared: list[str] = []
    for prop in entity.properties.values():
        facets = f' MaxLength="{prop.length}"' if prop.length else ""
        declared.append(f'<Property Name="{prop.name}" Type="{_TYPES4.get(prop.kind, _TYPES[prop.kind])}"{facets}/>')
    for name, navigation in entity.navigations.items():
        declared.append(f'<NavigationProperty Name="{name}" Type="Collection({namespace}.{navigation.target}Type)"/>')
    return f'<EntityType Name="{entity.set_name}Type"><Key>{keys}</Key>{"".join(declared)}</EntityType>'


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
