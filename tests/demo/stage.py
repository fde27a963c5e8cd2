"""The clouds of the demo, started on this machine, each with faults at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from leeward import Config, ConfigError
from leeward.adapter import Driver, TargetConfig
from leeward.config import BusConfig, FunctionConfig, TableConfig
from leeward.local import Local
from leeward.registry import open_target
from leeward.testing import FaultyDriver
from leeward_contract_tests import Faults, Seen, contract_functions, faults_of
from leeward_contract_tests.fixtures import ECHO, EVENTS, ITEMS


class Cloud(NamedTuple):
    """One target.

    Attributes:
        driver: open; whoever uses it closes it.
        faults: cuts the target off, or loses its answers.
    """

    driver: Driver
    faults: Faults


@contextmanager
def clouds(order: Sequence[str]) -> Iterator[list[Cloud]]:
    """Start what `order` names, such as ``aws``, ``aws`` and ``local``: real servers on loopback.

    Raises:
        ConfigError: there is no such cloud to start.
    """
    unknown = [name for name in order if name not in _STARTERS]
    if unknown:
        raise ConfigError(f"no server here for {unknown[0]!r}; TARGET takes {', '.join(_STARTERS)}")
    with ExitStack() as stack:
        started = {
            name: iter(_STARTERS[name](stack, order.count(name))) for name in dict.fromkeys(order)
        }
        yield [next(started[name]) for name in order]


def config_of(home: str) -> Config:
    """Give the configuration of the shop: its own names, for what the servers have deployed."""
    everywhere = (*_STARTERS,)
    return Config(
        data_target=home,
        source="/shop",
        functions={"send-receipt": FunctionConfig(names=dict.fromkeys(everywhere, ECHO))},
        buses={"orders": BusConfig(names=dict.fromkeys(everywhere, EVENTS))},
        tables={"orders": TableConfig(names=dict.fromkeys(everywhere, ITEMS))},
    )


def _start_aws(stack: ExitStack, count: int) -> list[Cloud]:
    from tests.servers.aws.cloud import REGIONS, open_clouds

    opened = stack.enter_context(open_clouds(*REGIONS[:count]))
    return [_opened(cloud, "aws", {}, cloud.env) for cloud in opened]


def _start_azure(stack: ExitStack, count: int) -> list[Cloud]:
    from tests.servers.azure.cloud import azure_clouds

    opened = stack.enter_context(azure_clouds(count))
    return [_opened(cloud, "azure", cloud.options, {}) for cloud in opened]


def _start_google(stack: ExitStack, count: int) -> list[Cloud]:
    from tests.servers.google.cloud import open_clouds

    opened = stack.enter_context(open_clouds(count))
    return [_opened(cloud, "google", cloud.options, cloud.env) for cloud in opened]


def _opened(cloud: Any, provider: str, options: dict[str, str], env: dict[str, str]) -> Cloud:
    qualifier = cloud.target.partition(":")[2]
    config = TargetConfig(cloud.target, provider, qualifier, options, env)
    return Cloud(open_target(config), cloud.faults())


def _start_local(_stack: ExitStack, count: int) -> list[Cloud]:
    names = ["local"] if count == 1 else [f"local:{number}" for number in range(count)]
    return [_local(name) for name in names]


def _local(name: str) -> Cloud:
    local, seen = Local(name), Seen()
    for function, work in contract_functions(seen).items():
        local.function(function)(work)
    local.subscribe(EVENTS)(seen.remember)
    driver = FaultyDriver(local)
    return Cloud(driver, faults_of(driver))


_STARTERS: dict[str, Callable[[ExitStack, int], list[Cloud]]] = {
    "aws": _start_aws,
    "azure": _start_azure,
    "google": _start_google,
    "local": _start_local,
}
