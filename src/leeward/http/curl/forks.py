"""What a child of a fork leaves alone: the handles, and so the connections, of its parent."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Owner(Protocol):
    """Something that has handles."""

    def forsake(self) -> None:
        """Forget every handle without closing it, in a child of a fork."""


_owners: WeakSet[Owner] = WeakSet()


def forsake_in_child(owner: Owner) -> None:
    """Call `owner.forsake` in every child of a fork, for as long as `owner` lives."""
    _owners.add(owner)


def leak(handle: object) -> None:
    """See to it that `handle` is never freed in this process.

    Freeing it, at exit at the latest, would say goodbye to the server over the parent's
    TLS connection.
    """
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))


def _in_child() -> None:
    for owner in _owners:
        owner.forsake()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
