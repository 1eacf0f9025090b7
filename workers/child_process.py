"""Child processes that never outlive us: the kernel kills them when their parent dies (Linux, prctl(2)).

Not for stopping a child in good order; whoever starts one does that.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1

# A launcher that execs instead of a preexec_fn: the SDK's threads make code between fork and exec unsafe.
# The parent may have died before prctl took effect, hence the look at the parent's pid afterwards.
_LAUNCHER = f"""
import ctypes, os, sys
ctypes.CDLL(None).prctl({PR_SET_PDEATHSIG}, {int(signal.SIGKILL)})
if os.getppid() != int(sys.argv[1]):
    sys.exit(0)
os.execv(sys.argv[2], sys.argv[2:])
"""


def dies_with_parent(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` (first item: a full path) so that it ends with the thread that starts it.

    Start it from a thread that lives as long as the process, usually the main one: Linux watches the thread.
    Elsewhere than on Linux the command is returned as it is.
    """
    if not sys.platform.startswith("linux"):
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
