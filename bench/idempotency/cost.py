"""What a guarded call costs, beside aws-lambda-powertools: CPU of a call, of a start, memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Final

from bench.figures import Figure, Sample, Unit, compare, measure_in_turn
from bench.idempotency.play import PYTHON, opened_table
from bench.processes import Program, measure_processes, waiting_process

GATE: Final = 0.5
"""At most half of what powertools takes; the aim is a quarter."""

YARDSTICK: Final = "powertools"
CALLS: Final = {"null": 2000, "dynamodb": 100}
NAMES: Final = {"null": "idempotent call, null store", "dynamodb": "idempotent call, DynamoDB"}

_SIDE: Final = Path(__file__).with_name("cost_side.py")

_START: Final[Mapping[str, Sequence[str]]] = {
    "leeward": (
        "from leeward import Client",
        "from leeward.app import idempotent",
        "client = Client('aws:us-east-1')",
        "idempotent(table='t', key='order', client=client)(lambda order: order)",
    ),
    YARDSTICK: (
        "from aws_lambda_powertools.utilities.idempotency import (",
        "    DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function)",
        "layer = DynamoDBPersistenceLayer('t')",
        "idempotent_function(data_keyword_argument='order', persistence_store=layer,",
        "    config=IdempotencyConfig())(lambda order: order)",
    ),
}


def measure(rounds: int) -> list[Figure]:
    """Measure both sides; nothing without the other one."""
    if not PYTHON.exists():
        return []
    with opened_table() as environment:
        calls = [_call(store, environment, rounds) for store in CALLS]
        return [*calls, *_start(environment, rounds)]


def _call(store: str, environment: Mapping[str, str], rounds: int) -> Figure:
    with ExitStack() as stack:
        samples = [
            stack.enter_context(_side(library, store, environment))
            for library in ("leeward", YARDSTICK)
        ]
        ours, theirs = measure_in_turn(samples, rounds)
    return compare(NAMES[store], ours, theirs, gate=GATE, yardstick=YARDSTICK)


def _start(environment: Mapping[str, str], rounds: int) -> list[Figure]:
    programs = [Program(lines, environment, _python(library)) for library, lines in _START.items()]
    ours, theirs, bare = measure_processes([*programs, Program((), environment)], rounds)
    name, floor = "start with idempotency", "bare python"
    cpu = compare(
        name, ours.cpu, theirs.cpu, gate=GATE, yardstick=YARDSTICK, floor=(floor, bare.cpu)
    )
    memory = compare(
        name,
        ours.memory,
        theirs.memory,
        gate=GATE,
        unit=Unit.MEMORY,
        yardstick=YARDSTICK,
        floor=(floor, bare.memory),
    )
    return [cpu, memory]


def _python(library: str) -> str:
    return sys.executable if library == "leeward" else str(PYTHON)


def _side(
    library: str, store: str, environment: Mapping[str, str]
) -> AbstractContextManager[Sample]:
    command = _python(library), _SIDE, library, store, CALLS[store]
    return waiting_process(command, {**environment, "PATH": os.environ["PATH"]})
