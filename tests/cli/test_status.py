"""``leeward status``: what is wrong first, what cannot be known said, and no longer than it may."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event as Flag
from time import monotonic, time
from typing import Any

import pytest

from leeward import Client
from leeward._delivery.schedules import series_of
from leeward.adapter import Capability, Driver, Limits
from leeward.app.app import App
from leeward.app.idempotency import idempotent
from leeward.calls import Call, Look, LookResult, Result
from leeward.calls.looks import BACKLOG
from leeward.config import Config, FunctionConfig, TargetName
from leeward.errors import LeewardError, Outcome
from leeward.local import Local
from leeward.status import Sources, facts, read_status
from leeward.status.facts import Fact, Level, QueueDepth, Subject
from leeward.values import CircuitStatus, Isolation, TargetStatus
from leeward.values.runs import RunState
from leeward.workflow import Flow, Ref, workflow
from leeward.workflow.embedded.journal import Journal, RunCount
from leeward_contract_tests.rows import each_row
from tests.cli.conftest import Leeward

NOW = 1_800_000_000.0
"""A Friday, 08:00 UTC."""

APP = """
from leeward import App

app = App("shop")

@app.on_schedule("0 0 * * *")
def sweep(time):
    print("swept")
"""


@pytest.fixture
def shop(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write an app with a schedule, and the file that names it."""
    (bare / "nightly.py").write_text(APP)
    (bare / "leeward.toml").write_text('unknowns = "unknown"\n[targets.local]\napp = "nightly:app"')
    bare.chmod(0o700)
    monkeypatch.syspath_prepend(str(bare))
    yield bare
    sys.modules.pop("nightly", None)


def asked(leeward: Leeward, *args: str) -> tuple[int, list[Mapping[str, Any]]]:
    """Return the exit code, and the facts."""
    done = leeward("--json", "status", *args)
    return done.code, json.loads(done.out)["facts"]


def test_a_new_project_is_well_and_stays_as_it_is(bare: Path, leeward: Leeward) -> None:
    """Nothing is made by a look."""
    done = leeward("status")
    assert (done.code, done.err) == (0, "")
    assert re.search(r"^ok +local +answers in", done.out, re.MULTILINE)
    assert "nothing waits, and there are no dead letters" in done.out
    assert done.out.endswith("Nothing needs a person.\n")
    assert [*bare.iterdir()] == []


def test_what_is_wrong_comes_first_and_is_the_exit_code(shop: Path, leeward: Leeward) -> None:
    """Dead letters, a schedule that nobody runs, a stuck run and an unknown call."""
    cloud = Local(path=shop / ".leeward" / "local.sqlite3")

    @cloud.function("send-receipt")
    def send(order: object) -> None:
        raise KeyError

    stores = cloud.stores()
    with Client(cloud) as client:
        client.enqueue("send-receipt", {"id": "42"})
        cloud.wait_idle(30)
        client.store_data("unknown", {"id": "1", "time": int(1000 * (time() - 7200))})
        stores.schedules.begin(series_of("sweep"), time() - 3 * 86_400, 5.0, "0 3 * * *")
        assert stores.open_journal is not None
        journal: Any = stores.open_journal()
        _run(journal)
        journal.close()
    code, found = asked(leeward)
    assert code == 9
    wrong = {each["kind"]: each for each in found if each["level"] == "wrong"}
    assert [each["level"] for each in found[:5]] == ["wrong"] * 4 + ["ok"]
    assert wrong["queue"]["values"]["dead"] == 1
    assert wrong["queue"]["remedy"] == "leeward dlq list --targets local"
    assert wrong["schedule"]["name"] == "sweep"
    assert wrong["schedule"]["sentence"].startswith("is late: it was due at ")
    assert "1 run" in wrong["runs"]["sentence"]
    assert wrong["runs"]["values"]["stuck"] == 1
    assert wrong["unknown"]["values"]["open"] == 1
    assert wrong["unknown"]["values"]["oldest"] == pytest.approx(7200, abs=60)
    shown = leeward("status")
    assert shown.code == 9
    assert shown.out.splitlines()[1].startswith("WRONG ")
    assert "4 things need a person." in shown.out


@workflow("order")
def order(w: Flow, value: Ref) -> None:
    """One step."""
    w.step("pay", value)


def _run(journal: Journal) -> None:
    """Add a run that was due long ago, and that nobody holds."""
    journal.add(order, "r-1", None, journal.clock.now() - 3600, None)


def test_an_isolation_says_by_whom_and_until_when(bare: Path, leeward: Leeward) -> None:
    """As whoever has isolated it has said."""
    (bare / "leeward.toml").write_text(
        'cloud_provider = "local:a,local:b"\ndata_target = "local:a"\nsnapshot = "health"'
    )
    bare.chmod(0o700)
    said = ("--everywhere", "--why", "it is ill", "--for", "2h", "--by", "ann")
    assert leeward("isolate", "local:a", *said).code == 0
    code, found = asked(leeward)
    (fact,) = (each for each in found if each["name"] == "isolation")
    assert (code, fact["target"], fact["level"]) == (0, "local:a", "note")
    assert fact["sentence"].startswith("is isolated everywhere by ann until 20")
    assert fact["sentence"].endswith(": it is ill")


