"""The entity types that planning and costing read: supply and demand (API_MRP_MATERIALS_SRV_01), product valuation
(API_PRODUCT_SRV). Both are reading only.
"""

from simulators.sap.entity_types import EntityType, Navigation, properties

MRP_SERVICE = "API_MRP_MATERIALS_SRV_01"
PRODUCT_SERVICE = "API_PRODUCT_SRV"

_OPEN_ORDERS = (
    "SELECT ManufacturingOrder FROM production_order WHERE OrderIsMarkedForDeletion = ''"
    " AND OrderIsTechnicallyCompleted = '' AND OrderIsClosed = ''"
)
_SUPPLY_AND_DEMAND = f"""
WITH element AS (
  SELECT Material, Plant AS MRPPlant, NULL AS day, 'WB' AS category, 'Stock' AS name, '' AS element, '0' AS item,
         '' AS source, '' AS customer, SUM(MatlWrhsStkQtyInMatlBaseUnit) AS quantity, MAX(MaterialBaseUnit) AS unit
    FROM stock WHERE InventoryStockType = '01' GROUP BY Material, Plant
  UNION ALL
  SELECT i.Material, i.Plant, o.MfgOrderScheduledEndDate, 'FE', 'Production order', i.ManufacturingOrder,
         i.ManufacturingOrderItem, o.SalesOrder, '', i.MfgOrderItemPlannedTotalQty - i.MfgOrderItemGoodsReceiptQty,
         i.ProductionUnit
    FROM order_item i JOIN production_order o ON o.ManufacturingOrder = i.ManufacturingOrder
   WHERE i.ManufacturingOrder IN ({_OPEN_ORDERS}) AND i.IsCompletelyDelivered = 0
     AND i.MfgOrderItemPlannedTotalQty > i.MfgOrderItemGoodsReceiptQty
  UNION ALL
  SELECT c.Material, c.Plant, COALESCE(c.MatlCompRequirementDate, o.MfgOrderScheduledStartDate), 'AR', 'Reservation',
         c.Reservation, c.ReservationItem, c.ManufacturingOrder, '', c.WithdrawnQuantity - c.RequiredQuantity,
         c.BaseUnit
    FROM component c JOIN production_order o ON o.ManufacturingOrder = c.ManufacturingOrder
   WHERE c.ManufacturingOrder IN ({_OPEN_ORDERS}) AND c.ReservationIsFinallyIssued = 0 AND c.GoodsMovementType = '261'
     AND c.RequiredQuantity > c.WithdrawnQuantity
  UNION ALL
  SELECT material, plant, day, category, name, element, item, '', customer, -quantity, unit FROM demand
)
SELECT Material, MRPPlant, MRPPlant AS MRPArea, day AS MRPElementAvailyOrRqmtDate, category AS MRPElementCategory,
       name AS MRPElementCategoryName, element AS MRPElement, item AS MRPElementItem, source AS SourceMRPElement,
       customer AS Customer, quantity AS MRPElementOpenQuantity, unit AS MaterialBaseUnit,
       SUM(quantity) OVER (PARTITION BY Material, MRPPlant ORDER BY day IS NOT NULL, day, quantity < 0, element, item
                           ROWS UNBOUNDED PRECEDING) AS MRPAvailableQuantity
  FROM element
"""

SUPPLY_DEMAND = EntityType(
    MRP_SERVICE,
    "SupplyDemandItems",
    "supply_demand",
    ("Material", "MRPPlant", "MRPArea", "MRPElementCategory", "MRPElement", "MRPElementItem"),
    properties(
        "Material:s40 MRPPlant:s4 MRPArea:s10 MRPElementAvailyOrRqmtDate:d MRPElementCategory:s2"
        " MRPElementCategoryName:s40 MRPElement:s12 MRPElementItem:n6 SourceMRPElement:s12 Customer:s10"
        " MRPElementOpenQuantity:q MaterialBaseUnit:s3 MRPAvailableQuantity:q"
    ),
    view=_SUPPLY_AND_DEMAND,
    mandatory_filters=("Material", "MRPPlant"),
)

PRODUCT = EntityType(
    PRODUCT_SERVICE,
    "A_Product",
    "product",
    ("Product",),
    properties("Product:s40 ProductType:s4 BaseUnit:s3 IsBatchManagementRequired:b"),
    {"to_Valuation": Navigation("A_ProductValuation", (("Product", "Product"),))},
    view=(
        "SELECT material AS Product, 'FERT' AS ProductType, unit AS BaseUnit,"
        " batch_managed AS IsBatchManagementRequired FROM material"
    ),
)

VALUATION = EntityType(
    PRODUCT_SERVICE,
    "A_ProductValuation",
    "product_valuation",
    ("Product", "ValuationArea", "ValuationType"),
    properties(
        "Product:s40 ValuationArea:s4 ValuationType:s10 ValuationClass:s4 InventoryValuationProcedure:s1"
        " StandardPrice:q MovingAveragePrice:q PriceUnitQty:q Currency:s5 BaseUnit:s3"
    ),
)

ENTITIES = (SUPPLY_DEMAND, PRODUCT, VALUATION)
