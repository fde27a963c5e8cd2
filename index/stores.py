"""Protocols of stores that are not HTTP, as far as one write needs them."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Final

Step = tuple[bytes, str | None]
"""An answer, and the key of the effect that it is about; None for what has no effect."""


def serve_redis(stream: BinaryIO) -> Iterator[Step]:
    """Answer commands of RESP; all but those of the connection itself have an effect."""
    while head := stream.readline():
        sizes = range(int(head[1:]))
        words = [stream.read(int(stream.readline()[1:]) + 2)[:-2].upper() for _ in sizes]
        if words[0] == b"HELLO":
            yield b"%1\r\n+proto\r\n:3\r\n", None
        elif words[0] in (b"AUTH", b"CLIENT", b"PING", b"SELECT"):
            yield b"+OK\r\n", None
        else:
            yield b":1\r\n", ""


def serve_postgres(stream: BinaryIO) -> Iterator[Step]:
    """Answer statements in PostgreSQL's protocol 3; ``COMMIT`` has an effect."""
    while True:
        size, code = struct.unpack("!ii", stream.read(8))
        stream.read(size - 8)
        if code == 196608:  # protocol 3.0; before it, clients ask for TLS and for GSS
            break
        yield b"N", None
    yield _message(b"R", bytes(4)) + _message(b"Z", b"I"), None
    state, answer = b"I", b""
    replies = {b"P": b"1", b"B": b"2", b"D": b"n"}
    while kind := stream.read(1):
        body = stream.read(int.from_bytes(stream.read(4), "big") - 4)
        if kind in replies:
            answer += _message(replies[kind], b"")
        elif kind in b"QE":
            state = b"I" if b"COMMIT" in body else b"T"
            answer += _message(b"C", b"COMMIT\0" if state == b"I" else b"INSERT 0 1\0")
        if kind in b"QS":
            yield answer + _message(b"Z", state), "" if b"COMMIT" in body else None
            answer = b""


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def serve_mongo(stream: BinaryIO) -> Iterator[Step]:
    """Answer commands of MongoDB, as the primary of a replica set; ``insert`` has an effect."""
    while head := stream.read(16):
        size, number, _, kind = struct.unpack("<4i", head)
        body = stream.read(size - 16)
        command = body[5 if kind == 2013 else 0 :]
        found = {"ok": 1.0, "n": 1, "ismaster": True, "setName": "rs", "me": "mongo.example:27017"}
        found |= {"minWireVersion": 0, "maxWireVersion": 21, "logicalSessionTimeoutMinutes": 30}
        answer = _bson(found | {"hosts": {"0": "mongo.example:27017"}})
        answer = bytes(5) + answer if kind == 2013 else struct.pack("<iqii", 8, 0, 0, 1) + answer
        head = struct.pack("<4i", len(answer) + 16, 1, number, 2013 if kind == 2013 else 1)
        marks = re.search(rb"txnNumber\0(.{8})", command, re.DOTALL)
        key = f"txnNumber: {marks[1].hex()}" if marks else ""
        yield head + answer, key if command[5:12] == b"insert\0" else None


def _bson(document: Mapping[str, object]) -> bytes:
    parts = b""
    for name, value in document.items():
        if isinstance(value, bool):
            kind, data = b"\x08", bytes([value])
        elif isinstance(value, int):
            kind, data = b"\x10", struct.pack("<i", value)
        elif isinstance(value, float):
            kind, data = b"\x01", struct.pack("<d", value)
        elif isinstance(value, str):
            kind, data = b"\x02", struct.pack("<i", len(value) + 1) + value.encode() + b"\0"
        else:
            kind, data = b"\x04", _bson(value)  # type: ignore[arg-type]  # a list
        parts += kind + name.encode() + b"\0" + data
    return struct.pack("<i", len(parts) + 5) + parts + b"\0"


PROTOCOLS: Final[Mapping[str, Callable[[BinaryIO], Iterator[Step]]]] = {
    "mongo": serve_mongo,
    "postgres": serve_postgres,
    "redis": serve_redis,
}
