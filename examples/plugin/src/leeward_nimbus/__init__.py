"""leeward on Nimbus: functions, events and items of one Nimbus account."""

from leeward_nimbus.driver import NimbusDriver, open_driver

__all__ = ["NimbusDriver", "open_driver"]
