"""`python -m simulators.oracle --port 0 --db FILE`: one simulated Oracle in the foreground; user and password from the
environment (ORACLE_USER, ORACLE_PASSWORD), the OAuth client too (ORACLE_CLIENT_ID, ORACLE_CLIENT_SECRET). Prints one
line `ready {…}` once it serves.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from simulators.oracle.app import serve

DEMO_USER = "PLANTWRIGHT"
DEMO_PASSWORD = "plantwright-demo"
DEMO_CLIENT_ID = "plantwright-client"
DEMO_CLIENT_SECRET = "plantwright-demo-client"


def _ready(address: dict[str, Any]) -> None:
    sys.stdout.write(f"ready {json.dumps(address)}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulators.oracle", description="A simulated Oracle Fusion SCM.")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--db", type=Path, required=True, help="the SQLite file with its books")
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    access = {
        "user": os.environ.get("ORACLE_USER", DEMO_USER),
        "password": os.environ.get("ORACLE_PASSWORD", DEMO_PASSWORD),
        "client_id": os.environ.get("ORACLE_CLIENT_ID", DEMO_CLIENT_ID),
        "client_secret": os.environ.get("ORACLE_CLIENT_SECRET", DEMO_CLIENT_SECRET),
    }
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.port, options.db, options.host, **access, on_ready=_ready))


if __name__ == "__main__":
    main()
