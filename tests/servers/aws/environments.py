"""The environments of one function: as many as run at a time, kept warm for the next call."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from tests.servers.aws.environment import Environment
from tests.servers.aws.function import Function


class Environments:
    """Lends an idle environment, or a new one. Safe for threads.

    Args:
        function: which.
        variables: what Lambda puts in their environment besides the function's own.
    """

    def __init__(self, function: Function, variables: Mapping[str, str]) -> None:
        self._function = function
        self._variables = variables
        self._changed = threading.Condition()
        self._idle: list[Environment] = []
        self._lent: set[Environment] = set()
        self._slots = 0
        self._closed = False

    def take(self, *, wait: bool) -> Environment | None:
        """Lend an environment; None if too many are lent.

        Args:
            wait: until one is free. None is given all the same when `close` comes in between.
        """
        with self._changed:
            if wait:
                self._changed.wait_for(self._may_lend_or_closed)
            if self._closed or not self._may_lend():
                return None
            self._slots += 1
            environment = self._idle.pop() if self._idle else None
        environment = environment or self._made()
        self._lend(environment)
        return environment

    def give_back(self, environment: Environment) -> None:
        """Take an environment back; one that is not usable any more is done away with."""
        keep = False
        with self._changed:
            self._lent.discard(environment)
            self._slots -= 1
            keep = environment.usable and not self._closed
            if keep:
                self._idle.append(environment)
            self._changed.notify_all()
        if not keep:
            environment.close()

    def close(self) -> None:
        """End every environment, those that are lent too: their invocations end at once."""
        with self._changed:
            self._closed = True
            idle, lent = self._idle, set(self._lent)
            self._idle = []
            self._changed.notify_all()
        for environment in idle:
            environment.close()
        for environment in lent:
            environment.kill()

    def _made(self) -> Environment:
        try:
            return Environment(self._function, self._variables)
        except BaseException:
            with self._changed:
                self._slots -= 1
                self._changed.notify_all()
            raise

    def _lend(self, environment: Environment) -> None:
        """Note who has to be killed by `close`; do it if that has come already."""
        with self._changed:
            self._lent.add(environment)
            if not self._closed:
                return
        environment.kill()

    def _may_lend(self) -> bool:
        return self._function.concurrency is None or self._slots < self._function.concurrency

    def _may_lend_or_closed(self) -> bool:
        return self._closed or self._may_lend()
