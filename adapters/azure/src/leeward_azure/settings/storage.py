"""Where the queues and the containers of a storage account are, by a URL or a connection string."""

from __future__ import annotations

from typing import Any

from leeward.adapter.hosts import parse_url
from leeward.adapter.options import Setting, Values
from leeward_azure.settings.connections import EMULATOR, parse_storage
from leeward_azure.settings.endpoints import check_configured
from leeward_azure.settings.services import Account, Blobs, Queues


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
    """Return where an account's containers are, likewise."""
    url = parse_url(setting, "https://account.blob.core.windows.net")
    return Blobs(check_configured(url.origin, "blob", setting, values, secret=secret), url.path)
