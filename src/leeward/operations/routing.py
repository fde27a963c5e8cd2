"""From what is configured to the router that decides by it."""

from __future__ import annotations

from collections.abc import Sequence

from leeward._routing import FailoverDriver
from leeward._routing.targets import NO_GROUPS
from leeward.adapter import Driver
from leeward.clock import Clock
from leeward.config import Config, TableConfig
from leeward.values import NOTHING


def _runs(config: Config, drivers: Sequence[Driver]) -> str | None:
    """Return the target at which runs live, if it is one of the order."""
    target = config.workflow_target
    return target if target in {driver.target for driver in drivers} else None


def router_of(
    config: Config, drivers: Sequence[Driver], clock: Clock, *, otel: bool = False
) -> FailoverDriver:
    """Return the router that `config` describes, over `drivers` in order of preference.

    With `otel` its calls and decisions are told to OpenTelemetry.

    Raises:
        ConfigError: a group has no target left, a table's home is not where its data has to be,
            or OpenTelemetry is not installed.
    """
    groups, weights = NO_GROUPS, NOTHING
    if config.groups or config.weights or any(each.residency for each in config.tables.values()):
        from leeward.config.groups import check_homes, groups_of, shares_of

        check_homes(config)
        groups = groups_of(config, tuple(driver.target for driver in drivers))
        weights = shares_of(config.weights)
    kind = FailoverDriver
    if otel:
        from leeward.operations.telemetry import ObservedRouter

        kind = ObservedRouter
    router = kind(
        drivers,
        home=config.data_target,
        homes=config.homes(),
        bucket_homes=config.bucket_homes(),
        runs=_runs(config, drivers),
        groups=groups,
        weights=weights,
        fail_back=config.fail_back,
        hedging=config.hedge,
        clock=clock,
    )
    if config.health_checks is not None:
        router.check_health(*config.health_checks)
    if config.snapshot is not None:
        table = config.tables.get(config.snapshot) or TableConfig()
        router.share_health(config.snapshot, table.key[0])
    return router
