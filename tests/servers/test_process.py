from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.servers.loopback import PATIENCE
from tests.servers.process import ServerDied, ServerProcess

HOLDER = """
import time
from tests.servers.test_process import Mute
server = Mute()
server._start()
print(server._process.pid, server._folder.name, flush=True)
time.sleep(1000)
"""


class Mute(ServerProcess):
    """A program that never answers."""

    HEALTH = "/"

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-c", "import time; time.sleep(1000)"]


class Stillborn(Mute):
    """A program that ends at once."""

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-c", "import os; print(sorted(os.environ)); raise SystemExit(1)"]


def test_a_server_that_does_not_come_up_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it printed is in the message; of this process's environment it knows nothing."""
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    with pytest.raises(ServerDied, match="HOME") as raised, Stillborn():
        pass
    assert "AWS_PROFILE" not in str(raised.value)


def test_no_one_else_gets_the_port_of_a_server_that_comes_up() -> None:
    """It is asked for its health all that time, and another test's server would be."""
    server = Mute()
    server._start()
    try:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(server.address)
    finally:
        server._stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_server_outlives_the_tests(number: signal.Signals) -> None:
    """However the tests end, their servers end too, and leave nothing behind."""
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        guard, folder = holder.stdout.readline().split()
        holder.send_signal(number)
    deadline = time.monotonic() + PATIENCE
    while _lives(int(guard)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _lives(int(guard))
    assert not Path(folder).exists()


def _lives(process: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for does not."""
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return not _is_zombie(process)
    return False


def _is_zombie(process: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return state.stdout.strip().startswith("Z") or not state.stdout.strip()
