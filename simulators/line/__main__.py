"""`python -m simulators.line --scenario FILE`: one simulated line in the foreground until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from .server import serve


def main() -> int:
    arguments = _parser().parse_args()
    try:
        asyncio.run(_serve_until_signalled(arguments))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _serve_until_signalled(arguments: argparse.Namespace) -> None:
    serving = asyncio.ensure_future(
        serve(
            arguments.scenario, arguments.port, arguments.host,
            speed=arguments.speed, seed=arguments.seed, clock=arguments.clock, on_ready=_say_ready,
        )
    )  # fmt: skip
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    await asyncio.wait([serving])
    if not serving.cancelled():
        serving.result()


def _say_ready(addresses: dict[str, Any]) -> None:
    sys.stdout.write(f"ready {json.dumps(addresses)}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators.line", description="A simulated production line.")
    parser.add_argument("--scenario", type=Path, required=True, help="TOML file, see docs/simulators.md")
    parser.add_argument("--port", type=int, default=0, help="of the OPC UA server; 0 picks a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--speed", type=float, default=1.0, help="plant seconds per wall second")
    parser.add_argument("--seed", type=int, default=None, help="the same seed makes the same pieces")
    parser.add_argument("--clock", default=None, help="WALL_ISO,PLANT_ISO,FACTOR instead of --speed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
