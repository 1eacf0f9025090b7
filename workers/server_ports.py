"""Ports for servers we start ourselves: checked when named, found when 0. Nothing is reserved; races are possible."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable
from dataclasses import astuple, dataclass

# Below Linux's and macOS's ephemeral ranges: no outgoing connection may take a port between stop and restart.
PORT_RANGE = range(20000, 32768)


class PortTakenError(RuntimeError):
    """A port that was asked for is in use, or none is free."""


@dataclass(frozen=True)
class ServerPorts:
    """What a Temporal dev server listens on; 0 takes a free one at the first start and keeps it for every later one."""

    frontend: int = 0
    http: int = 0
    metrics: int = 0
    ui: int = 0


def filled_in(ip: str, wanted: ServerPorts) -> ServerPorts:
    """The wanted ports with a free one for each 0. Raises PortTakenError when a wanted one is taken."""
    if taken := taken_port(ip, wanted):
        raise PortTakenError(
            f"port {taken} on {ip} is taken; end the process that has it or choose another port (0 finds one)"
        )
    used: set[int] = {*astuple(wanted)}

    def fill(port: int) -> int:
        if port == 0:
            port = free_port(ip, used)
            used.add(port)
        return port

    return ServerPorts(*(fill(port) for port in astuple(wanted)))


def taken_port(ip: str, ports: ServerPorts) -> int | None:
    """The first of the named ports that cannot be bound."""
    return next((port for port in astuple(ports) if port and not _bindable(ip, port)), None)


def free_port(ip: str = "127.0.0.1", used: Iterable[int] = ()) -> int:
    """A free port of `PORT_RANGE` that is not among `used`."""
    for port in random.sample(PORT_RANGE, 200):
        if port not in set(used) and _bindable(ip, port):
            return port
    raise PortTakenError(f"no free port found on {ip} between {PORT_RANGE.start} and {PORT_RANGE.stop}")


def _bindable(ip: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Go's listeners do: a connection still closing from the run before is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except OSError:
            return False
    return True
