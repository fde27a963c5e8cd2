"""Every action of the console, over HTTP, on an app and stores that are really there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from leeward import Client, FunctionError
from leeward.adapter import WrappingDriver
from leeward.calls import (
    HideMessage,
    PutMessage,
    QueueMessage,
    RemoveMessage,
    Result,
    TakeMessages,
)
from leeward.cli.app import app
from leeward.cli.key_records import list_keys
from leeward.cli.unknown_calls import pick_unknown
from leeward.config import Config, TableConfig, TargetName
from leeward.local import Local
from leeward.testing import Fault, FaultyDriver
from leeward_dev.console import command
from leeward_dev.feed import Feed
from leeward_dev.sources import Sources
from tests.console.shop import CONFIG, Shop, opened
from tests.console.visitor import Visitor, visit
from tests.registers import trust_registers


@pytest.fixture(autouse=True)
def old_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the functions have kept their records for long."""
    trust_registers(monkeypatch)


def letters(shop: Shop) -> list[int]:
    """Return the ids of the dead letters that are there."""
    return [letter.id for letter in shop.local.dead_letters()]


def test_a_letter_that_did_not_run_is_redriven_by_one_click(shop: Shop, visitor: Visitor) -> None:
    """Its handler gets it again; the others stay."""
    shop.fail_letter("1", "2")
    page = visitor.get("letters")
    assert page.page.text.count("no such order") == 2
    shop.is_well = True
    done = visitor.click(page, "Redrive letter 1")
    shop.local.wait_idle(30)
    assert "1 letter moved back." in done.page.text
    assert shop.done == ["take-order 1"]
    assert letters(shop) == [2]


def test_many_letters_are_redriven_and_what_may_have_run_only_after_a_question(
    shop: Shop, visitor: Visitor
) -> None:
    """The question names how many; who says no has moved none of them."""
    shop.fail_letter("1", "2")
    shop.fail_event("e-1")
    shop.is_well = True
    page = visitor.get("letters")
    chosen = [("id", id) for id in ("1", "2", "3")]
    asked = visitor.click(page, "Redrive those chosen", chosen)
    assert asked.page.title == "Are you sure? - leeward"
    assert "2 letters moved back. 1 letter may have run" in asked.page.text
    shop.local.wait_idle(30)
    assert letters(shop) == [3]
    done = visitor.click(asked, "Redrive")
    shop.local.wait_idle(30)
    assert "1 letter moved back." in done.page.text
    assert sorted(shop.done) == ["remember", "take-order 1", "take-order 2"]
    assert letters(shop) == []
    assert "No dead letters." in visitor.get("letters").page.text


def test_letters_are_deleted_after_a_question(shop: Shop, visitor: Visitor) -> None:
    """Nothing is deleted before somebody is sure; nothing runs."""
    shop.fail_letter("1", "2", "3")
    asked = visitor.click(visitor.get("letters"), "Delete those chosen", [("id", "1"), ("id", "3")])
    assert "2 letters will be gone." in asked.page.text
    assert letters(shop) == [1, 2, 3]
    done = visitor.click(asked, "Delete")
    assert "2 letters deleted." in done.page.text
    assert letters(shop) == [2]
    assert shop.done == []


def unknown_calls(shop: Shop) -> int:
    """Return how many calls are in the table; clients write them on a thread of their own."""
    return len(pick_unknown(shop.client, CONFIG, None))


def wait_for_unknown(shop: Shop, calls: int) -> None:
    """Wait until so many calls are in the table."""
    until = time.monotonic() + 30
    while unknown_calls(shop) < calls:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_unknown_call_is_settled_by_a_click(shop: Shop, visitor: Visitor) -> None:
    """Its function says from the record what became of it; nothing runs, what is settled goes."""
    assert "No unknown calls." in visitor.get("unknown").page.text
    shop.leave_unknown("1")
    wait_for_unknown(shop, 1)
    page = visitor.get("unknown")
    (settle,) = (each for each in page.page.forms[0].buttons if each.startswith("Settle"))
    assert "invoke charge" in page.page.text
    assert "canary" not in page.page.text
    done = visitor.click(page, settle)
    assert "invoke charge: Nobody can tell: its run may have had its effect" in done.page.text
    assert unknown_calls(shop) == 1
    keys = visitor.get(f"keys?table=keys&record={next(list_keys(shop.client, 'keys')).id}")
    visitor.click(visitor.click(keys, "It has run"), "It has run")
    done = visitor.click(visitor.get("unknown"), settle)
    assert "invoke charge: It ran; its result was not kept." in done.page.text
    assert unknown_calls(shop) == 0
    assert shop.done == []


