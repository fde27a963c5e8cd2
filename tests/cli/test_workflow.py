"""``leeward workflow``: runs are started, listed, shown, cancelled, resumed and drawn."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from leeward import Config
from leeward.cli.global_options import without_handlers
from leeward.config.model import WorkflowConfig
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from leeward.workflow.opening import load_definitions
from leeward.workflow.reading import json_of, read_definition
from tests.cli.conftest import Leeward

MODULE = """
from leeward.workflow import ANY, workflow

class CardDeclined(Exception): ...

def work(payload):
    if payload == "decline":
        raise CardDeclined("card 4711")
    return payload

@workflow("order")
def order(w, value):
    with w.attempt("a") as a:
        with w.saga("s"):
            w.step("book", 1, undo="unbook")
            w.step("pay", value)
    with a.on("CardDeclined"):
        w.step("tell", effect="idempotent")
        w.fail("OrderFailed")
    w.stop({"paid": value})
"""
CONFIG = """
[targets.local.functions]
book = "flowing:work"
unbook = "flowing:work"
pay = "flowing:work"
tell = "flowing:work"

[workflows.order]
definition = "flowing:order"
"""


@pytest.fixture(autouse=True)
def shop(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write a module with a flow and its functions, and the configuration that names them."""
    (bare / "flowing.py").write_text(MODULE)
    (bare / "leeward.toml").write_text(CONFIG)
    bare.chmod(0o700)
    monkeypatch.syspath_prepend(str(bare))
    yield bare
    sys.modules.pop("flowing", None)


def test_a_run_is_started_and_shown(leeward: Leeward) -> None:
    """Its steps, in order; the same start again shows the same run."""
    done = leeward("workflow", "start", "order", '"ok"', "--id", "o1")
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[:3] == ["workflow order", "run o1", "state succeeded"]
    assert '"paid": "ok"' in lines
    assert [line.split()[4:] for line in lines[-2:]] == [["book", "1", "ok"], ["pay", "1", "ok"]]
    again = leeward("workflow", "start", "order", '"ok"', "--id", "o1")
    assert again == done
    assert leeward("workflow", "show", "order", "o1").out == done.out
    shown = json.loads(leeward("workflow", "show", "order", "o1", "--json").out)
    assert (shown["found"], shown["state"], shown["result"]) == (True, "succeeded", {"paid": "ok"})


def test_a_run_that_fails_ends_with_a_code(leeward: Leeward) -> None:
    """What it did is shown, what was taken back too; the text of an exception is not."""
    done = leeward("workflow", "start", "order", '"decline"', "--id", "o2")
    assert done.code == 6
    ends = [line.split()[4:] for line in done.out.splitlines() if " s " in line]
    assert ends[-3:] == [
        ["pay", "1", "failed:", "CardDeclined"],
        ["book/undo", "1", "ok"],
        ["tell", "1", "ok"],
    ]
    assert "error       OrderFailed" in done.out
    assert "4711" not in done.out + done.err
    listed = leeward("workflow", "list").out
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [["order", "o2", "failed"]]


def test_what_is_not_there_is_said(leeward: Leeward, subtests: pytest.Subtests) -> None:
    """No runs, no run, no workflow, another input, a wrong command."""
    cases: list[tuple[list[str], int, str]] = [
        (["list"], 0, "No runs."),
        (["show", "order", "o9"], 3, "'order' has no run 'o9'"),
        (["cancel", "order", "o9"], 3, "no run 'o9'"),
        (["abort", "order", "o9"], 3, "no run 'o9'"),
        (["draw", "order", "o9"], 3, "'order' has no run 'o9'"),
        (["draw", "other"], 2, "no workflow 'other' in"),
        (["start", "other", "--id", "o1"], 3, "(known: order)"),
        (["start", "order", "{", "--id", "o1"], 2, "INPUT is not JSON"),
        (["start", "order"], 2, "Missing option '--id'"),
        (["write", "order", "--format", "xml"], 2, "must be yaml or json"),
        (["nothing"], 2, "No such command 'nothing'"),
        (["draw", "order", "--out", "flowing.py/file.svg"], 2, "cannot be written"),
        (["export", "order", "--engine", "gpc"], 2, "no engine 'gpc' to export to; known: aws"),
    ]
    for words, code, told in cases:
        with subtests.test(" ".join(words)):
            done = leeward("workflow", *words)
            assert done.code == code
            assert told in done.out + done.err


