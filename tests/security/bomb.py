"""A program that receives a large answer and prints by how many MiB its memory grew at most.

Started with the kind of answer. A process of its own, because the peak of one that runs tests says
nothing.
"""

from __future__ import annotations

import resource
import sys
import zlib

from leeward._http.messages import Failure, Request, Response
from leeward._http.options import TransportOptions
from leeward._http.threads import CurlTransport
from tests.http.wire import LIMIT, OK, Peer, Script, Wire, once

MIB = 1024 * 1024
CHUNK = b"10000\r\n" + bytes(0x10000) + b"\r\n"


def _packed(mebibytes: int) -> bytes:
    zeros = zlib.compressobj(wbits=31)
    packed = b"".join(zeros.compress(bytes(MIB)) for _ in range(mebibytes)) + zeros.flush()
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    return head.encode() + packed


def _chunked(chunks: int | None) -> Script:
    """Give a script that sends so many chunks of 64 KiB, or does not stop."""

    def script(peer: Peer) -> None:
        peer.read()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        while chunks is None or sent < chunks:
            peer.send(CHUNK)
            sent += 1
        peer.send(b"0\r\n\r\n")

    return script


KINDS: dict[str, tuple[Script, str]] = {
    "endless": (_chunked(None), "body_too_large"),
    "at the cap": (_chunked(20 * 16), "20 MiB"),
    "packed bomb": (once(_packed(100)), "body_too_large"),
    "packed at the cap": (once(_packed(20)), "20 MiB"),
}
"""What a server answers, and what becomes of it."""


def _told(answer: Response | Failure) -> str:
    return answer.code if isinstance(answer, Failure) else f"{len(answer.body) // MIB} MiB"


def _peak() -> float:
    """Give the largest size so far, in MiB; macOS counts bytes where others count KiB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / MIB if sys.platform == "darwin" else size / 1024


def main(kind: str) -> None:
    """Print what became of the answer, and the growth."""
    transport = CurlTransport(TransportOptions())
    for script in (once(OK), KINDS[kind][0]):  # the first one loads what is loaded late
        with Wire(script) as wire:
            before = _peak()
            answer = transport.send(Request("POST", wire.origin(), "/", (), b"x"), LIMIT)
            growth = _peak() - before
    sys.stdout.write(f"{_told(answer)}\n{growth}\n")
    transport.close()


if __name__ == "__main__":
    main(sys.argv[1])
