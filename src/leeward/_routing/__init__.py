"""Where a call goes next: a core without clock or I/O, and the driver that runs it."""

from leeward._routing.failover import FailoverDriver

__all__ = ["FailoverDriver"]
