"""Giving messages up, and moving them back: what is asked of queues, and what is never lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator
from io import StringIO
from itertools import count as count_up
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from leeward import App
from leeward.app.answers import HandlerFailure, Problem, failure_of
from leeward.app.dead_letters import (
    ATTRIBUTE,
    DeadLetters,
    Letter,
    dead_letters_at,
    facts_in,
    without_facts,
)
from leeward.app.handlers import Handler
from leeward.app.idempotency import RepeatRefused
from leeward.app.idempotency.record import Reason
from leeward.calls import (
    Attribute,
    HideMessage,
    PutMessage,
    QueueCall,
    QueueMessage,
    RemoveMessage,
    Result,
    TakeMessages,
)
from leeward.cli.dead_letters import (
    MoveOptions,
    QueueLetters,
    delete_letters,
    redrive,
)
from leeward.cli.output.console import Printer, Printers, render_report
from leeward.errors import ConfigError, InvalidRequest, Outcome
from leeward.testing import FakeClock
from leeward.views.letters import FoundLetter, Moved, list_letters, row_of
from leeward_azure.functions.messages import _read as storage_queue_text
from leeward_azure.functions.service_bus import _read as service_bus_properties
from leeward_contract_tests.rows import each_row
from tests.app import aws_events, google_events
from tests.app.triggers import Cloud

NEVER = failure_of(Problem("no", reason="broken"), (), "maybe")
AWAY = failure_of(ConnectionError(), (), "maybe")
OWN = (Attribute("Tenant", "a", "String"), Attribute("blob", b"\x00", "Binary"))
LETTER = Letter("parcels", b'{"n": 1}', OWN, "m-1", 1, "g", "parcels", "receipt")
DONE: Result[Any] = Result.ok(None)
PARCELS = {"subscription": "projects/p/subscriptions/parcels"}


def handler() -> Handler:
    app = App("shop")
    app.on_message("parcels", name="send", retries=2)(print)
    return app.handlers["send"]


def finished(
    failure: HandlerFailure | None, result: Result[Any] | Exception = DONE, **more: Any
) -> tuple[bool, list[QueueCall]]:
    """Finish with a message; return whether it may be acknowledged, and what was done."""
    calls: list[QueueCall] = []

    def perform(call: QueueCall, seconds: float) -> Result[Any]:
        assert 0 < seconds <= 10
        calls.append(call)
        if isinstance(result, Exception):
            raise result
        return result

    letter, seconds = more.pop("letter", LETTER), more.pop("seconds", 60.0)
    queues = more.pop("queues", {"parcels": "dead"})
    dead = DeadLetters(queues, perform, FakeClock())
    return dead.finish(handler(), letter, failure, seconds, **more), calls


def test_a_message_is_given_up_as_it_came() -> None:
    """Body, attributes and group are its own; one attribute more says why."""
    is_done, (call,) = finished(NEVER)
    assert is_done
    assert isinstance(call, PutMessage)
    assert (call.queue, call.body, call.group, call.id) == ("dead", LETTER.body, "g", "m-1")
    assert without_facts(call.attributes) == OWN
    told = facts_in(call.attributes)
    assert told is not None
    assert told[:4] == ("parcels", "send", "Problem", "broken")
    assert told[5:] == (1, "maybe", "m-1")
    spent = LETTER._replace(attempt=3)
    _, (call,) = finished(AWAY, letter=spent)
    assert isinstance(call, PutMessage)
    told = facts_in(call.attributes)
    assert told is not None
    assert (told.error, told.reason, told.attempts) == ("ConnectionError", "attempts", 3)


def test_no_letter_is_made_of_what_waits_or_is_done() -> None:
    """It is hidden for as long as its guard says; what has run before is acknowledged."""
    spent = LETTER._replace(attempt=9)
    for reason, seconds in (("running", 5), ("waiting", 60)):
        waits = NEVER._replace(reason=reason, retry_after=seconds, is_own=True)
        is_done, (call,) = finished(waits, letter=spent)
        assert (is_done, type(call)) == (False, HideMessage)
        assert isinstance(call, HideMessage)
        assert call.seconds == seconds
        is_done, (call,) = finished(waits._replace(is_own=False), letter=spent)
        assert isinstance(call, PutMessage), "the word of another guard"
    assert finished(NEVER._replace(reason="not_kept", is_own=True)) == (True, [])
    first = RepeatRefused("x", Reason.UNKNOWN, error_type="ConnectionError")
    _, (call,) = finished(failure_of(first, (), "maybe", is_own=True))
    assert isinstance(call, PutMessage)
    told = facts_in(call.attributes)
    assert told is not None
    assert (told.error, told.reason, told.ran) == ("ConnectionError", "unknown", "maybe")


def test_a_message_that_is_given_up_twice_says_why_the_second_time() -> None:
    """Whoever has moved it back has left the attribute; or it came with one that is forged."""
    _, (first,) = finished(NEVER._replace(ran="no"))
    assert isinstance(first, PutMessage)
    moved = LETTER._replace(attributes=first.attributes, attempt=3)
    _, (second,) = finished(AWAY, letter=moved)
    assert isinstance(second, PutMessage)
    assert [each.name for each in second.attributes] == [each.name for each in first.attributes]
    told = facts_in(second.attributes)
    assert told is not None
    assert (told.error, told.ran) == ("ConnectionError", "maybe")


def test_what_is_not_proved_to_be_given_up_is_not_acknowledged() -> None:
    """Whatever the queue says, or does not say, and where no time is left to ask it."""
    for result in (
        Result(Outcome.NOT_SENT),
        Result(Outcome.AMBIGUOUS),
        Result(Outcome.NOT_FOUND),
        InvalidRequest("too many attributes"),
        ImportError("no pycurl"),
    ):
        assert finished(NEVER, result)[0] is False, result
    assert finished(NEVER, seconds=0.0) == (False, [])
    assert finished(NEVER, queues={}) == (False, [])


def test_a_message_waits_for_its_next_attempt() -> None:
    """Where it can be hidden; a failure of that changes nothing."""
    for result in (DONE, Result[Any](Outcome.NOT_SENT)):
        is_done, (call,) = finished(AWAY, result, letter=LETTER._replace(attempt=2))
        assert not is_done
        assert isinstance(call, HideMessage)
        assert (call.queue, call.receipt, 8 <= call.seconds <= 12) == ("parcels", "receipt", True)
    assert finished(AWAY, letter=LETTER._replace(receipt="")) == (False, [])
    is_done, (call,) = finished(NEVER, together=True)
    assert (is_done, type(call)) == (False, HideMessage)
    assert finished(None) == (True, [])


def test_a_dead_letter_queue_has_a_name() -> None:
    """Told when the app is deployed, and not when the first letter is lost."""
    for queues in ({"parcels": ""}, {"": "dead"}, {"parcels": 3}, "parcels-dead", ["parcels"]):
        with pytest.raises(ConfigError, match="dead_letters must name"):
            dead_letters_at(queues, lambda: pytest.fail("opened"))  # type: ignore[arg-type]


def test_what_others_have_written_is_no_word_of_leewards() -> None:
    """Neither something that is not JSON, nor a JSON of another shape."""
    for text in ("", "{", "[]", "{}", json.dumps({"queue": "q"})):
        assert facts_in((Attribute(ATTRIBUTE, text),)) is None


def test_what_was_given_up_is_not_run_again_until_its_letter_is_sent() -> None:
    """In this process; it waits longer meanwhile. A message that got the same id is another one."""
    results = [Result[Any](Outcome.NOT_SENT), DONE, Result[Any](Outcome.NOT_SENT), DONE, DONE]
    calls: list[QueueCall] = []

    def perform(call: QueueCall, seconds: float) -> Result[Any]:
        calls.append(call)
        return results.pop(0)

    dead, send = DeadLetters({"parcels": "dead"}, perform, FakeClock()), handler()
    spent = LETTER._replace(attempt=3)
    assert dead.find_unsent([send], "m-1", LETTER.body, 3) is None
    for attempt in (3, 4):
        assert not dead.finish(send, spent._replace(attempt=attempt), AWAY, 9.0)
    assert [type(each) for each in calls] == [PutMessage, HideMessage] * 2
    assert dead.find_unsent([send], "m-1", LETTER.body, 3) is None
    assert dead.find_unsent([send], "m-1", b"", 5) is None
    known = dead.find_unsent([send], "m-1", LETTER.body, 5)
    assert known is not None
    assert (known[0], known[1].reason, known[1].cause) == (send, "attempts", None)
    assert dead.finish(send, spent._replace(attempt=5), known[1], 9.0)
    assert isinstance(calls[-1], PutMessage)
    told = facts_in(calls[-1].attributes)
    assert told is not None
    assert (told.error, told.reason, told.attempts) == ("ConnectionError", "attempts", 5)
    assert dead.find_unsent([send], "m-1", LETTER.body, 6) is None


@pytest.mark.vendors
@each_row(
    "platform, make",
    [
        ("aws", lambda n: batch(n, queue="parcels")),
        ("aws", lambda n: batch(n, queue="parcels.fifo")),
        ("google", lambda n: google_events.push("/", b"{}", deliveryAttempt=n, **PARCELS)),
        ("azure", lambda n: SimpleNamespace(id="m", dequeue_count=n, get_body=lambda: b"{}")),
    ],
)
@pytest.mark.parametrize("final", [True, False])
def test_while_letters_cannot_be_sent_a_handler_runs_no_further_time(
    platform: str, make: Callable[[int], Any], final: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its attempts are spent or its failure is final; then the letter is moved."""
    app, ran, sent = App("shop"), list[str](), [False]

    @app.on_message("parcels", retries=1, final=[KeyError] if final else [])
    def send(payload: Any) -> None:
        ran.append("send")
        raise KeyError

    def ask(self: DeadLetters, call: QueueCall, seconds: float) -> Result[Any]:
        return DONE if sent[0] else Result(Outcome.NOT_SENT)

    monkeypatch.setattr(DeadLetters, "_ask", ask)
    cloud = Cloud(platform, app, "send", dead_letters={"parcels": "dead"})
    assert not any(cloud.put(make(attempt), []).acknowledged for attempt in range(1, 10))
    assert len(ran) == (1 if final else 2)
    sent[0] = True
    assert cloud.put(make(10), []).acknowledged
    assert len(ran) == (1 if final else 2)


