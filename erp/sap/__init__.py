"""SAP S/4HANA behind `erp.port`: OData V2 over HTTPS (reference: SAP API_PRODUCTION_ORDER_2_SRV and its neighbours)."""

from erp.sap.adapter import SapErp, create_sap

__all__ = ["SapErp", "create_sap"]
