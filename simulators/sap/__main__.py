"""`python -m simulators.sap --port 0 --db FILE`: one simulated SAP in the foreground; user and password from the
environment (SAP_USER, SAP_PASSWORD). Prints one line `ready {…}` once it serves.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from simulators.sap.app import serve

DEMO_USER = "PLANTWRIGHT"
DEMO_PASSWORD = "plantwright-demo"


def _ready(address: dict[str, Any]) -> None:
    sys.stdout.write(f"ready {json.dumps(address)}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulators.sap", description="A simulated SAP S/4HANA.")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--db", type=Path, required=True, help="the SQLite file with its books")
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    user = os.environ.get("SAP_USER", DEMO_USER)
    password = os.environ.get("SAP_PASSWORD", DEMO_PASSWORD)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.port, options.db, options.host, user=user, password=password, on_ready=_ready))


if __name__ == "__main__":
    main()
