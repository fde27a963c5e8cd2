"""Whether a connection failed because this machine has no network."""

from __future__ import annotations

import errno
import socket
from typing import Self

import pytest

from leeward._http import addresses
from leeward._http.addresses import is_cut_off
from leeward._http.messages import Progress, explain
from leeward.adapter import NO_NETWORK
from leeward.adapter._plan_run import result_of
from leeward.errors import Outcome

HERE = ((socket.AF_INET, ("127.0.0.1", 9)),)


@pytest.mark.parametrize(
    ("error", "ours"),
    [(errno.ENETUNREACH, True), (errno.ENETDOWN, True), (errno.ECONNREFUSED, False), (0, False)],
)
def test_the_systems_word_counts_once_a_name_was_found(error: int, ours: bool) -> None:
    """No way to the address is ours; a refusal is the target's."""
    assert is_cut_off(error, name_found=True) is ours


def test_a_name_that_was_not_found_proves_nothing_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may just not exist. Without a way to anything, it is us."""
    monkeypatch.setattr(addresses, "SOMEWHERE", HERE)
    assert not is_cut_off(0, name_found=False)
    monkeypatch.setattr(addresses, "SOMEWHERE", ())
    assert is_cut_off(0, name_found=False)


class Unreachable:
    """A socket that finds no way, or a system without such sockets."""

    def __init__(self, *_: object) -> None: ...
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...
    def connect(self, address: object) -> None:
        raise OSError(self.error, "no way")

    error = errno.ENETUNREACH


def test_a_look_at_the_routes_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what says that there is no way counts as none; anything else is a doubt."""
    monkeypatch.setattr(addresses, "SOMEWHERE", HERE)
    monkeypatch.setattr("leeward._http.addresses.socket.socket", Unreachable)
    assert is_cut_off(0, name_found=False)
    monkeypatch.setattr(Unreachable, "error", errno.EACCES)
    assert not is_cut_off(0, name_found=False)


@pytest.mark.parametrize(
    ("code", "ours", "reason"),
    [(7, True, NO_NETWORK), (6, True, NO_NETWORK), (28, True, "name"), (7, False, "connect")],
)
def test_the_router_hears_of_it(code: int, ours: bool, reason: str) -> None:
    """As the reason of a result; a deadline alone proves nothing."""
    result = result_of(explain(code, Progress(ours=ours, name_found=code == 7)))
    assert (result.outcome, result.reason) == (Outcome.NOT_SENT, reason)
