"""Orders and stock in the JSON that the simulated ERPs take (docs/simulators.md, "Orders"), as Tryton needs them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, ValidationError

from signals.errors import BadInput

RELEASED = "REL"


class _Seed(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class SeedOperation(_Seed):
    operation: str
    text: str = ""
    work_centre: str


class SeedComponent(_Seed):
    material: str
    required: Decimal
    unit: str = ""
    storage_location: str = ""
    operation: str = ""


class SeedOrder(_Seed):
    order: str
    plant: str
    material: str
    quantity: Decimal
    unit: str = "PC"
    storage_location: str = ""
    status: tuple[str, ...] = (RELEASED,)
    scheduled_start: datetime | None = None
    scheduled_end: datetime | None = None
    operations: tuple[SeedOperation, ...]
    components: tuple[SeedComponent, ...] = ()


class SeedStock(_Seed):
    material: str
    plant: str
    storage_location: str = ""
    batch: str = ""
    quantity: Decimal
    unit: str = "PC"


class SeedFile(_Seed):
    """Orders and stock; what Tryton has no word for (control profiles, tolerances, periods) is passed over."""

    orders: tuple[SeedOrder, ...] = ()
    stock: tuple[SeedStock, ...] = ()

    @classmethod
    def of(cls, content: object) -> SeedFile:
        """Raises BadInput that names the first fault."""
        try:
            seed = cls.model_validate(content)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"])
            hint = "docs/simulators.md shows the form"
            raise BadInput(f"orders: {place}: {fault['msg']}", subject=place, hint=hint) from error
        seed.plant  # noqa: B018 - one plant only
        for order in seed.orders:
            _check(order)
        for row in seed.stock:
            if row.batch:
                raise BadInput(
                    f"stock of {row.material} names batch {row.batch}", subject=row.material, hint="leave batches out"
                )
        return seed

    @property
    def plant(self) -> str:
        """The one plant of all rows. Raises BadInput for several."""
        plants = {row.plant for row in (*self.orders, *self.stock)}
        if len(plants) > 1:
            raise BadInput(
                f"the orders name the plants {', '.join(sorted(plants))}",
                subject="plant",
                hint="one Tryton serves one plant here: its warehouse; start another Tryton for the other plant",
            )
        return next(iter(plants), "")


def _check(order: SeedOrder) -> None:
    if not order.order[-1:].isdigit():
        hint = "Tryton numbers productions by counting up"
        raise BadInput(f"order {order.order} does not end in digits", subject=order.order, hint=hint)
    for step in order.operations:
        if not step.operation.isdigit():
            hint = "Tryton sorts works by numbers; use 0010, 0020"
            raise BadInput(f"operation {step.operation!r} is no number", subject=step.operation, hint=hint)
