"""Azure Resource Manager: what tells where an app of Functions is, and with which key."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.azure import tokens
from tests.servers.azure.functions_host import HOST_KEY, MASTER_KEY, FunctionsHost

SUBSCRIPTION: Final = "00000000-0000-0000-0000-00000000aaaa"
GROUP: Final = "leeward-tests"

_JSON: Final = (("Content-Type", "application/json; charset=utf-8"),)

_SITE: Final = re.compile(
    r"/subscriptions/([^/]+)/resource[Gg]roups/([^/]+)/providers/Microsoft\.Web/sites/([^/]+)(.*)"
)


class Site(NamedTuple):
    """An app of Functions.

    Attributes:
        host_name: gives what others reach it by, with a port if it is not that of the scheme.
        functions: the host itself, for its functions and their keys.
    """

    host_name: Callable[[], str]
    functions: FunctionsHost


class Arm(AnsweringServer):
    """The part of Azure Resource Manager that knows sites; it takes tokens for management only.

    Args:
        sites: by the name of the app. All are in `SUBSCRIPTION` and `GROUP`.
    """

    def __init__(self, sites: dict[str, Site]) -> None:
        super().__init__()
        self.sites = sites
        self._answer = self._answered

    def _answered(self, request: Executed) -> Answer:
        refused = _unauthorized(request)
        if refused:
            return refused
        parts = urlsplit(request.target)
        if "api-version" not in parse_qs(parts.query):
            return _error(400, "MissingApiVersionParameter", "api-version is required.")
        match = _SITE.fullmatch(unquote(parts.path))
        if match is None:
            return _error(404, "InvalidResourceType", "There is no such type.")
        subscription, group, app, rest = match.groups()
        if subscription != SUBSCRIPTION:
            return _error(404, "SubscriptionNotFound", "There is no such subscription.")
        if group.lower() != GROUP:
            return _error(404, "ResourceGroupNotFound", "There is no such resource group.")
        if app not in self.sites:
            return _error(404, "ResourceNotFound", f"There is no site {app}.")
        path = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Web"
        return _of_site(request.method, f"{path}/sites/{app}", rest, app, self.sites[app])


def _unauthorized(request: Executed) -> Answer | None:
    given = next((value for name, value in request.headers if name.lower() == "authorization"), "")
    scheme, _, token = given.partition(" ")
    if scheme != "Bearer":
        return _error(401, "AuthenticationFailed", "The authorization header is missing.")
    try:
        tokens.check(token, {tokens.MANAGEMENT, f"{tokens.MANAGEMENT}/"}, time.time())
    except tokens.Untrusted as untrusted:
        return _error(401, "InvalidAuthenticationToken", str(untrusted))
    return None


def _of_site(method: str, resource: str, rest: str, app: str, site: Site) -> Answer:
    if (method, rest) == ("GET", ""):
        return _said(
            id=resource,
            name=app,
            type="Microsoft.Web/sites",
            kind="functionapp,linux",
            location="West Europe",
            properties={
                "state": "Running",
                "enabled": True,
                "defaultHostName": site.host_name(),
                "hostNames": [site.host_name()],
            },
        )
    if (method, rest) == ("POST", "/host/default/listkeys"):
        return _said(masterKey=MASTER_KEY, functionKeys={"default": HOST_KEY}, systemKeys={})
    name, _, action = rest.removeprefix("/functions/").partition("/")
    found = {each.name: each for each in site.functions.functions}
    if not rest.startswith("/functions/") or name not in found:
        return _error(404, "NotFound", f"There is no function {name}.")
    if (method, action) == ("POST", "listkeys"):
        return _said(default=site.functions.keys.get(name, HOST_KEY))
    if (method, action) != ("GET", ""):
        return _error(405, "MethodNotAllowed", "This is not done so.")
    trigger = found[name].trigger
    properties = {
        "name": name,
        "config": {"bindings": [trigger]},
        "isDisabled": name in site.functions.disabled,
    }
    if found[name].kind == "httpTrigger":
        path = urlsplit(site.functions.url_of(name)).path
        properties["invoke_url_template"] = f"https://{site.host_name()}{path}"
    return _said(
        id=f"{resource}/functions/{name}",
        name=f"{app}/{name}",
        type="Microsoft.Web/sites/functions",
        properties=properties,
    )


def _said(**document: object) -> Answer:
    return Answer(200, _JSON, json.dumps(document).encode())


def _error(status: int, code: str, message: str) -> Answer:
    body = {"error": {"code": code, "message": message}}
    challenge = (("WWW-Authenticate", 'Bearer authorization_uri="https://login"'),)
    headers = (*_JSON, *(challenge if status == 401 else ()))
    return Answer(status, headers, json.dumps(body).encode())