def test_an_unknown_call_is_forgotten_after_a_question(shop: Shop, visitor: Visitor) -> None:
    """Nothing is settled by that."""
    shop.leave_unknown("1")
    wait_for_unknown(shop, 1)
    page = visitor.get("unknown")
    (forget,) = (each for each in page.page.forms[0].buttons if each.startswith("Forget"))
    asked = visitor.click(page, forget)
    assert "Nobody will find invoke charge here any more" in asked.page.text
    assert unknown_calls(shop) == 1
    assert "invoke charge is forgotten." in visitor.click(asked, "Forget").page.text
    assert unknown_calls(shop) == 0


def test_who_chooses_no_letter_is_asked_to(shop: Shop, visitor: Visitor) -> None:
    """A button over many letters does nothing without one."""
    shop.fail_letter("1")
    done = visitor.click(visitor.get("letters"), "Delete those chosen")
    assert "Choose letters first." in done.page.text
    assert letters(shop) == [1]


def test_a_letter_that_is_gone_meanwhile_is_said_to_be(shop: Shop, visitor: Visitor) -> None:
    """Somebody else has moved it."""
    shop.fail_letter("1")
    page = visitor.get("letters")
    asked = visitor.click(visitor.get("letters?target=local&id=1"), "Delete")
    shop.local.discard(shop.local.dead_letters()[0])
    for again, pressed in ((page, "Redrive letter 1"), (asked, "Delete")):
        assert "1 letter was gone already." in visitor.click(again, pressed).page.text
    story = visitor.get("letters?target=local&id=1").page.text
    assert "It is not among the dead letters of local." in story
    assert "failed: Nothing" in story
    assert visitor.get("letters?target=local&id=77").status == 404


def test_a_payload_is_shown_only_to_who_asks(shop: Shop, visitor: Visitor) -> None:
    """Neither a list nor the page of a letter has it."""
    shop.client.enqueue("orders", {"id": "1", "card": "4711"})
    shop.local.wait_idle(30)
    assert "4711" not in visitor.get("letters").text
    page = visitor.get("letters?target=local&id=1")
    assert "4711" not in page.text
    assert "4711" in visitor.get(page.page.links["Show the payload"]).text


@pytest.mark.parametrize(
    ("button", "state", "runs"),
    [
        ("It has run", "completed", False),
        ("Release the key", "released", True),
        ("Void the key", "void", True),
    ],
)
def test_a_key_is_settled_by_a_click_and_an_answer(
    shop: Shop, visitor: Visitor, button: str, state: str, runs: bool
) -> None:
    """What was found out holds for the next call; a settled record has no buttons."""
    shop.leave_unknown("7")
    page = visitor.get("keys?table=keys&state=unknown")
    record = visitor.get(next(link for link in page.page.links.values() if "record=" in link))
    asked = visitor.click(record, button)
    assert asked.page.title == "Are you sure? - leeward"
    kept = shop.client.load_data("keys", "charge:7")
    assert kept is not None
    assert kept.item["state"] == "unknown"
    done = visitor.click(asked, button)
    assert f"The record is {state} now." in done.page.text
    assert not done.page.forms or state == "released"
    shop.is_well = True
    shop.leave_unknown("7")
    assert ("charge" in shop.done) is runs


