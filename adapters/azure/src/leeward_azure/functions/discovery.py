"""Where a function is and with which key, looked up at the Resource Manager.

Through azure-mgmt-web, imported at the first look-up. Only what the configuration leaves open is
asked for: host name, route, key. It takes far wider rights than calling the function: reader of the
app, and for keys the action ``Microsoft.Web/sites/functions/listkeys``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import PATH, url_of
from leeward.adapter.http_functions import Address
from leeward.adapter.resolver import Resolved, Resolver, Source, Token, Unresolved
from leeward.adapter.vendor import CONNECT_TIMEOUT, READ_TIMEOUT, vendor_errors
from leeward.errors import ConfigError, Outcome
from leeward.text import is_token
from leeward_azure.identity.credentials import Bearer
from leeward_azure.identity.vendor import reached_nobody
from leeward_azure.settings.endpoints import check_endpoint, cloud_of
from leeward_azure.settings.options import Settings
from leeward_azure.settings.services import KEPT, Functions, Lookup, key_of, path_to

INSTALL: Final = 'pip install "leeward-azure[discovery]"'

_WHERE: Final = "the Azure Resource Manager"


def lookup_source(
    settings: Settings, config: TargetConfig, tokens: Source, now: Callable[[], float]
) -> Source:
    """Make a source of addresses: a `FunctionAddress` in, an `Address` out, good for `KEPT`.

    One token for the Resource Manager serves all look-ups while it holds. One that is refused is
    replaced, and the look-up made once more.

    Args:
        settings: of a target whose functions are looked up.
        config: of the same.
        tokens: gives tokens of Entra.
        now: gives Unix seconds.
    """
    configured = settings.functions
    assert configured is not None
    lookup = configured.lookup
    assert lookup is not None
    needed = Token(lookup.scope)
    # No jitter: only look-ups ask for this token, and their own moments vary.
    kept = Resolver(tokens, now, lambda: 0.0)

    def find(function: str, token: Bearer) -> Address:
        with web_client(lookup, settings, config, lambda: token) as client:
            return _Finder(client, lookup, configured).find(function)

    def find_again(function: str, timeout: float) -> Address:
        """Look a function up, and once more with another token if that is what was refused."""
        token = kept.require(needed, timeout)
        try:
            return find(function, token)
        except Exception as error:  # of azure-core, which is not imported here
            if getattr(error, "status_code", None) != 401:
                raise
            another = kept.require(needed, timeout, token)
            if another == token:
                raise
        return find(function, another)

    def fetch(what: Any, timeout: float) -> Resolved:
        missing = f"azure-mgmt-web, which looks functions up, is not installed: {INSTALL}"
        with vendor_errors("azure_mgmt_web_missing", missing, _refusal):
            address = find_again(what.function, timeout)
            cloud = cloud_of(settings.authority)
            try:
                check_endpoint(config, cloud, "functions", address.origin, f"what {_WHERE} gave")
            except ConfigError as error:
                raise Unresolved(Outcome.AUTH, "untrusted_host", str(error)) from error
            return Resolved(address, now(), now() + KEPT)

    return fetch


def web_client(
    lookup: Lookup, settings: Settings, config: TargetConfig, token: Callable[[], Bearer]
) -> Any:
    """Make azure-mgmt-web's client, which asks `token` at each request that needs one.

    Raises:
        ImportError: azure-mgmt-web is not installed.
    """
    from azure.mgmt.web import WebSiteManagementClient

    from leeward_azure.identity.vendor_token import SharedTokenCredential

    options: dict[str, Any] = {}
    if settings.http.ca_bundle is not None:
        options["connection_verify"] = settings.http.ca_bundle
    return WebSiteManagementClient(
        SharedTokenCredential(token),
        lookup.subscription,
        base_url=lookup.origin,
        credential_scopes=[lookup.scope],
        retry_total=0,
        connection_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        use_env_settings=config.trust_env,
        **options,
    )


class _Finder:
    """One look-up.

    Args:
        client: azure-mgmt-web's.
        lookup: of the function app.
        configured: what need not be looked up.
    """

    def __init__(self, client: Any, lookup: Lookup, configured: Functions) -> None:
        self._apps = client.web_apps
        self._of = (lookup.group, lookup.app)
        self._configured = configured

    def find(self, function: str) -> Address:
        host = self._apps.get(*self._of).default_host_name
        url = url_of(f"https://{host or ''}")
        if url is None or url.path or url.query:
            raise _unusable("host_missing", "gave no host name of the function app")
        origin = url.origin
        target, anonymous = self._route(function)
        key = key_of(function, self._configured)
        if key is None and not anonymous and self._configured.scope is None:
            key = self._key(function)
        return Address(origin, target, key=key, looked_up=True)

    def _route(self, function: str) -> tuple[str, bool]:
        """Return the path, and whether the function takes calls without a key."""
        if function in self._configured.routes:
            return path_to(function, self._configured), False
        details = self._apps.get_function(*self._of, function)
        if details.is_disabled:
            raise _unusable("disabled", f"says that the function {function!r} is disabled")
        trigger = _http_trigger(details.config)
        if trigger is None:
            raise _unusable("no_http_trigger", f"knows no HTTP trigger of {function!r}")
        path = re.sub(r"^https?://[^/]*", "", details.invoke_url_template or "").partition("?")[0]
        if not path:
            path = path_to(trigger.get("route") or function, self._configured)
        if re.fullmatch(PATH, path.strip("/")) is None:
            problem = f"gave a route of {function!r} with parameters in it: give it one in routes"
            raise _unusable("route_has_parameters", problem)
        return f"/{path.strip('/')}", str(trigger.get("authLevel")).lower() == "anonymous"

    def _key(self, function: str) -> str:
        keys = _keys_in(self._apps.list_function_keys(*self._of, function))
        if not keys:
            keys = self._apps.list_host_keys(*self._of).function_keys or {}
        key = keys.get("default") or next((keys[name] for name in sorted(keys)), None)
        if not is_token(key):
            raise _unusable("key_missing", f"gave no key of the function {function!r}")
        return str(key)


def _keys_in(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return keys by name. They stand at the top; the reference has them in ``properties``."""
    inner = document.get("properties")
    if isinstance(inner, Mapping):
        return inner
    return {
        name: key for name, key in document.items() if name not in ("id", "kind", "name", "type")
    }


