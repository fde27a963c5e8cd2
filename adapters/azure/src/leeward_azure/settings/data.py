"""What a target says about its queues, its events and its tables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from leeward.adapter import TargetConfig
from leeward.adapter import options as reading
from leeward.adapter.hosts import check_token_goes_safely
from leeward.adapter.options import Found, exclusive, find, place, refuse_idle
from leeward.errors import ConfigError
from leeward_azure.settings import connections
from leeward_azure.settings.endpoints import Cloud
from leeward_azure.settings.forms import ROUTE, base64_key
from leeward_azure.settings.hosts import check_endpoint
from leeward_azure.settings.services import (
    TOPIC,
    Events,
    Queues,
    Tables,
    is_queue_name,
    is_topic_name,
)


def read_queues(config: TargetConfig, cloud: Cloud) -> Queues | None:
    """Read what `enqueue` needs; None where no storage account is named.

    An option of the target puts the variables out of force: ``AzureWebJobsStorage``,
    ``AZURE_STORAGE_CONNECTION_STRING`` and ``AzureWebJobsStorage__queueServiceUri``, in this order.

    Raises:
        ConfigError: a setting is wrong.
    """
    url, connection = find(config, "storage_queue_url"), find(config, "storage_connection_string")
    exclusive(url, connection)
    if url is None and connection is None:
        names = "AzureWebJobsStorage", "AZURE_STORAGE_CONNECTION_STRING"
        connection = reading.variable(config, *names)
        url = reading.variable(config, "AzureWebJobsStorage__queueServiceUri")
    if connection is not None:
        storage = connections.storage(connection)
        url = Found(storage.url, connection.where)
        found = Queues("", "", storage.account, key=storage.key, sas=storage.sas)
    elif url is not None:
        found = Queues("")
    else:
        refuse_idle(config, ("queues",), "storage_connection_string or storage_queue_url")
        return None
    origin, path = _split(url)
    check_endpoint(config, cloud, "queue", origin, url.where)
    if found.key is None:
        check_token_goes_safely(origin, url.where)
    return found._replace(origin=origin, path=path, names=_queue_names(config))


def _queue_names(config: TargetConfig) -> Mapping[str, str]:
    names = reading.table(config, "queues")
    for name, queue in names.items():
        if not is_queue_name(queue):
            raise ConfigError(
                f"{name!r} of {place(config, 'queues')} cannot be a queue: 3 to 63 of a-z, 0-9 and "
                "single hyphens inside"
            )
    return names


def _split(found: Found) -> tuple[str, str]:
    """Return origin and path of a queue service; emulators have the account in the path."""
    head = re.match(r"[^/]*//[^/]*", found.value)
    url = head[0] if head else ""
    path = found.value[len(url) :].rstrip("/")
    origin = reading.origin(Found(url, found.where), "https://account.queue.core.windows.net")
    if path and ROUTE.fullmatch(path[1:]) is None:
        raise ConfigError(f"{found.where} has an endpoint with a path that is none: remove it")
    return origin, path


def read_events(config: TargetConfig, cloud: Cloud) -> Events | None:
    """Read what `publish` needs; None where no topic is named.

    The key of custom topics may stand in ``EVENTGRID_TOPIC_KEY`` too; an option goes before it.

    Raises:
        ConfigError: a setting is wrong.
    """
    found = _topics(config, cloud)
    if found is None:
        options = "eventgrid_key", "eventgrid_keys", "eventgrid_sas"
        urls = "eventgrid_topic_url, eventgrid_topic_urls or eventgrid_namespace_url"
        refuse_idle(config, options, urls)
        return None
    key, sas = find(config, "eventgrid_key"), find(config, "eventgrid_sas")
    exclusive(key, sas)
    if sas is None and found.namespace is None:
        key = key or reading.variable(config, "EVENTGRID_TOPIC_KEY")
    keys = _topic_keys(config, found)
    return found._replace(key=reading.secret(key), sas=reading.secret(sas), keys=keys)


def _topics(config: TargetConfig, cloud: Cloud) -> Events | None:
    """Read where topics are."""
    template, namespace = (
        find(config, "eventgrid_topic_url"),
        find(config, "eventgrid_namespace_url"),
    )
    exclusive(template, namespace)
    exclusive(find(config, "eventgrid_topic_urls"), namespace)
    if namespace is not None:
        origin = reading.origin(namespace, "https://my-namespace.westeurope-1.eventgrid.azure.net")
        _check_events(config, cloud, origin, namespace.where)
        return Events(namespace=origin)
    url = None if template is None else _topic(template, config, cloud, named=False)
    where = place(config, "eventgrid_topic_urls")
    urls = {
        name: _topic(Found(each, f"{name!r} of {where}"), config, cloud, named=True)
        for name, each in reading.table(config, "eventgrid_topic_urls").items()
    }
    return Events(topic_url=url, urls=urls) if url or urls else None


def _topic(found: Found, config: TargetConfig, cloud: Cloud, *, named: bool) -> str:
    """Return the checked URL of one topic that is `named`, or else of all, with `TOPIC` in it."""
    parts = re.fullmatch(r"(https?://[^/?#]+)(/[A-Za-z0-9._~/{}-]*)?", found.value, re.IGNORECASE)
    odd = re.search(r"[{}]", found.value.replace(TOPIC, ""))
    if parts is None or odd or (TOPIC in found.value) is named:
        name, where = ("orders", "") if named else (TOPIC, f", where {TOPIC} stands for the bus")
        raise ConfigError(
            f"{found.where} must be a topic's URL, such as "
            f"https://{name}.westeurope-1.eventgrid.azure.net/api/events{where}; without query"
        )
    # A template counts by the host that a topic named "topic" would have.
    sample = Found(parts[1].replace(TOPIC, "topic"), found.where)
    origin = reading.origin(sample, "https://topic.westeurope-1.eventgrid.azure.net")
    _check_events(config, cloud, origin, found.where)
    return parts[1].lower() + ((parts[2] or "").rstrip("/") or "/api/events")


def _check_events(config: TargetConfig, cloud: Cloud, origin: str, where: str) -> None:
    check_endpoint(config, cloud, "events", origin, where)
    check_token_goes_safely(origin, where)


def _topic_keys(config: TargetConfig, found: Events) -> Mapping[str, str]:
    """Read the keys of single topics, each of which must have a place."""
    keys, where = reading.table(config, "eventgrid_keys"), place(config, "eventgrid_keys")
    everywhere = found.topic_url or found.namespace
    for topic in keys:
        if topic in found.urls:
            continue
        if not is_topic_name(topic):  # perhaps the key itself, so it is not repeated
            raise ConfigError(
                f"a name in {where} is no topic's: use letters, digits and hyphens, or give it a "
                "URL in eventgrid_topic_urls"
            )
        if everywhere is None:
            raise ConfigError(
                f"{topic!r} of {where} has no URL: give it one in eventgrid_topic_urls, or set "
                "eventgrid_topic_url"
            )
    return {
        topic: str(reading.secret(Found(key, f"{topic!r} of {where}")))
        for topic, key in keys.items()
    }


def read_tables(config: TargetConfig, cloud: Cloud) -> Tables | None:
    """Read what tables need; None where no account is named.

    An option of the target puts the variables ``COSMOS_CONNECTION_STRING``, ``COSMOS_ENDPOINT``
    and ``COSMOS_KEY`` out of force. Variables without the option `cosmos_database` are not enough.

    Raises:
        ConfigError: a setting is wrong.
    """
    endpoint = find(config, "cosmos_endpoint")
    connection = find(config, "cosmos_connection_string")
    exclusive(endpoint, connection)
    asked = endpoint is not None or connection is not None
    database = find(config, "cosmos_database")
    if not asked and database is not None:
        connection = reading.variable(config, "COSMOS_CONNECTION_STRING")
        endpoint = None if connection else reading.variable(config, "COSMOS_ENDPOINT")
    found = endpoint or connection
    if found is None:
        needed = "cosmos_endpoint or cosmos_connection_string"
        refuse_idle(config, ("cosmos_key", "cosmos_database"), needed)
        return None
    if database is None:
        raise ConfigError(f"{found.where} goes with a database: set cosmos_database")
    url, key = found.value, base64_key(find(config, "cosmos_key", "COSMOS_KEY"))
    if connection is not None:
        exclusive(connection, find(config, "cosmos_key"))
        url, key = connections.cosmos(connection)
    origin = reading.origin(Found(url, found.where), "https://account.documents.azure.com:443/")
    check_endpoint(config, cloud, "tables", origin, found.where)
    return Tables(origin, _database(database), key)


def _database(found: Found) -> str:
    if re.fullmatch(r"[^/\\?#\x00-\x1f\x7f]{1,255}(?<! )", found.value) is None:
        raise ConfigError(f"{found.where} cannot be the name of a database: no / \\ ? # in it")
    return str(found.value)