def batch(attempt: int, queue: str) -> dict[str, Any]:
    """A batch of SQS with one message, in its so many-th delivery."""
    found = aws_events.sqs(("m", "{}"), queue=queue)
    found["Records"][0]["attributes"]["ApproximateReceiveCount"] = str(attempt)
    return found


GOOD = {
    "queue": "parcels", "handler": "send", "error": "E", "reason": "broken", "attempts": 1,
    "time": "2026-01-31T12:00:00+00:00", "ran": "maybe", "id": "m-1",
}  # fmt: skip
WRONG: list[Any] = [[], {"a": 1}, 1.5, True]
FORGED: list[dict[str, Any]] = [
    *({name: wrong} for name in GOOD for wrong in WRONG),
    {"attempts": "1"},
    {"attempts": -1},
    {"attempts": 10**12},
    {"queue": None},
    {"error": None},
]


def taken(told: dict[str, Any], id: str = "m-1", sent: float | None = 1.0) -> QueueMessage:
    """Return a letter in a queue, with what somebody has told of it."""
    attributes = (*OWN, Attribute(ATTRIBUTE, json.dumps({**GOOD, **told})))
    return QueueMessage(id, b"{}", attributes, f"receipt of {id}", sent, "g")


class Queues:
    """A driver whose queue has some letters, and that notes what it is asked."""

    target = "aws"

    def __init__(self, *letters: QueueMessage) -> None:
        self.letters = letters
        self.calls: list[QueueCall] = []

    def perform(self, call: QueueCall, seconds: float) -> Result[Any]:
        self.calls.append(call)
        return Result.ok(self.letters)

    def of(self, *sources: str, all_to_first: bool = False) -> QueueLetters:
        driver: Any = self
        return QueueLetters(driver, "dead", sources, all_to_first=all_to_first)

    def put(self) -> list[str]:
        """Return the queues into which something was put."""
        return [each.queue for each in self.calls if isinstance(each, PutMessage)]


