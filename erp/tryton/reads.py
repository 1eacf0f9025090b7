"""What else can be asked of Tryton: stock, alternate work centres, cost, and whether the connection will do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

from erp.probe_words import connection_probe
from erp.tryton.client import TrytonClient
from erp.tryton.settings import TrytonSettings
from erp.tryton.told import MARK
from erp.tryton.wire import Row, quantity_of
from signals.erp_reads import AlternateWorkCentre, MaterialCost, Probe, StockLine
from signals.errors import ErpError, ErpMisconfigured, ErpUnavailable

SERIES = "8.2"
MODELS = (
    ("production", "production"),
    ("production.work", "production_work"),
    ("production.routing", "production_routing"),
    ("stock.lot", "stock_lot"),
)


class Reads:
    """Questions beside orders."""

    def __init__(self, client: TrytonClient, settings: TrytonSettings, ours: Mapping[str, str]) -> None:
        self._client, self._settings, self._ours = client, settings, ours

    async def stock(self, material: str, batch: str = "") -> list[StockLine]:
        """On hand per storage location of the warehouse. Tryton knows no blocked or inspection stock."""
        product = await self._product(material)
        if product is None:
            return []
        context: dict[str, object] = {"product": product["id"]}
        if batch:
            lots = await self._client.rows(
                "stock.lot", [("number", "=", batch), ("product", "=", product["id"])], ("number",)
            )
            if not lots:
                return []
            context["lot"] = lots[0]["id"]
        inside = [("type", "=", "storage"), ("parent.code", "!=", None)]
        rows: list[Row] = await self._client.call(
            "model.stock.location.search_read", inside, 0, None, [["code", "ASC"]], ["code", "parent", "quantity"],
            **context,
        )  # fmt: skip
        unit = product["default_uom."]["symbol"]
        return [
            StockLine(
                material=material,
                quantity=quantity,
                unit=self._ours.get(unit, unit),
                storage_location=row["code"] or "",
                batch=batch,
            )
            for row in await self._of_warehouse(rows)
            if (quantity := _own(row, rows))
        ]

    async def alternates(self, work_centre: str) -> list[AlternateWorkCentre]:
        """Active work centres of the same category; Tryton picks among them by chance."""
        fields = ("name", "category")
        named = await self._client.rows("production.work.center", [("name", "=", work_centre)], fields)
        categories = [row["category"] for row in named if row["category"] is not None]
        if not categories:
            return []
        others = await self._client.rows(
            "production.work.center", [("category", "in", categories), ("name", "!=", work_centre)], fields
        )
        return [AlternateWorkCentre(work_centre=row["name"]) for row in others]

    async def material_cost(self, material: str) -> MaterialCost | None:
        """The product's cost price."""
        product = await self._product(material)
        if product is None or product["cost_price"] is None:
            return None
        company = await self._client.call("model.company.company.read", [self._client.company], ["currency.code"])
        unit = product["default_uom."]["symbol"]
        return MaterialCost(
            material=material,
            amount=product["cost_price"],
            currency=company[0]["currency."]["code"],
            unit=self._ours.get(unit, unit),
            kind="moving average" if product["cost_price_method"] == "average" else "standard",
        )

    async def probe(self) -> list[Probe]:
        """Log-in, modules, warehouse, waste location, and whether notes can be searched for our key.

        In the order in which things must work; what cannot work after a failure is not tried.
        """
        found: list[Probe] = []
        for name, question, required in (
            ("log_in", self._log_in, True),
            ("modules", self._modules, True),
            ("warehouse", self._warehouse, True),
            ("key_search", self._key_search, True),
            ("waste_location", self._waste, False),
            ("reversal", self._cancellation, False),
        ):
            found.append(await self._tried(name, question, required=required))
            if not found[-1].ok and (required or found[-1].unreachable):
                break
        return found

    async def _tried(self, name: str, question: Callable[[], Awaitable[str]], *, required: bool) -> Probe:
        try:
            return Probe(name=name, ok=True, message=await question(), required=required)
        except ErpError as error:
            broken = connection_probe(name, error, "Tryton", self._settings.url, required=required)
            if broken is not None:
                return broken
            message, hint = self._no(error)
            return Probe(name=name, ok=False, message=message, hint=hint, required=required)

    def _no(self, error: ErpError) -> tuple[str, str]:
        """Sentence and fix, without the call's own words."""
        settings = self._settings
        match error.code:
            case "HTTP/401":
                hint = f"check the user in {settings.user_env} and the password in {settings.password_env}"
                return "Tryton refuses user and password", hint
            case "HTTP/404":
                hint = "check [erp.tryton] database, and the path of [erp] url"
                return f"there is no Tryton database {self._client.database} at {settings.url}", hint
            case "no_company" if settings.tryton.company:
                return str(error), "set [erp.tryton] company to the name of one of them, or leave it out"
            case _:
                message, _, hint = str(error).partition("; ")
                return message, hint

    async def _log_in(self) -> str:
        await self._client.log_in()
        return f"user logs on to database {self._client.database}, company {self._client.company}"

    async def _modules(self) -> str:
        for model, module in MODELS:
            try:
                await self._client.call(f"model.{model}.search", [], 0, 1, None)
            except ErpUnavailable:
                raise
            except ErpError as error:
                raise ErpMisconfigured(
                    f"{model} cannot be read; activate module {module} and give the user its group",
                    code="module_missing",
                ) from error
        return "production, production_work, production_routing and stock_lot are there"

    async def _warehouse(self) -> str:
        await self._warehouse_row()
        return f"warehouse {self._settings.plant} is there"

    async def _waste(self) -> str:
        if not (await self._warehouse_row())["waste_locations"]:
            raise ErpMisconfigured(
                f"warehouse {self._settings.plant} has no waste location; add one in Tryton, or no scrap is booked",
                code="no_waste_location",
            )
        return "scrap has a place"

    async def _key_search(self) -> str:
        """Tryton lets a user search the notes of records that it names, never all notes."""
        here = [("warehouse.code", "=", self._settings.plant)]
        productions = await self._client.call("model.production.search", here, 0, 1, None)
        if not productions:
            return "there is no production yet whose notes could be read"
        noted = [("resource", "=", f"production,{productions[0]}"), ("message", "like", f"%{MARK}%")]
        await self._client.call("model.ir.note.search", noted, 0, 1, None)
        return "notes on productions can be searched"

    async def _cancellation(self) -> str:
        preferences = await self._client.call("model.res.user.get_preferences", True)
        wanted = await self._client.rows("res.group", [("name", "=", "Stock Cancellation")], ("name",))
        if not preferences.get("administrator") and not {row["id"] for row in wanted} & set(preferences["groups"]):
            raise ErpMisconfigured(
                "the user is not in group Stock Cancellation; without it nothing can be taken back", code="access"
            )
        return "done moves can be cancelled"

    async def _product(self, material: str) -> Row | None:
        fields = ("code", "default_uom.symbol", "cost_price", "cost_price_method")
        rows = await self._client.rows("product.product", [("code", "=", material)], fields)
        return rows[0] if rows else None

    async def _warehouse_row(self) -> Row:
        domain = [("type", "=", "warehouse"), ("code", "=", self._settings.plant)]
        rows = await self._client.rows("stock.location", domain, ("code", "waste_locations"))
        if not rows:
            raise ErpMisconfigured(
                f"Tryton has no warehouse with code {self._settings.plant}; [erp] plant must be the code of one",
                code="warehouse_unknown",
            )
        return rows[0]

    async def _of_warehouse(self, rows: list[Row]) -> list[Row]:
        warehouse = await self._warehouse_row()
        inside = [("parent", "child_of", [warehouse["id"]], "parent"), ("type", "=", "storage")]
        ids = set(await self._client.call("model.stock.location.search", inside, 0, None, None))
        return [row for row in rows if row["id"] in ids]


def _own(row: Row, rows: list[Row]) -> Decimal:
    """Tryton counts what lies in the locations below along with each."""
    below = sum((quantity_of(other["quantity"]) for other in rows if other["parent"] == row["id"]), Decimal(0))
    return quantity_of(row["quantity"]) - below
