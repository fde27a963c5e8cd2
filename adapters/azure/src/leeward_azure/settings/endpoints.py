"""Where Azure's services answer: the public cloud and the sovereign ones.

Sources: `azure.core.AzureClouds` with the endpoints that `azure.mgmt.core.tools` gives for them,
`azure.identity.AzureAuthorityHosts`, and the tables of endpoints in "Azure Government developer
guide" and "Azure China developer guide".
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

Service: TypeAlias = Literal["functions", "queue", "events", "tables", "management"]
"""What is asked: a function app, Queue storage, Event Grid, Cosmos DB, the Resource Manager."""

EVENTS_SCOPE: Final = "https://eventgrid.azure.net/.default"
QUEUE_SCOPE: Final = "https://storage.azure.com/.default"
"""What a token is for. Both are the same in every cloud."""


class Cloud(NamedTuple):
    """One of Azure's clouds.

    Attributes:
        management: origin of the Resource Manager.
        management_scope: what a token for it is for.
        suffixes: what the names of a service's hosts end with, after a dot.
    """

    management: str
    management_scope: str
    suffixes: dict[Service, str]

    def owns(self, host: str, service: Service) -> bool:
        """Return whether `host` is one that this cloud gives to customers of `service`."""
        if service == "management":
            return f"https://{host}" == self.management
        return host.endswith(f".{self.suffixes[service]}")


PUBLIC: Final = Cloud(
    "https://management.azure.com",
    "https://management.azure.com/.default",
    {
        "functions": "azurewebsites.net",
        "queue": "queue.core.windows.net",
        "events": "eventgrid.azure.net",
        "tables": "documents.azure.com",
    },
)

_GOVERNMENT: Final = Cloud(
    "https://management.usgovcloudapi.net",
    "https://management.core.usgovcloudapi.net/.default",
    {
        "functions": "azurewebsites.us",
        "queue": "queue.core.usgovcloudapi.net",
        "events": "eventgrid.azure.us",
        "tables": "documents.azure.us",
    },
)

_CHINA: Final = Cloud(
    "https://management.chinacloudapi.cn",
    "https://management.chinacloudapi.cn/.default",
    {
        "functions": "chinacloudsites.cn",
        "queue": "queue.core.chinacloudapi.cn",
        "events": "eventgrid.azure.cn",
        "tables": "documents.azure.cn",
    },
)

_BY_AUTHORITY: Final = {
    "login.microsoftonline.us": _GOVERNMENT,
    "login.chinacloudapi.cn": _CHINA,
    "login.partner.microsoftonline.cn": _CHINA,
}


def cloud_of(authority: str | None) -> Cloud:
    """Return the cloud that signs in at `authority`, a host; the public one for any other host."""
    return _BY_AUTHORITY.get(authority or "", PUBLIC)