@pytest.mark.threat("S14")
@each_row("told", FORGED)
def test_what_is_forged_of_a_letter_is_nobodys_word(told: dict[str, Any]) -> None:
    """Of a wrong type: the letter is listed as somebody else's, beside the others."""
    queues = Queues(taken(told), taken({}, "m-2"))
    found = list(queues.of("parcels").each())
    assert [each.queue for each in found] == [None, "parcels"]
    assert (found[0].handler, found[0].ran, found[0].time) == (None, "maybe", 1.0)
    report = list_letters([row_of("aws", each) for each in found], {}, 2.0)
    render_report(report, Printers(Printer(StringIO()), Printer(StringIO())))


@pytest.mark.threat("S10")
def test_a_letter_chooses_neither_its_way_nor_that_nobody_is_asked() -> None:
    """It goes where the operator has said, or nowhere; its "no" and its time prove nothing."""
    forged = {"queue": "https://evil.example/q", "ran": "no", "time": "9999-12-31T00:00:00+00:00"}
    queues = Queues(taken(forged), taken({"ran": "no"}, "m-2"), taken({"queue": "mails"}, "m-3"))

    def moved(letters: QueueLetters, **wish: Any) -> Moved:
        return redrive(
            letters, MoveOptions(**wish), 1e9, agree=lambda _: False, sleep=id, progress=id
        )

    done = moved(queues.of("parcels"))
    assert (done.moved, done.left, done.elsewhere) == (0, ("m-2",), ("m-1", "m-3"))
    assert done.old == ("m-2",)
    assert moved(queues.of("parcels"), force=True).moved == 1
    assert queues.put() == ["parcels"]
    assert moved(queues.of("parcels", "mails"), force=True).elsewhere == ("m-1",)
    assert moved(queues.of(), force=True).moved == 0
    assert moved(queues.of("safe", all_to_first=True), force=True).moved == 3
    assert queues.put() == ["parcels", "parcels", "mails", "safe", "safe", "safe"]
    nobodys = Queues(QueueMessage("m-4", b"{}", (), "r"))
    assert moved(nobodys.of("parcels", "mails"), force=True).elsewhere == ("m-4",)
    assert moved(nobodys.of("parcels"), force=True).moved == 1


