"""Values that the handlers of an app share, made before the first call or at it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from math import inf
from threading import RLock
from typing import Any, Final, TypeVar

from leeward.errors import ConfigError
from leeward.forking import Forkable, watch

T = TypeVar("T")

RETRY_PAUSE: Final = 10.0
"""Seconds after a failure before a health check tries to warm an app again."""


class TooSoon(Exception):
    """A value could not be made a moment ago, and is not tried again yet."""


class WarmValues(Forkable):
    """The initialisers of an app, and what they have made in this process.

    Nothing is made before it is needed: a platform may fork its workers after it has imported an
    app, or take a snapshot of the process, and no connection survives either.
    """

    def __init__(self) -> None:
        self._makers: list[Callable[[], Any]] = []
        watch(self)
        self.renew(held=False)

    def renew(self, *, held: bool) -> None:
        """Forget what the parent has made; for the child of a fork."""
        del held
        self._lock = RLock()
        self._under_way: set[Callable[[], Any]] = set()
        self._values: dict[Callable[[], Any], Any] = {}
        self._is_up = False
        self._is_used = False
        self._due = -inf

    def add(self, make: Callable[[], T]) -> Callable[[], T]:
        """Register an initialiser; return a getter, which makes the value when it is not there."""

        @wraps(make)
        def get_value() -> T:
            if make not in self._values:
                with self._lock:
                    self._make(make)
            value: T = self._values[make]
            return value

        with self._lock:
            self._makers.append(get_value)
            self._is_up = False
        return get_value

    def _make(self, make: Callable[[], Any]) -> None:
        if make in self._values:
            return
        if make in self._under_way:
            name = getattr(make, "__name__", "what is warmed")
            raise ConfigError(f"{name} needs itself to be made; call it in handlers only")
        self._under_way.add(make)
        try:
            self._values[make] = make()
        finally:
            self._under_way.discard(make)

    def __len__(self) -> int:
        """Count the initialisers."""
        return len(self._makers)

    def prepare(self) -> bool:
        """Make what is not made yet, before a call; return whether this call is the first."""
        if self._is_up and self._is_used:
            return False
        with self._lock:
            is_first, self._is_used = not self._is_used, True
            self.make_all()
            return is_first

    def make_all(self) -> None:
        """Make what is not made yet. After an error it is tried again next time."""
        if self._is_up:
            return
        with self._lock:
            for make in self._makers:
                make()
            self._is_up = True

    def make_all_if_due(self, monotonic: Callable[[], float]) -> None:
        """Make what is not made yet, for a health check: anybody may ask for one."""
        if self._is_up:
            return
        with self._lock:
            if monotonic() < self._due:
                raise TooSoon
            try:
                self.make_all()
            except BaseException:
                self._due = monotonic() + RETRY_PAUSE
                raise
