"""Oracle Fusion Cloud SCM behind `erp.port`: ADF REST over HTTPS (REST API for Oracle SCM, 11.13.18.05)."""

from erp.oracle.adapter import OracleErp, create_oracle

__all__ = ["OracleErp", "create_oracle"]
