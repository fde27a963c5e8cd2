"""A provider for the tests: ``scripted``, whose targets answer what a test has written down."""

from __future__ import annotations

from typing import Any

from leeward.adapter import TargetConfig
from leeward.calls import Result
from tests.scripted import Scripted


class Script:
    """What the next target answers, and the target itself once it is open."""

    def __init__(self, *answers: Result[Any] | Exception) -> None:
        self.answers = answers
        self.driver: Scripted | None = None

    def open(self, config: TargetConfig) -> Scripted:
        """Open the target."""
        self.driver = Scripted(config.name, *self.answers)
        return self.driver

    @property
    def call(self) -> Any:
        """The one call that was put to the target."""
        assert self.driver is not None
        (call,) = self.driver.calls
        return call

    @property
    def timeout(self) -> float:
        """The seconds that the target was given for it."""
        assert self.driver is not None
        (timeout,) = self.driver.timeouts
        return timeout


script = Script()


def open_target(config: TargetConfig) -> Scripted:
    """Open a target that answers by `script`."""
    return script.open(config)