def test_the_question_says_what_the_record_will_mean(shop: Shop, visitor: Visitor) -> None:
    """A key that was void once stays closed to late deliveries, also after a release."""
    shop.leave_unknown("7")
    kept = shop.client.load_data("keys", "charge:7")
    assert kept is not None
    shop.client.store_data("keys", {**kept.item, "voids": 1})
    page = visitor.get("keys?table=keys&state=unknown")
    record = visitor.get(next(link for link in page.page.links.values() if "record=" in link))
    asked = visitor.click(record, "Release the key")
    done = visitor.click(asked, "Release the key")
    means = "It has not run. A late delivery is refused; a new call with its key runs."
    assert means in asked.page.text
    assert f"The record is void now. {means}" in done.page.text
    assert "Effects none has begun" in " ".join(done.page.text.split())


@pytest.mark.parametrize(
    ("button", "runs"), [("Approve the call", True), ("Refuse the call", False)]
)
def test_a_call_that_waits_is_decided_by_a_click(
    shop: Shop, visitor: Visitor, button: str, runs: bool
) -> None:
    """Who decides sees what the call is about."""
    with pytest.raises(FunctionError, match="ApprovalPending"):
        shop.client.invoke("refund", {"id": "7"})
    page = visitor.get("keys?table=keys&state=waiting")
    record = visitor.get(next(link for link in page.page.links.values() if "record=" in link))
    assert "Refund order 7?" in record.page.text
    asked = visitor.click(record, button)
    done = visitor.click(asked, button)
    assert f"The record is {'approved' if runs else 'refused'} now." in done.page.text
    assert [*done.page.forms] == [] or runs
    with suppress(FunctionError):
        shop.client.invoke("refund", {"id": "7"})
    assert ("refund" in shop.done) is runs


def test_who_decides_sees_the_whole_question(shop: Shop, visitor: Visitor) -> None:
    """In the list, at the record, and where the console asks whether that is sure."""
    with pytest.raises(FunctionError, match="ApprovalPending"):
        shop.client.invoke("refund", {"id": "7"})
    kept = shop.client.load_data("keys", "refund:7")
    assert kept is not None
    question = f"Refund 5.00 to Alice{' ' * 400}and {'really ' * 60}1000000 to Mallory?"
    shop.client.store_data("keys", {**kept.item, "approval": {"question": question, "by": None}})
    page = visitor.get("keys?table=keys&state=waiting")
    record = visitor.get(next(link for link in page.page.links.values() if "record=" in link))
    for shown in (page, record, visitor.click(record, "Approve the call")):
        text = " ".join(shown.page.text.split())
        assert "Alice [400 blanks] and" in text
        assert "1000000 to Mallory?" in text


def test_who_decides_decides_what_was_seen(shop: Shop, visitor: Visitor) -> None:
    """The question of another payload has come meanwhile: nobody has read that."""
    with pytest.raises(FunctionError, match="ApprovalPending"):
        shop.client.invoke("refund", {"id": "7"})
    page = visitor.get("keys?table=keys&state=waiting")
    record = visitor.get(next(link for link in page.page.links.values() if "record=" in link))
    kept = shop.client.load_data("keys", "refund:7")
    assert kept is not None
    asks_more = {**kept.item, "approval": {"question": "Refund all orders?", "by": None}}
    asked = visitor.click(record, "Approve the call")
    shop.client.store_data("keys", asks_more)
    for page, pressed in ((asked, "Approve the call"), (record, "Refuse the call")):
        done = visitor.click(page, pressed)
        assert "has changed since you have looked at it" in done.page.text
    now = shop.client.load_data("keys", "refund:7")
    assert now is not None
    assert now.item["state"] == "waiting"


def test_a_run_is_seen_as_it_goes_and_cancelled(shop: Shop, visitor: Visitor) -> None:
    """Its picture has the state of each step; cancelled, it takes back what it did."""
    shop.client.start_workflow("order", {"id": "1"}, id="r-1")
    listed = visitor.get("runs")
    page = visitor.get(listed.page.links["r-1"])
    assert "under way" in page.page.text
    assert "svg" in [tag for tag, _ in page.page.tags]
    asked = visitor.click(page, "Cancel")
    done = visitor.click(asked, "Cancel the run")
    assert "ends before its next step" in done.page.text
    shop.goes_on.set()
    run = shop.client.wait_for_run("order", "r-1", timeout=30)
    assert run.state.value == "cancelled"
    assert shop.done == ["reserve", "release"]
    page = visitor.get(listed.page.links["r-1"])
    assert {"taken back", "not reached"} <= {*page.page.text.split("\n")}
    assert not page.page.forms