def test_looking_takes_no_run(leeward: Leeward, shop: Path) -> None:
    """A command that looks, or cancels, leaves runs to a process that has their functions."""
    from importlib import import_module

    journal = SqliteJournal(shop / ".leeward" / "local.workflows.sqlite3")
    journal.add(import_module("flowing").order, "o1", "ok", 1.0, None)
    journal.close()
    for words in (["list"], ["show", "order", "o1"], ["cancel", "order", "o1"]):
        assert leeward("workflow", *words).code == 0
    assert "running" in leeward("workflow", "show", "order", "o1").out
    resumed = leeward("workflow", "resume", "--wait", "30")
    assert [line.split()[:3] for line in resumed.out.splitlines()[1:]] == [
        ["order", "o1", "cancelled"]
    ]
    assert leeward("workflow", "abort", "order", "o1").code == 0


def test_no_run_is_taken_without_its_functions(leeward: Leeward, shop: Path) -> None:
    """It would be taken back, and its compensation would fail: so the app is asked for."""
    from importlib import import_module

    journal = SqliteJournal(shop / ".leeward" / "local.workflows.sqlite3")
    journal.add(import_module("flowing").order, "o1", "ok", 1.0, None)
    journal.close()
    (shop / "leeward.toml").write_text(CONFIG.replace('unbook = "flowing:work"\n', ""))
    for words in (["resume"], ["start", "order", "--id", "o2"]):
        done = leeward("workflow", *words)
        assert done.code == 2
        assert "the workflow 'order' calls unbook, which no target has; name the" in done.err
    listed = leeward("workflow", "list").out
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [["order", "o1", "running"]]


def test_a_definition_is_checked_and_written(leeward: Leeward, shop: Path) -> None:
    """The digest is that of what is written."""
    checked = json.loads(leeward("workflow", "check", "--json").out)["workflows"]
    assert leeward("workflow", "check").out.split()[3:5] == ["order", checked[0]["digest"][:12]]
    assert leeward("workflow", "write", "order", "--out", "order.yaml").out == "order.yaml\n"
    text = leeward("workflow", "write", "order", "--format", "json").out
    assert read_definition(json.loads(text)).digest == checked[0]["digest"]
    (shop / "leeward.toml").write_text(CONFIG.replace("flowing:order", "order.yaml"))
    assert json.loads(leeward("workflow", "check", "--json").out)["workflows"] == checked


def test_a_workflow_is_exported(leeward: Leeward, shop: Path) -> None:
    """Files and the command that deploys them; own names of functions are those configured."""
    with (shop / "leeward.toml").open("a") as file:
        file.write('\n[functions.pay]\nnames = { aws = "prod-pay" }\n')
    done = leeward("workflow", "export", "order", "--engine", "aws", "--out", "deploy")
    assert (done.code, done.out) == (0, "deploy/order.asl.json\n")
    assert "Not deployed; do it with: aws stepfunctions create-state-machine" in done.err
    machine = json.loads((shop / "deploy" / "order.asl.json").read_text())
    assert machine["States"]["pay"]["Arguments"]["FunctionName"] == "prod-pay"
    done = leeward("workflow", "export", "order", "--engine", "google")
    assert (done.code, done.out) == (0, "order.workflow.json\n")
    done = leeward("workflow", "export", "order", "--engine", "azure", "--json")
    made = json.loads(done.out)
    assert made["files"][0] == "function_app.py"
    assert (
        read_definition(json.loads((shop / made["files"][-1]).read_text())).digest
        == (made["digest"])
    )


def test_a_workflow_is_drawn_with_the_state_of_a_run(leeward: Leeward, shop: Path) -> None:
    """SVG that any XML reader reads, in which each node stands, and what became of it."""
    leeward("workflow", "start", "order", '"decline"', "--id", "o2")
    assert leeward("workflow", "draw", "order", "o2", "--out", "o2.svg").code == 0
    root = ET.fromstring((shop / "o2.svg").read_text())
    svg = "{http://www.w3.org/2000/svg}"
    boxes = {}
    for group in root.iter(f"{svg}g"):
        mark, text = group.find(f"{svg}rect/{svg}title"), group.find(f"{svg}text")
        if mark is not None and text is not None:
            boxes[text.text] = mark.text
    assert boxes == {
        "book": "taken back",
        "pay": "failed",
        "tell": "done",
        "fail-1": "not reached",
        "stop-1": "not reached",
        "not reached": "not reached",
        "done": "done",
        "failed": "failed",
        "taken back": "taken back",
    }
    plain = leeward("workflow", "draw", "order").out
    assert ET.fromstring(plain).findtext(f"{svg}title") == "order"


ENGINE = """
import json, sys

for line in sys.stdin:
    task = json.loads(line)
    assert json.loads(task["definition"])["workflow"]
    print(json.dumps({"call": "validate-order", "key": "k", "payload": None}), flush=True)
    answer = json.loads(sys.stdin.readline())
    done = {"status": "FAILED", "error": answer.get("error", "Odd")}
    print(json.dumps({"done": done}), flush=True)
"""


