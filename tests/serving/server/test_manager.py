import stat
from pathlib import Path

import pytest
from bentoml._internal.utils import circus

from serving.server.manager import PrivateArbiter, PrivateThreadedArbiter, close_control_ports


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Arbiter", "ThreadedArbiter"):
        monkeypatch.setattr(circus, name, getattr(circus, name))
    close_control_ports()


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("threaded", [False, True])
def test_bentomls_manager_listens_in_a_folder_that_only_its_user_may_enter(threaded: bool) -> None:
    arbiter = circus.create_standalone_arbiter([], threaded=threaded)

    assert isinstance(arbiter, PrivateThreadedArbiter if threaded else PrivateArbiter)
    for endpoint in (arbiter.endpoint, arbiter.pubsub_endpoint):
        assert endpoint.startswith("ipc:///")
        folder = Path(endpoint.removeprefix("ipc://")).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    arbiter.exit_stack.close()
    assert not folder.exists()