def test_the_question_of_a_run_is_answered(shop: Shop, visitor: Visitor) -> None:
    """The page shows it; the first answer counts."""
    shop.client.start_workflow("gift", {"id": "<1>"}, id="r-1")
    until = time.monotonic() + 30
    while not getattr(shop.client.get_run("gift", "r-1"), "waits", ()):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert "Wrap it?" in visitor.get("").page.text
    page = visitor.get("runs?workflow=gift&run=r-1")
    assert "Wrap it?" in page.page.text
    done = visitor.click(page, "Approve")
    assert "The answer is sent" in done.page.text
    run = shop.client.wait_for_run("gift", "r-1", timeout=30)
    assert run.result == {"approved": True, "by": "console", "note": ""}
    assert "asks nothing there" in visitor.click(page, "Deny").page.text


def test_a_run_is_aborted(shop: Shop, visitor: Visitor) -> None:
    """Nothing is taken back."""
    shop.client.start_workflow("order", {"id": "1"}, id="r-1")
    page = visitor.get("runs?workflow=order&run=r-1")
    done = visitor.click(visitor.click(page, "Abort"), "Abort the run")
    assert "The run is aborted." in done.page.text
    stale = visitor.click(page, "Cancel")
    assert (stale.page.title, "The run is aborted." in stale.page.text) == (page.page.title, True)


def test_runs_that_nobody_works_on_are_resumed(shop: Shop, visitor: Visitor) -> None:
    """The engine of this process looks for them."""
    done = visitor.click(visitor.get("runs"), "Resume runs that nobody works on")
    assert "continue here" in done.page.text


def test_a_result_is_shown_only_to_who_asks(shop: Shop, visitor: Visitor) -> None:
    """A run's, as an answer of a key's record."""
    shop.goes_on.set()
    shop.is_well = True
    shop.client.start_workflow("order", {"id": "1"}, id="r-1")
    shop.client.wait_for_run("order", "r-1", timeout=30)
    shop.client.invoke("charge", {"id": "8"})
    page = visitor.get("keys?table=keys&record=charge%3A8")
    assert "charged 8" not in page.text
    assert "charged 8" in visitor.get(page.page.links["Show the result"]).text


def test_a_schedule_is_fired_now(shop: Shop, visitor: Visitor) -> None:
    """One more run, through the rows that its own times go through."""
    # A process has seen it.
    shop.local.stores().schedules.begin("schedule report", time.time(), 5, "0 3 * * *")
    page = visitor.get("schedules")
    assert "not since" in page.page.text
    done = visitor.click(page, "Fire report now")
    shop.local.wait_idle(30)
    assert "report is due now" in done.page.text
    assert shop.done == ["report"]


def test_a_target_is_isolated_and_restored(shop: Shop, visitor: Visitor) -> None:
    """In this process; the button is the one that can work."""
    asked = visitor.click(visitor.get("targets"), "Isolate in this process: local")
    done = visitor.click(asked, "Isolate")
    assert "local gets no call of this process." in done.page.text
    assert shop.client.targets()[0].state == "isolated"
    done = visitor.click(visitor.get("targets"), "Restore in this process: local")
    assert "local gets calls again." in done.page.text
    assert shop.client.targets()[0].state != "isolated"


