"""The embedded target: functions, events and tables in this process, data in SQLite.

It is what ``CLOUD_PROVIDER=local`` opens, and the double that users test with::

    cloud = Local()                                    # in memory; Local(path="...") keeps a file

    @cloud.function("send-receipt")
    def send_receipt(order, context): ...

    @cloud.subscribe("orders", "order.created")
    def remember(event): ...

    cloud.wait_idle()                                  # until every delivery has ended
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leeward._delivery.bus import DeadLetter
    from leeward.adapter import Driver, TargetConfig
    from leeward.app.context import Context
    from leeward.local.driver import Local

__all__ = ["Context", "DeadLetter", "Local", "open_driver"]

_MODULES = {
    "Context": "leeward.app.context",
    "DeadLetter": "leeward._delivery.bus",
    "Local": "leeward.local.driver",
}


def open_driver(config: TargetConfig) -> Driver:
    """Open the target that `config` describes: the entry point of this adapter.

    Raises:
        ConfigError: an option is unknown or wrong, a function cannot be imported, or the
            database's file cannot be trusted.
    """
    from leeward.local.config import open_local

    return open_local(config)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
