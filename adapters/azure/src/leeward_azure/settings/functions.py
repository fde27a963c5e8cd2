"""What a target says about calling functions, and about asking the Resource Manager."""

from __future__ import annotations

import re
from collections.abc import Mapping

from leeward.adapter import TargetConfig
from leeward.adapter import options as reading
from leeward.adapter.hosts import check_token_goes_safely
from leeward.adapter.options import Found, exclusive, find, place, refuse_idle
from leeward.errors import ConfigError
from leeward_azure.settings.endpoints import Cloud
from leeward_azure.settings.forms import ROUTE
from leeward_azure.settings.hosts import check_endpoint
from leeward_azure.settings.services import Functions, Lookup


def read_functions(
    config: TargetConfig, cloud: Cloud, management: Lookup | None
) -> Functions | None:
    """Read what `invoke` needs; None where no function app is named.

    Raises:
        ConfigError: a setting is wrong.
    """
    app, url = find(config, "function_app"), find(config, "function_url")
    if app is None and url is None:
        options = "route_prefix", "routes", "function_key", "function_keys", "function_scope"
        refuse_idle(config, (*options, "resource_group"), "function_app or function_url")
        return None
    lookup = _lookup(config, app, management)
    origin = None if lookup else _function_origin(config, cloud, app, url)
    keys = reading.table(config, "function_keys")
    where = place(config, "function_keys")
    return Functions(
        origin=origin,
        prefix=_prefix(config),
        routes=_routes(config),
        key=reading.secret(find(config, "function_key")),
        keys={name: str(reading.secret(Found(each, where))) for name, each in keys.items()},
        scope=reading.secret(find(config, "function_scope")),
        lookup=lookup,
    )


def _function_origin(
    config: TargetConfig, cloud: Cloud, app: Found | None, url: Found | None
) -> str:
    exclusive(app, url)
    if app is not None:
        return f"https://{_app_name(app)}.{cloud.suffixes['functions']}"
    assert url is not None
    origin = reading.origin(url, "https://my-app.azurewebsites.net")
    check_endpoint(config, cloud, "functions", origin, url.where)
    if {"function_key", "function_keys", "function_scope"} & set(config.options):
        check_token_goes_safely(origin, url.where)
    return origin


def _lookup(config: TargetConfig, app: Found | None, management: Lookup | None) -> Lookup | None:
    """Return how to look the app up. A resource group is the word that asks for it."""
    group = find(config, "resource_group")
    if group is None:
        return None
    if app is None or "function_url" in config.options:
        raise ConfigError(f"{group.where} goes with function_app, and without function_url")
    if management is None:
        raise ConfigError(
            f"{group.where} needs a subscription: set subscription_id beside it"
            + (", or AZURE_SUBSCRIPTION_ID" if config.trust_env else "")
        )
    if re.fullmatch(r"[\w().-]{0,89}[\w()-]", group.value) is None:
        raise ConfigError(f"{group.where} cannot be the name of a resource group")
    return management._replace(group=group.value, app=_app_name(app))


def _app_name(app: Found) -> str:
    if re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", app.value):
        return str(app.value)
    raise ConfigError(f"{app.where} must be the name of a function app, such as my-app; no URL")


def _prefix(config: TargetConfig) -> str:
    found = find(config, "route_prefix", may_be_empty=True)
    prefix = "api" if found is None else str(found.value).strip("/")
    if found is not None and prefix and ROUTE.fullmatch(prefix) is None:
        raise ConfigError(f"{found.where} must be a path such as api, as in the app's host.json")
    return prefix


def _routes(config: TargetConfig) -> Mapping[str, str]:
    routes = {name: each.strip("/") for name, each in reading.table(config, "routes").items()}
    for name, route in routes.items():
        if ROUTE.fullmatch(route) is None:
            raise ConfigError(
                f"{name!r} of {place(config, 'routes')} must be a path such as orders/receipt: no "
                "parameters in braces, no escapes, no query"
            )
    return routes


def read_management(config: TargetConfig, cloud: Cloud) -> Lookup | None:
    """Read whom the Resource Manager is asked for; None without a subscription.

    Raises:
        ConfigError: a setting is wrong.
    """
    subscription = find(config, "subscription_id", "AZURE_SUBSCRIPTION_ID")
    url = find(config, "management_url")
    if subscription is None:
        refuse_idle(config, ("management_url",), "subscription_id")
        return None
    if re.fullmatch(r"[0-9A-Za-z-]{1,64}", subscription.value) is None:
        raise ConfigError(f"{subscription.where} must be the id of a subscription, a UUID")
    origin = cloud.management
    if url is not None:
        origin = reading.origin(url, cloud.management)
        check_endpoint(config, cloud, "management", origin, url.where)
        if not origin.startswith("https:"):  # azure-mgmt-web sends no token over http, even here
            raise ConfigError(f"{url.where} must be an https URL")
    return Lookup(origin, cloud.management_scope, subscription.value)
