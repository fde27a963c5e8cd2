"""The settings of one Azure target: its options, and the variables that Azure's users know.

A qualifier, as in ``azure:westeurope``, is a free label: it tells two targets apart and settles
nothing. Each service stands for itself: one whose options are missing is not there, and its verbs
are not declared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import PATH, origin_of
from leeward.adapter.opening import HttpSettings, http_options, http_settings
from leeward.adapter.options import Option, Setting, Values, matching, read_options
from leeward.errors import ConfigError
from leeward.records import NamedTuple
from leeward.text import BASE64
from leeward_azure.settings import connections
from leeward_azure.settings.connections import Cosmos, parse_cosmos
from leeward_azure.settings.endpoints import check_configured, cloud_of, endpoint
from leeward_azure.settings.services import (
    QUEUE_NAME,
    TOPIC,
    Account,
    Blobs,
    Events,
    Functions,
    Logs,
    Lookup,
    Queues,
    ServiceBus,
    Tables,
    Workflows,
    is_topic_name,
)


def _authority(setting: Setting, _: Values) -> str:
    """Return the host that signs in, which users write as a URL too."""
    bare = setting.value if "://" in setting.value else f"https://{setting.value}"
    origin = origin_of(setting._replace(value=bare), "login.microsoftonline.us")
    return origin.partition("://")[2]


def _identity(setting: Setting, values: Values) -> str:
    word: str = matching("default|managed", "'default' or 'managed'")(setting, values)
    if word == "default" and not values.config.trust_env:
        raise ConfigError(
            f"{setting.where} cannot be 'default' while trust_env is false: that chain reads the "
            "environment and starts programs; set 'managed', or keys"
        )
    return word


def _function_url(setting: Setting, values: Values) -> str:
    secrets = map(values.setting, ("function_key", "function_keys", "function_scope"))
    origin = origin_of(setting, "https://my-app.azurewebsites.net")
    return check_configured(origin, "functions", setting, values, secret=any(secrets))


def _management(setting: Setting, values: Values) -> str:
    origin: str = endpoint("management", "https://management.azure.com")(setting, values)
    if not origin.startswith("https:"):  # azure-mgmt-web sends no token over http, even here
        raise ConfigError(f"{setting.where} must be an https URL")
    return origin


def _topic(setting: Setting, values: Values, *, name: str) -> str:
    """Return the checked URL of one topic, or that of all if its `name` is `TOPIC`."""
    text = setting.value
    parts = re.fullmatch(r"(https?://[^/?#]+)(/[A-Za-z0-9._~/{}-]*)?", text, re.IGNORECASE)
    odd = re.search(r"[{}]", text.replace(TOPIC, ""))
    if parts is None or odd or (TOPIC in text) != (name == TOPIC):
        bus = f", where {TOPIC} stands for the bus" if name == TOPIC else ""
        raise ConfigError(
            f"{setting.where} must be a topic's URL, such as "
            f"https://{name}.westeurope-1.eventgrid.azure.net/api/events{bus}; without query"
        )
    # A template counts by the host that a topic named "topic" would have.
    _TOPIC_HOST(setting._replace(value=parts[1].replace(TOPIC, "topic")), values)
    return parts[1].lower() + ((parts[2] or "").rstrip("/") or "/api/events")


_TOPIC_HOST: Final = endpoint("events", "https://topic.westeurope-1.eventgrid.azure.net")
_ACCOUNT: Final = endpoint("tables", "https://account.documents.azure.com:443/")


def _cosmos(setting: Setting, values: Values) -> Cosmos:
    account = parse_cosmos(setting)
    return Cosmos(_ACCOUNT(setting._replace(value=account.url), values), account.key)


_FUNCTIONS: Final = ("function_app or function_url",)
_QUEUES: Final = ("storage_connection_string or storage_queue_url",)
_BLOBS: Final = ("storage_connection_string or storage_blob_url",)
_EVENTS: Final = ("eventgrid_topic_url or eventgrid_topic_urls or eventgrid_namespace_url",)
_TABLES: Final = ("cosmos_endpoint or cosmos_connection_string",)
"""What makes a service be there."""

OPTIONS: Final = (
    Option("function_app", "the function app's name", excludes="function_url",
           check=matching(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
                          "the name of a function app, such as my-app; no URL")),
    Option("function_url", "in its place: the app's origin", check=_function_url),
    Option("route_prefix", "`api` unless the app's host.json says otherwise", default="api",
           needs=_FUNCTIONS, may_be_empty=True,
           check=matching(rf"(?:{PATH})?", "a path such as api, as in the app's host.json", "/")),
    Option("routes", "function to route, where not its name", dict, needs=_FUNCTIONS,
           check=matching(PATH, "a path such as orders/receipt: no parameters in braces, no "
                                "escapes, no query", "/")),
    Option("function_key", "a host key; sent as a header, never in a URL", secret=True,
           needs=_FUNCTIONS),
    Option("function_keys", "function to a key of its own", dict, secret=True, needs=_FUNCTIONS),
    Option("function_scope", "`api://.../.default`, where App Service authentication wants a token",
           secret=True, needs=_FUNCTIONS),
    Option("workflow_url", "the origin of the app that `leeward workflow export` has made",
           needs=("workflow_key",), check=endpoint("functions", "https://flows.azurewebsites.net")),
    Option("workflow_key", "its system key `durabletask_extension`", secret=True,
           needs=("workflow_url",)),
    Option("subscription_id", "where functions are looked up", variables="AZURE_SUBSCRIPTION_ID",
           check=matching(r"[0-9A-Za-z-]{1,64}", "the id of a subscription, a UUID")),
    Option("resource_group", "look up host name, route and key of each function here; again after "
           "an hour, or a refusal", needs=("function_app", "subscription_id"),
           check=matching(r"[\w().-]{0,89}[\w()-]", "the name of a resource group")),
    Option("management_url", "another Resource Manager than the cloud's own",
           needs=("subscription_id",), check=_management),
    Option("storage_connection_string", "of the account of queues and blobs",
           excludes="storage_queue_url storage_blob_url",
           variables="AzureWebJobsStorage AZURE_STORAGE_CONNECTION_STRING",
           check=connections.connection),
    Option("storage_queue_url", "in its place: the URL of the queues, for which a token is shown",
           variables="AzureWebJobsStorage__queueServiceUri", check=connections.queue_service),
    Option("storage_blob_url", "the same for the containers, for objects",
           variables="AZURE_STORAGEBLOB_RESOURCEENDPOINT AzureWebJobsStorage__blobServiceUri",
           check=connections.blob_service),
    Option("log_workspace_id", "of the workspace of Application Insights, for `leeward logs`",
           check=matching(r"[0-9A-Za-z-]{1,64}", "the id of a workspace, a UUID")),
    Option("log_analytics_url", "another Log Analytics than the cloud's own",
           needs=("log_workspace_id",), check=endpoint("logs", "https://api.loganalytics.io")),
    Option("queues", "function to queue, where not its name", dict, needs=_QUEUES,
           check=matching(QUEUE_NAME, "the name of a queue: 3 to 63 of a-z, 0-9 and single "
                                      "hyphens inside")),
    Option("eventgrid_topic_url", "`https://{topic}.westeurope-1.eventgrid.azure.net/api/events`",
           excludes="eventgrid_namespace_url", check=partial(_topic, name=TOPIC)),
    Option("eventgrid_topic_urls", "topic to URL, where it is another", dict,
           excludes="eventgrid_namespace_url", check=partial(_topic, name="orders")),
    Option("eventgrid_namespace_url", "in their place: a namespace's origin",
           check=endpoint("events", "https://my-namespace.westeurope-1.eventgrid.azure.net")),
    Option("eventgrid_key", "for all topics; the variable is for custom topics alone", secret=True,
           variables="EVENTGRID_TOPIC_KEY", needs=_EVENTS, excludes="eventgrid_sas"),
    Option("eventgrid_keys", "topic to key: each custom topic has its own", dict, secret=True,
           needs=_EVENTS),
    Option("eventgrid_sas", "a shared access signature; with neither key nor signature a token",
           secret=True, needs=_EVENTS),
    Option("cosmos_connection_string", "of the account", variables="COSMOS_CONNECTION_STRING",
           needs=("cosmos_database",), excludes="cosmos_endpoint cosmos_key", check=_cosmos),
    Option("cosmos_endpoint", "in its place: the account's origin", variables="COSMOS_ENDPOINT",
           needs=("cosmos_database",), check=_ACCOUNT),
    Option("cosmos_key", "of the account; without it a token", variables="COSMOS_KEY", secret=True,
           needs=_TABLES, check=matching(BASE64, "an account key: copy it whole, it is base64")),
    Option("cosmos_database", "the database; the variables count only with it", needs=_TABLES,
           check=matching(r"[^/\\?#\x00-\x1f\x7f]{1,255}(?<! )",
                          "the name of a database: no / \\ ? # in it")),
    Option("identity", "`managed`: the platform's managed identity alone; `default`: the chain",
           check=_identity),
    Option("client_id", "of a user-assigned managed identity", variables="AZURE_CLIENT_ID",
           secret=True),
    Option("authority_host", "of a sovereign cloud; its endpoints follow",
           variables="AZURE_AUTHORITY_HOST", check=_authority),
    *connections.OPTIONS,
    *http_options("REQUESTS_CA_BUNDLE"),
)  # fmt: skip


class Settings(NamedTuple):
    """What is in force for one target.

    Attributes:
        functions: None if `invoke` is not configured; the next three the same.
        queues: for `enqueue`.
        events: for `publish`.
        tables: for items.
        management: to ask the Resource Manager for anything; None without a subscription.
        identity: where tokens come from: ``default`` or ``managed``; None if nobody said.
        client_id: of a user-assigned managed identity, or None.
        authority: the host that signs in, where it is not the public cloud's.
        http: how requests are carried.
        blobs: for objects; None if they are not configured.
        service_bus: for dead letters; the same.
        workflows: for runs of workflows; None if they are not configured.
        logs: where functions log; None if no workspace is named.
    """

    functions: Functions | None = None
    queues: Queues | None = None
    events: Events | None = None
    tables: Tables | None = None
    management: Lookup | None = None
    identity: str | None = None
    client_id: str | None = None
    authority: str | None = None
    http: HttpSettings = HttpSettings()
    blobs: Blobs | None = None
    service_bus: ServiceBus | None = None
    workflows: Workflows | None = None
    logs: Logs | None = None


def settings_from(config: TargetConfig) -> Settings:
    """Read the settings of a target.

    Raises:
        ConfigError: nothing is configured, or a setting is wrong; names it and the remedy.
    """
    values = read_options(config, OPTIONS)
    account: Account | None = values["storage_connection_string"]
    queues: Queues | None = account.queues if account else values["storage_queue_url"]
    management, url = _lookup(values), values["workflow_url"]
    settings = Settings(
        functions=_functions(values, management),
        queues=queues and queues._replace(names=values["queues"]),
        events=_events(values),
        tables=_tables(values),
        management=management,
        identity=values["identity"],
        client_id=values["client_id"],
        authority=values["authority_host"],
        http=http_settings(values),
        blobs=account.blobs if account else values["storage_blob_url"],
        workflows=url and Workflows(url, values["workflow_key"]),
        service_bus=values["service_bus_connection_string"] or values["service_bus_url"],
        logs=_logs(values),
    )
    services = "functions queues events tables blobs workflows service_bus"
    if not any(getattr(settings, service) for service in services.split()):
        raise ConfigError(
            f"nothing is configured for {config.name!r}: in {config.section} set {_FUNCTIONS[0]} "
            f"to invoke, {_QUEUES[0]} to enqueue, {_EVENTS[0]} to publish, {_TABLES[0]} with "
            f"cosmos_database for tables, {_BLOBS[0]} for objects, workflow_url for workflows"
        )
    _check_identity(settings, config)
    return settings


def _lookup(values: Values) -> Lookup | None:
    if values["subscription_id"] is None:
        return None
    cloud = cloud_of(values["authority_host"])
    origin = values["management_url"] or cloud.management
    return Lookup(origin, cloud.management_scope, values["subscription_id"])


def _functions(values: Values, management: Lookup | None) -> Functions | None:
    app, origin, lookup = values["function_app"], values["function_url"], None
    if app is None and origin is None:
        return None
    if values["resource_group"] is not None and management is not None:
        lookup = management._replace(group=values["resource_group"], app=app)
    elif app is not None:
        origin = f"https://{app}.{cloud_of(values['authority_host']).suffixes['functions']}"
    return Functions(
        origin=origin,
        prefix=values["route_prefix"],
        routes=values["routes"],
        key=values["function_key"],
        keys=values["function_keys"],
        scope=values["function_scope"],
        lookup=lookup,
    )


def _logs(values: Values) -> Logs | None:
    if values["log_workspace_id"] is None:
        return None
    origin = values["log_analytics_url"] or cloud_of(values["authority_host"]).logs
    return Logs(origin, values["log_workspace_id"])


def _events(values: Values) -> Events | None:
    url, urls = values["eventgrid_topic_url"], values["eventgrid_topic_urls"]
    namespace, key = values["eventgrid_namespace_url"], values.setting("eventgrid_key")
    if not (url or urls or namespace):
        return None
    if key is not None and key.variable and namespace:
        key = None
    keys = values.setting("eventgrid_keys")
    if keys is not None:
        _check_topics(keys, urls, everywhere=bool(url or namespace))
    return Events(
        topic_url=url,
        namespace=namespace,
        key=key and key.value,
        sas=values["eventgrid_sas"],
        urls=urls,
        keys=values["eventgrid_keys"],
    )


def _check_topics(keys: Setting, urls: Mapping[str, str], *, everywhere: bool) -> None:
    """Refuse the key of a topic that has no place."""
    for topic in keys.value:
        if topic in urls:
            continue
        if not is_topic_name(topic):  # perhaps the key itself, so it is not repeated
            raise ConfigError(
                f"a name in {keys.where} cannot be a topic's: use letters, digits and hyphens, or "
                "give it a URL in eventgrid_topic_urls"
            )
        if not everywhere:
            raise ConfigError(
                f"{topic!r} of {keys.where} has no URL: give it one in eventgrid_topic_urls, or "
                "set eventgrid_topic_url"
            )


def _tables(values: Values) -> Tables | None:
    account = values["cosmos_connection_string"]
    if account is None and values["cosmos_endpoint"] is not None:
        account = Cosmos(values["cosmos_endpoint"], values["cosmos_key"])
    return account and Tables(account.url, values["cosmos_database"], account.key)


def _check_identity(settings: Settings, config: TargetConfig) -> None:
    """Refuse, in the hardened mode, what asks for a token that nobody may fetch."""
    functions, queues = settings.functions, settings.queues
    events, tables = settings.events, settings.tables
    tokens = {
        "functions": functions and (functions.scope or functions.lookup),
        "queues": queues and not (queues.key or queues.sas),
        "events": events and not (events.key or events.keys or events.sas),
        "tables": tables and not tables.key,
        "blobs": settings.blobs and not (settings.blobs.key or settings.blobs.sas),
        "service_bus": settings.service_bus and not settings.service_bus.key,
        "logs": settings.logs is not None,
    }
    if not config.trust_env and settings.identity is None and any(tokens.values()):
        raise ConfigError(
            f"{config.name!r} has no credential for {next(filter(tokens.get, tokens))}: with "
            "trust_env = false set a key as an option, or identity = 'managed', in "
            f"{config.section}"
        )
