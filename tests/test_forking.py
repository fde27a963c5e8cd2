"""Locks and forks: nothing that is held in the parent is held in the child."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

from leeward.forking import Forkable, ForkLock, watch

warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is the point here

pytestmark = [
    pytest.mark.threat("S22"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
]


def test_a_lock_that_may_be_held_long_does_not_hold_up_a_fork() -> None:
    """The child finds it free, the parent goes on holding it."""
    lock = ForkLock(whole=False)
    with lock:
        child = os.fork()
        if child == 0:
            with lock:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fork_waits_for_what_has_to_be_whole() -> None:
    """The child sees both halves of what another thread was changing."""
    lock, halves = ForkLock(), [0, 0]
    changing = threading.Event()

    def change() -> None:
        with lock:
            halves[0] = 1
            changing.set()
            threading.Event().wait(0.05)
            halves[1] = 1

    thread = threading.Thread(target=change)
    thread.start()
    assert changing.wait(30)
    child = os.fork()
    if child == 0:
        with lock:
            os._exit(0 if halves == [1, 1] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join(30)
    with lock:
        assert halves == [1, 1]


def test_an_interrupt_leaves_no_lock_held() -> None:
    """Not even one that strikes when it has just been acquired, as a signal may."""

    def strike(_frame: FrameType, event: str, what: Any) -> None:
        if event == "c_return" and what.__name__ in ("acquire", "__enter__"):
            sys.setprofile(None)
            raise KeyboardInterrupt

    lock = ForkLock()
    sys.setprofile(strike)
    try:
        with suppress(KeyboardInterrupt), lock:
            pass
    finally:
        sys.setprofile(None)
    assert lock.hold()


class Noting(Forkable):
    """Notes what it is told, and by default does not come to rest."""

    def __init__(self) -> None:
        self.told: list[str] = []
        watch(self)

    def release(self) -> None:
        """Note that the parent goes on."""
        self.told.append("release")

    def renew(self, *, held: bool) -> None:
        """Note that the child begins."""
        self.told.append(f"renew, held: {held}")


class Resting(Noting):
    """Comes to rest before a fork."""

    def hold(self) -> bool:
        """Note it."""
        self.told.append("hold")
        return True


def test_only_what_came_to_rest_goes_on_in_the_parent() -> None:
    """In the child everything begins anew, and knows whether it had come to rest."""
    passing, resting = Noting(), Resting()
    child = os.fork()
    if child == 0:
        whole = (passing.told, resting.told) == (
            ["renew, held: False"],
            ["hold", "renew, held: True"],
        )
        os._exit(0 if whole else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (passing.told, resting.told) == ([], ["hold", "release"])


def test_what_is_gone_takes_no_part() -> None:
    """Being watched keeps nothing alive."""
    gone = Resting()
    told = gone.told
    del gone
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert told == []
