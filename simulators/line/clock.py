"""The plant clock: plant time = plant epoch + (wall - wall epoch) * factor. The line lives on it alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

FORM = 'WALL_ISO,PLANT_ISO,FACTOR, such as "2026-03-02T08:00:00Z,2026-03-02T06:00:00Z,60"'


@dataclass
class PlantClock:
    wall_epoch: datetime
    plant_epoch: datetime
    factor: float

    def now(self) -> datetime:
        return self.plant_epoch + (datetime.now(UTC) - self.wall_epoch) * self.factor

    def change_pace(self, factor: float) -> None:
        """Run at another factor from now on, without a jump."""
        self.wall_epoch, self.plant_epoch = datetime.now(UTC), self.now()
        self.factor = checked_factor(factor)


def checked_factor(factor: float) -> float:
    if not 0 < factor <= 1e6:
        raise ValueError(f"a clock factor of {factor:g} is not usable; give one above 0 and up to 1000000")
    return factor


def plant_clock(speed: float, override: str | None) -> PlantClock:
    """The clock both epochs of which are now, or the one that `override` describes.

    Raises ValueError when the description is not of the form WALL_ISO,PLANT_ISO,FACTOR with zones.
    """
    if override is None:
        now = datetime.now(UTC)
        return PlantClock(now, now, checked_factor(speed))
    try:
        wall, plant, factor = (part.strip() for part in override.split(","))
        epochs = [datetime.fromisoformat(wall), datetime.fromisoformat(plant)]
        ratio = float(factor)
    except ValueError as error:
        raise ValueError(f"clock {override!r} is not understood; write {FORM}") from error
    if any(epoch.tzinfo is None for epoch in epochs):
        raise ValueError(f"clock {override!r} has a time without a zone; write {FORM}")
    return PlantClock(epochs[0].astimezone(UTC), epochs[1].astimezone(UTC), checked_factor(ratio))
