"""Errors of gRPC calls: in doubt, all of them.

A client that finds no connection says so with a status and a text, and a peer may answer with the
same ones: that of a service it calls in turn, for example. gRPC keeps nothing that tells them apart.
"""

from __future__ import annotations

from leeward.evidence import Evidence


def judge(_error: BaseException) -> Evidence | None:
    """Return that nothing is proved."""
    return Evidence("maybe", "a status of gRPC may come from the peer, whatever it says")