@pytest.mark.threat("S14")
def test_a_letter_of_azure_with_other_types_is_whatever_it_is() -> None:
    """Its own forms of attributes hold texts alone; no other stops a look."""
    for value in (7, None, *WRONG):
        text = json.dumps({"attributes": {"a": value}, "body": "e30="})
        assert storage_queue_text(text) == (text.encode(), ())
        packed = quote(json.dumps([["a", value, ""]]))
        response: Any = SimpleNamespace(headers={"leeward-properties": f'"{packed}"'})
        assert service_bus_properties(response) == ()


class Place:
    """Dead letters by id and whether they ran; the one of the id ``bad`` cannot be moved."""

    def __init__(self, **letters: str) -> None:
        self.letters = letters
        self.moved: list[str] = []

    is_in_order = True

    def each(self, after: str | None = None) -> Generator[FoundLetter, None, None]:
        assert after is None
        for time, (id, ran) in enumerate(self.letters.items()):
            yield FoundLetter(id, "q", "send", "E", None, ran, 1, 1000.0 + time, None, None)

    def read(self, found: FoundLetter) -> bytes:
        return found.id.encode()

    def flaw_of(self, found: FoundLetter) -> str | None:
        return "have no queue" if found.id == "lost" else None

    def delete(self, found: FoundLetter) -> None:
        self.moved.append(f"-{found.id}")

    def move(self, found: FoundLetter) -> None:
        if found.id == "bad":
            raise InvalidRequest("no")
        self.moved.append(found.id)


def move(
    place: Place, wish: MoveOptions, agree: Callable[[FoundLetter], bool] = lambda _: False
) -> Moved:
    pauses: list[float] = []
    told: list[Moved] = []
    done = redrive(place, wish, 1002.5, agree=agree, sleep=pauses.append, progress=told.append)
    assert pauses == ([] if wish.rate is None else [1 / wish.rate] * (len(place.moved) - 1))
    assert told[-1:] == ([done._replace(old=done.old)] if told else [])
    return done


def test_by_itself_only_what_is_proved_not_to_have_run_is_moved() -> None:
    """The rest by agreement, one by one, or by force."""
    letters = {"a": "no", "b": "maybe", "c": "yes", "d": "no"}
    table: list[tuple[MoveOptions, Callable[[FoundLetter], bool], list[str], tuple[str, ...]]] = [
        (MoveOptions(), lambda _: False, ["a", "d"], ("b", "c")),
        (MoveOptions(), lambda found: found.ran == "maybe", ["a", "b", "d"], ("c",)),
        (MoveOptions(force=True, rate=4), lambda _: False, ["a", "b", "c", "d"], ()),
        (MoveOptions(frozenset("ab")), lambda _: False, ["a"], ("b",)),
    ]
    for wish, agree, moved, left in table:
        place = Place(**letters)
        done = move(place, wish, agree)
        assert (place.moved, done.left) == (moved, left), wish
        assert done.moved == len(moved)
    place = Place(**letters, lost="no")
    done = move(place, MoveOptions(dry_run=True))
    assert (done.moved, done.elsewhere) == (2, ("lost",))
    assert place.moved == []


