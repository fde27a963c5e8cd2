"""One place on each provider, as the tests of all of them together need it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from leeward import Client
from leeward.adapter import Driver, TargetConfig
from leeward_aws.driver import open_driver as open_aws
from leeward_azure.driver import open_driver as open_azure
from leeward_contract_tests import contract_config
from leeward_google.driver import open_driver as open_google
from tests.contract.clouds import local_cloud


class Place(NamedTuple):
    """A cloud that has been started.

    Attributes:
        open: opens a driver on it; with more variables, which are for other clouds, or options.
        cloud: the servers, with their `proxies`; None for the embedded one.
    """

    open: Callable[..., Driver]
    cloud: Any = None

    def client(self) -> Client:
        """Open a client that knows the contract's tables."""
        return Client(self.open(), config=contract_config())

    def open_past_proxies(self) -> Driver:
        """Open a driver that asks the servers themselves: each hop costs as much as an answer."""
        return self.open(_past_proxies(self.cloud, "env"), _past_proxies(self.cloud, "options"))


def _past_proxies(cloud: Any, what: str) -> dict[str, str]:
    found: dict[str, str] = getattr(cloud, what)
    for proxy in cloud.proxies.values():
        host, port = proxy.upstream
        straight = f"http://{host}:{port}"
        found = {name: value.replace(proxy.url, straight) for name, value in found.items()}
    return found


@contextmanager
def _local() -> Iterator[Place]:
    yield Place(local_cloud)


@contextmanager
def _aws() -> Iterator[Place]:
    from tests.servers.aws.cloud import REGIONS, open_clouds

    with open_clouds(REGIONS[0]) as (cloud,):
        config = TargetConfig(cloud.target, "aws", cloud.region, {}, cloud.env)
        yield _on(cloud, open_aws, config)


@contextmanager
def _azure() -> Iterator[Place]:
    from tests.servers.azure.cloud import azure_clouds

    with azure_clouds(1) as (cloud,):
        config = TargetConfig(cloud.target, "azure", cloud.name, cloud.options, {})
        yield _on(cloud, open_azure, config)


@contextmanager
def _google() -> Iterator[Place]:
    from tests.servers.google.cloud import open_clouds

    with open_clouds(1) as (cloud,):
        config = TargetConfig(cloud.target, "google", cloud.region, cloud.options, cloud.env)
        yield _on(cloud, open_google, config)


def _on(cloud: Any, kind: Callable[[TargetConfig], Driver], config: TargetConfig) -> Place:
    def opened(
        env: Mapping[str, str] | None = None, options: Mapping[str, str] | None = None
    ) -> Driver:
        settled = config._replace(
            env={**config.env, **(env or {})},
            options=config.options if options is None else dict(options),
        )
        return kind(settled)

    return Place(opened, cloud)


PLACES: Final = {"local": _local, "aws": _aws, "azure": _azure, "google": _google}
"""How each is started, by its provider."""
