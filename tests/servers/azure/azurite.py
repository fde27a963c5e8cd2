"""Azurite: the queues and the blobs of Azure Storage, by Microsoft."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from tests.servers.azure.installed import module, node
from tests.servers.process import ServerProcess

KEY: Final = "bGVld2FyZCB0ZXN0cyBzaWduIHdpdGggdGhpcyBrZXkgb2YgU3RvcmFnZQ=="
"""The key of every account, in base64."""


class _Azurite(ServerProcess):
    """One service of accounts, each under the path of its name. It checks signatures (SharedKey).

    Tokens of Entra ID it takes only over TLS of its own, which no proxy can stand before.

    Args:
        accounts: their names, of lower-case letters and digits.
    """

    HEALTH = "/"
    SERVICE: ClassVar[str]

    def __init__(self, *accounts: str) -> None:
        self._accounts = accounts

    def ask(self, method: str, path: str) -> int:
        """Send a request without a body; a request for no account means that all is well."""
        status = super().ask(method, path)
        return 200 if (path, status) == (self.HEALTH, 400) else status

    def _command(self, port: int) -> list[str]:
        flags = ("silent", "inMemoryPersistence", "disableTelemetry", "skipApiVersionCheck")
        return [
            node(),
            module(f"azurite/dist/src/{self.SERVICE}/main.js"),
            f"--{self.SERVICE}Host",
            "127.0.0.1",
            f"--{self.SERVICE}Port",
            str(port),
            *(f"--{each}" for each in flags),
        ]

    def _environment(self, port: int, folder: str) -> Mapping[str, str]:
        return {"AZURITE_ACCOUNTS": ";".join(f"{each}:{KEY}" for each in self._accounts)}


class Azurite(_Azurite):
    """The queues."""

    SERVICE = "queue"


class AzuriteBlobs(_Azurite):
    """The blobs."""

    SERVICE = "blob"


def connection_string(url: str, account: str, blobs: str | None = None) -> str:
    """Give what leads a client of Azure Storage to `account`: the origins of queues and blobs."""
    scheme = url.partition(":")[0]
    return (
        f"DefaultEndpointsProtocol={scheme};AccountName={account};AccountKey={KEY};"
        f"QueueEndpoint={url}/{account};"
        f"{f'BlobEndpoint={blobs}/{account};' if blobs else ''}"
    )
