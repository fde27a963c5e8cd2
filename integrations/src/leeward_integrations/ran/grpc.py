"""Errors of gRPC calls: in doubt, all of them.

A client that finds no connection says so with a status and a text. A peer may answer with the same,
as one that passes on what it got from a service it calls. gRPC keeps nothing that tells them apart.
"""

from __future__ import annotations

from leeward.evidence import Evidence


def judge(_error: BaseException) -> Evidence | None:
    """Return that nothing is proved."""
    return Evidence("maybe", "a status of gRPC may come from the peer, whatever it says")
