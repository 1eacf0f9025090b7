"""All resources by name, and the POST-only transaction resources that the original cannot be asked about."""

from simulators.oracle import resources as r
from simulators.oracle import resources_plant as plant
from simulators.oracle.resources import Resource

RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        r.WORK_ORDER,
        r.OPERATION,
        r.ACTIVE_OPERATION,
        r.MATERIAL,
        r.WORK_ORDER_RESOURCE,
        r.RESERVATION,
        r.STATUS,
        r.PROCESS_WORK_ORDER,
        r.WORK_CENTER,
        r.WORK_CENTER_RESOURCE,
        r.PRODUCTION_RESOURCE,
        r.ITEM,
        r.ONHAND,
        r.COMPLETED_TRANSACTION,
        r.TRANSACTION_LOT,
        r.STAGED_TRANSACTION,
        r.LOT,
        r.MATERIAL_STATUS,
        *plant.ALL,
    )
}
TRANSACTIONS = ("operationTransactions", "materialTransactions", "resourceTransactions")
MAINTENANCE_TRANSACTIONS = (
    "maintenanceOperationTransactions",
    "maintenanceMaterialTransactions",
    "maintenanceResourceTransactions",
)
POST_ONLY = (
    *TRANSACTIONS,
    *MAINTENANCE_TRANSACTIONS,
    "validateInventoryTransactionQuantities",
    "materialStatusUpdates",
)
READING_POSTS = ("validateInventoryTransactionQuantities",)
