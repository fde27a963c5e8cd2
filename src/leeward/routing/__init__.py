"""Where a call goes next: a pure core, and the driver that runs it over other drivers."""

from leeward.routing.failover import FailoverDriver

__all__ = ["FailoverDriver"]
