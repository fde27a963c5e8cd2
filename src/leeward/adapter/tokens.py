"""Tokens from an endpoint: one small request, one small JSON document with a token in it.

Platforms have such an endpoint for the programs that run on them, and clouds for whoever acts as
somebody else. What may go wrong is the same everywhere, and is told alike. Nothing that an endpoint
has answered stands in a message: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from leeward._http.messages import Failure, Request, Response
from leeward._http.options import options_from_env
from leeward._http.wire import Transport, curl_wire
from leeward.adapter.hosts import url_of
from leeward.adapter.resolver import Resolved, Unresolved
from leeward.errors import ConfigError, LeewardError, Outcome
from leeward.json_text import Undecodable, decode
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.text import is_token

LARGEST: Final = 64 * 1024
"""Bytes of an answer, or of a file with a token in it; real ones have about 2 KiB."""


@show_only("origin")
class EndpointAddress(NamedTuple):
    """Where an endpoint is.

    Attributes:
        origin: scheme, host and port.
        target: the path with its query; platforms put words into it that nobody else may know.
    """

    origin: str
    target: str


def address_in(
    url: str, variable: str, plain: Callable[[str], bool], hosts: str
) -> EndpointAddress:
    """Return the address of an endpoint that a variable names.

    Args:
        url: what the variable holds.
        variable: its name.
        plain: returns whether a host, in lower case, may be asked without TLS.
        hosts: which these are, for the message.

    Raises:
        ConfigError: it is not an address, or one that must not be asked. It may hold a secret, so
            the message names the variable alone.
    """
    url_parts = url_of(url)
    if url_parts is None:
        raise ConfigError(
            f"{variable} must be a URL with a scheme, a host, perhaps a port, and a path, without "
            "user and fragment"
        )
    if url_parts.origin.startswith("http:") and not plain(url_parts.host):
        raise ConfigError(
            f"{variable} must lead to https, or to {hosts}: the answer holds a secret"
        )
    return EndpointAddress(url_parts.origin, (url_parts.path or "/") + url_parts.query)


class OneShotTransport:
    """A transport for one request at a time, which keeps no connection.

    For the endpoints that a platform has for its programs, on addresses of its own: a target's
    transport keeps, in the hardened mode, to the public internet.
    """

    def send(self, request: Request, timeout: float) -> Response | Failure:
        """Send `request` once and give its answer, within `timeout` seconds."""
        wire = curl_wire(options_from_env({}))
        try:
            return wire.transport().send(request, timeout)
        finally:
            wire.close()

    def drop(self, origin: str) -> None:
        """Do nothing: no connection is kept."""

    def close(self) -> None:
        """Do nothing: no connection is kept."""


class TokenEndpoint(NamedTuple):
    """Somebody who gives tokens.

    Attributes:
        where: who it is, for messages.
        transport: carries the requests. Asking has no effect, so a kept connection is fine.
        starting: statuses by which it asks for patience, besides 408, 429 and 5xx.
        remedy: what to do if it refuses, for the message; or empty.
    """

    where: str
    transport: Transport
    starting: Collection[int] = ()
    remedy: str = ""

    def ask(self, request: Callable[[], Request], timeout: float) -> Response:
        """Send what `request` makes, and return a success of an acceptable size.

        Raises:
            Unresolved: NOT_SENT if nobody could be asked, else AUTH.
        """
        try:
            answer = self.transport.send(request(), timeout)
        except LeewardError as error:
            raise Unresolved(Outcome.AUTH, "misconfigured", str(error)) from error
        if isinstance(answer, Failure):
            why = f"{self.where} cannot be reached ({answer.code})"
            raise Unresolved(Outcome.NOT_SENT, answer.code, why) from answer.cause
        status = answer.status
        if status != 200:
            code, why = f"http.{status}", f"{self.where} answered with status {status}"
            if status in self.starting or is_busy(status):
                raise Unresolved(Outcome.NOT_SENT, code, why)
            raise Unresolved(Outcome.AUTH, code, f"{why}: {self.remedy}" if self.remedy else why)
        if len(answer.body) > LARGEST:
            raise undecodable(self.where, "is too large")
        return answer

    def document(self, request: Callable[[], Request], timeout: float) -> dict[str, Any]:
        """Do the same, and return the JSON object in the answer."""
        return json_object(self.ask(request, timeout).body, self.where)


def is_busy(status: int) -> bool:
    """Return whether a status says to ask again later."""
    return status in (408, 429) or status >= 500


def json_object(body: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object in a body.

    Raises:
        Unresolved: AUTH; there is none.
    """
    try:
        document = decode(body)
    except Undecodable:
        document = None
    if not isinstance(document, dict):
        raise undecodable(where, "is not a JSON object")
    return document


def sound(secret: Any, what: str, where: str) -> str:
    """Return a secret that came as it should: as a text that a header can carry.

    Args:
        secret: as it came.
        what: it is called.
        where: who gave it.

    Raises:
        Unresolved: AUTH; it is missing, or holds white space or a character outside ASCII.
    """
    if not is_token(secret):
        raise undecodable(where, f"has no {what} that a header can carry")
    return str(secret)


def end_in(document: Mapping[str, Any], now: float, where: str) -> float:
    """Return when a token ends, by OAuth's members: `expires_on`, a time, else `expires_in`.

    Args:
        document: in which they are, as numbers or as texts; a time in another form is not a time.
        now: Unix seconds.
        where: who gave it.

    Raises:
        Unresolved: AUTH; there is neither.
    """
    for name, start in (("expires_on", 0.0), ("expires_in", now)):
        text = str(document.get(name))
        if re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", text):
            return start + float(text)
    raise undecodable(where, "has no expires_on or expires_in in seconds")


def time_in(document: Mapping[str, Any], name: str, where: str) -> float:
    """Return a time that stands in `document` as RFC 3339 has it, in Unix seconds.

    Raises:
        Unresolved: AUTH; there is none, or one without a zone.
    """
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(document[name])
    except (KeyError, TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise undecodable(where, f"has no {name} in ISO 8601 with a zone")
    return moment.timestamp()


def good_until(end: float | None, value: Any, now: float, where: str) -> Resolved:
    """Return `value`, which came `now` and ends at `end`, both in Unix seconds; None for never.

    Raises:
        Unresolved: AUTH; it has ended before.
    """
    if end is not None and end <= now:
        problem = f"what {where} gave has expired: renew it there"
        raise Unresolved(Outcome.AUTH, "expired_credentials", problem)
    return Resolved(value, now, end)


def undecodable(where: str, what: str) -> Unresolved:
    """Return that an answer is not what was asked for."""
    return Unresolved(Outcome.AUTH, "undecodable", f"what {where} answered {what}")
