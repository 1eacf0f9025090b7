"""Trying the connection: token, registration, company, site, messages, events, search. Nothing is booked.

One clear message for each thing, because whoever reads them cannot see the tenant and its set-up at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from erp.dynamics.client import ENTRA, DynamicsClient
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
from erp.probe_words import connection_probe
from signals.erp_reads import Probe
from signals.errors import ErpError, ErpMisconfigured, ErpRejected

SEARCHED = (
    (
        "transfer journals",
        TRANSFER_HEADERS,
        "all transfer journals are read to find ours: slow, still exact; archive old journals",
    ),
    (
        "maintenance requests",
        MAINTENANCE_REQUESTS,
        "all requests of an asset are read to find ours: slow, still exact",
    ),
)
"""What carries our key in its description, and what happens where that cannot be searched."""
SEEN = "1000"
NOBODY = "PLANTWRIGHTPROBE"


class Prober:
    """Asks for one plant."""

    def __init__(self, client: DynamicsClient, settings: DynamicsSettings, *, hears_events: bool) -> None:
        self._client = client
        self._settings = settings
        self._hears = hears_events

    async def run(self) -> list[Probe]:
        """In the order in which things must work; what cannot work after a failure is not tried."""
        token_hint = "check tenant, client id, client secret, url and scope"
        found: list[Probe] = []
        gates = (
            ("log-on", self._log_on, token_hint),
            ("app", self._app, "register the app id in Dynamics: Microsoft Entra applications"),
            ("company", self._company, "set company in [erp.dynamics] to the legal entity's id"),
        )
        for name, work, hint in gates:
            found.append(await self._tried(name, work, hint))
            if not found[-1].ok:
                return found
        required = (
            ("site", self._site, "set plant in [erp] to the site's id"),
            ("message service", self._messages, "the licence key Time and attendance must be on (10.0.32 and later)"),
            ("journals", self._journals, "the service user needs the production journals' privileges"),
        )
        optional = [
            ("transfer journals", lambda: self._set(TRANSFER_HEADERS), "moves and holds by status need them"),
            ("quality orders", lambda: self._set(QUALITY_ORDERS), "holds and inspections need them"),
            ("maintenance requests", lambda: self._set(MAINTENANCE_REQUESTS), "downtime needs asset management"),
        ]
        if self._settings.dynamics.nonconformance_entity:
            hint = "the entity is not public here: leave nonconformance_entity empty"
            optional.append(("nonconformances", self._nonconformances, hint))
        for looks, is_required in ((required, True), (optional, False)):
            for name, work, hint in looks:
                found.append(await self._tried(name, work, hint, required=is_required))
                if found[-1].unreachable:
                    return found
        working = {probe.name for probe in found if probe.ok}
        for name, entity_set, instead in SEARCHED:
            if name in working:
                found.append(await self._search(name, entity_set, instead))
        return [*found, *self._causes(), self._events()]

    async def _tried(self, name: str, work: Callable[[], Awaitable[str]], hint: str, *, required: bool = True) -> Probe:
        try:
            return Probe(name=name, ok=True, message=await work(), required=required)
        except ErpError as error:
            settings = self._settings
            broken = connection_probe(
                name, error, "Dynamics", settings.url, settings.token_url or ENTRA, required=required
            )
            if broken is not None:
                return broken
            message, told = self._no(name, error, hint)
            return Probe(name=name, ok=False, message=message, hint=told, required=required)

    def _no(self, name: str, error: ErpError, hint: str) -> tuple[str, str]:
        """What Dynamics or Entra said no to, without the call's own words."""
        if error.code.startswith("AADSTS"):
            why, _, fix = str(error).removeprefix(f"{error.__cause__}; ").partition("; ")
            return f"Entra refuses the log-on ({error.code}): {why}", fix or hint
        if error.code.startswith("oauth"):
            return "the token endpoint does not accept the app", hint
        if name == "app" and error.code in ("HTTP/401", "HTTP/403"):
            return f"Dynamics refuses a fresh token of the app ({error.code})", hint
        match error.code:
            case "HTTP/403":
                return f"the service user has no security role for {name}", hint
            case "not_public":
                return f"this environment does not offer {name}", hint
            case _:
                return str(error), hint

    async def _search(self, name: str, entity_set: str, instead: str) -> Probe:
        """Whether what carries our key can be searched by it; a no costs reading, never exactness."""
        try:
            await self._client.read_entities(entity_set, equal("Description", f"{NOBODY}*"), top="1")
        except ErpRejected:
            told = f"descriptions of {name} cannot be searched"
            return Probe(name=f"search {name}", ok=False, message=told, hint=instead, required=False)
        except ErpError as error:
            return Probe(
                name=f"search {name}", ok=False, message=self._no(name, error, "")[0], hint=instead, required=False
            )
        told = f"descriptions can be searched, so {name} are found by our key"
        return Probe(name=f"search {name}", ok=True, message=told, required=False)

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
            raise ErpMisconfigured("the service user may not call it", code="HTTP/403")
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
            message="no event endpoint is served by this command: without one, outcomes are told by journals alone",
            hint="start the worker with --events-port and activate the message processed event in Dynamics",
        )
