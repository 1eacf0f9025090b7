"""`plantwright check --connect` for Oracle: log-on, organization, privileges, source system, searchable references.

Books nothing: the lines that are posted name a work order that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from erp.oracle.client import OracleClient
from erp.oracle.completed import CompletedTransactions
from erp.oracle.failures import SOURCE_SYSTEM
from erp.oracle.lines import Line, TransactionLines
from erp.oracle.settings import OracleSettings
from erp.oracle.wire import is_equal
from erp.probe_words import connection_probe
from signals.erp_reads import Probe
from signals.errors import ErpError, ErpRejected

NO_ORDER = "PLANTWRIGHT-PROBE"
NO_PRIVILEGE = "HTTP/403"


@dataclass(frozen=True)
class Resource:
    """A resource and what cannot be done without the privilege for it; empty: nothing can be posted at all."""

    name: str
    without: str = ""

    @property
    def required(self) -> bool:
        return not self.without


READ = (
    Resource("workOrders"),
    Resource("processWorkOrders", "process orders are not told from unknown ones"),
    Resource("itemsV2"),
    Resource("inventoryOnhandBalances", "no stock is shown and no lost transfer is judged by balances"),
    Resource("inventoryCompletedTransactions", "no material transaction is found again"),
    Resource("inventoryStagedTransactions", "no stock is transferred"),
    Resource("inventoryItemLots", "no lot is held"),
    Resource("inspectionEvents", "no inspection result"),
    Resource("qualityIssues", "no nonconformance"),
    Resource("maintenanceWorkOrders", "no downtime reaches maintenance"),
    Resource("workCenters", "no alternate work centre is shown"),
    Resource("productionResources", "no alternate work centre is shown"),
    Resource("workCenterResourceExceptions", "no capacity change"),
)
WRITTEN = (
    (Resource("operationTransactions"), "OperationTransactionDetail", "FromDispatchState"),
    (Resource("materialTransactions", "no component issue and no receipt"), "MaterialTransactionDetail", ""),
    (Resource("resourceTransactions", "no machine time is charged"), "ResourceTransactionDetail", ""),
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
        """In the order in which things must work; what cannot work after a failure is not tried."""
        found = [await self._log_on()]
        if not found[0].ok:
            return found
        readable = await self._readable()
        found += readable
        if not any(probe.ok for probe in readable) or readable[-1].unreachable:
            return found
        for look in (self._organization, self._writable, self._reference):
            found += await look()
            if any(probe.unreachable for probe in found):
                break
        return found

    async def _log_on(self) -> Probe:
        try:
            await self._client.first("workOrderStatuses", {"onlyData": "true"})
        except ErpError as error:
            broken = self._broken("log-on", error)
            if broken is not None:
                return broken
            if error.code == NO_PRIVILEGE:
                return _yes("log-on", "the account is known, but may not read workOrderStatuses")
            message, hint = self._no_entry(error)
            return Probe(name="log-on", ok=False, message=message, hint=hint)
        return _yes("log-on", f"logged on to {self._settings.url}")

    def _broken(self, name: str, error: ErpError, *, required: bool = True) -> Probe | None:
        return connection_probe(name, error, "Oracle", self._settings.url, self._settings.token_url, required=required)

    def _no_entry(self, error: ErpError) -> tuple[str, str]:
        settings = self._settings
        first, second = settings.secret_names[:2]
        if error.code.startswith("oauth"):
            hint = f"check the client id in {first}, the secret in {second}, and scope; the secret may have expired"
            return "the token endpoint does not accept the OAuth client", hint
        if error.code == "HTTP/401" and settings.auth == "oauth":
            hint = "check scope, and that Oracle has an account for this client; if it worked before, check the clocks"
            return "Oracle refuses a fresh token of the OAuth client", hint
        if error.code == "HTTP/401":
            return "Oracle refuses user and password", f"check user and password in {first} and {second}"
        if error.code == "HTTP/404":
            return "Oracle's REST interface is not at [erp] url", "check [erp] url: it ends where /fscmRestApi begins"
        return f"Oracle refuses the log-on ({error.code})", "check [erp] url and the log-on"

    async def _organization(self) -> list[Probe]:
        """No resource of the reference lists organizations: one that shows nothing at all is taken as unknown."""
        ours = self._settings.plant
        condition = {"q": is_equal("OrganizationCode", ours), "onlyData": "true"}
        answered = False
        for resource in ("workCenters", "itemsV2", "workOrders"):
            try:
                if await self._client.first(resource, condition) is not None:
                    return [_yes("organization", f"organization {ours} is there")]
            except ErpError as error:
                broken = self._broken("organization", error)
                if broken is not None:
                    return [broken]
                continue
            answered = True
        message = f"organization {ours} shows no work centre, item or work order"
        hint = "check [erp] plant (the OrganizationCode) and the account's data access to it"
        return [Probe(name="organization", ok=False, message=message, hint=hint)] if answered else []

    async def _readable(self) -> list[Probe]:
        """One finding a resource; one in all where none may be read, because that has one cause."""
        found: list[Probe] = []
        for resource in READ:
            try:
                await self._client.first(resource.name, {"onlyData": "true"})
            except ErpError as error:
                found.append(self._refused(resource, error, "view it"))
            else:
                found.append(_yes(resource.name, "can be read", required=resource.required))
            if found[-1].unreachable:
                return found
        if any(probe.ok for probe in found):
            return found
        message = "the account may read none of Oracle's manufacturing resources"
        hint = "give it a role with the privileges of docs/erp-oracle.md"
        return [Probe(name="privileges", ok=False, message=message, hint=hint)]

    def _refused(self, resource: Resource, error: ErpError, what: str) -> Probe:
        broken = self._broken(resource.name, error, required=resource.required)
        if broken is not None:
            return broken
        denied = error.code == NO_PRIVILEGE
        message = "the account has no privilege for it" if denied else f"it does not answer as it should ({error.code})"
        hint = f"grant the privilege to {what}" if denied else "ask who looks after Oracle"
        lost = resource.without or "nothing can be posted"
        return Probe(
            name=resource.name,
            ok=False,
            message=f"{resource.name}: {message}",
            hint=f"{hint}; without it {lost}",
            required=resource.required,
        )

    async def _writable(self) -> list[Probe]:
        """Lines for a work order that does not exist: Oracle must refuse just that."""
        probes: list[Probe] = []
        ours = self._settings.oracle.source_system
        source = _yes("source-system", f"source system {ours} is not refused")
        for resource, detail, moved in WRITTEN:
            row = {"OrganizationCode": self._settings.plant, "WorkOrderNumber": NO_ORDER, "TransactionQuantity": 1}
            row |= {"FromDispatchState": "READY", "ToDispatchState": "COMPLETE"} if moved else {}
            can = _yes(resource.name, "can be posted to", required=resource.required)
            try:
                await self._lines.post(resource.name, detail, [Line(row, "a line for no work order")], _unguarded)
            except ErpError as error:
                if error.code == SOURCE_SYSTEM:
                    message = f"source system {ours} is not registered in Oracle"
                    hint = (
                        "register it in Manage Trading Community Source Systems, or set [erp.oracle] source_system "
                        "to one that is"
                    )
                    source = Probe(name="source-system", ok=False, message=message, hint=hint)
                    probes.append(can)
                elif isinstance(error, ErpRejected):
                    probes.append(can)
                else:
                    probes.append(self._refused(resource, error, "create such transactions"))
            else:
                message = f"Oracle booked a line for work order {NO_ORDER}, which should not exist"
                probes.append(Probe(name=resource.name, ok=False, message=message, hint="look at that work order"))
            if probes[-1].unreachable:
                return probes
        return [*probes, source]

    async def _reference(self) -> list[Probe]:
        """What follows where it cannot be searched costs a person's look, not postings."""
        try:
            rows = await self._completed.by_reference(uuid4())
        except ErpError as error:
            broken = self._broken("reference", error, required=False)
            message = f"completed transactions cannot be searched by our reference ({error.code})"
            return [broken or Probe(name="reference", ok=False, message=message, hint=_BALANCES, required=False)]
        if rows is not None:
            return [_yes("reference", "completed transactions can be searched by our reference", required=False)]
        message = "completed transactions cannot be searched by Reference or SourceReference here"
        return [Probe(name="reference", ok=False, message=message, hint=_BALANCES, required=False)]


_BALANCES = "a transfer whose answer is lost is judged by balances: a case where others moved the item too"


def _unguarded() -> None:
    """Nothing is booked, so no deadline has to be kept."""


def _yes(name: str, message: str, *, required: bool = True) -> Probe:
    return Probe(name=name, ok=True, message=message, required=required)
