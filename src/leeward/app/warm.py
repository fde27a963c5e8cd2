"""What is made once for each process, before its first call, and shared by all calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from math import inf
from threading import RLock
from typing import Any, Final, TypeVar

from leeward.errors import ConfigError
from leeward.forking import Forkable, watch

T = TypeVar("T")

PAUSE: Final = 10.0
"""Seconds after a failure in which nothing is made anew for whoever asks how an instance is."""


class TooSoon(Exception):
    """What is to be made could not be made a moment ago."""


class Warm(Forkable):
    """The initialisers of an app, and what they have made in this process.

    Nothing is made before it is needed: a platform may fork its workers after it has imported an
    app, or keep a picture of the process, and no connection survives either.
    """

    def __init__(self) -> None:
        self._makers: list[Callable[[], Any]] = []
        self._made: dict[Callable[[], Any], Any] = {}
        self._under_way: set[Callable[[], Any]] = set()
        self._is_up = False
        self._is_used = False
        self._due = -inf
        self._lock = RLock()
        watch(self)

    def add(self, make: Callable[[], T]) -> Callable[[], T]:
        """Take an initialiser; return what gives its value, and makes it if it is not made."""
        self._makers.append(make)
        self._is_up = False

        @wraps(make)
        def shared() -> T:
            if make not in self._made:
                with self._lock:
                    self._make(make)
            value: T = self._made[make]
            return value

        self._makers[-1] = shared
        return shared

    def _make(self, make: Callable[[], Any]) -> None:
        if make in self._made:
            return
        if make in self._under_way:
            name = getattr(make, "__name__", "what is warmed")
            raise ConfigError(f"{name} needs itself to be made; call it in handlers only")
        self._under_way.add(make)
        try:
            self._made[make] = make()
        finally:
            self._under_way.discard(make)

    def __len__(self) -> int:
        """Count the initialisers."""
        return len(self._makers)

    def first(self) -> bool:
        """Make what is not made yet, and return whether this is asked for the first time."""
        is_first, self._is_used = not self._is_used, True
        if not self._is_up:
            self.up()
        return is_first

    def up(self) -> None:
        """Make what is not made yet. What one raises is raised, and it is made anew next time."""
        if self._is_up:
            return
        with self._lock:
            for each in self._makers:
                each()
            self._is_up = True

    def up_if_due(self, monotonic: Callable[[], float]) -> None:
        """Make what is not made yet, for somebody who is not a caller: anybody may ask for it.

        Args:
            monotonic: returns the time in seconds.

        Raises:
            TooSoon: it has failed in the last seconds, and is not tried again yet.
        """
        if self._is_up:
            return
        with self._lock:
            if monotonic() < self._due:
                raise TooSoon
            try:
                self.up()
            except BaseException:
                self._due = monotonic() + PAUSE
                raise

    def renew(self, *, held: bool) -> None:
        """Forget what the parent has made; for the child of a fork."""
        del held
        self._lock = RLock()
        self._under_way = set()
        self._made = {}
        self._is_up = False
        self._is_used = False
        self._due = -inf
