"""Where a storage account, a namespace of Service Bus or a Cosmos account is.

A connection string is ``Name=value`` with semicolons between, as the portal shows it.

Sources: "Configure Azure Storage connection strings", and the parsers of azure-storage-queue and
azure-cosmos.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from leeward.adapter.hosts import origin_of, parse_url
from leeward.adapter.options import Option, Setting, Values
from leeward.errors import ConfigError
from leeward.records import NamedTuple
from leeward.text import is_base64
from leeward_azure.settings.endpoints import check_configured
from leeward_azure.settings.services import Account, Blobs, Queues, ServiceBus

EMULATOR: Final = {
    "accountname": "devstoreaccount1",
    "accountkey": (
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    ),
    "queueendpoint": "http://127.0.0.1:10001/devstoreaccount1",
    "blobendpoint": "http://127.0.0.1:10000/devstoreaccount1",
}
"""What ``UseDevelopmentStorage=true`` stands for: the storage emulator, whose key is public."""


class Storage(NamedTuple):
    """What a connection string of a storage account says.

    Attributes:
        url: of the queue service.
        account: its name; empty where only a signature was given.
        key: of the account, base64; or None.
        sas: a shared access signature without ``?``, or None.
        blob_url: of the blob service; None where the string names that of the queues alone.
    """

    url: str
    account: str
    key: str | None
    sas: str | None
    blob_url: str | None = None

    def __repr__(self) -> str:
        """Leave key and signature out."""
        return f"Storage(account={self.account!r})"


class Cosmos(NamedTuple):
    """The endpoint and the key, base64, that a connection string of Cosmos DB holds."""

    url: str
    key: str | None

    def __repr__(self) -> str:
        """Leave the key out."""
        return "Cosmos()"


def parse_storage(setting: Setting) -> Storage:
    """Read a connection string of a storage account.

    Raises:
        ConfigError: it names no queue service, or neither a key nor a signature.
    """
    parts = parts_of(setting)
    if parts.get("usedevelopmentstorage", "").lower() == "true":
        parts = {**EMULATOR}
    account = parts.get("accountname", "")
    key, sas = parts.get("accountkey"), parts.get("sharedaccesssignature")
    if bool(key and account) == bool(sas):
        raise ConfigError(
            f"{setting.where} must hold AccountName and AccountKey, or SharedAccessSignature"
        )
    if key and not is_base64(key):
        raise ConfigError(f"{setting.where} has an AccountKey that is not base64: copy it whole")
    if sas and re.fullmatch(r"\??[!\"$-~]+", sas) is None:
        raise ConfigError(f"{setting.where} has a SharedAccessSignature that no URL can carry")
    url = parts.get("queueendpoint") or _usual_endpoint(setting, parts, "queue")
    blobs = parts.get("blobendpoint")
    if blobs is None and "queueendpoint" not in parts:
        blobs = _usual_endpoint(setting, parts, "blob")
    return Storage(url, account, key or None, sas.removeprefix("?") if sas else None, blobs)


def parse_cosmos(setting: Setting) -> Cosmos:
    """Read a connection string of Cosmos DB.

    Raises:
        ConfigError: the endpoint or the key is missing.
    """
    parts = parts_of(setting)
    url, key = parts.get("accountendpoint"), parts.get("accountkey")
    if not url or not key or not is_base64(key):
        raise ConfigError(
            f"{setting.where} must hold AccountEndpoint and AccountKey: copy it whole"
        )
    return Cosmos(url, key)


def _usual_endpoint(setting: Setting, parts: Mapping[str, str], service: str) -> str:
    if not parts.get("accountname"):
        raise ConfigError(f"{setting.where} must hold QueueEndpoint, or AccountName")
    if not re.fullmatch(r"[a-z0-9-]+", parts["accountname"]):  # it becomes part of a host's name
        raise ConfigError(f"{setting.where} has an AccountName that no storage account can have")
    scheme = parts.get("defaultendpointsprotocol", "https")
    suffix = parts.get("endpointsuffix", "core.windows.net")
    return f"{scheme}://{parts['accountname']}.{service}.{suffix}"


def parts_of(setting: Setting) -> Mapping[str, str]:
    """Return the parts by their names in lower case; values may hold ``=``."""
    parts = {}
    for part in setting.value.strip().strip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(
                f"{setting.where} is not a connection string: write Name=value with semicolons"
            )
        parts[name.strip().lower()] = value.strip()
    return parts


def connection(setting: Setting, values: Values) -> Account:
    """Return the account of a connection string. The key of the emulator is not a secret."""
    storage = parse_storage(setting)
    secret = storage.key != EMULATOR["accountkey"]
    proof: dict[str, Any] = {"account": storage.account, "key": storage.key, "sas": storage.sas}
    queues = queue_service(setting._replace(value=storage.url), values, secret=secret)
    blobs = None
    if storage.blob_url:
        blobs = blob_service(setting._replace(value=storage.blob_url), values, secret=secret)
    return Account(queues._replace(**proof), blobs and blobs._replace(**proof))


def queue_service(setting: Setting, values: Values, *, secret: bool = True) -> Queues:
    """Return where an account's queues are; emulators have the account in the path."""
    url = parse_url(setting, "https://account.queue.core.windows.net")
    return Queues(check_configured(url.origin, "queue", setting, values, secret=secret), url.path)


def blob_service(setting: Setting, values: Values, *, secret: bool = True) -> Blobs:
    """Return where an account's containers are; emulators have the account in the path."""
    url = parse_url(setting, "https://account.blob.core.windows.net")
    return Blobs(check_configured(url.origin, "blob", setting, values, secret=secret), url.path)


_EXAMPLE: Final = "https://shop.servicebus.windows.net"


def _connection(setting: Setting, values: Values) -> ServiceBus:
    """Return the namespace of a connection string, as the portal shows it."""
    parts = parts_of(setting)
    place, name = parts.get("endpoint", ""), parts.get("sharedaccesskeyname")
    key = parts.get("sharedaccesskey")
    if not (place.startswith("sb://") and name and key):
        raise ConfigError(
            f"{setting.where} must hold Endpoint=sb://..., SharedAccessKeyName and SharedAccessKey"
        )
    scheme = "http" if parts.get("usedevelopmentemulator", "").lower() == "true" else "https"
    url = f"{scheme}://{place.removeprefix('sb://').rstrip('/')}"
    return _namespace(setting._replace(value=url), values)._replace(key_name=name, key=key)


def _namespace(setting: Setting, values: Values) -> ServiceBus:
    origin = origin_of(setting, _EXAMPLE)
    return ServiceBus(check_configured(origin, "servicebus", setting, values))


OPTIONS: Final = (
    Option("service_bus_connection_string", "of a namespace, for the dead letters of its queues",
           excludes="service_bus_url", check=_connection),
    Option("service_bus_url", f"in its place: `{_EXAMPLE}`, for which a token is shown",
           check=_namespace),
)  # fmt: skip