def test_a_target_that_cannot_be_opened_hides_no_other(bare: Path, leeward: Leeward) -> None:
    """And an app that cannot be imported hides nothing else."""
    (bare / "leeward.toml").write_text(
        'cloud_provider = "local:a,local:b"\n[targets."local:a"]\npaht = "x"\n'
        '[targets."local:b"]\napp = "nowhere:app"\n'
    )
    bare.chmod(0o700)
    code, found = asked(leeward)
    assert code == 9
    assert found[0]["sentence"].startswith("cannot be opened: unknown key 'paht'")
    assert any(each["target"] == "local:b" and each["level"] == "ok" for each in found)
    (app,) = (each for each in found if each["kind"] == "schedule")
    assert app["level"] == "unknown"
    assert "nowhere" in app["sentence"]


class Cloud(Driver):
    """A target without rows of its own, whose queues can be looked at."""

    probe_fidelity = "data_plane"

    def __init__(self, target: str, result: Result[Any], silence: Flag | None = None) -> None:
        self.target = target
        self.capabilities = frozenset({Capability.INVOKE})
        self.limits = Limits()
        self._result = result
        self._silence = silence

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Fail the test: a status makes no call here."""
        raise AssertionError(call.verb)

    def probe(self, timeout: float) -> Result[Any]:
        """Answer as told, or not before the test is over."""
        if self._silence is not None:
            self._silence.wait(30)
        return self._result

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Count two queues; a third one is another target's."""
        assert look.verb == BACKLOG
        counts = {"parcels": LookResult(waiting=3), "parcels-dead": LookResult(waiting=2)}
        if look.name == "secret":
            return Result.ok(LookResult(None, "the cloud tells its console alone"))
        seen = counts.get(look.name)
        return Result.ok(seen) if seen else Result(Outcome.NOT_FOUND)


def read(*drivers: Driver, seconds: float = 5.0, **more: Any) -> list[Fact]:
    """Return what is read of drivers."""
    order = tuple(TargetName(*each.target.split(":")) for each in drivers)
    config = Config(order=order, **more)
    sources = Sources(config, {each.target: each for each in drivers})
    return read_status(sources, lambda: NOW, seconds)


def test_the_queues_of_a_cloud_are_counted_where_they_are() -> None:
    """Those that leeward.toml names; what a cloud does not tell is not guessed."""
    queued = FunctionConfig(queue=True)
    found = read(
        Cloud("nimbus:north", Result.ok(None)),
        functions={"parcels": queued, "secret": queued, "elsewhere": queued},
        dead_letters={"parcels-dead": ("parcels",)},
    )
    told = {fact.name: (fact.level, fact.sentence) for fact in found if fact.kind is Subject.QUEUE}
    assert told == {
        "parcels-dead": (Level.WRONG, "has 2 dead letters"),
        "parcels": (Level.OK, "3 calls or messages wait"),
        "secret": (Level.UNKNOWN, "not known: the cloud tells its console alone"),
    }


def test_a_silent_target_holds_up_nothing() -> None:
    """Everything is asked at once, and after its time a target is silent."""
    over = Flag()
    began = monotonic()
    found = read(
        Cloud("nimbus:north", Result.ok(None), over),
        Cloud("nimbus:south", Result.ok(None)),
        Cloud("nimbus:west", Result(Outcome.AUTH, code="AccessDenied")),
        Cloud("nimbus:east", Result(Outcome.NOT_SENT, code="connect")),
        seconds=0.3,
    )
    assert monotonic() - began < 5
    over.set()
    told = {fact.target: fact for fact in found if fact.kind is Subject.TARGET}
    assert told["nimbus:north"].sentence == "does not answer (nothing within 0.3 s)"
    assert told["nimbus:south"].level is Level.OK
    assert told["nimbus:west"].sentence == "answers, and refuses the credentials (AccessDenied)"
    assert told["nimbus:east"].sentence == "does not answer (connect)"
    assert [fact.level for fact in found[:3]] == [Level.WRONG] * 3


NIGHTLY = App("nightly")
for name, when in (
    ("often", "*/5 * * * *"),
    ("daily", "0 0 * * *"),
    ("new", "0 9 * * *"),
    ("fresh", "0 9 * * *"),
):
    NIGHTLY.on_schedule(when, name=name)(lambda time: None)


