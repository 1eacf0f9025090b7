"""Trying the connection: log-on, client, plant, each service, and whether our references can be searched.

One clear message for each thing, with what follows from it. Nothing is booked and nothing raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

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
from signals.errors import ErpError, ErpMisconfigured, ErpRejected
from signals.ids import short_key

_NO_CLIENT = re.compile(r"\bclient \d{3} is not available", re.IGNORECASE)
NOBODYS_KEY = UUID(int=1)


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
        found = [await self._log_on()]
        if not found[0].ok:
            return found
        services = [await self._service(service) for service in SERVICES]
        found += services
        working = {service.name for service, probe in zip(SERVICES, services, strict=True) if probe.ok}
        found.append(await self._plant(working))
        return found + [await self._reference(r) for r in REFERENCES if r.service in working]

    async def _log_on(self) -> Probe:
        """Any service answers for the log-on; one that is not activated has let us in too."""
        try:
            await self._client.reachable(ORDER_SERVICE)
        except ErpMisconfigured as error:
            if error.code not in ("HTTP/401", "tls", "url", "csrf") and not error.code.startswith("oauth"):
                return Probe(name="log-on", ok=True, message="SAP accepts the log-on")
            return Probe(name="log-on", ok=False, message=str(error), hint=self._log_on_hint(error))
        except ErpRejected:
            return Probe(name="log-on", ok=True, message="SAP accepts the log-on")
        except ErpError as error:
            hint = f"check [erp] url ({self._settings.url}), the network and the firewall; nothing can be posted now"
            return Probe(name="connection", ok=False, message=str(error), hint=hint, unreachable=True)
        client = f" to client {self._settings.client}" if self._settings.client else ""
        return Probe(name="log-on", ok=True, message=f"SAP accepts the log-on{client}")

    def _log_on_hint(self, error: ErpMisconfigured) -> str:
        settings = self._settings
        if error.code == "tls":
            return "set [erp] ca_file to the authority that signed SAP's certificate; TLS is always verified"
        if error.code.startswith("oauth"):
            return (
                f"check token_url, scope and the secrets in {settings.client_id_env} and {settings.client_secret_env}"
            )
        if _NO_CLIENT.search(str(error)):
            return f"check [erp] client {settings.client!r}: this SAP system does not have it"
        if settings.auth == "oauth":
            return "SAP does not take the token: check the scope, and that the communication user has this OAuth client"
        client = f", and that client {settings.client!r} exists" if settings.client else ""
        return f"check the user in {settings.user_env} and the password in {settings.password_env}{client}"

    async def _service(self, service: Service) -> Probe:
        name = f"service {service.name}"
        scenario = f"communication scenario {service.scenario}" if service.scenario else "its communication scenario"
        try:
            await self._client.reachable(service.name)
        except ErpMisconfigured as error:
            denied = error.code == "HTTP/403" or "authori" in str(error).lower().split(";")[0]
            what = "the user has no authorisation for it" if denied else "it is not activated"
            hint = (
                f"{'authorise the user' if denied else 'activate it'}, through {scenario}; without it {service.without}"
            )
            told = f"{service.name}: {what} ({error.code})"
            return Probe(name=name, ok=False, message=told, hint=hint, required=service.required)
        except ErpError as error:
            hint = f"without it {service.without}"
            return Probe(name=name, ok=False, message=str(error), hint=hint, required=service.required)
        return Probe(name=name, ok=True, message=f"{service.name} answers", required=service.required)

    async def _plant(self, working: set[str]) -> Probe:
        """No service lists plants: one that has neither orders nor work centres is taken for unknown."""
        plant = text_literal(self._settings.plant)
        asked = [
            (ORDER_SERVICE, "A_ProductionOrder_2", f"ProductionPlant eq {plant}", "production orders"),
            (WORK_CENTRE_SERVICE, "WorkCenter", f"Plant eq {plant}", "work centres"),
        ]
        for service, path, condition, what in asked:
            if service not in working:
                continue
            try:
                rows = await self._client.first(service, path, {"$filter": condition})
            except ErpError as error:
                return Probe(name="plant", ok=False, message=f"plant {self._settings.plant}: {error}", hint="see above")
            if rows:
                return Probe(name="plant", ok=True, message=f"plant {self._settings.plant} has {what}")
        return Probe(
            name="plant",
            ok=False,
            message=f"SAP shows neither production orders nor work centres of plant {self._settings.plant}",
            hint="check [erp] plant; if it is right, the plant is empty or the user may not see it",
        )

    async def _reference(self, reference: Reference) -> Probe:
        name = f"search {reference.what}"
        try:
            await self._client.first(
                reference.service, reference.path, {"$filter": f"{reference.field} eq {reference.literal}"}
            )
        except ErpRejected as error:
            return Probe(
                name=name,
                ok=False,
                message=f"{reference.what} cannot be searched by {reference.field} ({error.code})",
                hint=reference.instead,
                required=False,
            )
        except ErpError as error:
            return Probe(name=name, ok=False, message=str(error), hint="try again", required=False)
        told = f"{reference.what} can be searched by {reference.field}"
        return Probe(name=name, ok=True, message=told, required=False)
