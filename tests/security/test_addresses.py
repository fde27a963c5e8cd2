"""Only addresses of the public internet, in the hardened mode, at the moment of connecting."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from errno import EMFILE
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._http import addresses
from leeward._http.addresses import is_public
from leeward._http.messages import Failure, Phase, Request, Response
from leeward._http.options import TransportOptions
from leeward._http.threads import CurlTransport
from tests.http.wire import LIMIT, OK, Wire, answer, once

pytestmark = pytest.mark.threat("S1")

NOT_PUBLIC = """
    0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 100.100.100.200
    127.0.0.1 127.255.255.255 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2
    169.254.170.23 172.16.0.0 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1
    192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255
    240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254
    ::ffff:168.63.129.16 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1
    64:ff9b:1::8.8.8.8 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1
    2002:7f00:1:: 2002:a9fe:a9fe:: 3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fd00:ec2::23
    fe80::1 fe80::1%eth0 fec0::1 ff02::1
    127.1 0x7f000001 2130706433 0177.0.0.1 010.0.0.1 1.2.3 1.2.3.4.5 8.8.8.8. localhost name
    8.8.8.8/32 [::1] 2600::1/128 8.8.8.8:80 ٨.٨.٨.٨
""".split()

PUBLIC = """
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
    168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0
    192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 ::ffff:8.8.8.8
    64:ff9b::8.8.8.8 2002:808:808:: 2600:1f18::1 2a05:d018::1 2606:4700::1111
""".split()


def test_these_are_not_public() -> None:
    """Loopback, private, shared, link-local, metadata, reserved, in any wrapping; and no text."""
    no_addresses = ["", " ", "8.8.8.8 ", "8.8.8.8\n"]
    assert [address for address in [*NOT_PUBLIC, *no_addresses] if is_public(address)] == []


def test_these_are_public() -> None:
    """The neighbours of every refused network are fine, and so is a public one in a wrapping."""
    assert [address for address in PUBLIC if not is_public(address)] == []


@given(st.ip_addresses())
def test_never_more_generous_than_python(address: IPv4Address | IPv6Address) -> None:
    """What Python's own list does not call global is not public, unless by the IPv4 inside."""
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if is_public(str(address)):
        assert (inner or address).is_global


@given(st.ip_addresses(v=4))
def test_a_wrapping_changes_nothing(address: IPv4Address) -> None:
    """An IPv4 address is judged alike when it is mapped, and behind NAT64 and 6to4."""
    number = int(address)
    wrapped = (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80)
    for each in wrapped:
        assert is_public(str(IPv6Address(each))) == is_public(str(address))


class _Resolver:
    """Stands in for what a name resolves to: the listener is public at first, then it is not."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, address: str) -> bool:
        self.asked.append(str(ip_address(address)))
        return self.answers.pop(0) if self.answers else False


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_name_that_leads_to_this_machine_connects_nowhere(
    make: Callable[..., CurlTransport], host: str
) -> None:
    """Whatever was checked before: no connection, and proof that nothing was sent."""
    with Wire(answer(OK)) as wire:
        request = Request("POST", wire.origin(host=host), "/", (), b"x")
        failure = make(public_only=True).send(request, LIMIT)
        assert isinstance(failure, Failure)
        assert failure[:3] == (Phase.CONNECT, False, "curl.7")
        assert isinstance(make(public_only=False).send(request, LIMIT), Response)
    assert wire.connections == 1


def test_every_connection_is_judged_anew(
    make: Callable[..., CurlTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that was public for the first connection and is not for the second sends nothing."""
    resolver = _Resolver(True, False)
    monkeypatch.setattr(addresses, "is_public", resolver)
    transport = make(public_only=True)
    with Wire(once(b"HTTP/1.1 204 Done\r\nConnection: close\r\n\r\n")) as wire:
        request = Request("POST", wire.origin(), "/")
        assert isinstance(transport.send(request, LIMIT), Response)
        failure = transport.send(request, LIMIT)
    assert isinstance(failure, Failure)
    assert not failure.sent
    assert (wire.connections, resolver.asked) == (1, ["127.0.0.1", "127.0.0.1"])


def test_a_kept_connection_stays_usable(
    make: Callable[..., CurlTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was judged when it was made; the socket behind it lives as long as it does."""
    resolver = _Resolver(True)
    monkeypatch.setattr(addresses, "is_public", resolver)
    transport = make(public_only=True)
    with Wire(answer(OK)) as wire:
        for _ in range(3):
            answered = transport.send(Request("POST", wire.origin(), "/", (), b"x"), LIMIT)
            assert isinstance(answered, Response)
    assert (wire.connections, len(resolver.asked)) == (1, 1)


def test_no_socket_of_another_family() -> None:
    """A path in the file system, for one, is no public address."""
    address = type("Address", (), {"family": socket.AF_UNIX, "addr": "socket"})
    assert addresses.open_public(0, address) == -1


def test_no_socket_when_none_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many files are open, say: the address is given up, and pycurl has no error to print."""

    def too_many(*_: object) -> None:
        raise OSError(EMFILE, "too many open files")

    monkeypatch.setattr(socket, "socket", too_many)
    fields = {"addr": ("8.8.8.8", 443), "socktype": socket.SOCK_STREAM, "protocol": 0}
    address = type("Address", (), {"family": socket.AF_INET, **fields})
    assert addresses.open_public(0, address) == -1


@pytest.fixture
def make() -> Iterator[Callable[..., CurlTransport]]:
    """Give a function that makes a transport from the fields of `TransportOptions`."""
    made: list[CurlTransport] = []

    def transport(**fields: object) -> CurlTransport:
        made.append(CurlTransport(TransportOptions(**fields)))  # type: ignore[arg-type]
        return made[-1]

    yield transport
    for each in made:
        each.close()
