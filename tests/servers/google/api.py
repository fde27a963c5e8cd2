"""What the REST stubs of Google's services have in common: who may ask, and what for."""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.google import tokens
from tests.servers.google.refused import Refused

BODY_BYTES: Final = 14 * 1024 * 1024
"""Larger than any request that a service's own limit allows, base64 and all."""

NO_SUCH_PAGE: Final = Answer(
    404,
    (("Content-Type", "text/html; charset=UTF-8"),),
    b"<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title>"
    b"<p><b>404.</b> <ins>That\xe2\x80\x99s an error.</ins>",
)
"""What Google's front end says to a path or a method that no service has."""


class Asked(NamedTuple):
    """A request.

    Attributes:
        names: what the path holds, by the groups of the pattern.
        query: its parameters.
        body: as it came.
        headers: names in small letters.
    """

    names: dict[str, str]
    query: Sequence[tuple[str, str]]
    body: bytes
    headers: Mapping[str, str]


Method: TypeAlias = Callable[[Asked], Answer]


class Route(NamedTuple):
    """A method of a service.

    Attributes:
        verb: of HTTP.
        pattern: of the path, as a regular expression.
        method: may raise Refused.
        streams: whether its answer is a list, so that a refusal is one too.
    """

    verb: str
    pattern: str
    method: Method
    streams: bool = False


class GoogleApi(AnsweringServer):
    """A service that wants a token for each request.

    Args:
        project: the one that exists; in others nobody may do anything.
        clock: Unix seconds; a test may let it differ from the machine's.

    Attributes:
        SERVICE: the host name of the real one.
        SCOPES: any of them is enough for an access token.
        BODY_BYTES: what a request may have.
        clock: may change at any time.
    """

    SERVICE: ClassVar[str]
    SCOPES: ClassVar[frozenset[str]]
    BODY_BYTES: ClassVar[int] = BODY_BYTES

    def __init__(self, project: str, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.project = project
        self.clock = clock
        self._answer = self._answered
        self._methods = [(each, re.compile(each.pattern)) for each in self._routes()]

    @abstractmethod
    def _routes(self) -> Sequence[Route]:
        """Give the methods; the first that fits answers."""

    def _answered(self, request: Executed) -> Answer:
        parts = urlsplit(request.target)
        found = self._route(request.method, parts.path)
        if found is None:
            return NO_SUCH_PAGE
        route, names = found
        headers = {name.lower(): value for name, value in request.headers}
        try:
            self._authorize(request, names.get("project", self.project))
            return route.method(Asked(names, parse_qsl(parts.query), request.body, headers))
        except Refused as refused:
            return refused.answer(streams=route.streams)

    def _route(self, verb: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route, pattern in self._methods:
            match = pattern.fullmatch(path)
            if match and route.verb == verb:
                return route, {name: unquote(each) for name, each in match.groupdict().items()}
        return None

    def _authorize(self, request: Executed, project: str) -> None:
        if len(request.body) > self.BODY_BYTES:
            raise Refused("INVALID_ARGUMENT", "Request payload size exceeds the limit.")
        scheme, _, token = header(request, "authorization").partition(" ")
        if scheme != "Bearer":
            raise Refused(
                "UNAUTHENTICATED",
                "Request is missing required authentication credential.",
                "CREDENTIALS_MISSING",
            )
        try:
            tokens.read_access_token(token, self.SERVICE, self.SCOPES, self.clock())
        except tokens.Untrusted:
            raise Refused(
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials.",
                "ACCESS_TOKEN_EXPIRED" if token.startswith("ya29.") else None,
            ) from None
        except tokens.Unscoped:
            raise Refused(
                "PERMISSION_DENIED",
                "Request had insufficient authentication scopes.",
                "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            ) from None
        if project != self.project:
            raise Refused("PERMISSION_DENIED", f"Permission denied on resource project {project}.")


def header(request: Executed, name: str) -> str:
    """Give the first header of a name in small letters; an empty text if there is none."""
    return next((value for each, value in request.headers if each.lower() == name), "")
