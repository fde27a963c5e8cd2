"""moto: for `PutEvents`, whose entries it checks as AWS does, and as a second DynamoDB."""

from __future__ import annotations

from pathlib import Path

from tests.servers.installed import executable
from tests.servers.process import ServerProcess


class Moto(ServerProcess):
    """moto as a server. It checks no signature.

    Where it differs from AWS: a bus that is not there fails the whole request, with
    ResourceNotFoundException.
    """

    HEALTH = "/moto-api/"

    def wipe(self) -> None:
        """Forget everything."""
        assert self.ask("POST", "/moto-api/reset") == 200

    def _command(self, port: int) -> list[str]:
        return [str(executable("moto", "moto_server")), "-H", "127.0.0.1", "-p", str(port)]


class AtomicMoto(Moto):
    """moto as a server whose DynamoDB judges a condition and writes in one step, as AWS's does."""

    def _command(self, port: int) -> list[str]:
        program = Path(__file__).with_name("atomic_moto.py")
        python = str(executable("moto", "python"))
        # -P: this file's folder has a module named moto, too.
        return [python, "-P", str(program), "-H", "127.0.0.1", "-p", str(port)]
