"""The processes that `bentoml serve` starts: their control sockets closed to everybody else.

BentoML's process manager (circus) listens on two TCP ports of the loopback device and runs whatever
it is told there, by any local user, without a password. Circus can listen on sockets in a folder
just as well; BentoML has no setting for it (`create_standalone_arbiter` builds `tcp://127.0.0.1`),
and no issue of either project speaks of it. So its arbiter is replaced by one that does.
"""

import shutil
import tempfile
from typing import Any

from bentoml._internal.utils import circus


class _PrivateSockets:
    """Moves the control endpoints of an arbiter into a folder that only its user may enter."""

    def __init__(self, *args: Any, **options: Any) -> None:
        # mkdtemp gives mode 0700
        folder = tempfile.mkdtemp(prefix="knurl-")
        options["endpoint"] = f"ipc://{folder}/control"
        options["pubsub_endpoint"] = f"ipc://{folder}/events"
        super().__init__(*args, **options)
        self.exit_stack: Any
        self.exit_stack.callback(shutil.rmtree, folder, ignore_errors=True)


class PrivateArbiter(_PrivateSockets, circus.Arbiter):
    """BentoML's arbiter, without open ports."""


class PrivateThreadedArbiter(_PrivateSockets, circus.ThreadedArbiter):
    """The one that `bentoml.serve` runs in a thread, without open ports."""


def close_control_ports() -> None:
    """Call in the manager's process before it starts: its arbiter opens no ports."""
    circus.Arbiter = PrivateArbiter  # type: ignore[misc]
    circus.ThreadedArbiter = PrivateThreadedArbiter  # type: ignore[misc]
