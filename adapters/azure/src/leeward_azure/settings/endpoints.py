"""Where Azure's services answer: the public cloud and the sovereign ones.

Sources: `azure.core.AzureClouds` with the endpoints that `azure.mgmt.core.tools` gives for them,
`azure.identity.AzureAuthorityHosts`, and the tables of endpoints in "Azure Government developer
guide" and "Azure China developer guide"; for Log Analytics the README of azure-monitor-query.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import check_host, check_token_goes_safely, origin_of
from leeward.adapter.options import Check, Setting, Values
from leeward.records import NamedTuple

Service: TypeAlias = Literal[
    "functions", "queue", "blob", "events", "tables", "management", "servicebus", "logs"
]
"""What is asked: a function app, Queue and Blob storage, Event Grid, Cosmos DB, the Resource
Manager, Service Bus, Log Analytics."""

_NAMES: Final[dict[Service, str]] = {
    "functions": "Azure Functions",
    "queue": "Queue storage",
    "blob": "Blob storage",
    "events": "Event Grid",
    "tables": "Cosmos DB",
    "management": "the Resource Manager",
    "servicebus": "Service Bus",
    "logs": "Log Analytics",
}

EVENTS_SCOPE: Final = "https://eventgrid.azure.net/.default"
STORAGE_SCOPE: Final = "https://storage.azure.com/.default"
SERVICE_BUS_SCOPE: Final = "https://servicebus.azure.net/.default"
"""What a token is for. They are the same in every cloud."""


class Cloud(NamedTuple):
    """One of Azure's clouds.

    Attributes:
        management: origin of the Resource Manager.
        management_scope: what a token for it is for.
        suffixes: what the names of a service's hosts end with, after a dot.
        logs: origin of Log Analytics; a token is for it.
    """

    management: str
    management_scope: str
    suffixes: dict[Service, str]
    logs: str

    def owns(self, host: str, service: Service) -> bool:
        """Return whether `host` is one that this cloud gives to customers of `service`."""
        if service == "management":
            return f"https://{host}" == self.management
        if service == "logs":
            return f"https://{host}" == self.logs
        return host.endswith(f".{self.suffixes[service]}")


PUBLIC: Final = Cloud(
    "https://management.azure.com",
    "https://management.azure.com/.default",
    {
        "functions": "azurewebsites.net",
        "queue": "queue.core.windows.net",
        "blob": "blob.core.windows.net",
        "events": "eventgrid.azure.net",
        "tables": "documents.azure.com",
        "servicebus": "servicebus.windows.net",
    },
    "https://api.loganalytics.io",
)

_GOVERNMENT: Final = Cloud(
    "https://management.usgovcloudapi.net",
    "https://management.core.usgovcloudapi.net/.default",
    {
        "functions": "azurewebsites.us",
        "queue": "queue.core.usgovcloudapi.net",
        "blob": "blob.core.usgovcloudapi.net",
        "events": "eventgrid.azure.us",
        "tables": "documents.azure.us",
        "servicebus": "servicebus.usgovcloudapi.net",
    },
    "https://api.loganalytics.us",
)

_CHINA: Final = Cloud(
    "https://management.chinacloudapi.cn",
    "https://management.chinacloudapi.cn/.default",
    {
        "functions": "chinacloudsites.cn",
        "queue": "queue.core.chinacloudapi.cn",
        "blob": "blob.core.chinacloudapi.cn",
        "events": "eventgrid.azure.cn",
        "tables": "documents.azure.cn",
        "servicebus": "servicebus.chinacloudapi.cn",
    },
    "https://api.loganalytics.azure.cn",
)

_BY_AUTHORITY: Final = {
    "login.microsoftonline.us": _GOVERNMENT,
    "login.chinacloudapi.cn": _CHINA,
    "login.partner.microsoftonline.cn": _CHINA,
}


def cloud_of(authority: str | None) -> Cloud:
    """Return the cloud that signs in at `authority`, a host; the public one for any other host."""
    return _BY_AUTHORITY.get(authority or "", PUBLIC)


def check_endpoint(
    config: TargetConfig, cloud: Cloud, service: Service, origin: str, where: str
) -> None:
    """Refuse, in the hardened mode, an endpoint that nobody vouches for; see `check_host`."""
    is_own = cloud.owns(origin.partition("://")[2], service)
    check_host(origin, where, config, is_own=is_own, whose=f"Azure's own for {_NAMES[service]}")


def check_configured(
    origin: str, service: Service, setting: Setting, values: Values, *, secret: bool = True
) -> str:
    """Return `origin`, unless nobody vouches for it, or a secret would go there in clear text."""
    cloud = cloud_of(values["authority_host"])
    check_endpoint(values.config, cloud, service, origin, setting.where)
    if secret:
        check_token_goes_safely(origin, setting.where)
    return origin


def endpoint(service: Service, example: str) -> Check:
    """Return a check for the origin of a service, where a credential goes with every request."""

    def check(setting: Setting, values: Values) -> str:
        return check_configured(origin_of(setting, example), service, setting, values)

    return check
