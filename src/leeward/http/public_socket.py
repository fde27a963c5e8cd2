"""The socket of a connection that may only lead to the public internet: for the hardened mode.

libcurl asks for a socket after the name is resolved and before it connects, once for each address
that it tries. So a name that resolves to one address for a check and to another for the connection
gains nothing.
"""

from __future__ import annotations

import socket
from typing import Any

from leeward.http.libcurl import pycurl
from leeward.http.public_addresses import is_public


def open_public(_purpose: int, address: Any) -> Any:
    """Return a socket for `address`, or the word that makes libcurl give up this address.

    For `OPENSOCKETFUNCTION`; libcurl reports error 7 when no address is left, and nothing was sent.
    It goes by the peer's address: with a proxy, by the proxy's. An address is given up as well when
    there is no socket for it, or none at all: pycurl would print what a callback raises.
    """
    if address.family not in {socket.AF_INET, socket.AF_INET6} or not is_public(address.addr[0]):
        return pycurl.SOCKET_BAD
    try:
        return _Handed(socket.socket(address.family, address.socktype, address.protocol))
    except OSError:
        return pycurl.SOCKET_BAD


class _Handed:
    """A socket for pycurl, which asks for its number, duplicates that, and drops this."""

    def __init__(self, handed: socket.socket) -> None:
        self._socket = handed

    def fileno(self) -> int:
        return self._socket.fileno()

    def __del__(self) -> None:
        self._socket.close()
