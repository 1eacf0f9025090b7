"""What SAP takes in several requests: each is a transaction of its own, marked as the step it is.

The first request books the transaction itself; the others follow it, each with its own key.
"""

from __future__ import annotations

from signals.orders import OutputKind, ProductionOrder
from signals.quality import DecideInspection, RecordInspection
from signals.stock import ReceiveGoods
from signals.transactions import ConfirmProduction, Transaction
from signals.upkeep import CloseDowntime

LOT_POSTING = "sap-step:stock"
"""`code` of a DecideInspection that posts the stock of a decided lot."""
COMPLETION = "sap-step:complete"
"""Opens the `text` of a CloseDowntime that completes the notification."""


def is_lot_posting(transaction: Transaction) -> bool:
    return isinstance(transaction, DecideInspection) and transaction.code == LOT_POSTING


def is_completion(transaction: Transaction) -> bool:
    return isinstance(transaction, CloseDowntime) and transaction.text.startswith(COMPLETION)


def receives_apart(transaction: ConfirmProduction) -> bool:
    """Serial numbers cannot go through a confirmation: its automatic receipt is left out and posted beside it."""
    return bool(transaction.serials) and transaction.yield_quantity > 0


def following_steps(transaction: Transaction, order: ProductionOrder | None = None) -> list[Transaction]:
    """What must be booked after it. `order` is needed for a confirmation that `receives_apart`."""
    match transaction:
        case DecideInspection() if not is_lot_posting(transaction):
            return [
                transaction.model_copy(update={"code": LOT_POSTING, "dispositions": (part,)})
                for part in transaction.dispositions
                if part.quantity > 0
            ]
        case CloseDowntime() if transaction.complete and not is_completion(transaction):
            return [transaction.model_copy(update={"text": f"{COMPLETION} {transaction.text}".strip()})]
        case RecordInspection() if len(transaction.results) > 1:
            return [transaction.model_copy(update={"results": (result,)}) for result in transaction.results[1:]]
        case ConfirmProduction() if receives_apart(transaction) and order is not None:
            return _receipt(transaction, order)
        case _:
            return []


def _receipt(transaction: ConfirmProduction, order: ProductionOrder) -> list[Transaction]:
    operation = order.find_operation(transaction.operation)
    output = next((o for o in order.outputs if o.kind is OutputKind.MAIN), None)
    if operation is None or not operation.automatic_receipt or output is None:
        return []
    receipt = ReceiveGoods(
        plant=transaction.plant,
        order=transaction.order,
        operation=transaction.operation,
        posting_date=transaction.posting_date,
        item=output.item,
        material=output.material,
        quantity=transaction.yield_quantity,
        unit=output.unit,
        storage_location=output.storage_location,
        batch=transaction.batch or output.batch,
        serials=transaction.serials,
        stock=transaction.receipt_stock,
    )
    return [receipt]
