"""What is configured of Service Bus: a namespace, and a key of it or a token."""

from __future__ import annotations

from typing import Final

from leeward.adapter.hosts import origin_of
from leeward.adapter.options import Option, Setting, Values
from leeward.errors import ConfigError
from leeward_azure.settings.connections import parts_of
from leeward_azure.settings.endpoints import check_configured
from leeward_azure.settings.services import ServiceBus

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
