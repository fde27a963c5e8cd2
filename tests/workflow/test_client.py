from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from leeward import AsyncClient, Client, Config, ConfigError, InvalidRequest, LeewardError
from leeward.app import App
from leeward.config.model import WorkflowConfig
from leeward.errors import Unsupported
from leeward.local import Local
from leeward.values.runs import RunState
from leeward.workflow import Flow, Ref
from leeward.workflow.model import Step
from leeward.workflow.reading import yaml_of
from tests.scripted import NOT_SENT, Scripted
from tests.workflow.flows import order_flow
from tests.workflow.test_engine import NAMES, two


def _local(path: Path | str = ":memory:") -> Local:
    local = Local(path=path)
    for name in ("one", "two", "three", "undo-two", *NAMES):
        local.function(name)(lambda payload: payload)
    return local


def test_a_client_runs_workflows() -> None:
    """Started, read, waited for; the second start is the same run."""
    with Client(_local(), workflows=[two]) as client:
        assert client.start_workflow("two", {"a": 1}, id="r1").state is RunState.RUNNING
        run = client.wait_for_run("two", "r1", timeout=30)
        assert (run.state, run.result, run.target) == (RunState.SUCCEEDED, {"a": 1}, "local")
        assert client.start_workflow("two", {"a": 1}, id="r1") == run
        found = client.get_run("two", "r1")
        assert found is not None
        assert len(found.events) == 3
        assert client.list_runs() == [run]
        assert client.cancel_run("two", "r1") == client.abort_run("two", "r1") == run


def test_an_asynchronous_client_runs_them_too() -> None:
    """The event loop goes on meanwhile."""

    async def job() -> None:
        async with AsyncClient(_local(), workflows=[two]) as client:
            await client.start_workflow("two", 1, id="r1")
            run = await client.wait_for_run("two", "r1", timeout=30)
            assert run.result == 1
            assert await client.get_run("two", "other") is None
            await client.resume_runs()
            assert await client.list_runs("two") == [run]
            assert await client.cancel_run("two", "r1") == await client.abort_run("two", "r1")

    asyncio.run(job())


def test_runs_lie_beside_the_store_and_go_on_in_the_next_process(tmp_path: Path) -> None:
    """A file of the embedded target has a journal of its own; a new client finds the runs."""
    tmp_path.chmod(0o700)
    path = tmp_path / "shop.sqlite3"
    with Client(_local(path), workflows=[two]) as client:
        client.start_workflow("two", 1, id="r1")
        client.wait_for_run("two", "r1", timeout=30)
    assert (tmp_path / "shop.workflows.sqlite3").exists()
    with Client(_local(path), workflows=[two]) as client:
        client.resume_runs()
        assert client.wait_for_run("two", "r1").result == 1


def test_definitions_are_named_by_the_configuration(tmp_path: Path) -> None:
    """As a flow in a module, or as a file beside leeward.toml."""
    (tmp_path / "order.yaml").write_text(yaml_of(order_flow))
    (tmp_path / "leeward.toml").write_text(
        '[workflows.order]\ndefinition = "order.yaml"\nnames = { local = "orders" }\n'
        '[workflows.two]\ndefinition = "tests.workflow.test_engine:two"\n'
    )
    with Client(_local(), config=tmp_path / "leeward.toml") as client:
        client.start_workflow("order", {"id": "1"}, id="r1")
        assert client.wait_for_run("order", "r1", timeout=30).digest == order_flow.digest
        client.start_workflow("two", id="r1")


def _config(definition: str, name: str = "two") -> Config:
    return Config(workflows={name: WorkflowConfig(definition)})


HERE = "tests.workflow.test_engine"
REFUSED: dict[str, tuple[Callable[[], Client], type[LeewardError], str]] = {
    "several targets": (
        lambda: Client([Scripted("a"), Scripted("b")]),
        ConfigError,
        "set workflow_target in leeward.toml",
    ),
    "a target without": (
        lambda: Client(Scripted("b", capabilities=frozenset())),
        Unsupported,
        "b does not support workflows, which this get_run needs",
    ),
    "not in the order": (
        lambda: Client(Scripted("aws"), config=Config(workflow_target="azure")),
        ConfigError,
        "workflow_target is 'azure', which is not in the order (aws)",
    ),
    "no such module": (
        lambda: Client(_local(), config=_config("no.such:flow")),
        ConfigError,
        "cannot be imported (ModuleNotFoundError: no module 'no')",
    ),
    "no such flow": (
        lambda: Client(_local(), config=_config(f"{HERE}:three")),
        ConfigError,
        "has no 'three'",
    ),
    "no place": (lambda: Client(_local(), config=_config("flow")), ConfigError, "must look like"),
    "not a workflow": (
        lambda: Client(_local(), config=_config(f"{HERE}:NAMES")),
        ConfigError,
        "is not a workflow",
    ),
    "another name": (
        lambda: Client(_local(), config=_config(f"{HERE}:two", "three")),
        ConfigError,
        "is the workflow 'two'; name it so here",
    ),
    "no such file": (
        lambda: Client(_local(), config=_config("no.yaml")),
        ConfigError,
        "cannot be read: No such file",
    ),
}


def test_what_is_not_configured_well_is_refused_before_anything_starts(
    subtests: pytest.Subtests,
) -> None:
    """Each message says what to write, and where."""
    for name, (make, kind, told) in REFUSED.items():
        refused = pytest.raises(kind, match=re.escape(told))
        with subtests.test(name), make() as client, refused:
            client.start_workflow("two", id="r1")
    with Client(_local(), workflows=[two]) as client:
        with pytest.raises(InvalidRequest, match=re.escape("value['a'] is a bytes")):
            client.start_workflow("two", {"a": b""}, id="r1")
        with pytest.raises(InvalidRequest, match="timeout must be a number"):
            client.wait_for_run("two", "r1", timeout=-1)
    with pytest.raises(LeewardError, match="closed, and nothing was started"):
        client.start_workflow("two", id="r1")


def test_steps_go_through_the_order_of_targets() -> None:
    """The embedded engine calls each step as any call: over several clouds, if it must."""
    down, up = Scripted("a", *[NOT_SENT] * 20), _local()
    config = Config(workflow_target="local")
    with Client([down, up], config=config, workflows=[two]) as client:
        client.start_workflow("two", 1, id="r1")
        assert client.wait_for_run("two", "r1", timeout=30).state is RunState.SUCCEEDED


def test_an_app_brings_its_workflows() -> None:
    """Steps are its functions: called by their names, with the effect that the app says."""
    app = App("shop")

    @app.function(effect="keyed", timeout=20)
    def take_payment(order: dict[str, str]) -> str:
        return f"paid {order['id']}"

    @app.workflow("paying", timeout="1h")
    def paying(w: Flow, order: Ref) -> None:
        w.stop(w.step(take_payment, order))

    (step, _) = paying.body
    assert isinstance(step, Step)
    assert (step.function, step.effect.value, step.timeout) == ("take-payment", "keyed", 20)
    with Client(Local(), app=app) as client:
        client.start_workflow("paying", {"id": "42"}, id="r1")
        assert client.wait_for_run("paying", "r1", timeout=30).result == "paid 42"

    def stranger(order: object) -> None: ...

    with pytest.raises(ConfigError, match="a step names 'stranger', which is not a function of"):
        app.workflow("wrong")(lambda w, order: w.step(stranger, order))
