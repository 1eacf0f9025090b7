"""`python -m simulators.dynamics --port 0 --db FILE`: one simulated D365 in the foreground; the client and its tenant
from the environment (DYNAMICS_CLIENT_ID, DYNAMICS_CLIENT_SECRET, DYNAMICS_TENANT). Prints one line `ready {…}` once it
serves.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from simulators.dynamics.app import serve

DEMO_CLIENT_ID = "11111111-2222-3333-4444-555555555555"
DEMO_CLIENT_SECRET = "plantwright-demo"
DEMO_TENANT = "contoso.onmicrosoft.com"


def _ready(address: dict[str, Any]) -> None:
    sys.stdout.write(f"ready {json.dumps(address)}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.dynamics", description="A simulated Dynamics 365 Supply Chain Management."
    )
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--db", type=Path, required=True, help="the SQLite file with its books")
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    serving = serve(
        options.port,
        options.db,
        options.host,
        client_id=os.environ.get("DYNAMICS_CLIENT_ID", DEMO_CLIENT_ID),
        client_secret=os.environ.get("DYNAMICS_CLIENT_SECRET", DEMO_CLIENT_SECRET),
        tenant=os.environ.get("DYNAMICS_TENANT", DEMO_TENANT),
        on_ready=_ready,
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serving)


if __name__ == "__main__":
    main()
