"""The command `plantwright`: thin commands over the rooms, with the contract of design section 11."""

from workers.cli.app import main, run

__all__ = ["main", "run"]