def test_forms_call_queue_publish_put_start_and_run(shop: Shop, visitor: Visitor) -> None:
    """Each does what its method of the client does, and shows what came back."""
    shop.is_well = True
    shop.goes_on.set()
    page = visitor.get("send")
    answered = visitor.click(page, "Call", [("function", "echo"), ("payload", '{"a": [1]}')])
    assert "echo has answered at local." in answered.page.text
    assert '{ "a": [ 1 ] }' in " ".join(answered.page.text.split())
    for button, fields, told in (
        ("Queue", [("queued", "orders"), ("message", '{"id": "5"}')], "local has queued it"),
        (
            "Publish",
            [("bus", "orders"), ("type", "order.created"), ("data", "{}")],
            "local has taken the event",
        ),
        (
            "Put",
            [("bucket", "inbox"), ("object", "a/b.txt"), ("content", "é")],
            "local has stored inbox/a/b.txt.",
        ),
        ("Start", [("workflow", "order"), ("run", "r-9"), ("value", "{}")], "The run r-9 of order"),
        ("Run", [("name", "report"), ("input", "")], "report has run."),
    ):
        assert told in visitor.click(page, button, fields).page.text, button
    shop.client.wait_for_run("order", "r-9", timeout=30)
    shop.local.wait_idle(30)
    assert {"echo", "take-order 5", "remember", "read-inbox a/b.txt", "reserve", "report"} == {
        *shop.done
    }
    found = shop.client.get_object("inbox", "a/b.txt")
    assert found is not None
    assert b"".join(found) == "é".encode()


def test_a_form_with_a_mistake_comes_back_as_it_was_written(visitor: Visitor) -> None:
    """The error names the field, and nothing has to be written again."""
    given = [("function", "echo"), ("payload", '{"a": ')]
    done = visitor.click(visitor.get("send"), "Call", given)
    assert "payload cannot be read" in done.page.text
    written = next(form.fields for form in done.page.forms if "Call" in form.buttons)
    assert ("payload", '{"a": ') in written
    absent = visitor.click(visitor.get("send"), "Call", [("function", "ecko")])
    assert "did you mean 'echo'?" in absent.page.text


def test_a_handler_that_fails_by_hand_shows_how(shop: Shop, visitor: Visitor) -> None:
    """Its class, and whether it has run; the feed has its frames."""
    done = visitor.click(visitor.get("send"), "Run", [("name", "remember"), ("input", "{}")])
    assert "is_good" not in done.text
    shop.fail_event("e-1")
    page = visitor.get("handlers?name=remember")
    assert "ValueError" in page.page.text
    assert "tests/console/shop.py" in page.page.text


def test_a_decision_is_explained() -> None:
    """Why a call left its first target; the circuit that opened has its reason."""
    first, second = FaultyDriver(Local("local:a")), Local("local:b")
    first.fail(Fault.REFUSE)
    config = Config(order=(TargetName("local", "a"), TargetName("local", "b")))
    with (
        opened() as one,
        opened() as another,
        Client([first, second], config=config) as client,
    ):
        first.mount(one.app)
        second.mount(another.app)
        visitor = visit(Sources(client, config, Feed(), can_write=True))
        client.invoke("echo", 1, effect="idempotent")
        page = visitor.get("targets")
        assert "failover" in page.page.text
        explained = visitor.get(page.page.links["Why?"])
        assert "attempt 1 at local:a" in explained.page.text
        assert "at local:b" in explained.page.text


def test_a_console_that_only_shows_has_no_form_and_refuses_what_is_sent(shop: Shop) -> None:
    """Not even with the seal, which its pages do not have."""
    shop.fail_letter("1")
    shop.leave_unknown("7")
    shop.client.start_workflow("order", {"id": "1"}, id="r-1")
    visitor = visit(shop.sources(can_write=False))
    for path in (
        *("", "handlers", "queues", "letters", "letters?target=local&id=1", "keys?table=keys"),
        *("keys?table=keys&record=charge:7", "runs", "runs?workflow=order&run=r-1", "schedules"),
        "targets",
    ):
        page = visitor.get(path)
        assert page.status == 200
        assert [form for form in page.page.forms if form.action] == [], path
        assert "read-only" in page.page.text
    assert visitor.get("send").status == 404
    own = visit(shop.sources()).get("letters").page.forms[0]
    done = visitor.post("letters?target=local", [*own.fields, ("redrive", "1")])
    assert done.status == 403
    assert letters(shop) == [1]


