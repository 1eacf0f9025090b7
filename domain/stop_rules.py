"""What one line's stops need of the plant file: calendar, reasons, ladder, the line. Nothing of ERP or people. Pure."""

from __future__ import annotations

from domain.plant import LineConfig, PlantConfig, ShiftConfig, SiteConfig
from domain.plant_downtime import DowntimeConfig
from signals.base import Message


class StopRules(Message):
    """A cut of the plant file that a stop's process carries. Its fields are named as there."""

    plant: SiteConfig
    shifts: tuple[ShiftConfig, ...] = ()
    downtime: DowntimeConfig = DowntimeConfig()
    line: LineConfig

    @classmethod
    def of(cls, plant: PlantConfig, line: LineConfig) -> StopRules:
        """Of the line, stations without their tags: the pacing one is named, for nothing else of them is asked."""
        stations = tuple(s.model_copy(update={"tags": (), "cycle": None, "availability": ""}) for s in line.stations)
        own = line.model_copy(update={"stations": stations, "pacing": line.pacing_station.id, "opcua": None})
        return cls(plant=plant.plant, shifts=plant.shifts, downtime=plant.downtime, line=own)
