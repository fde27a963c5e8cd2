"""Which addresses lie on the public internet.

In doubt, an address is not public.

A name that was checked may still lead into the network of whoever runs this program, so what it
resolves to is looked at as well, at the moment of connecting.

Sources: IANA's registries of special-purpose IPv4 and IPv6 addresses; RFC 4291 (mapped addresses),
RFC 3056 (6to4) and RFC 6052 (NAT64), by which an IPv4 address travels inside an IPv6 one.
"""

from __future__ import annotations

import socket
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any, Final

_NOT_PUBLIC_V4: Final = (
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # shared by a carrier's customers (CGNAT)
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # the host of a virtual machine, in one cloud; else an ordinary address
    "169.254.0.0/16",  # link-local, and where clouds keep their metadata
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # 6to4 relays, withdrawn
    "192.168.0.0/16",  # private
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
)

_GLOBAL_V6: Final = "2000::/3"
"""All that IANA gives out for use on the internet. Link-local, private and metadata addresses
(``fd00:ec2::254``) lie elsewhere."""

_NOT_PUBLIC_V6: Final = (
    "2001::/23",  # protocol assignments, Teredo among them
    "2001:db8::/32",  # documentation
    "3fff::/20",  # documentation
)

_NAT64: Final = "64:ff9b::/96"


def is_public(address: str) -> bool:
    """Return whether an IP address, as a resolver writes it, lies on the public internet."""
    try:
        ip = IPv6Address(address) if ":" in address else IPv4Address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _networks(_NOT_PUBLIC_V4))
    inner = ip.ipv4_mapped or ip.sixtofour  # where packets for it end up
    if ip in IPv6Network(_NAT64):
        inner = IPv4Address(int(ip) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(str(inner))
    (everything,) = _networks((_GLOBAL_V6,))
    return ip in everything and not any(ip in network for network in _networks(_NOT_PUBLIC_V6))


@cache
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(map(ip_network, texts))


SOCKET_BAD: Final = -1  # what makes libcurl give up an address (CURL_SOCKET_BAD in curl/curl.h)


def open_public(_purpose: int, address: Any) -> Any:
    """Return a socket for `address`, or `SOCKET_BAD` if it is not on the public internet.

    For `OPENSOCKETFUNCTION`: libcurl asks after the name is resolved, once for each address that it
    tries, so a name that resolves differently for a check gains nothing. It reports error 7 when no
    address is left, and nothing was sent.

    It goes by the peer's address: with a proxy, by the proxy's. An address is given up as well when
    there is no socket for it, or none at all: pycurl would print what a callback raises.
    """
    if address.family not in {socket.AF_INET, socket.AF_INET6} or not is_public(address.addr[0]):
        return SOCKET_BAD
    try:
        return _Handed(socket.socket(address.family, address.socktype, address.protocol))
    except OSError:
        return SOCKET_BAD


class _Handed:
    """A socket for pycurl, which asks for its number, duplicates that, and drops this."""

    def __init__(self, handed: socket.socket) -> None:
        self._socket = handed

    def fileno(self) -> int:
        return self._socket.fileno()

    def __del__(self) -> None:
        self._socket.close()
