"""What has to exist on the cloud that a driver under contract talks to.

Six functions, one bus, two tables, a bucket and a workflow, under these names. The functions mark
their answers, as leeward's handler does: each has the header ``x-leeward`` with what the request
has as ``x-leeward-call`` and ``;handler`` behind it. Only where one raises may the platform answer
in its place.

Where the cloud runs Python callables, `contract_functions` gives the functions ready-made, and
`Seen` remembers what the bus delivers::

    seen = Seen()
    for name, function in contract_functions(seen).items():
        cloud.function(name)(function)
    cloud.subscribe(EVENTS)(seen.remember)
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, TypeAlias

from leeward import Config, Event, envelope
from leeward.app import Context, signatures
from leeward.cloudevents import to_json
from leeward.config import FunctionConfig, TableConfig
from leeward.values import Json
from leeward.workflow import Definition, read_definition

ECHO: Final = "contract-echo"
"""A function that returns its payload."""

FAIL: Final = "contract-fail"
"""A function that raises, whatever its payload."""

SLOW: Final = "contract-slow"
"""A function that takes ``payload["seconds"]`` and then returns ``"done"``."""

COUNT: Final = "contract-count"
"""A function that adds 1 to the counter ``payload["name"]`` and returns what it is then.

Counters start at 0 and live as long as the driver's fixture."""

SEEN: Final = "contract-seen"
"""A function that returns the events with the id ``payload["id"]`` that `EVENTS` has delivered so
far, in the order of delivery: a list of objects in CloudEvents JSON."""

SETTLE: Final = "contract-settle"
"""A function that answers a question with the header ``x-leeward-settle`` as `ran_answer` does, and
any other call as `call_answer` does. Where functions get headers, `settle_by_headers` does both."""

ABSENT: Final = "no-such-function-contract"
"""A function that is not there."""

EVENTS: Final = "contract-events"
"""A bus. What it delivers is what `SEEN` returns."""

ITEMS: Final = "contract-items"
"""A table whose key is the field ``id``."""

PAIRS: Final = "contract-pairs"
"""A table whose key is the fields `PAIR`; only for drivers that declare COMPOSITE_KEYS."""

PAIR: Final = ("customer", "order")

BUCKET: Final = "contract-objects"
"""A bucket, or container; only for drivers that declare OBJECTS. It may hold what tests left."""

WORKFLOW: Final = "contract-run"
"""A workflow, `contract_workflow` as it is exported; only for drivers that declare WORKFLOWS. It
returns its input, unless that is `DO_FAIL`, or begins like `DO_WAIT`."""

DO_FAIL: Final = {"do": "fail"}
"""The input of a run that fails, with `CONTRACT_FAILED`."""

CONTRACT_FAILED: Final = "ContractFailed"

DO_WAIT: Final = {"do": "wait"}
"""The input of a run that waits for ten minutes."""

STARTS: Final = "workflow-starts"
"""A table whose key is the field ``id``; only for drivers that declare WORKFLOWS and do not declare
SINGLE_STARTS, for the client keeps starts apart there."""

Function: TypeAlias = Callable[..., Json]
"""Takes the payload, and the `leeward.Context` if it has a second parameter."""


def ran_answer(key: str | None, voids: int, question: Any) -> dict[str, Json]:
    """Return the answer of `SETTLE` to a question: the call ran. Its result is what was asked.

    Args:
        key: of the question: its header ``idempotency-key``.
        voids: its header ``x-leeward-voids``, else 0.
        question: its body.
    """
    result = {"age": question.get("age"), "payload": question.get("payload")}
    return {"verdict": "ran", "key": key, "voids": voids, "result": result}


def call_answer(key: str | None, voids: int) -> dict[str, Json]:
    """Return the answer of `SETTLE` to a call: the key and the number of voids that came with it.

    Args:
        key: of the call: its header ``idempotency-key``.
        voids: its header ``x-leeward-voids``, else 0.
    """
    return {"called": key, "voids": voids}