class QueueTarget(WrappingDriver):
    """A target whose dead letters are in a queue, as a cloud's are.

    Attributes:
        there: the messages of the queue, by their ids.
        put: what was put back, with the queue that it went to.
        looks: how often somebody has looked into the queue.
    """

    def __init__(self) -> None:
        super().__init__(Local("aws"))
        self.there = {id: QueueMessage(id, b'{"id": 1}', (), f"receipt {id}", 1.0) for id in "abc"}
        self.put: list[tuple[str, bytes]] = []
        self.looks = 0

    def stores(self) -> None:
        """Return None: it keeps no rows."""

    def perform(self, call: Any, timeout: float) -> Result[Any]:
        """Make one attempt."""
        match call:
            case TakeMessages():
                self.looks += 1
                return Result.ok(tuple(self.there.values()))
            case PutMessage():
                self.put.append((call.queue, call.body))
            case RemoveMessage():
                del self.there[call.id]
            case HideMessage():
                pass
            case _:
                return super().perform(call, timeout)
        return Result.ok(None)


def test_the_letters_of_a_cloud_are_looked_at_only_by_a_click() -> None:
    """Looking hides them; they go back to the queue that the operator has named."""
    order = (TargetName("aws", None),)
    config = Config(order=order, dead_letters={"orders-dead": ("orders",)})
    driver = QueueTarget()
    with Client(driver, config=config) as client:
        visitor = visit(Sources(client, config, Feed(), can_write=True))
        page = visitor.get("letters")
        assert "hides its letters" in page.page.text
        assert driver.looks == 0
        listed = visitor.get(page.page.links["orders-dead at aws"])
        assert driver.looks > 0
        assert "data-follow" not in listed.text
        asked = visitor.click(listed, "Redrive letter b")
        assert "1 letter may have run" in asked.page.text
        done = visitor.click(asked, "Redrive")
        assert "1 letter moved back." in done.page.text
        assert driver.put == [("orders", b'{"id": 1}')]
        assert [*driver.there] == ["a", "c"]


def test_a_target_is_isolated_for_every_process_that_shares_the_table() -> None:
    """With who, why and until when; restored, it gets calls again."""
    config = Config(
        order=(TargetName("local", None),),
        snapshot="health",
        data_target="local",
        tables={"health": TableConfig()},
    )
    with Client(Local(), config=config) as client:
        visitor = visit(Sources(client, config, Feed(), can_write=True))
        fields = [("why", "maintenance"), ("lasting", "30m")]
        asked = visitor.click(visitor.get("targets"), "Isolate everywhere: local", fields)
        assert "Every process sends nothing to local for 30 min." in asked.page.text
        soon = [("why", "maintenance"), ("lasting", "soon")]
        refused = visitor.click(visitor.get("targets"), "Isolate everywhere: local", soon)
        assert "lasting must be" in refused.page.text
        done = visitor.click(asked, "Isolate")
        assert "local is isolated, everywhere within 15 seconds." in done.page.text
        assert "maintenance" in done.page.text
        done = visitor.click(visitor.get("targets"), "Restore everywhere: local")
        assert "local is restored, everywhere" in done.page.text


def test_the_command_shows_an_address_and_a_console_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs no code of the user's, and shows only, unless it is told."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "leeward.toml").write_text('[targets.local]\napp = "no_such_module:app"\n')
    served: list[tuple[Sources, int | None]] = []

    opened: list[bool] = []

    def serve(
        sources: Sources, *, port: int | None, ready: Callable[[str], object], opens: bool
    ) -> None:
        assert visit(sources).get("queues").status == 200
        served.append((sources, port))
        opened.append(opens)
        ready("http://127.0.0.1:1/console/?token=x")

    monkeypatch.setattr(command, "serve_console", serve)
    for arguments, can_write in (([], False), (["--write", "--open", "--port", "7"], True)):
        result = CliRunner().invoke(app, ["console", *arguments, "--json"])
        assert result.exit_code == 0, result.output
        told = {"address": "http://127.0.0.1:1/console/?token=x", "write": can_write}
        assert json.loads(result.stdout) == told
        assert served[-1][0].can_write is can_write
    assert [port for _, port in served] == [None, 7]
    assert opened == [False, True]
    assert "Examples:" in CliRunner().invoke(app, ["console", "--help"]).stdout
