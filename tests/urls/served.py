"""Functions served over HTTP: the contract's own by leeward, and others by another framework."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from leeward import App, Client
from leeward.adapter import Driver, TargetConfig
from leeward.adapter.wire import Response
from leeward.app import serving
from leeward.app.serving import FunctionServer
from leeward.config import Config
from leeward.registry import open_target
from leeward_contract_tests import LoopbackCloud
from tests.servers.faultproxy import FaultProxy, toxics

ANYWHERE = "127.0.0.1:0"


def contract_app(functions: Mapping[str, Callable[..., Any]]) -> App:
    """Return an app with the functions of the contract."""
    app = App("contract")
    for name, function in functions.items():
        app.function(name=name)(function)
    return app


def config_of(name: str = "http", **options: Any) -> TargetConfig:
    """Return what opens a target with these options."""
    provider, _, qualifier = name.partition(":")
    return TargetConfig(name, provider, qualifier or None, options, {})


def target(name: str = "http", **options: Any) -> Driver:
    """Open a target with these options."""
    return open_target(config_of(name, **options))


def client_of(*urls: str, config: Config | None = None, **options: Any) -> Client:
    """Open a client over targets at these URLs, ``http:a``, ``http:b`` and so on."""
    sections = {
        f"http:{letter}": {"url": f"{url}/{{function}}", **options}
        for letter, url in zip("abc", urls, strict=False)
    }
    return Client(",".join(sections), config=(config or Config())._replace(options=sections))


class ServedFaults:
    """`leeward_contract_tests.Faults` of functions that leeward serves behind a proxy."""

    on_wire = True

    def __init__(
        self, proxy: FaultProxy, server: FunctionServer, patch: pytest.MonkeyPatch
    ) -> None:
        self._proxy, self._server, self._patch = proxy, server, patch

    @contextmanager
    def _injected(self, toxic: Any, times: int | None = None) -> Iterator[None]:
        self._proxy.inject(toxic, times)
        try:
            yield
        finally:
            self._proxy.heal()

    def lose_answers(self, times: int) -> Any:
        """Let the functions run, and lose their answers."""
        return self._injected(toxics.answer_lost(), times)

    def refuse(self) -> Any:
        """Let nobody reach the server."""
        return self._injected(toxics.refuse())

    def change_answers(self, change: Callable[[Response], Response]) -> Any:
        """Let the functions run, and change their answers."""
        return self._injected(toxics.changed(change))

    def drip_answers(self, seconds: float) -> Any:
        """Let the functions run, and answer a byte at a time."""
        return self._injected(toxics.slow_drip(seconds))

    @contextmanager
    def throttle(self) -> Iterator[None]:
        """Let every place of the server be taken."""
        with self._patch.context() as patch:
            patch.setattr(serving, "PLACE_SECONDS", 0.01)
            patch.setattr(self._server, "_places", threading.Semaphore(0))
            yield


class Foreign(LoopbackCloud):
    """A service of another framework: it knows nothing of leeward, and counts what it has done.

    Args:
        respond_with: returns the answer to a call, by its headers and its body.

    Attributes:
        done: paths of the calls that it has carried out.
        headers: of the last one.
    """

    def __init__(self, respond_with: Callable[[Mapping[str, str], bytes], Response]) -> None:
        self._respond_with = respond_with
        self.done: list[str] = []
        self.headers: Mapping[str, str] = {}
        super().__init__()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Carry out a call."""
        if method != "POST":
            return Response(405)
        self.done.append(target)
        self.headers = headers
        return self._respond_with(headers, body)

    def too_many_requests(self) -> Response:
        """Refuse a call before anything is done."""
        return Response(429, {"Retry-After": "1"}, b"slow down")
