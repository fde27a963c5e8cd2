"""What a worker puts before and beside the target that it works for, where that runs no apps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leeward._delivery.functions import Functions
from leeward._delivery.runner import AppRunner
from leeward.adapter import Capability, Driver, Limits, WrappingDriver
from leeward.calls import Call, Look, LookResult, Result
from leeward.errors import Outcome, Unsupported

WORKER: Final = "worker"
"""The target of calls of the app's own functions, which run in the worker's process."""


class WorkedTarget(WrappingDriver):
    """A target whose rows a worker delivers in this process.

    Args:
        driver: of the target.
        runner: runs the app.
    """

    def __init__(self, driver: Driver, runner: AppRunner) -> None:
        super().__init__(driver)
        self._runner = runner

    def mount(self, app: Any) -> None:
        """Run the handlers of an app here.

        Raises:
            ConfigError: a handler is wrong, or nothing delivers to it here.
        """
        self._runner.mount(app)

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt; what it has queued or published is looked for at once."""
        result = super().perform(call, timeout)
        if call.verb in ("enqueue", "publish"):
            self._runner.wake()
        return result


class WorkerFunctions(Driver):
    """The functions of the app, called in this process.

    Args:
        functions: that the worker runs.
        limits: of the target that it works for.
    """

    def __init__(self, functions: Functions, limits: Limits) -> None:
        self.target = WORKER
        self.capabilities = frozenset({Capability.INVOKE})
        self.limits = limits
        self._functions = functions

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at a call of a function."""
        if call.verb not in ("invoke", "settle"):
            raise Unsupported(f"{self.target} does no {call.verb}", target=self.target)
        answer: Result[Any] = self._functions.invoke(call, timeout)
        return answer

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Look whether a function is registered here."""
        del timeout
        if look.name in self._functions.registry:
            return Result.ok(LookResult())
        return Result(Outcome.NOT_FOUND, message=f"no function {look.name!r} is registered")

    def describe(self) -> Mapping[str, str]:
        """Return how many functions are registered."""
        return {"functions": str(len(self._functions.registry))}