def test_the_published_cases_run_on_the_embedded_engine(leeward: Leeward) -> None:
    """All end as told; in order, each with its name."""
    done = leeward("--json", "workflow", "conformance")
    told = json.loads(done.out)
    assert (done.code, told["wrong"], told["engine"]) == (0, 0, "embedded")
    assert {each["result"] for each in told["cases"]} == {"as told"}
    assert "order: the payment timed out: it is not repeated, and taken back" in {
        each["case"] for each in told["cases"]
    }


def test_a_program_that_plays_an_engine_is_compared(leeward: Leeward, shop: Path) -> None:
    """Where it ends otherwise, the difference is told; what it cannot do is left out."""
    (shop / "engine.py").write_text(ENGINE)
    engine = f"{sys.executable} engine.py"
    done = leeward("--json", "workflow", "conformance", "--engine", engine)
    told = {each["case"]: each for each in json.loads(done.out)["cases"]}
    assert done.code == 9
    assert told["order: all well"]["difference"] == "it ends with the error Odd, not None"
    assert told["order: an error that nobody handles"]["result"] == "as told"
    cancelled = told["interrupted: the run is cancelled, and what was done is taken back"]
    assert cancelled["result"] == "left out"


REFUSED_ENGINES = {
    "no-such-program": "'no-such-program' cannot be started",
    f"{sys.executable} -c pass": "the program that plays the engine has ended",
    f"{sys.executable} -c \"print('hello')\"": "writes no JSON object",
}


@pytest.mark.parametrize(("engine", "told"), REFUSED_ENGINES.items())
def test_a_program_that_is_none_is_refused(leeward: Leeward, engine: str, told: str) -> None:
    """The message says what it did."""
    done = leeward("workflow", "conformance", "--engine", engine)
    assert done.code == 2
    assert told in done.err


def test_a_folder_without_cases_is_refused(leeward: Leeward, shop: Path) -> None:
    """And a file of another format."""
    done = leeward("workflow", "conformance", "--cases", str(shop))
    assert "has no cases of workflows" in done.err
    (shop / "a.yaml").write_text("leeward: workflow/1\n")
    done = leeward("workflow", "conformance", "--cases", str(shop))
    assert "leeward must be 'workflow-cases/1'" in done.err


def test_who_looks_at_a_run_keeps_its_names_and_imports_nothing() -> None:
    """A deployed workflow is found by what it is called there, without the code of its flow."""
    named = WorkflowConfig("no.such.module:flow", {"aws": "arn:of:it"})
    config = without_handlers(Config(workflows={"order": named}))
    assert config.workflows == {"order": WorkflowConfig(None, {"aws": "arn:of:it"})}
    assert load_definitions(config) == []


def test_a_function_that_no_target_has_is_found_by_check(leeward: Leeward, shop: Path) -> None:
    """Where the targets are embedded; what a cloud has is nobody's to say, and told of."""
    checked = leeward("workflow", "check", "--json")
    assert (checked.code, json.loads(checked.out)["workflows"][0]["workflow"]) == (0, "order")
    toml = CONFIG.replace('pay = "flowing:work"\n', "")
    (shop / "leeward.toml").write_text(toml)
    checked = leeward("workflow", "check")
    assert (checked.code, "'order' calls pay, which no target has" in checked.err) == (2, True)
    cloud = 'cloud_provider = "aws:eu-west-1"\n[functions.book]\n' + CONFIG.partition("\n\n")[2]
    (shop / "leeward.toml").write_text(cloud)
    checked = leeward("workflow", "check")
    told = " ".join(checked.err.split())
    assert "order calls pay, tell, unbook, which leeward.toml does not name" in told


def test_a_run_that_goes_on_has_an_exit_code_of_its_own(leeward: Leeward) -> None:
    """It has begun, so nobody may take it for one that did not run."""
    started = leeward("workflow", "start", "order", "1", "--id", "a", "--wait", "0")
    assert (started.code, "succeeded" in started.out) in {(10, False), (0, True)}
    slow = read_definition(
        {
            "leeward": "workflow/1",
            "workflow": "slow",
            "do": [{"wait": "long", "seconds": 60}, {"step": "book"}],
        }
    )
    Path("slow.json").write_text(json_of(slow))
    with Path("leeward.toml").open("a") as file:
        file.write('[workflows.slow]\ndefinition = "slow.json"\n')
    started = leeward("workflow", "start", "slow", "1", "--id", "b", "--wait", "0")
    assert (started.code, "running" in started.out) == (10, True)
