"""Sagas with payments whose answers are lost, late, or never given, on every engine.

The functions of the payments are real: an app's idempotent handlers with a record for each key. The
network between them and the engine is drawn: it loses calls and answers, and holds calls back until
long after the run. A payment may run for long, or its process may die before or after the charge.

When a run has ended, and all late calls have arrived:

- a run that ended well has one charge for each payment, and no refund;
- a run that failed has no charge without a refund behind it;
- no refund was asked for a payment that did not run.

``python -m tests.workflow.sagas --runs 1000``, ``--engine embedded|step_functions|...``.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from random import Random
from threading import Event, Thread
from typing import Any, Final, NamedTuple

from leeward import Client
from leeward.app import App, Context
from leeward.app.handlers import answer as answer_of
from leeward.app.idempotency import Done, NotDone, idempotent
from leeward.app.triggers import Delivery, Platform
from leeward.local import Local
from leeward.testing import FakeClock
from leeward.values import InvokeResult, Json
from leeward.values.runs import RunState
from leeward.values.settled import Verdict
from leeward.workflow import ANY, Flow, Ref, Retry, workflow
from leeward.workflow.commands import (
    UNSETTLED,
    Answer,
    Returned,
    StepCall,
    StepFailure,
    StepQuestion,
    StepVerdict,
)
from leeward.workflow.model import TIMEOUT, UNKNOWN
from leeward.workflow.steps import RESULT_LOST
from leeward_contract_tests.workflows.programs import EngineProcess
from leeward_contract_tests.workflows.virtual import error_of
from tests.registers import LONG, enter_register
from tests.workflow.crashing import OpenJournal, World, open_in_memory
from tests.workflow.engines import ENGINES

SECONDS: Final = 40
PAYMENTS: Final = ("take-money", "take-deposit")


@workflow("shop")
def shop_flow(w: Flow, order: Ref) -> None:
    """Two payments beside each other, and a delivery that may be refused."""
    with w.attempt("all") as all_of_it, w.saga("booking"):
        with w.parallel("both") as both:
            with both.branch("pay"):
                w.step("take-money", order, undo="give-money", effect="keyed", timeout=SECONDS)
            with both.branch("deposit"):
                again = Retry(on=("Call.Timeout", "Busy"), attempts=3)
                w.step(
                    "take-deposit",
                    order,
                    undo="give-deposit",
                    settle=True,
                    effect="idempotent",
                    retry=again,
                    timeout=SECONDS,
                )
        w.step("ship", order)
    with all_of_it.on(ANY):
        w.step("tell", order, effect="idempotent")
        w.fail("OrderFailed")


class Declined(Exception):
    """The card was declined."""


class Busy(Exception):
    """The bank has no time."""


class Killed(BaseException):
    """The process of a function is gone."""


class Packet(NamedTuple):
    """A call on its way, with its fate."""

    function: str
    key: str
    payload: Json
    voids: int
    fate: str


FATES: Final = {
    "well": 6,
    "declined": 1,
    "busy": 1,
    "answer lost": 3,
    "never arrives": 3,
    "arrives late": 4,
    "runs for long": 2,
    "dies before the charge": 2,
    "dies after the charge": 2,
}
"""What becomes of a call, and how often."""


class Shop:
    """The functions of one run, and the network before them.

    Attributes:
        charges, refunds: by key.
        vain: keys of payments that were taken back, and had not run.
        verdicts: how often each verdict was given.
    """

    def __init__(self, random: Random) -> None:
        self.charges: Counter[str] = Counter()
        self.refunds: Counter[str] = Counter()
        self.vain: set[str] = set()
        self.verdicts: Counter[Verdict] = Counter()
        self.late: list[Packet] = []
        self._random = random
        self._clock = FakeClock()
        self._first: dict[str, float] = {}
        self._fates: dict[str, str] = {}
        self._slow: dict[str, tuple[Event, Event, Thread]] = {}
        self._has_lost = False
        self._waits: Counter[str] = Counter()
        self._client = Client(Local(clock=self._clock))
        app = App("shop")
        for name in PAYMENTS:
            app.function(name=name)(self._make(name))
        self._handlers = app.handlers
        for name in PAYMENTS:
            enter_register(app.handlers[name], self._clock)
        self._clock.advance(LONG)
        self._platform = Platform("local", None, self._clock)

    def _make(self, name: str) -> Any:
        def probe(key: str, context: Context, notes: tuple[str, ...]) -> Done | NotDone:
            del context, notes
            return Done({"charge": key}) if self.charges[key] else NotDone()

        @idempotent(
            table="keys",
            principal=None,
            effects="marked",
            probe=probe,
            name=name,
            client=self._client,
            clock=self._clock,
        )
        def pay(order: Any, context: Context) -> Json:
            return self._pay(context)

        return pay

    def _pay(self, context: Context) -> Json:
        key = context.idempotency_key
        fate = self._fates.get(key, "well")
        if fate == "declined":
            raise Declined
        if fate == "busy":
            raise Busy
        if fate == "runs for long" and key in self._slow:
            release, begun, _ = self._slow[key]
            begun.set()
            release.wait(20)
        if fate == "dies before the charge":
            raise Killed
        context.effect()
        self.charges[key] += 1
        if fate == "dies after the charge":
            raise Killed
        return {"charge": key}

    def reply(self, said: Mapping[str, Any]) -> Answer | StepVerdict:
        """Answer what an engine asks: to call a function, or what became of a step."""
        self._clock.advance(1.0)
        if self.late and self._random.random() < 0.3:
            self._deliver_late()
        if "settle" in said:
            return self._settle(said)
        function, key = str(said["call"]), str(said["key"])
        if function in PAYMENTS:
            return self._call(function, key, said["payload"], said.get("voids", 0))
        if function.startswith("give-"):
            taken = key.removesuffix("/undo")
            if not self.charges[taken]:
                self.vain.add(taken)
            self.refunds[taken] += 1
            return Returned()
        if function == "ship" and self._random.random() < 0.4:
            return StepFailure("SoldOut")
        return Returned()

    def hold_back(self, function: str, key: str, payload: Json, voids: int) -> None:
        """Keep a call whose process was stopped: it arrives when that wakes up."""
        if function in PAYMENTS:
            self.late.append(Packet(function, key, payload, voids, "well"))

    def end(self) -> None:
        """Let everything arrive that is under way."""
        for key in list(self._slow):
            self._release(key)
        while self.late:
            self._deliver_late()
        self._client.close()

    def _call(self, function: str, key: str, payload: Json, voids: int) -> Answer:
        self._first.setdefault(key, self._clock.now())
        (fate,) = self._random.choices([*FATES], [*FATES.values()])
        packet = Packet(function, key, payload, voids, fate)
        if fate == "never arrives":
            return StepFailure(UNKNOWN, ambiguous=True)
        if fate == "arrives late":
            self.late.append(packet)
            return StepFailure(TIMEOUT, ambiguous=True)
        if fate == "runs for long" and key not in self._slow:
            release, begun = Event(), Event()
            thread = Thread(target=partial(self._deliver_slowly, packet, begun), daemon=True)
            self._slow[key] = release, begun, thread
            thread.start()
            begun.wait(20)
            return StepFailure(TIMEOUT, ambiguous=True)
        answer = self._deliver(packet)
        lost = fate in ("answer lost", "dies before the charge", "dies after the charge")
        return StepFailure(UNKNOWN, ambiguous=True) if lost else answer

    def _deliver_slowly(self, packet: Packet, begun: Event) -> None:
        self._deliver(packet)
        begun.set()

    def _deliver(self, packet: Packet) -> Answer:
        """Run a function, as its platform does; return how its caller sees the end."""
        handler = self._handlers[packet.function]
        self._fates[packet.key] = packet.fate
        delivery = Delivery(
            json.dumps(packet.payload).encode(),
            "call",
            packet.key,
            float(SECONDS),
            voids=packet.voids,
        )
        found = answer_of(handler, delivery, self._platform)
        if found.failure is None:
            return Returned(json.loads(found.body))
        if found.failure.type == "RepeatRefused":
            return StepFailure(UNKNOWN, ambiguous=True)
        return StepFailure(found.failure.type)

    def _deliver_late(self) -> None:
        self._deliver(self.late.pop(self._random.randrange(len(self.late))))

    def _release(self, key: str) -> None:
        release, _, thread = self._slow.pop(key)
        release.set()
        thread.join(20)

    def _settle(self, said: Mapping[str, Any]) -> StepVerdict:
        """Ask a function; the network loses every other question at most.

        A function runs no longer than its step may take, so the second answer is a last one.
        """
        function, key = str(said["settle"]), str(said["key"])
        self._clock.advance(29.0)
        if not self._has_lost and self._random.random() < 0.2:
            self._has_lost = True
            return StepVerdict(Verdict.RUNNING)
        self._has_lost = False
        if key in self._slow and (self._waits[key] or self._random.random() < 0.5):
            self._release(key)
        self._waits[key] += 1
        age = self._clock.now() - self._first[key]
        question = {"settle": key, "age": age, "payload": said["payload"]}
        delivery = Delivery(
            json.dumps(question).encode(), "call", key, 30.0, voids=said["voids"], settles=True
        )
        found = answer_of(self._handlers[function], delivery, self._platform)
        verdict = _read(json.loads(found.body)) if found.failure is None else UNSETTLED
        self.verdicts[verdict.verdict] += 1
        return verdict


def _read(document: Any) -> StepVerdict:
    verdict, answer = Verdict(document["verdict"]), None
    if verdict is Verdict.RAN:
        answer = Returned(document["result"]) if document["kept"] else RESULT_LOST
        if "failure" in document:
            answer = StepFailure(document["failure"]["errorType"])
    wait = document.get("retry_after", 0)
    return StepVerdict(verdict, answer, int(-(-wait // 1)), document["voids"])


class ShopWorld(World):
    """The embedded engine with a shop; a call whose worker has died arrives late."""

    def __init__(self, shop: Shop, open_journal: OpenJournal) -> None:
        super().__init__(lambda *_: Returned(), open_journal=open_journal)
        self._shop = shop

    def invoke(self, call: StepCall) -> InvokeResult:
        """Call a function of the shop."""
        function, idempotency_key, payload = call.function, call.key, call.payload
        self._pass()
        with self._lock:
            if self.is_dead:
                self._shop.hold_back(function, idempotency_key, payload, call.voids)
                raise error_of(UNKNOWN)  # which nobody can write down any more
            said = {
                "call": function,
                "key": idempotency_key,
                "payload": payload,
                "voids": call.voids,
            }
            answer = self._shop.reply(said)
        self._pass()
        if isinstance(answer, StepFailure):
            raise error_of(answer.name)
        assert isinstance(answer, Returned)
        return InvokeResult(answer.value, "local", idempotency_key)

    def settle(self, question: StepQuestion, sent: float | None) -> StepVerdict:
        """Ask a function of the shop."""
        assert sent is not None
        self._pass()
        with self._lock:
            if self.is_dead:
                return UNSETTLED
            verdict = self._shop.reply({"settle": question.function, **question._asdict()})
        self._pass()
        assert isinstance(verdict, StepVerdict)
        return verdict


def flaws_of(
    seed: int, process: EngineProcess | None, open_journal: OpenJournal = open_in_memory
) -> tuple[list[str], Shop]:
    """Run one saga, on an engine or embedded; return what went wrong, and the shop.

    Embedded, the worker dies at a point in half of the runs.
    """
    random = Random(seed)
    shop = Shop(random)
    if process is None:
        world = ShopWorld(shop, open_journal)
        world.dies_at = random.choice((None, random.randrange(1, 30)))
        row = world.finish(shop_flow, "run", {"id": "1"})
        world.journal.close()
        went_well = row.state is RunState.SUCCEEDED
    else:
        ended = process.converse(shop_flow, {"id": "1"}, shop.reply)
        went_well = isinstance(ended, Returned)
    shop.end()
    wrong = []
    for key in (f"shop/run/{name}" for name in PAYMENTS):
        charges, refunds = shop.charges[key], shop.refunds[key]
        if charges > 1:
            wrong.append(f"{key}: {charges} charges")
        if went_well and (charges != 1 or refunds):
            wrong.append(f"{key}: {charges} charges and {refunds} refunds of a good run")
        if not went_well and charges and not refunds:
            wrong.append(f"{key}: a charge is left")
        if key in shop.vain:
            wrong.append(f"{key}: it was taken back, and had not run")
    return wrong, shop


@contextmanager
def process_of(name: str) -> Iterator[EngineProcess | None]:
    """Start an engine; None stands for the embedded one."""
    if name == "embedded":
        yield None
        return
    with ENGINES[name]() as process:
        yield process


def main() -> int:
    """Run sagas, and print what went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", action="append")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable()
    engines = ("embedded", "durable_replay", "durabletask", "step_functions", "workflows")
    count = 0
    for name in options.engine or engines:
        verdicts: Counter[str] = Counter()
        charges = refunds = 0
        with process_of(name) as process:
            for seed in range(options.seed, options.seed + options.runs):
                wrong, shop = flaws_of(seed, process)
                count += bool(wrong)
                charges += sum(shop.charges.values())
                refunds += sum(shop.refunds.values())
                verdicts.update({each.value: n for each, n in shop.verdicts.items()})
                sys.stdout.writelines(f"{name}, seed {seed}: {each}\n" for each in wrong)
        told = ", ".join(f"{each} {n}" for each, n in sorted(verdicts.items()))
        sys.stdout.write(
            f"{name}: {options.runs} sagas, {charges} charges, {refunds} refunds; {told}\n"
        )
    sys.stdout.write(f"{count} wrong\n")
    return min(count, 1)


if __name__ == "__main__":
    sys.exit(main())
