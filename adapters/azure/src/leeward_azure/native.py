"""The vendor's own clients, on the credentials and settings of a target."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeAlias

from leeward.adapter import TargetConfig
from leeward.errors import ConfigError
from leeward_azure.functions.discovery import web_client
from leeward_azure.identity.credentials import ServiceCredential
from leeward_azure.settings.options import Settings
from leeward_azure.settings.services import TOPIC, Events, is_topic_name

KNOWN: Final = "cosmos, queue, web, and eventgrid:<topic>"

INSTALL: Final = 'pip install "leeward-azure[native]"'

Answers: TypeAlias = Callable[[Hashable], Any]
"""Gives what is needed as it is now, such as the credential of a service."""


def native(service: str, settings: Settings, config: TargetConfig, answer: Answers) -> Any:
    """Return a client of azure-cosmos and its kin; closing it is the caller's.

    It goes where leeward goes. A token is asked for again every minute; a key stays as it was when
    the client was made. Retries and time-outs are the client's own. azure-cosmos asks its account
    for its regions while it is being made.

    Args:
        service: ``cosmos`` (a `CosmosClient`), ``queue`` (a `QueueServiceClient`), ``web`` (a
            `WebSiteManagementClient`), or ``eventgrid:orders`` (an `EventGridPublisherClient` of
            that topic).
        settings: of the target.
        config: of the same.
        answer: gives credentials. What it raises comes out of the client's methods.

    Raises:
        ConfigError: the service is unknown or not configured, or its package is not installed.
    """
    name, _, topic = service.partition(":")
    make = _MAKERS.get(name)
    if make is None or bool(topic) != (name == "eventgrid"):
        raise ConfigError(f"native() knows no service {service!r} on Azure: use {KNOWN}")
    try:
        return make(settings, config, answer, topic)
    except ImportError as error:
        raise ConfigError(
            f"native({service!r}) gives the vendor's client, which is missing: {INSTALL}"
        ) from error


def _cosmos(settings: Settings, config: TargetConfig, answer: Answers, _: str) -> Any:
    from azure.core.pipeline.transport import RequestsTransport
    from azure.cosmos import CosmosClient

    tables = _require(settings.tables, config, "cosmos_endpoint")
    credential = tables.key or _make_credential(ServiceCredential("cosmos"), answer)
    options = _options(settings, config)
    # This client hands what it does not know on to each request; its transport takes it.
    transport = RequestsTransport(use_env_settings=options.pop("use_env_settings"))
    return CosmosClient(tables.origin, credential, transport=transport, **options)


def _queue(settings: Settings, config: TargetConfig, answer: Answers, _: str) -> Any:
    from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
    from azure.storage.queue import QueueServiceClient

    queues = _require(settings.queues, config, "storage_connection_string")
    credential: Any = _make_credential(ServiceCredential("queue"), answer)
    if queues.key:
        credential = AzureNamedKeyCredential(queues.account, queues.key)
    elif queues.sas:
        credential = AzureSasCredential(queues.sas)
    url = queues.origin + queues.path
    return QueueServiceClient(url, credential, **_options(settings, config))


def _eventgrid(settings: Settings, config: TargetConfig, answer: Answers, topic: str) -> Any:
    from azure.core.credentials import AzureKeyCredential, AzureSasCredential
    from azure.eventgrid import EventGridPublisherClient

    events = _require(settings.events, config, "eventgrid_topic_url")
    credential: Any = _make_credential(ServiceCredential("eventgrid"), answer)
    key = events.keys.get(topic, events.key)
    if key:
        credential = AzureKeyCredential(key)
    elif events.sas:
        credential = AzureSasCredential(events.sas)
    options = _options(settings, config)
    if events.namespace:
        return EventGridPublisherClient(
            events.namespace, credential, namespace_topic=topic, **options
        )
    if not config.trust_env:
        raise ConfigError(
            f"native('eventgrid:{topic}') is refused because trust_env is false: azure-eventgrid "
            "drops all options of a custom topic, so that its client takes certificates and "
            "proxies from the environment of this process"
        )
    return EventGridPublisherClient(_topic_url(events, topic, config), credential, **options)


def _topic_url(events: Events, topic: str, config: TargetConfig) -> str:
    url = events.urls.get(topic)
    if url is not None:
        return url
    if events.topic_url is None or not is_topic_name(topic):
        raise ConfigError(
            f"topic {topic!r} has no URL: give it one in eventgrid_topic_urls of {config.section}"
        )
    return events.topic_url.replace(TOPIC, topic)


def _web(settings: Settings, config: TargetConfig, answer: Answers, _: str) -> Any:
    lookup = _require(settings.management, config, "subscription_id")
    return web_client(lookup, settings, config, lambda: answer(ServiceCredential("management")))


_MAKERS: Final = {"cosmos": _cosmos, "eventgrid": _eventgrid, "queue": _queue, "web": _web}


def _require(value: Any, config: TargetConfig, option: str) -> Any:
    if value is None:
        raise ConfigError(f"this service is not configured: set {option} in {config.section}")
    return value


def _make_credential(what: Hashable, answer: Answers) -> Any:
    from leeward_azure.identity.vendor_token import SharedTokenCredential

    return SharedTokenCredential(lambda: answer(what))


def _options(settings: Settings, config: TargetConfig) -> dict[str, Any]:
    """Return what every client takes: certificates, and whether variables name a proxy."""
    options: dict[str, Any] = {"use_env_settings": config.trust_env}
    if settings.http.ca_bundle is not None:
        options["connection_verify"] = settings.http.ca_bundle
    return options
