"""A target in a process of its own: a fault proxy that answers after 5 ms, until told otherwise.

It prints its port, takes one command a line and answers each with ``ok``: ``heal``, ``dark``,
``refuse``, ``throttle``, ``slow``, ``tail``, ``flaky``, or ``answer`` and the seconds of an answer.
``count`` is answered with the payloads of all requests since the last one, each of which has been
carried out. It ends with its standard input.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from random import Random
from typing import Final

from tests.servers.faultproxy import FaultProxy
from tests.servers.faultproxy.exchange import Exchange, RequestToxic
from tests.servers.faultproxy.toxics import black_hole, refuse, status
from tests.servers.framing import render_answer

USUAL: Final = 0.005
"""Seconds of an answer; a cloud of the same region answers in about as much."""

SLOWER: Final = 100.0
"""Times that, of a target that is ill."""

TAIL: Final = 50
"""Of so many answers one is slow, 2 %, in ``tail``: ten times the usual seconds."""

FAILS: Final = 0.3
"""Share of the answers that are failures, in ``flaky``; the work has been done."""

NOWHERE: Final = ("127.0.0.1", 9)
"""The upstream, which is never asked: the proxy itself answers."""

_ANSWER: Final = render_answer(200, (("Content-Type", "application/json"),), b"{}")


def answering(seconds: Callable[[], float]) -> RequestToxic:
    """Answer well, after a while."""

    async def act(exchange: Exchange) -> None:
        await exchange.pause(seconds())
        await exchange.send(_ANSWER)

    return RequestToxic("answering", act)


def flaky() -> RequestToxic:
    """Answer 30 % of the requests with 500."""
    random, failure = Random(1).random, status(500, body=b"Oops.")

    async def act(exchange: Exchange) -> None:
        await (failure if random() < FAILS else MODES["heal"]).act(exchange)

    return RequestToxic("flaky", act)


def _tail() -> Callable[[], float]:
    numbers = count()
    return lambda: USUAL * (10 if next(numbers) % TAIL == 0 else 1)


MODES: Final = {
    "heal": answering(lambda: USUAL),
    "dark": black_hole(),
    "flaky": flaky(),
    "throttle": status(429, body=b"Rate exceeded."),
    "slow": answering(lambda: USUAL * SLOWER),
    "tail": answering(_tail()),
}


def main() -> None:
    """Serve until standard input ends."""
    act: Callable[[Exchange], Awaitable[None]] = MODES["heal"].act

    asked: list[str] = []

    async def switched(exchange: Exchange) -> None:
        asked.append(exchange.request.payload.decode())
        await act(exchange)

    switch = RequestToxic("switched", switched)
    with FaultProxy(NOWHERE) as proxy:
        proxy.inject(switch)
        print(proxy.address[1], flush=True)
        refused = False
        for line in sys.stdin:
            mode, _, seconds = line.strip().partition(" ")
            if mode == "count":
                print(*asked, flush=True)
                asked.clear()
                continue
            if refused:
                proxy.heal()
                proxy.inject(switch)
            refused = mode == "refuse"
            if refused:
                proxy.inject(refuse())
            else:
                act = answering(partial(float, seconds)).act if seconds else MODES[mode].act
            print("ok", flush=True)


if __name__ == "__main__":
    main()
