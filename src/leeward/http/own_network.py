"""Whether a connection failed because this machine has no network. Asked only after it failed."""

from __future__ import annotations

import errno
import socket
from typing import Final

NO_ROUTE: Final = (errno.ENETUNREACH, errno.ENETDOWN)
"""Errors by which the system says that it has no way to any such address."""

SOMEWHERE: Final = (
    (socket.AF_INET, ("192.0.2.1", 9)),
    (socket.AF_INET6, ("2001:db8::1", 9)),
)
"""Addresses that belong to documentation (RFC 5737, RFC 3849), to look up a way to; no packet is
sent there."""


def is_cut_off(system_error: int, *, name_found: bool) -> bool:
    """Return whether it is proved that the cause is on this side.

    Args:
        system_error: the system's number for what failed last; 0 if it named none.
        name_found: the name was looked up. One that was not found may just not exist; so that is a
            proof only where there is no way to any address at all.
    """
    if name_found:
        return system_error in NO_ROUTE
    return not any(_has_way(family, address) for family, address in SOMEWHERE)


def _has_way(family: socket.AddressFamily, address: tuple[str, int]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
    except OSError as error:
        return error.errno not in (*NO_ROUTE, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
    return True
