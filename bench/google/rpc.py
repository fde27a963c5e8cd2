"""What Google would say to gRPC, on loopback: `python -m bench.google.rpc`.

It prints its port, and ends with its standard input. An answer is fixed, and no request is read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from bench.google.answers import FOUND, WRITTEN, published

THREADS = 4


def serve() -> None:
    """Open the port, print it, and answer until standard input ends."""
    grpc: Any = import_module("grpc")
    server = grpc.server(ThreadPoolExecutor(THREADS))
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(service, methods)
            for service, methods in _services(grpc).items()
        ]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(grace=1.0).wait()


def _services(grpc: Any) -> dict[str, dict[str, Any]]:
    pubsub: Any = import_module("google.pubsub_v1")
    firestore: Any = import_module("google.cloud.firestore_v1.types")
    once, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    return {
        "google.pubsub.v1.Publisher": {
            "Publish": once(_same(_message(pubsub.PublishResponse, published(1))))
        },
        "google.firestore.v1.Firestore": {
            "Commit": once(_same(_message(firestore.CommitResponse, WRITTEN))),
            "BatchGetDocuments": stream(
                _same_stream(_message(firestore.BatchGetDocumentsResponse, FOUND))
            ),
        },
    }


def _message(kind: Any, document: dict[str, Any]) -> bytes:
    """Return the bytes of a message whose JSON is `document`."""
    written: bytes = kind.serialize(kind.from_json(json.dumps(document)))
    return written


def _same(answer: bytes) -> Callable[[bytes, Any], bytes]:
    return lambda _request, _context: answer


def _same_stream(answer: bytes) -> Callable[[bytes, Any], Iterator[bytes]]:
    return lambda _request, _context: iter((answer,))


if __name__ == "__main__":
    serve()
