"""Trying the connection: log-on, client, plant, each service, and whether our references can be searched.

One clear message for each thing, with what follows from it. Nothing is booked and nothing raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from erp.probe_words import connection_probe
from erp.sap.client import SapClient
from erp.sap.odata import guid_literal, text_literal
from erp.sap.settings import (
    CONFIRMATION_SERVICE,
    DEFECT_SERVICE,
    DOCUMENT_SERVICE,
    INSPECTION_SERVICE,
    NOTIFICATION_SERVICE,
    ORDER_SERVICE,
    PLANNING_SERVICE,
    PRODUCT_SERVICE,
    STOCK_SERVICE,
    WORK_CENTRE_SERVICE,
    SapSettings,
)
from signals.erp_reads import Probe
from signals.errors import ErpError, ErpRejected
from signals.ids import short_key

_NO_CLIENT = re.compile(r"\bclient \d{3} is not available", re.IGNORECASE)
NOBODYS_KEY = UUID(int=1)
NO_ENTRY = ("HTTP/401", "csrf")
"""Refusals of the log-on itself; others come from a service that let us in."""


@dataclass(frozen=True)
class Service:
    """A service, where its activation comes from, and what cannot be done without it."""

    name: str
    scenario: str
    without: str
    required: bool = False


SERVICES = (
    Service(ORDER_SERVICE, "SAP_COM_0522 or SAP_COM_0104", "no order can be read, completed or closed", required=True),
    Service(CONFIRMATION_SERVICE, "SAP_COM_0522", "nothing can be confirmed", required=True),
    Service(DOCUMENT_SERVICE, "SAP_COM_0108", "no component issue, receipt, transfer or hold"),
    Service(STOCK_SERVICE, "", "no stock is shown and no batch can be held"),
    Service(INSPECTION_SERVICE, "SAP_COM_0318", "no inspection result and no usage decision"),
    Service(DEFECT_SERVICE, "SAP_COM_0153", "no nonconformance"),
    Service(NOTIFICATION_SERVICE, "", "no downtime reaches maintenance"),
    Service(WORK_CENTRE_SERVICE, "", "no capacity change"),
    Service(PLANNING_SERVICE, "", "no demand is shown behind an order"),
    Service(PRODUCT_SERVICE, "", "no material cost is shown"),
)


@dataclass(frozen=True)
class Reference:
    """A field that carries our key, and what happens where it cannot be searched."""

    what: str
    service: str
    path: str
    field: str
    literal: str
    instead: str


REFERENCES = (
    Reference(
        "confirmations",
        CONFIRMATION_SERVICE,
        "ProdnOrdConf2",
        "ExternalSystemConfirmation",
        guid_literal(NOBODYS_KEY),
        "Plantwright lists the operation's confirmations instead; slower, still exact",
    ),
    Reference(
        "material documents",
        DOCUMENT_SERVICE,
        "A_MaterialDocumentHeader",
        "ReferenceDocument",
        text_literal(short_key(NOBODYS_KEY)),
        "Plantwright lists the documents of the posting date instead; slower, still exact",
    ),
    Reference(
        "maintenance notifications",
        NOTIFICATION_SERVICE,
        "MaintenanceNotification",
        "MaintNotifExtReferenceNumber",
        text_literal(short_key(NOBODYS_KEY)),
        "Plantwright lists the technical object's notifications instead; slower, still exact",
    ),
)


class Prober:
    """Tries one plant's connection."""

    def __init__(self, client: SapClient, settings: SapSettings) -> None:
        self._client = client
        self._settings = settings

    async def probe(self) -> list[Probe]:
        """In the order in which things must work; what cannot work after a failure is not tried."""
        found = [await self._log_on()]
        if not found[0].ok:
            return found
        services = await self._services()
        if not any(probe.ok for probe in services) or services[-1].unreachable:
            return found + services
        found += services
        working = {service.name for service, probe in zip(SERVICES, services, strict=True) if probe.ok}
        found += await self._plant(working)
        for reference in REFERENCES:
            if found[-1].unreachable:
                break
            if reference.service in working:
                found.append(await self._reference(reference))
        return found

    async def _log_on(self) -> Probe:
        """Any service answers for the log-on; one that is not activated has let us in too."""
        client = f" to client {self._settings.client}" if self._settings.client else ""
        accepted = Probe(name="log-on", ok=True, message=f"SAP accepts the log-on{client}")
        try:
            await self._client.reachable(ORDER_SERVICE)
        except ErpError as error:
            broken = self._broken("log-on", error)
            if broken is not None:
                return broken.model_copy(update={"name": "connection"}) if broken.unreachable else broken
            if isinstance(error, ErpRejected) or (error.code not in NO_ENTRY and not error.code.startswith("oauth")):
                return accepted
            told, hint = self._no_entry(error)
            return Probe(name="log-on", ok=False, message=told, hint=hint)
        return accepted

    def _broken(self, name: str, error: ErpError, *, required: bool = True) -> Probe | None:
        settings = self._settings
        return connection_probe(name, error, "SAP", settings.url, settings.token_url, required=required)

    def _no_entry(self, error: ErpError) -> tuple[str, str]:
        settings = self._settings
        if error.code == "csrf":
            return "SAP gives no token for changes", "check that [erp] url reaches SAP Gateway itself"
        if error.code.startswith("oauth"):
            hint = (
                f"check token_url, scope and the secrets in {settings.client_id_env} and {settings.client_secret_env}"
            )
            return "the token endpoint in [erp] token_url does not accept the OAuth client", hint
        if _NO_CLIENT.search(str(error)):
            return f"this SAP system has no client {settings.client}", f"check [erp] client {settings.client!r}"
        if settings.auth == "oauth":
            hint = "check the token's scope, and that the communication user has this OAuth client"
            return "SAP refuses a fresh token of the OAuth client", hint
        client = f", and that client {settings.client!r} exists" if settings.client else ""
        hint = f"check the user in {settings.user_env} and the password in {settings.password_env}{client}"
        return "SAP refuses user and password", hint

    async def _services(self) -> list[Probe]:
        """One finding a service; one in all where none can be used, because that has one cause."""
        found: list[Probe] = []
        for service in SERVICES:
            found.append(await self._service(service))
            if found[-1].unreachable:
                return found
        if any(probe.ok for probe in found):
            return found
        denied = all("no authorisation" in probe.message for probe in found)
        told = "the user may use none of SAP's services" if denied else "SAP offers none of the services here"
        hint = "assign the user to" if denied else "check [erp] url, and activate the services through"
        return [Probe(name="services", ok=False, message=told, hint=f"{hint} communication scenario SAP_COM_0522")]

    async def _service(self, service: Service) -> Probe:
        name = f"service {service.name}"
        scenario = f"communication scenario {service.scenario}" if service.scenario else "its communication scenario"
        try:
            await self._client.reachable(service.name)
        except ErpError as error:
            broken = self._broken(name, error, required=service.required)
            if broken is not None:
                return broken
            denied = error.code == "HTTP/403" or "authori" in str(error).lower().split(";")[0]
            what = "the user has no authorisation for it" if denied else "it is not activated"
            hint = (
                f"{'authorise the user' if denied else 'activate it'}, through {scenario}; without it {service.without}"
            )
            told = f"{service.name}: {what} ({error.code})"
            return Probe(name=name, ok=False, message=told, hint=hint, required=service.required)
        return Probe(name=name, ok=True, message=f"{service.name} answers", required=service.required)

    async def _plant(self, working: set[str]) -> list[Probe]:
        """No service lists plants: one that has neither orders nor work centres is taken for unknown."""
        ours = self._settings.plant
        plant = text_literal(ours)
        asked = [
            (ORDER_SERVICE, "A_ProductionOrder_2", f"ProductionPlant eq {plant}", "production orders"),
            (WORK_CENTRE_SERVICE, "WorkCenter", f"Plant eq {plant}", "work centres"),
        ]
        seen = False
        for service, path, condition, what in asked:
            if service not in working:
                continue
            try:
                rows = await self._client.first(service, path, {"$filter": condition})
            except ErpError as error:
                hint = f"check that the user may read the {what} of plant {ours}"
                told = f"the {what} of plant {ours} cannot be read ({error.code})"
                return [self._broken("plant", error) or Probe(name="plant", ok=False, message=told, hint=hint)]
            seen = True
            if rows:
                return [Probe(name="plant", ok=True, message=f"plant {ours} has {what}")]
        told = f"SAP shows neither production orders nor work centres of plant {ours}"
        hint = "check [erp] plant; if it is right, the plant is empty or the user may not see it"
        return [Probe(name="plant", ok=False, message=told, hint=hint)] if seen else []

    async def _reference(self, reference: Reference) -> Probe:
        name = f"search {reference.what}"
        try:
            await self._client.first(
                reference.service, reference.path, {"$filter": f"{reference.field} eq {reference.literal}"}
            )
        except ErpError as error:
            told = f"{reference.what} cannot be searched by {reference.field} ({error.code})"
            return self._broken(name, error, required=False) or Probe(
                name=name, ok=False, message=told, hint=reference.instead, required=False
            )
        told = f"{reference.what} can be searched by {reference.field}"
        return Probe(name=name, ok=True, message=told, required=False)