def test_letters_are_deleted_by_id_where_somebody_says_so() -> None:
    """By agreement or by force; a dry run deletes none."""
    place = Place(a="no", b="maybe")
    assert delete_letters(place, MoveOptions(frozenset("b")), agree=lambda _: False).left == ("b",)
    assert (
        delete_letters(place, MoveOptions(frozenset("b"), dry_run=True), agree=lambda _: False)[0]
        == 1
    )
    assert place.moved == []
    assert delete_letters(place, MoveOptions(frozenset("b")), agree=lambda _: True).moved == 1
    assert (
        delete_letters(place, MoveOptions(frozenset("a"), force=True), agree=lambda _: False)[0]
        == 1
    )
    assert place.moved == ["-b", "-a"]


def test_of_letters_older_than_the_memory_of_keys_is_warned() -> None:
    """By the time at which they were given up."""
    place = Place(a="no", b="no", c="no")
    assert move(place, MoveOptions(keep=1.0)).old == ("a", "b")


def test_a_letter_that_cannot_be_moved_ends_it() -> None:
    """Those before it are moved, and the error is told."""
    place = Place(a="no", bad="no", c="no")
    with pytest.raises(InvalidRequest):
        move(place, MoveOptions())
    assert place.moved == ["a"]


@pytest.mark.vendors
@each_row("platform", ["aws", "azure", "google"])
def test_a_dead_letter_queue_of_nobody_is_refused(platform: str) -> None:
    """Where the app is deployed: by a misspelt name nothing would ever be given up."""
    app = App("shop")
    app.on_message("parcels", name="send")(print)
    app.function(name="pay", queued=True)(print)
    for known in ("parcels", "send", "pay"):
        app.handler(platform, dead_letters={known: "dead"})
    with pytest.raises(ConfigError, match="dead_letters names 'parcel', .*did you mean 'parcels'"):
        app.handler(platform, dead_letters={"parcel": "dead"})
    if platform == "azure":
        with pytest.raises(ConfigError, match="service_bus names 'x', .* known: parcels, pay, sen"):
            app.handler(platform, service_bus={"x": "BUS"})


class SlowQueue:
    """A queue whose letters are hidden for a while when they are taken, as SQS has them."""

    target = "aws"

    def __init__(self, count: int) -> None:
        self.now = 0.0
        self.put = Counter[str]()
        self._hidden = {str(id): ("", 0.0) for id in range(count)}
        self._receipts = count_up()

    def perform(self, call: Any, seconds: float) -> Result[Any]:
        """Do what is asked of it; what has another receipt by now stays, and nobody says so."""
        if isinstance(call, PutMessage):
            self.put[call.id] += 1
            return DONE
        if isinstance(call, TakeMessages):
            ids = [id for id, (_, until) in self._hidden.items() if until <= self.now][:10]
            until = self.now + call.seconds
            self._hidden |= {id: (f"receipt {next(self._receipts)}", until) for id in ids}
            found = [taken({}, id)._replace(receipt=self._hidden[id][0]) for id in ids]
            return Result.ok(tuple(found))
        receipt, until = self._hidden.get(call.id, ("", 0.0))
        is_held = receipt == call.receipt and self.now < until
        if isinstance(call, HideMessage) and is_held:
            receipt = f"receipt {next(self._receipts)}"  # as Azure gives another one
            self._hidden[call.id] = receipt, self.now + call.seconds
            return Result.ok(receipt)
        if isinstance(call, RemoveMessage):
            if is_held:
                del self._hidden[call.id]
            return DONE
        return Result(Outcome.CALLER)

    def __len__(self) -> int:
        return len(self._hidden)


@pytest.mark.parametrize("seconds", [1.0, 40.0, 100.0, 400.0])
def test_a_slow_redrive_doubles_no_letter(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is no longer proved to be hidden is skipped, and comes with the next redrive."""
    queue = SlowQueue(12)
    monkeypatch.setattr("leeward.cli.dead_letters.monotonic", lambda: queue.now)
    driver: Any = queue
    skipped, runs = 0, 0

    def agree(_: object) -> bool:
        queue.now += seconds
        return True

    while len(queue) and runs < 12:
        letters, runs = QueueLetters(driver, "dead", ("parcels",)), runs + 1
        done = redrive(letters, MoveOptions(), 0.0, agree=agree, sleep=id, progress=id)
        skipped += len(done.elsewhere)
        queue.now += 1000
    assert {*queue.put.values()} <= {1}
    assert len(queue) == 12 - len(queue.put)
    assert (skipped > 0) == (seconds > 30)