def _http_trigger(config: Any) -> dict[str, Any] | None:
    """Return the binding of ``function.json`` that an HTTP call triggers; None for none."""
    bindings = config.get("bindings") if isinstance(config, dict) else None
    for binding in bindings if isinstance(bindings, list) else ():
        if isinstance(binding, dict) and str(binding.get("type")).lower() == "httptrigger":
            return binding
    return None


def _unusable(code: str, problem: str) -> Unresolved:
    return Unresolved(Outcome.NOT_FOUND, code, f"{_WHERE} {problem}")


def _refusal(error: Exception) -> Unresolved:
    """Return what an exception means, by class and status alone: its text may repeat anything."""
    from azure.core.exceptions import HttpResponseError

    name = type(error).__name__
    if reached_nobody(error):
        return Unresolved(Outcome.NOT_SENT, name, f"{_WHERE} could not be asked ({name})")
    if isinstance(error, HttpResponseError) and error.status_code == 404:
        problem = "knows no such function, app, resource group or subscription"
        return Unresolved(Outcome.NOT_FOUND, "ResourceNotFound", f"{_WHERE} {problem}")
    status = error.status_code if isinstance(error, HttpResponseError) else None
    code = f"http.{status}" if status else name
    return Unresolved(Outcome.AUTH, code, f"{_WHERE} refused the look-up ({code})")
