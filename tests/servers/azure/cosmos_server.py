"""Cosmos DB: the emulator from npm, behind our checks of what it does not check itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.servers.azure.installed import MODULES, module, node
from tests.servers.azure.tokens import COSMOS, SECRET
from tests.servers.process import ServerProcess

KEY: Final = "bGVld2FyZCB0ZXN0cyBzaWduIHdpdGggdGhpcyBrZXkgb2YgQ29zbW9z"
"""The account's key, in base64."""

_SERVER: Final = Path(__file__).with_name("cosmos") / "server.js"


class CosmosServer(ServerProcess):
    """One account of Cosmos DB for NoSQL, which knows the key `KEY` and tokens of Entra ID.

    It checks the signature and its date, ids, partition keys (of several paths too), the size of
    items, and `ttl`; expired items are gone at once. Sessions are as with one partition range.
    Where it differs from the service: no request costs more than 1, none is throttled, only one
    range exists, and unique keys are of one path each.

    Args:
        scheme: of the URLs under which clients reach it, which the account names.
        audiences: of the tokens that it takes.
    """

    HEALTH = "/_bench/health"

    def __init__(self, scheme: str = "http", audiences: Sequence[str] = (COSMOS,)) -> None:
        self._scheme = scheme
        self._audiences = audiences

    def wipe(self) -> None:
        """Forget everything, and tell the true time again."""
        assert self.ask("POST", "/_bench/reset") == 200

    def set_ahead(self, seconds: int) -> None:
        """Let the clock by which items expire be ahead of this machine's from now on."""
        assert self.ask("POST", f"/_bench/ahead/{seconds}") == 200

    def fall_behind(self, reads: int) -> None:
        """Answer the next reads of items as a replica that has seen nothing later than now.

        A read with a session token that is further gets 404 with the sub-status 1002.
        """
        assert self.ask("POST", f"/_bench/behind/{reads}") == 200

    def _command(self, port: int) -> list[str]:
        module("@vercel/cosmosdb-server/package.json")
        return [node(), str(_SERVER), str(port)]

    def _environment(self, port: int, folder: str) -> Mapping[str, str]:
        return {
            "NODE_PATH": str(MODULES),
            "COSMOS_KEY": KEY,
            "COSMOS_SCHEME": self._scheme,
            "COSMOS_AUDIENCES": " ".join(self._audiences),
            "ENTRA_SECRET": SECRET,
        }