def settle_by_headers(headers: Mapping[str, str], payload: Any) -> dict[str, Json]:
    """Answer as `SETTLE` does; the names of headers are in lower case."""
    key, voids = headers.get("idempotency-key"), int(headers.get("x-leeward-voids", "0"))
    if "x-leeward-settle" in headers:
        return ran_answer(key, voids, payload)
    return call_answer(key, voids)


class ContractFailure(Exception):
    """What `FAIL` raises."""


class Seen:
    """Remembers what the bus has delivered, from any number of threads."""

    def __init__(self) -> None:
        self._documents: list[dict[str, Json]] = []
        self._lock = threading.Lock()

    def remember(self, event: Event) -> None:
        """Keep one delivery: this is what is to be subscribed to `EVENTS`."""
        with self._lock:
            self._documents.append(to_json(event))

    def answer(self, payload: Any) -> Json:
        """Answer as `SEEN` does."""
        with self._lock:
            return [document for document in self._documents if document["id"] == payload["id"]]


def contract_functions(seen: Seen) -> dict[str, Function]:
    """Return the functions that the contract calls, by name, with counters of their own."""
    counters: Counter[str] = Counter()
    lock = threading.Lock()

    def count(payload: Any) -> int:
        with lock:
            counters[payload["name"]] += 1
            return counters[payload["name"]]

    return {
        ECHO: lambda payload: payload,
        FAIL: _fail,
        SLOW: _slow,
        COUNT: count,
        SEEN: seen.answer,
        SETTLE: _settle,
    }


def contract_config() -> Config:
    """Return the configuration of the contract's own client: the key of `PAIRS`.

    And that the functions mark their answers.
    """
    marks = dict.fromkeys(
        (ECHO, FAIL, SLOW, COUNT, SEEN, SETTLE, ABSENT), FunctionConfig(marks=True)
    )
    tables = {PAIRS: TableConfig(key=PAIR)}
    return Config(functions=marks, tables=tables, source="leeward-contract")


@cache
def contract_workflow() -> Definition:
    """Return the definition of `WORKFLOW`."""
    document = {
        "leeward": "workflow/1",
        "workflow": WORKFLOW,
        "do": [
            {
                "choose": "what",
                "cases": [
                    _case("wait", {"wait": "long", "seconds": 600}),
                    _case("fail", {"fail": "failing", "error": CONTRACT_FAILED}),
                    # No flow is without a step. How steps are called is not this contract's.
                    _case("call", {"step": "calling", "call": ECHO, "payload": "$input"}),
                ],
            },
            {"stop": "echo", "result": "$input"},
        ],
    }
    return read_definition(document)


def _case(word: str, node: dict[str, Json]) -> dict[str, Json]:
    return {"when": {"==": ["$input.do", word]}, "do": [node]}


def _fail(payload: Any) -> Json:
    raise ContractFailure("on purpose")


def _slow(payload: Any) -> Json:
    time.sleep(payload["seconds"])
    return "done"


def _settle(_payload: Any, context: Context) -> Json:
    """Answer a call as `SETTLE` does; leeward's handler puts questions to `_answer_question`."""
    return call_answer(context.idempotency_key, context.voids)


def _answer_question(
    age: float | None, given: tuple[Any, ...] | None, context: Context, *, is_here: bool
) -> dict[str, Json]:
    del is_here
    age_ = None if age is None else age - envelope.CLOCKS  # the handler allows for other clocks
    question = {"age": age_, "payload": given[0] if given else None}
    return ran_answer(context.idempotency_key, context.voids, question)


def _bind(_owner: str) -> None:
    """Have no records that a handler could name."""


setattr(
    _settle,
    signatures.IDEMPOTENCY,
    signatures.Idempotency(_settle, envelope.BY_TARGET, True, _answer_question, str, "keys", _bind),
)