def test_schedules_are_late_when_nobody_has_begun_them() -> None:
    """Two minutes after their time, because a process may just be starting."""
    begun = {"often": NOW - 300, "daily": NOW - 3 * 86_400, "fresh": NOW - 30}
    fact = {
        each.name: each
        for each in facts.schedules("local", begun, NIGHTLY.handlers.values(), NOW + 60)
    }
    assert fact["often"].level is Level.OK
    assert fact["often"].sentence == (
        "was last begun for 2027-01-15 07:55 UTC, and is due at 2027-01-15 08:05 UTC"
    )
    assert fact["daily"].level is Level.WRONG
    assert fact["daily"].values["late"] is True
    assert fact["new"].level is Level.NOTE
    assert fact["fresh"].sentence == (
        "has not come due since 2027-01-15 07:59:30 UTC, and is due at 2027-01-15 09:00 UTC"
    ), "its series begins with the first process, and nothing has run"
    assert fact["fresh"].values["last"] is None
    (known,) = facts.schedules("local", {"old": NOW}, None, NOW)
    assert (
        known.sentence
        == "was last begun for 2027-01-15 08:00 UTC; name the app to see when it is due"
    )


OPEN = CircuitStatus("invoke", "send-receipt", "half_open", "5 failures")
WORD = Isolation("local", "ann", "ill", NOW, float("inf"))


def status(**more: Any) -> TargetStatus:
    """Return a status of a target."""
    return TargetStatus("local", frozenset(), {}, **more)


ROW = QueueDepth("local", "", "parcels", 3, 0)
RUNS = RunState.RUNNING
BROKEN = RunCount("order", RunState.BROKEN, 1, 0, 0)
CASES: dict[str, tuple[Fact, Level, str]] = {
    "waits": (facts.backlog(ROW, NOW), Level.OK, "3 calls or messages wait"),
    "waits a moment": (
        facts.backlog(ROW._replace(waiting=1, since=NOW - 30), NOW),
        Level.OK,
        "1 call or message waits, the oldest for 30 s",
    ),
    "waits for long": (
        facts.backlog(ROW._replace(since=NOW - 7200), NOW),
        Level.WRONG,
        "the oldest for 2 h",
    ),
    "approvals": (
        facts.backlog(ROW._replace(since=NOW - 7200, approvals=3), NOW),
        Level.NOTE,
        "3 of them for a person's approval",
    ),
    "dead": (facts.backlog(ROW._replace(dead=1), NOW), Level.WRONG, "; 1 dead letter"),
    "empty": (
        facts.backlog(ROW._replace(waiting=0, is_dead_letters=True), NOW),
        Level.OK,
        "has no dead letters",
    ),
    "runs": (next(facts.runs("local", [RunCount("o", RUNS, 2, 0, 0)])), Level.OK, "2 run"),
    "failed": (
        next(facts.runs("local", [RunCount("o", RunState.FAILED, 2, 0, 0)])),
        Level.NOTE,
        "0 run, 2 failed",
    ),
    "not taken back": (
        next(facts.runs("local", [RunCount("o", RunState.FAILED, 2, 0, 1)])),
        Level.WRONG,
        "could not be taken back",
    ),
    "broken": (next(facts.runs("local", [BROKEN])), Level.WRONG, "cannot be read"),
    "circuit": (
        next(facts.routing(status(circuits=(OPEN,)), is_own=True)),
        Level.WRONG,
        "the circuit of invoke send-receipt is half open: 5 failures",
    ),
    "for ever": (
        next(facts.routing(status(isolation=WORD), is_own=False)),
        Level.NOTE,
        "by ann until it is restored: ill",
    ),
    "unknown": (facts.unknown_calls("local", "u", 0, None, NOW), Level.OK, "no call"),
}


@each_row("fact, level, text", CASES)
def test_levels_follow_what_a_person_has_to_do(fact: Fact, level: Level, text: str) -> None:
    """Numbers alone are no alarm; what nobody handles is."""
    assert fact.level is level
    assert text in fact.sentence


def test_keys_that_need_a_person_are_facts() -> None:
    """Unknown ones are wrong; what waits for approval is not, and its question is read at once."""
    app = App("shop")

    @app.function(effect="keyed")
    @idempotent(table="keys", principal=None, lease=70)
    def charge(order: str) -> None:
        raise OSError(order)

    @app.function(effect="keyed")
    @idempotent(table="keys", principal=None, lease=70, approval=lambda order: f"Refund {order}?")
    def refund(order: str) -> None:
        """Wait for somebody's word."""

    local = Local()
    with Client(local, app=app) as client:
        for function in ("charge", "refund"):
            with pytest.raises(LeewardError):
                client.invoke(function, "17", idempotency_key="k", on_unknown="raise")
        sources = Sources(Config(order=(TargetName("local"),)), {"local": local}, app=app)
        found = [fact for fact in read_status(sources, time) if fact.kind is Subject.KEYS]
    assert [(fact.level, fact.name, fact.values["count"]) for fact in found] == [
        (Level.WRONG, "keys", 1),
        (Level.WAITING, "keys", 1),
    ]
    assert found[1].sentence == "1 call waiting for approval: Refund 17?"
    assert all(f"--state {fact.values['state']}" in fact.remedy for fact in found)
