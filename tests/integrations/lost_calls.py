"""Ask `leeward.ran` about failures of gRPC, google-api-core and redis; exit with 1 at a wrong one.

python -m tests.integrations.lost_calls [--cases N] [--client NAME ...] [--seed N]
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from random import Random
from typing import Any, Final

from leeward_ran import Evidence, find_evidence
from tests.integrations.lost import is_over, report_of

REFUSING: Final = ("ABORTED", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED")
CODES: Final = (*REFUSING, "UNAVAILABLE", "INTERNAL", "CANCELLED", "UNKNOWN")
UNCONNECTED: Final = "failed to connect to all addresses; last error: UNKNOWN: refused"

ANSWERS: Final = {b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n", b"EXEC": b"*0\r\n"}
"""Of Redis to what is no SET."""

Call = Callable[[Random], tuple[str, Evidence | None, int]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.integrations.lost_calls", description=__doc__)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--client", action="append", help="only these")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    wrong, over = 0, False
    for name, library, open_client in CLIENTS:
        if find_spec(library) is None or (options.client and name not in options.client):
            continue
        counts: Counter[str] = Counter()
        with open_client() as call:
            for number in range(options.cases):
                shown, found, effects = call(Random(f"{options.seed} {number} {name}"))
                flaw = "" if found is None else report_of(found, effects, counts)
                if flaw:
                    wrong += 1
                    print(f"WRONG {name} {number}: {flaw}: {found}; {shown}", flush=True)
        over |= is_over(name, counts)
    print(f"wrong: {wrong}")
    return 1 if wrong or over else 0


@contextmanager
def open_grpc(*, google: bool = False) -> Iterator[Call]:
    """Serve a method that does as it is told, over gRPC."""
    import grpc

    told: dict[str, list[tuple[bool, str]]] = {}
    effects: Counter[str] = Counter()

    def answer(_request: bytes, context: Any) -> bytes:
        case = dict(context.invocation_metadata())["case"]
        runs, code = told[case].pop(0) if told[case] else (True, "OK")
        effects[case] += runs
        end_as(code, context, lies=runs)
        return b"done"

    handler = grpc.method_handlers_generic_handler(
        "shop", {"Charge": grpc.unary_unary_rpc_method_handler(answer)}
    )
    server = grpc.server(ThreadPoolExecutor(8), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channels = [grpc.insecure_channel(f"127.0.0.1:{each}") for each in (port, 9)]

    def call(random: Random) -> tuple[str, Evidence | None, int]:
        case = str(len(told))
        steps = [random_status(random, trusts=google) for _ in range(random.choice([1, 1, 2, 3]))]
        told[case] = list(steps)
        is_away = random.random() < 0.2
        method = channels[is_away].unary_unary("/shop/Charge")
        send = with_retries(method, random) if google else method
        try:
            send(b"", timeout=0.2, metadata=(("case", case),))
        except Exception as error:
            return f"{steps} {is_away}", find_evidence(error), effects[case]
        return "", None, 0

    yield call
    for channel in channels:
        channel.close()
    server.stop(None)


def end_as(code: str, context: Any, *, lies: bool) -> None:
    """End a call on the server's side; a lie is the text of a client without a connection."""
    import grpc

    if code == "SLEEP":
        time.sleep(0.3)
    elif code != "OK":
        context.abort(grpc.StatusCode[code], UNCONNECTED if lies else "no")


def random_status(random: Random, *, trusts: bool) -> tuple[bool, str]:
    """Return whether a call runs, and the status that it ends with."""
    code = random.choice((*CODES, "SLEEP"))
    runs = code == "SLEEP" or (not (trusts and code in REFUSING) and random.random() < 0.5)
    return runs, code


def with_retries(method: Any, random: Random) -> Any:
    """Wrap a method as the clients of Google do, with its own retries or without."""
    from google.api_core import exceptions, gapic_v1, retry

    again = retry.if_exception_type(
        exceptions.ServiceUnavailable, exceptions.Aborted, exceptions.ResourceExhausted
    )
    policy = retry.Retry(predicate=again, initial=0.01, maximum=0.02, timeout=0.4)
    chosen = policy if random.random() < 0.6 else None
    return gapic_v1.method.wrap_method(method, default_retry=chosen)


@contextmanager
def open_google() -> Iterator[Call]:
    """The same by the wrappers of google-api-core."""
    with open_grpc(google=True) as call:
        yield call


@contextmanager
def open_redis() -> Iterator[Call]:
    """Serve what redis-py says first, and a SET that does as it is told."""
    import redis
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    def call(random: Random) -> tuple[str, Evidence | None, int]:
        kinds = ["OOM", "READONLY", "WRONGTYPE", "reset", "run", "hang", "close"]
        steps = random.choices(kinds, k=random.choice([0, 0, 1, 2, 3]))
        server = RedisServer(steps)
        retry = Retry(ConstantBackoff(0.001), random.choice([0, 0, 1, 3]))
        client = redis.Redis(
            port=server.port, socket_timeout=0.1, socket_connect_timeout=0.2, retry=retry
        )
        try:
            kind = random.random()
            if kind < 0.2:
                client.transaction(lambda rows: [rows.multi(), rows.set("a", "1")], "a")
            elif kind < 0.5:
                with client.pipeline(transaction=random.random() < 0.5) as pipeline:
                    pipeline.set("a", "1").set("b", "2").execute()
            else:
                client.set("a", "1")
        except Exception as error:
            return str(steps), find_evidence(error), server.effects
        finally:
            client.close()
            server.close()
        return "", None, 0

    yield call


class RedisServer:
    """Speaks as much of Redis as a SET takes; nobody listens after the last step."""

    def __init__(self, steps: Sequence[str]) -> None:
        self.effects = 0
        self._steps = list(steps)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        if not steps:
            self._listener.close()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as stream, suppress(OSError, ValueError, IndexError):
            while words := read_command(stream):
                if words[0].upper() != b"SET":
                    client.sendall(ANSWERS.get(words[0].upper(), b"+OK\r\n"))
                    continue
                step = self._steps.pop(0)
                if not self._steps:
                    self.close()
                self.effects += step in ("run", "reset", "hang")
                if step == "hang":
                    time.sleep(0.3)
                if step in ("reset", "close", "hang"):
                    return
                client.sendall({"run": b"+OK\r\n"}.get(step, b"-%s no\r\n" % step.encode()))


def read_command(stream: Any) -> list[bytes]:
    """Read an array of strings; empty at the end of the stream."""
    line = stream.readline()
    if not line:
        return []
    words = []
    for _ in range(int(line[1:])):
        size = int(stream.readline()[1:])
        words.append(stream.read(size + 2)[:-2])
    return words


CLIENTS: Final = (
    ("grpc", "grpc", open_grpc),
    ("google over gRPC", "google.api_core", open_google),
    ("redis", "redis", open_redis),
)

if __name__ == "__main__":
    sys.exit(main())
