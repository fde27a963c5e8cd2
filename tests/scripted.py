"""A driver that answers from a script, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.adapter import Capability, Driver, Limits
from leeward.calls import Call, Result, Store
from leeward.errors import ConfigError, Outcome

OK: Result[Any] = Result.ok(None)
NOT_SENT: Result[Any] = Result(Outcome.NOT_SENT)
REJECTED: Result[Any] = Result(Outcome.REJECTED)
UNUSABLE: Result[Any] = Result(Outcome.UNUSABLE)
AMBIGUOUS: Result[Any] = Result(Outcome.AMBIGUOUS)
APP_ERROR: Result[Any] = Result(Outcome.APP_ERROR)
CALLER: Result[Any] = Result(Outcome.CALLER)
AUTH: Result[Any] = Result(Outcome.AUTH)
NOT_FOUND: Result[Any] = Result(Outcome.NOT_FOUND)
CONFLICT: Result[Any] = Result(Outcome.CONFLICT)
LOCAL: Result[Any] = Result(Outcome.LOCAL)


class Scripted(Driver):
    """Answers each call with the next result of its script; after the last, with OK."""

    def __init__(
        self,
        target: str,
        *script: Result[Any] | Exception,
        capabilities: frozenset[Capability] = frozenset(Capability),
        limits: Limits | None = None,
    ) -> None:
        self.target = target
        self._script = list(script)
        self.capabilities = capabilities
        self.limits = limits or Limits()
        self.calls: list[Call] = []
        self.timeouts: list[float] = []
        self.closed = 0

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        self.calls.append(call)
        self.timeouts.append(timeout)
        answer = self._script.pop(0) if self._script else OK
        if answer is OK and isinstance(call, Store):
            answer = Result.ok("revision")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def describe(self) -> Mapping[str, str]:
        return {"kind": "scripted"}

    def native(self, service: str) -> object:
        if service != "calls":
            raise ConfigError(f"no service {service!r}; known: calls")
        return self.calls

    def close(self) -> None:
        self.closed += 1
