"""The faults that a proxy can be told to apply.

Those of connections: `refuse`, `reset_on_connect`, `black_hole_on_connect` and all of TLS. The
others are those of requests; each of these leaves a kept connection alone until its request comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from leeward.adapter.wire import Response
from tests.servers.certificates import Certificate
from tests.servers.faultproxy.arrival import Arrival, ConnectionToxic
from tests.servers.faultproxy.exchange import Exchange, RequestToxic
from tests.servers.framing import Headers, render_answer


class Refusal(NamedTuple):
    """The fault of a server that is gone."""

    name: str = "refuse"


def refuse() -> Refusal:
    """Close the port, and reset the open connections. Lasts until healed; leaves no entries."""
    return Refusal()


def reset_on_connect() -> ConnectionToxic:
    """Accept, and reset before anything is read.

    The reset may overtake the client's look at its new connection: connecting fails then, not
    the first read or write.
    """
    return ConnectionToxic("reset_on_connect", Arrival.reset)


def black_hole_on_connect() -> ConnectionToxic:
    """Accept and read, but never answer, not even a TLS handshake; until the client leaves."""
    return ConnectionToxic("black_hole_on_connect", Arrival.swallow)


def tls_garbage() -> ConnectionToxic:
    """Answer the client's TLS greeting with something that is no TLS, and close."""

    async def act(arrival: Arrival) -> None:
        await arrival.read()
        await arrival.blurt(render_answer(400, [("Connection", "close")]))

    return ConnectionToxic("tls_garbage", act, needs_tls=True)


def tls_bad_cert() -> ConnectionToxic:
    """Show a certificate that only vouches for itself. Who accepts it is served."""
    return _showing("tls_bad_cert", Certificate.SELF_SIGNED)


def tls_expired() -> ConnectionToxic:
    """Show a certificate that expired yesterday. Who accepts it is served."""
    return _showing("tls_expired", Certificate.EXPIRED)


def tls_wrong_host() -> ConnectionToxic:
    """Show another host's certificate. Who accepts it is served."""
    return _showing("tls_wrong_host", Certificate.WRONG_HOST)


def _showing(name: str, certificate: Certificate) -> ConnectionToxic:
    async def act(arrival: Arrival) -> None:
        await arrival.serve(certificate)

    return ConnectionToxic(name, act, needs_tls=True)


def black_hole() -> RequestToxic:
    """Read the request, forward nothing, and never answer; until the client leaves."""

    async def act(exchange: Exchange) -> None:
        await exchange.pause(None)

    return RequestToxic("black_hole", act)


def reset_before_headers() -> RequestToxic:
    """Read the request, forward nothing, and reset."""
    return RequestToxic("reset_before_headers", Exchange.reset)


def reset_after_request() -> RequestToxic:
    """Have the work done, and reset instead of answering."""

    async def act(exchange: Exchange) -> None:
        await exchange.forward()
        await exchange.reset()

    return RequestToxic("reset_after_request", act)


def answer_lost() -> RequestToxic:
    """Have the work done, and close cleanly instead of answering."""

    async def act(exchange: Exchange) -> None:
        await exchange.forward()
        await exchange.close()

    return RequestToxic("answer_lost", act)


def drop_after(size: int) -> RequestToxic:
    """Have the work done, give the first `size` bytes of the answer, and close."""

    async def act(exchange: Exchange) -> None:
        answer = await exchange.forward()
        await exchange.send(answer.raw[:size])
        await exchange.close()

    return RequestToxic(f"drop_after({size})", act)


def truncate_body() -> RequestToxic:
    """Have the work done, give the head and half of the body, and close.

    An answer without a body lacks the last line of its head instead, so none arrives whole.
    """

    async def act(exchange: Exchange) -> None:
        answer = await exchange.forward()
        half = len(answer.body) // 2
        await exchange.send(answer.head + answer.body[:half] if answer.body else answer.head[:-2])
        await exchange.close()

    return RequestToxic("truncate_body", act)


def slow_drip_headers(interval: float) -> RequestToxic:
    """Give the answer's head byte by byte, `interval` seconds apart, then the body at once."""

    async def act(exchange: Exchange) -> None:
        answer = await exchange.forward()
        await exchange.drip(answer.head, interval)
        await exchange.answer(answer._replace(head=b""))

    return RequestToxic(f"slow_drip_headers({interval})", act)


def slow_drip_body(interval: float) -> RequestToxic:
    """Give the answer's head at once, then the body byte by byte, `interval` seconds apart."""

    async def act(exchange: Exchange) -> None:
        answer = await exchange.forward()
        await exchange.answer(answer._replace(body=b""))
        await exchange.drip(answer.body, interval)

    return RequestToxic(f"slow_drip_body({interval})", act)


def slow_drip(interval: float) -> RequestToxic:
    """Have the work done, and give the whole answer byte by byte, `interval` seconds apart."""

    async def act(exchange: Exchange) -> None:
        answer = await exchange.forward()
        await exchange.drip(answer.raw, interval)

    return RequestToxic(f"slow_drip({interval})", act)


def changed(change: Callable[[Response], Response]) -> RequestToxic:
    """Have the work done, and give what `change` makes of the answer."""

    async def act(exchange: Exchange) -> None:
        answer = await exchange.forward()
        headers = {name.lower(): value for name, value in answer.headers}
        made = change(Response(answer.status, headers, answer.payload))
        kept = [
            (name, value)
            for name, value in made.headers.items()
            if name not in ("content-length", "transfer-encoding")
        ]
        await exchange.send(render_answer(made.status, kept, made.body, exchange.request.method))

    return RequestToxic("changed", act)


def duplicate() -> RequestToxic:
    """Forward the request twice, one after the other; give the first answer."""

    async def act(exchange: Exchange) -> None:
        answer = await exchange.forward()
        await exchange.forward()
        await exchange.answer(answer)

    return RequestToxic("duplicate", act)


def redirect(location: str, code: int = 307) -> RequestToxic:
    """Forward nothing; send the client to `location`."""
    injected = status(code, (("Location", location),))
    return injected._replace(name=f"redirect({location})")


def status(code: int, headers: Headers = (), body: bytes = b"") -> RequestToxic:
    """Forward nothing; answer with this. The length is told without being named in `headers`."""

    async def act(exchange: Exchange) -> None:
        await exchange.send(render_answer(code, headers, body, exchange.request.method))

    return RequestToxic(f"status({code})", act)


def latency(seconds: float) -> RequestToxic:
    """Have the work done at once, but answer `seconds` later."""

    async def act(exchange: Exchange) -> None:
        answer = await exchange.forward()
        await exchange.pause(seconds)
        await exchange.answer(answer)

    return RequestToxic(f"latency({seconds})", act)
