"""Every action of the table is asked at every door, or named with the reason why that door does not offer it."""

from __future__ import annotations

import pytest

from tests.people import test_command_door as command
from tests.people import test_console_doors as console
from tests.people import test_message_doors as message
from tests.people import test_stop_message_doors as stop_message
from tests.people.askers import covers
from tests.people.stop_questions import STOPS

DOORS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "web": ((*console.WEB, *STOPS), console.NO_WEB),
    "api": ((*console.API, *STOPS), console.NO_API),
    "command line": ((*command.ACTIONS, *STOPS), command.NO_COMMAND),
    "update": ((*message.BY_UPDATE, *stop_message.BY_UPDATE), {**message.NO_MESSAGE, **stop_message.NO_MESSAGE}),
    "signal": (
        (*message.BY_SIGNAL, *stop_message.BY_SIGNAL),
        {**message.NO_MESSAGE, **message.NO_SIGNAL, **stop_message.NO_MESSAGE, **stop_message.NO_SIGNAL},
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_every_action_is_asked_or_named_with_a_reason(door: str) -> None:
    covers(*DOORS[door])
