"""What a child of a fork leaves alone: the handles, and so the connections, of its parent."""

from __future__ import annotations


def leak(handle: object) -> None:
    """See to it that `handle` is never freed in this process.

    Freeing it, at exit at the latest, would say goodbye to the server over the parent's
    TLS connection.
    """
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))
