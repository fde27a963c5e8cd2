"""moto: for `PutEvents` alone, whose entries it checks as AWS does."""

from __future__ import annotations

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
