"""The Cloud Functions API, as far as one asks it where a function is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

from tests.servers.answering import Answer
from tests.servers.google.api import Asked, GoogleApi, Route
from tests.servers.google.messages import answered, read_query
from tests.servers.google.refused import Refused
from tests.servers.google.tokens import CLOUD_PLATFORM

_FUNCTION = (
    r"/v2/(?P<name>projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)"
    r"/functions/(?P<function>[^/]+))"
)


class Deployed(NamedTuple):
    """A function of the API.

    Attributes:
        uri: gives where it is served.
        state: ``ACTIVE``, ``FAILED``, ``DEPLOYING``, ``DELETING``.
    """

    uri: Callable[[], str]
    state: str = "ACTIVE"


class FunctionsAdmin(GoogleApi):
    """Tells where the functions of one region are.

    Args:
        project: the one that exists.
        region: likewise; others have no function.
        functions: by name.

    Attributes:
        functions: may change at any time.
    """

    SERVICE = "cloudfunctions.googleapis.com"
    SCOPES = frozenset({CLOUD_PLATFORM})

    def __init__(self, project: str, region: str, functions: Mapping[str, Deployed]) -> None:
        super().__init__(project)
        self.region = region
        self.functions = dict(functions)

    def _routes(self) -> Sequence[Route]:
        return [Route("GET", _FUNCTION, self._get)]

    def _get(self, asked: Asked) -> Answer:
        types = import_module("google.cloud.functions_v2.types")
        read_query(types.GetFunctionRequest, asked.query)
        name = asked.names["name"]
        found = self.functions.get(asked.names["function"])
        if found is None or asked.names["region"] != self.region:
            raise Refused("NOT_FOUND", f"Resource '{name}' was not found")
        uri = found.uri()
        function = types.Function(
            name=name,
            state=found.state,
            environment="GEN_2",
            url=uri,
            service_config={"uri": uri, "ingress_settings": "ALLOW_ALL"},
        )
        return answered(function, asked.query)
