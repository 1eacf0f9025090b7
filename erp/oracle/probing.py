"""`plantwright check --connect` for Oracle: log-on, organization, privileges, source system, searchable references.

Books nothing: the lines that are posted name a work order that does not exist.
"""

from __future__ import annotations

from uuid import uuid4

from erp.oracle.client import OracleClient
from erp.oracle.completed import CompletedTransactions
from erp.oracle.failures import SOURCE_SYSTEM
from erp.oracle.lines import Line, TransactionLines
from erp.oracle.settings import OracleSettings
from erp.oracle.wire import is_equal
from signals.erp_reads import Probe
from signals.errors import ErpError, ErpMisconfigured, ErpRejected, ErpUnavailable

NO_ORDER = "PLANTWRIGHT-PROBE"
READ = (
    "workOrders",
    "processWorkOrders",
    "itemsV2",
    "inventoryOnhandBalances",
    "inventoryCompletedTransactions",
    "inventoryStagedTransactions",
    "inventoryItemLots",
    "inspectionEvents",
    "qualityIssues",
    "maintenanceWorkOrders",
    "workCenters",
    "productionResources",
    "workCenterResourceExceptions",
)
WRITTEN = (
    ("operationTransactions", "OperationTransactionDetail", "FromDispatchState"),
    ("materialTransactions", "MaterialTransactionDetail", ""),
    ("resourceTransactions", "ResourceTransactionDetail", ""),
)


class Probing:
    """One look at a connection, thing by thing."""

    def __init__(
        self, client: OracleClient, lines: TransactionLines, completed: CompletedTransactions, settings: OracleSettings
    ) -> None:
        self._client = client
        self._lines = lines
        self._completed = completed
        self._settings = settings

    async def probe(self) -> list[Probe]:
        log_on = await self._log_on()
        if not log_on.ok:
            return [log_on]
        found = [log_on, await self._organization()]
        found += [await self._readable(resource) for resource in READ]
        found += await self._writable()
        return [*found, await self._reference()]

    async def _log_on(self) -> Probe:
        try:
            await self._client.first("workOrderStatuses", {"onlyData": "true"})
        except ErpMisconfigured as error:
            if error.code == "HTTP/403":
                return _yes("log-on", "the account is known, but may not read workOrderStatuses")
            return _no("log-on", error, _hint(error))
        except ErpUnavailable as error:
            return _no("log-on", error, "check the url, the network and whether Oracle is up")
        except ErpError as error:
            return _no("log-on", error)
        return _yes("log-on", f"logged on to {self._settings.url}")

    async def _organization(self) -> Probe:
        """No resource of the reference lists organizations: one that shows nothing at all is taken as unknown."""
        condition = {"q": is_equal("OrganizationCode", self._settings.plant), "onlyData": "true"}
        for resource in ("workCenters", "itemsV2", "workOrders"):
            try:
                if await self._client.first(resource, condition) is not None:
                    return _yes("organization", f"organization {self._settings.plant} is there")
            except ErpError:
                continue
        return Probe(
            name="organization",
            ok=False,
            message=f"organization {self._settings.plant} shows no work centre, item or work order",
            hint="check [erp] plant (the OrganizationCode) and the account's data access to it",
        )

    async def _readable(self, resource: str) -> Probe:
        try:
            await self._client.first(resource, {"onlyData": "true"})
        except ErpError as error:
            return _no(resource, error, "grant the privilege to view it" if error.code == "HTTP/403" else "")
        return _yes(resource, "can be read")

    async def _writable(self) -> list[Probe]:
        """Lines for a work order that does not exist: Oracle must refuse just that."""
        probes: list[Probe] = []
        source = Probe(
            name="source-system", ok=True, message=f"source system {self._settings.oracle.source_system} is not refused"
        )
        for resource, detail, moved in WRITTEN:
            row = {"OrganizationCode": self._settings.plant, "WorkOrderNumber": NO_ORDER, "TransactionQuantity": 1}
            row |= {"FromDispatchState": "READY", "ToDispatchState": "COMPLETE"} if moved else {}
            try:
                await self._lines.post(resource, detail, [Line(row, "a line for no work order")], _unguarded)
            except ErpMisconfigured as error:
                if error.code == SOURCE_SYSTEM:
                    source = _no("source-system", error, "register it in Manage Trading Community Source Systems")
                    probes.append(_yes(resource, "can be posted to"))
                else:
                    probes.append(_no(resource, error, "grant the privilege to create such transactions"))
            except ErpRejected:
                probes.append(_yes(resource, "can be posted to"))
            except ErpError as error:
                probes.append(_no(resource, error))
            else:
                probes.append(
                    Probe(
                        name=resource, ok=False, message=f"Oracle booked a line for work order {NO_ORDER}; look at it"
                    )
                )
        return [*probes, source]

    async def _reference(self) -> Probe:
        try:
            rows = await self._completed.by_reference(uuid4())
        except ErpError as error:
            return _no("reference", error)
        if rows is not None:
            return _yes("reference", "completed transactions can be searched by our reference")
        return Probe(
            name="reference",
            ok=False,
            message="completed transactions cannot be searched by Reference or SourceReference here",
            hint="a transfer whose answer is lost is judged by balances: a case where others moved the item too",
        )


def _unguarded() -> None:
    """Nothing is booked, so no deadline has to be kept."""


def _yes(name: str, message: str) -> Probe:
    return Probe(name=name, ok=True, message=message)


def _no(name: str, error: ErpError, hint: str = "") -> Probe:
    return Probe(name=name, ok=False, message=str(error), hint=hint)


def _hint(error: ErpError) -> str:
    match error.code:
        case "HTTP/401":
            return "check user and password, or client id, secret and token_url; an expired token is renewed by itself"
        case "tls":
            return "set [erp] ca_file to the authority that signed the certificate"
        case _:
            return "check [erp] url and the log-on"
