"""Call a function by its URL, and know what its answer proves.

A foreign service, and whatever stands in front of it, may answer with any status after the function
has begun. So only the mark of leeward's handler, and what the operator has declared in `refusals`,
prove that it did not run. How answers are read stands in `leeward.adapter.http_functions`.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from time import time
from typing import Any, Final

from leeward.adapter import TargetConfig
from leeward.adapter.http_functions import Address, FunctionPlatform, by_token
from leeward.adapter.http_functions import invoke as invoke_over_http
from leeward.adapter.looking import reach
from leeward.adapter.plans import Need, Plan, Planner, Send, View
from leeward.adapter.resolver import ConfiguredFirst, Resolved, Source, Token, Unresolved
from leeward.adapter.service import retry_after
from leeward.adapter.tokens import LARGEST
from leeward.adapter.wire import Failure, Request, Response, Transport
from leeward.calls import Invoke, Look, Result, Settle
from leeward.calls.looks import FUNCTION
from leeward.errors import Outcome
from leeward.text import is_token
from leeward_http.settings import MCP, NAME, Identity, Location, Settings
from leeward_http.tools import call_tool

NO_URL: Final = "no_url"
"""The code of a NOT_FOUND result: the settings have no URL of the function."""

NO_QUESTIONS: Final = "no_questions"
"""The code of a result: a tool cannot be asked what became of a call, and nothing was sent."""

TOKEN: Final = Token("http")

TOKEN_SECONDS: Final = 10.0
"""For which a token from a file is used before the file is read again."""

_NAME: Final = r"(?!\.{1,2}$)[A-Za-z0-9._~-]+"
"""A name that is one step of a path, and leads nowhere else."""


def functions(settings: Settings) -> dict[str, Planner]:
    """Return the planners of calls, and of looks: one for a function, or at the target's health."""
    platforms = {name: _platform(settings, name) for name in settings.refusals}
    call = partial(invoke, settings, platforms, _platform(settings, ""))
    return {"invoke": call, "settle": call, FUNCTION: partial(look_for, settings)}


def source_of(settings: Settings, _: TargetConfig, __: Transport) -> Source:
    """Return what gives `TOKEN`, where that is in a file."""
    return ConfiguredFirst(lambda _: _read_token(settings.identity.file or ""), _never)


def find_location(settings: Settings, function: str) -> Location | None:
    """Return where a function is called; None if the settings have no URL of it."""
    place = settings.functions.get(function)
    if place is None and settings.url and re.fullmatch(_NAME, function):
        text = settings.url.removeprefix(MCP).replace(NAME, function)
        url, _, tool = text.partition("#")
        scheme, _, rest = url.partition("://")
        host, _, target = rest.partition("/")
        place = Location(Address(f"{scheme.lower()}://{host.lower()}", f"/{target}"), tool)
    if place is None:
        return None
    return place._replace(address=place.address._replace(token=settings.identity.token))


def invoke(
    settings: Settings,
    platforms: dict[str, FunctionPlatform],
    platform: FunctionPlatform,
    call: Invoke | Settle,
    view: View,
) -> Plan:
    """Call a function, or ask it what became of a call, and wait for its answer.

    Args:
        settings: of the target.
        platforms: function to what is particular about it, where anything is.
        platform: that of all others.
        call: of the function.
        view: of the plan.
    """
    place = find_location(settings, call.function)
    if place is None:
        return _no_url(settings)
    address = place.address
    if place.tool and isinstance(call, Settle):
        return Result(Outcome.APP_ERROR, code=NO_QUESTIONS)
    if settings.identity.file is not None:
        address = address._replace(token=(yield Need(TOKEN)))
    platform = platforms.get(call.function, platform)
    if place.tool and isinstance(call, Invoke):
        return (yield from call_tool(platform, call, view, address, place.tool))
    return (yield from invoke_over_http(platform, call, view, address))


def look_for(settings: Settings, look: Look, view: View) -> Plan:
    """Look whether a function's server can be reached; the target's health without a name.

    Nothing is sent to the function's own URL: whatever is sent there may run it.
    """
    del view
    if not look.name and settings.health is not None:
        return (yield from _look_at_health(settings.health))
    place = find_location(settings, look.name)
    if place is None:
        return _no_url(settings)
    why = "its server was reached; whether the function is there, only a call would show"
    return (yield from reach(Request("OPTIONS", place.address.origin, "/"), why))


def _look_at_health(health: Address) -> Plan:
    request = Request("GET", health.origin, health.target)
    response: Response | Failure = yield Send(request, effect=False)
    if isinstance(response, Failure):
        return Result(Outcome.NOT_SENT, code=response.code, cause=response.cause)
    if 200 <= response.status < 300:
        return Result.ok(None)
    return Result(Outcome.REJECTED, code=f"http.{response.status}")


def _platform(settings: Settings, function: str) -> FunctionPlatform:
    return FunctionPlatform(
        settings.refusals.get(function, ()),
        lambda response: response.headers.get("x-request-id"),
        partial(_credentials, settings.identity),
        retry_after,
    )


def _credentials(identity: Identity, address: Address) -> tuple[tuple[str, str], ...]:
    """Return the headers of every request, and the one with the token."""
    if address.token is not None and identity.header:
        return (*identity.headers, (identity.header, address.token))
    return (*identity.headers, *by_token(address))


def _no_url(settings: Settings) -> Result[Any]:
    problem = "no URL is configured for this function"
    if settings.url:
        problem = "this name cannot stand in a URL, and the function has no URL of its own"
    return Result(Outcome.NOT_FOUND, code=NO_URL, message=f"{problem}; give it one in functions")


def _read_token(path: str) -> Resolved:
    """Return the token in a file.

    Raises:
        Unresolved: AUTH; the file cannot be read, or holds something else.
    """
    try:
        with Path(path).open("rb") as file:
            token = file.read(LARGEST + 1).strip().decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"token_file cannot be read ({type(error).__name__}): {path}"
        raise Unresolved(Outcome.AUTH, "token_file", problem) from error
    if not is_token(token) or len(token) > LARGEST:
        raise Unresolved(Outcome.AUTH, "token_file", f"token_file holds no token: {path}")
    now = time()
    return Resolved(token, now, now + TOKEN_SECONDS)


def _never(what: Any, timeout: float) -> Resolved:
    del what, timeout
    raise Unresolved(Outcome.AUTH, "token_file", "token_file could not be read")
