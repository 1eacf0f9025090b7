"""Trying the connection: token, registration, company, site, messages, events, search. Nothing is booked.

One clear message for each thing, because whoever reads them cannot see the tenant and its set-up at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from erp.dynamics.client import DynamicsClient
from erp.dynamics.contents import ERROR_CAUSES
from erp.dynamics.failures import EntityNotPublic
from erp.dynamics.odata import equal, text_of
from erp.dynamics.settings import (
    HEADERS,
    MAINTENANCE_REQUESTS,
    QUALITY_ORDERS,
    RAF_JOURNALS,
    SITE_STOCK,
    TRANSFER_HEADERS,
    DynamicsSettings,
)
from signals.erp_reads import Probe
from signals.errors import ErpError, ErpMisconfigured, ErpRejected, ErpUnavailable

SEEN = "1000"
NOBODY = "PLANTWRIGHTPROBE"


class Prober:
    """Asks for one plant."""

    def __init__(self, client: DynamicsClient, settings: DynamicsSettings, *, hears_events: bool) -> None:
        self._client = client
        self._settings = settings
        self._hears = hears_events

    async def run(self) -> list[Probe]:
        """In the order in which things must work; after the first failure of log-on nothing else is tried."""
        token = await self._tried("log-on", self._log_on, "check tenant, client id, client secret, url and scope")
        if not token.ok:
            return [token]
        app = await self._tried("app", self._app, "register the app id in Dynamics: Microsoft Entra applications")
        if not app.ok:
            return [token, app]
        found = [token, app]
        required = (
            ("company", self._company, "set company in [erp.dynamics] to the legal entity's id"),
            ("site", self._site, "set plant in [erp] to the site's id"),
            ("message service", self._messages, "the licence key Time and attendance must be on (10.0.32 and later)"),
            ("journals", self._journals, "the service user needs the production journals' privileges"),
        )
        optional = [
            ("transfer journals", self._transfers, "moves and holds by status need them"),
            ("quality orders", lambda: self._set(QUALITY_ORDERS), "holds and inspections need them"),
            ("maintenance requests", self._requests, "downtime needs asset management"),
        ]
        if self._settings.dynamics.nonconformance_entity:
            hint = "the entity is not public here: leave nonconformance_entity empty"
            optional.append(("nonconformances", self._nonconformances, hint))
        found += [await self._tried(name, work, hint) for name, work, hint in required]
        found += [await self._tried(name, work, hint, required=False) for name, work, hint in optional]
        return [*found, *self._causes(), self._events()]

    async def _tried(self, name: str, work: Callable[[], Awaitable[str]], hint: str, *, required: bool = True) -> Probe:
        try:
            return Probe(name=name, ok=True, message=await work(), required=required)
        except ErpError as error:
            away = isinstance(error, ErpUnavailable)
            told = "try again when the address answers" if away else hint
            return Probe(name=name, ok=False, message=str(error), hint=told, required=required, unreachable=away)

    async def _log_on(self) -> str:
        await self._client.log_on()
        return "Entra gives a token"

    async def _app(self) -> str:
        await self._client.read_any_company(HEADERS, top="1", select="dataAreaId")
        return "Dynamics knows the app, and its user may read production orders"

    async def _company(self) -> str:
        ours = self._settings.dynamics.company
        if await self._client.read_entities(HEADERS, top="1", select="ProductionOrderNumber"):
            return f"company {ours} has production orders"
        others = await self._client.read_any_company(HEADERS, top=SEEN, select="dataAreaId")
        seen = sorted({text_of(row, "dataAreaId").upper() for row in others})
        if not seen:
            return f"no production order is visible in any company; company {ours} could not be proved"
        raise ErpMisconfigured(f"no production order is visible in company {ours}; there are some in {', '.join(seen)}")

    async def _site(self) -> str:
        ours = self._settings.plant
        if await self._client.read_entities(HEADERS, equal("ProductionSiteId", ours), top="1"):
            return f"site {ours} has production orders"
        rows = await self._client.read_entities(HEADERS, top=SEEN, select="ProductionSiteId")
        try:
            if await self._client.read_entities(SITE_STOCK, equal("InventorySiteId", ours), top="1"):
                return f"site {ours} has stock, and no production orders yet"
        except (EntityNotPublic, ErpRejected):
            pass
        seen = sorted({text_of(row, "ProductionSiteId") for row in rows} - {""})
        if not seen:
            return f"no production order is visible; site {ours} could not be proved"
        raise ErpMisconfigured(f"nothing is visible of site {ours}; orders of this company are of {', '.join(seen)}")

    async def _messages(self) -> str:
        """A GET on a POST operation: any answer but 404, 401 and 403 shows that the service is there.

        404 may also mean that GET is unknown to it, so it is told as not proved rather than as missing.
        """
        answer = await self._client.ask_service("SysMessageServices/SysMessageService/SendMessage")
        if answer.status_code in (401, 403):
            raise ErpMisconfigured(f"the user may not call the message service (HTTP {answer.status_code})")
        queue = self._settings.dynamics.queue
        if answer.status_code == 404:
            return f"not proved: SendMessage answers POST only; queue {queue} is told by the first message"
        return f"the message service answers; queue {queue} is told by the first message"

    async def _journals(self) -> str:
        await self._set(RAF_JOURNALS)
        try:
            await self._client.read_entities(RAF_JOURNALS, equal("JournalDescription", f"{NOBODY}*"), top="1")
        except ErpRejected:
            return "journals can be read; descriptions cannot be searched, which messages do not need"
        return "journals can be read and searched; messages leave no reference of ours in them, events and sums find"

    async def _transfers(self) -> str:
        await self._set(TRANSFER_HEADERS)
        try:
            await self._client.read_entities(TRANSFER_HEADERS, equal("Description", f"{NOBODY}*"), top="1")
        except ErpRejected:
            return "descriptions cannot be searched: all transfer journals are read to find ours, which is slow"
        return "descriptions can be searched, so transfers are found by our key"

    async def _requests(self) -> str:
        await self._set(MAINTENANCE_REQUESTS)
        try:
            await self._client.read_entities(MAINTENANCE_REQUESTS, equal("Description", f"{NOBODY}*"), top="1")
        except ErpRejected:
            return "descriptions cannot be searched: all requests of an asset are read to find ours"
        return "descriptions can be searched, so requests are found by our key"

    async def _nonconformances(self) -> str:
        return await self._set(self._settings.dynamics.nonconformance_entity)

    async def _set(self, entity_set: str) -> str:
        await self._client.read_entities(entity_set, top="1")
        return f"{entity_set} can be read"

    def _causes(self) -> list[Probe]:
        """Reasons that the plant file maps to what Dynamics does not have, as after a change of `kind`."""
        wrong = {r: c for r, c in self._settings.scrap_reasons.items() if c not in ERROR_CAUSES}
        if not wrong:
            return []
        told = ", ".join(f"{reason} to {cause}" for reason, cause in wrong.items())
        message = f"scrap_reasons map {told}; such scrap is reported without a cause"
        hint = f"map them to {', '.join(ERROR_CAUSES)}"
        return [Probe(name="scrap reasons", ok=False, required=False, message=message, hint=hint)]

    def _events(self) -> Probe:
        if self._hears:
            told = "business events are stored here; whether Dynamics sends them shows with the first message"
            return Probe(name="events", ok=True, message=told, required=False)
        return Probe(
            name="events",
            ok=False,
            required=False,
            message="no event endpoint is configured: outcomes of messages are told by journals alone",
            hint="serve the endpoint and activate the message processed event, where the plant takes inbound calls",
        )
