"""What every worker process needs, imported once by the process that forks them. Imports only."""

from __future__ import annotations

import erp.dynamics.adapter
import erp.oracle.adapter
import erp.sap.adapter
import tests.proof.drain
import tests.proof.worker

__all__ = ["erp", "tests"]
