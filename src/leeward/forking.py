"""What must not cross a fork: held locks, threads, and connections of every kind.

Whatever is watched comes to rest before a fork, goes on in the parent, and begins anew in the
child. This is the only place where leeward hooks into forks.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from weakref import WeakValueDictionary


def start_thread(thread: threading.Thread) -> bool:
    """Start a thread; return False if the process may have no further one.

    An interrupt can end as a `RuntimeError` of Python's own locks: the thread runs.
    """
    try:
        thread.start()
    except RuntimeError as error:
        if thread.ident is not None or thread in threading.enumerate():
            raise error.__context__ or error from None
        return False
    return True


class Forkable(ABC):
    """What has to take part when the process forks. `hold` and `release` do nothing by default."""

    __slots__ = ()

    def hold(self) -> bool:
        """Pause before the fork; return False if that took too long, or is not needed."""
        return False

    def release(self) -> None:  # noqa: B027 - nothing to do where `hold` did nothing
        """Continue in the parent, if `hold` returned True."""

    @abstractmethod
    def renew(self, *, held: bool) -> None:
        """Begin anew in the child; `held` is what `hold` returned in the parent."""


HOLD_SECONDS = 5.0  # how long a fork waits for what is under way

_watched: WeakValueDictionary[int, Forkable] = WeakValueDictionary()
_forking = threading.local()
"""The thread that forks is the only one in the child, so its own notes are still right there."""


def watch(forkable: Forkable) -> None:
    """Include `forkable` in every fork of this process, for as long as it lives."""
    _watched[id(forkable)] = forkable


def _living() -> list[Forkable]:
    """List the watched in one order for all, or two threads that fork could wait for each other."""
    references = _watched.valuerefs()  # one step; other threads may add meanwhile
    return sorted((member for ref in references if (member := ref()) is not None), key=id)


def _before() -> None:
    _forking.held = [member for member in _living() if member.hold()]


def _in_parent() -> None:
    for member in _forking.held:
        member.release()


def _in_child() -> None:
    held = {id(member) for member in _forking.held}
    for member in _living():
        member.renew(held=id(member) in held)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


class ForkLock(Forkable):
    """A lock that no child inherits held.

    Args:
        whole: a fork waits until nobody holds it, so that what it guards is whole in the child. Not
            for what may take long: then a child begins with whatever state there is.
    """

    def __init__(self, *, whole: bool = True) -> None:
        self._lock = threading.Lock()
        self._whole = whole
        watch(self)

    # Python's own methods, which `with` calls at once. An interrupt that strikes in one of ours
    # would leave the lock held, and nobody to release it.
    __enter__ = property(lambda self: self._lock.__enter__)
    __exit__ = property(lambda self: self._lock.__exit__)

    def hold(self) -> bool:
        """Acquire the lock, so that what it guards is whole in the child."""
        return self._whole and self._lock.acquire(timeout=HOLD_SECONDS)

    def release(self) -> None:
        """Release the lock in the parent."""
        self._lock.release()

    def renew(self, *, held: bool) -> None:
        """Begin with a free lock in the child."""
        del held
        self._lock = threading.Lock()
