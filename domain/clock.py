"""The plant clock: plant time is wall time, except where a line is simulated or replayed faster (design section 2)."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from signals.base import Message, UtcTime


class PlantClock(Message):
    """Linear map between wall time and plant time; the identity when no epoch is given."""

    wall_epoch: UtcTime | None = None
    plant_epoch: UtcTime | None = None
    factor: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="plant seconds per wall second")

    def plant_time(self, wall: datetime) -> datetime:
        """The plant time at an instant of wall time."""
        if self.wall_epoch is None or self.plant_epoch is None:
            return wall
        return self.plant_epoch + (wall - self.wall_epoch) * self.factor

    def wall_time(self, plant: datetime) -> datetime:
        """The wall time at an instant of plant time."""
        if self.wall_epoch is None or self.plant_epoch is None:
            return plant
        return self.wall_epoch + (plant - self.plant_epoch) / self.factor

    def wall_duration(self, plant: timedelta) -> timedelta:
        """How long a stretch of plant time lasts on the wall."""
        if self.wall_epoch is None or self.plant_epoch is None:
            return plant
        return plant / self.factor

    def text(self) -> str:
        """`WALL_ISO,PLANT_ISO,FACTOR` as the command line and the environment carry it; empty for the identity."""
        if self.wall_epoch is None or self.plant_epoch is None:
            return ""
        return f"{self.wall_epoch.isoformat()},{self.plant_epoch.isoformat()},{self.factor}"

    @staticmethod
    def parse(text: str) -> PlantClock:
        """The inverse of `text`. Raises ValueError with the expected form."""
        if not text:
            return PlantClock()
        try:
            wall, plant, factor = text.split(",")
            return PlantClock(
                wall_epoch=datetime.fromisoformat(wall), plant_epoch=datetime.fromisoformat(plant), factor=float(factor)
            )
        except ValueError as error:
            raise ValueError(f"a plant clock reads WALL_ISO,PLANT_ISO,FACTOR, not {text!r}") from error
