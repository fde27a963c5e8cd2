"""Locks and forks: nothing that is held in the parent is held in the child."""

from __future__ import annotations

import os
import threading
import warnings

import pytest

from leeward.forking import ForkLock

warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is the point here

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


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
