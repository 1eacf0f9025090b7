"""The line's tags in an OPC UA address space: nodes with string ids `<Line>.<Station>.<Tag>`, readable only.

Writes DataValues with the source timestamp of the instant at which the process changed the value (Part 4, 7.11).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from .kernel import TagWrite
from .model import STATION_TAGS, Measurement
from .process import LineProcess
from .station import StationProcess

NAMESPACE = "urn:plantwright:simulated-line"
HEARTBEAT = "Heartbeat"
SPEED = "Speed"

_TAG_TYPES = {
    "State": ua.VariantType.Int32,
    "Alarm": ua.VariantType.Int32,
    **dict.fromkeys(
        ("RejectReason", "RejectOrigin", "Order", "Operation", "Batch", "ComponentLot", "Operator", "StopReason"),
        ua.VariantType.String,
    ),
}
_GOOD = ua.StatusCode(ua.UInt32(StatusCodes.Good))


class LineTags:
    """The written side of the address space. `origin` is the plant time of the process's instant 0."""

    def __init__(self, server: Server, process: LineProcess, origin: datetime, plant_now: Callable[[], datetime]):
        self._server = server
        self._process = process
        self._origin = origin
        self._plant_now = plant_now
        self._nodes: dict[str, tuple[ua.NodeId, ua.VariantType]] = {}
        self._beats = 0
        self._current_time = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_CurrentTime))

    async def build(self) -> None:
        index = await self._server.register_namespace(NAMESPACE)
        line = self._process.scenario.line
        objects = self._server.nodes.objects
        line_node = await objects.add_object(_node_id(line, index), ua.QualifiedName(line, ua.UInt16(index)))
        await self._add(line_node, line, HEARTBEAT, ua.VariantType.Int64, 0, key=HEARTBEAT)
        await self._add(line_node, line, SPEED, ua.VariantType.Double, self._process.speed(), key=SPEED)
        for station in self._process.stations:
            await self._build_station(line_node, index, station)

    async def _build_station(self, line_node: Node, index: int, station: StationProcess) -> None:
        name = station.plan.name
        path = f"{self._process.scenario.line}.{name}"
        node = await line_node.add_object(_node_id(path, index), ua.QualifiedName(name, ua.UInt16(index)))
        values = station.initial_tags()
        counter_type = ua.VariantType[station.plan.counter.type]
        for tag in STATION_TAGS:
            await self._add(node, path, tag, _TAG_TYPES.get(tag, counter_type), values[tag], key=f"{name}.{tag}")
        for measurement in station.plan.measurement:
            tag = measurement.tag
            variable = await self._add(node, path, tag, ua.VariantType.Double, values[tag], key=f"{name}.{tag}")
            await _add_unit(variable, measurement)

    async def _add(
        self, parent: Node, path: str, tag: str, kind: ua.VariantType, value: float | str, *, key: str
    ) -> Node:
        index = parent.nodeid.NamespaceIndex
        node = await parent.add_variable(
            _node_id(f"{path}.{tag}", index), ua.QualifiedName(tag, ua.UInt16(index)), value, kind
        )
        self._nodes[key] = (node.nodeid, kind)
        await self.write(TagWrite(0, key, value))
        return node

    async def write(self, written: TagWrite) -> None:
        nodeid, kind = self._nodes[written.tag]
        value = ua.DataValue(
            ua.Variant(written.value, kind),
            StatusCode=_GOOD,
            SourceTimestamp=self._at(written.at),
            ServerTimestamp=_stamp(self._plant_now()),
        )
        await self._server.write_attribute_value(nodeid, value)

    async def beat(self, at: int) -> None:
        """Say that everything before `at` has been written."""
        self._beats += 1
        await self.write(TagWrite(at, HEARTBEAT, self._beats))
        stamp = self._at(at)
        clock = ua.DataValue(ua.Variant(stamp, ua.VariantType.DateTime), SourceTimestamp=stamp, ServerTimestamp=stamp)
        await self._server.write_attribute_value(self._current_time, clock)

    def _at(self, time: int) -> ua.DateTime:
        return _stamp(self._origin + timedelta(microseconds=time))


def _stamp(time: datetime) -> ua.DateTime:
    # asyncua declares a subclass of datetime and encodes any aware one.
    return cast(ua.DateTime, time)


def _node_id(identifier: str, index: int) -> ua.NodeId:
    return ua.NodeId(ua.String(identifier), ua.Int16(index))


async def _add_unit(variable: Node, measurement: Measurement) -> None:
    unit = ua.EUInformation(NamespaceUri=NAMESPACE, UnitId=ua.Int32(-1), DisplayName=ua.LocalizedText(measurement.unit))
    await variable.add_property(
        _node_id(f"{variable.nodeid.Identifier}.EngineeringUnits", variable.nodeid.NamespaceIndex),
        "0:EngineeringUnits",
        unit,
    )
