"""Where the calls go: ``CLOUD_PROVIDER`` and ``leeward.toml`` become one frozen `Config`."""

from leeward.config.load import load_config, load_settings, with_order
from leeward.config.model import (
    BucketConfig,
    BusConfig,
    Config,
    FunctionConfig,
    GroupConfig,
    HealthChecks,
    LimitConfig,
    SpoolConfig,
    TableConfig,
    TargetName,
    WorkerConfig,
    parse_order,
)

__all__ = [
    "BucketConfig",
    "BusConfig",
    "Config",
    "FunctionConfig",
    "GroupConfig",
    "HealthChecks",
    "LimitConfig",
    "SpoolConfig",
    "TableConfig",
    "TargetName",
    "WorkerConfig",
    "load_config",
    "load_settings",
    "parse_order",
    "with_order",
]
