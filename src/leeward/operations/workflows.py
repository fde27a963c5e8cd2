"""The workflows of one client: which it knows, and the engine that runs them.

Runs live in one place, as data does: with several targets it has to be named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from leeward.adapter import Driver
from leeward.clock import Clock
from leeward.config import Config
from leeward.errors import ConfigError, InvalidRequest
from leeward.items import check_json
from leeward.logs import import_flaw
from leeward.text import did_you_mean
from leeward.values import Json
from leeward.workflow.engine import EMBEDDED, Engine
from leeward.workflow.known import by_name
from leeward.workflow.model import Definition
from leeward.workflow.runs import Run
from leeward.workflow.sqlite_journal import SqliteJournal
from leeward.workflow.steps import Invoke

if TYPE_CHECKING:
    from leeward.app.idempotency.store import TableClient
    from leeward.operations.deployed_runs import DeployedRuns
    from leeward.routing import FailoverDriver

JOURNAL: Final = Path(".leeward/local.workflows.sqlite3")
"""The journal where no embedded target is open to say where its files are."""

WAIT: Final = 60.0
"""Seconds that a caller waits for a run, if it does not say."""


class Means(NamedTuple):
    """What runs need of their client.

    Attributes:
        invoke: calls a step's function.
        router: takes calls to the targets.
        table: keeps items in the client's tables.
        clock: gives the time.
    """

    invoke: Invoke
    router: FailoverDriver
    table: TableClient
    clock: Clock


class Workflows:
    """What a client does with workflows; arguments as of its methods.

    Args:
        config: names workflows, and where runs live.
        drivers: of the client.
        definitions: given in Python.
        means: of the client.

    Attributes:
        runs: where they live, embedded or at a target.

    Raises:
        ConfigError: a definition cannot be loaded, two have one name, or it is not said where runs
            live.
        Unsupported: that target has no workflows.
    """

    def __init__(
        self,
        config: Config,
        drivers: Sequence[Driver],
        definitions: Iterable[Definition],
        means: Means,
    ) -> None:
        known = by_name([*definitions, *loaded(config)])
        target = _target(config, drivers)
        own = [driver for driver in drivers if driver.target == target]
        self.runs: Engine | DeployedRuns
        if target.partition(":")[0] == EMBEDDED:
            path = own[0].native("workflows") if own else JOURNAL
            path = path if isinstance(path, Path) else None
            journal = SqliteJournal(path, means.clock)
            self.runs = Engine(means.invoke, known.values(), journal)
        elif own:
            from leeward.operations.deployed_runs import DeployedRuns

            self.runs = DeployedRuns(own[0], means.router, known, means.table, means.clock)
        else:
            order = ", ".join(driver.target for driver in drivers)
            raise ConfigError(
                f"workflow_target is {target!r}, which is not in the order ({order}); add it, or "
                "set another one"
            )

    def start(self, workflow: str, value: Json, id: str) -> Run:
        """Start a run, unless there is one of this id."""
        check_json(value, "value")
        return self.runs.start(workflow, value, id)

    def wait(self, workflow: str, id: str, timeout: float | None) -> Run:
        """Wait for the end of a run."""
        return self.runs.wait(workflow, id, WAIT if timeout is None else _seconds(timeout))


def loaded(config: Config) -> list[Definition]:
    """Return the definitions that the configuration names.

    Raises:
        ConfigError: one of them cannot be loaded, or has another name.
    """
    return [
        _loaded(name, each.definition, config)
        for name, each in config.workflows.items()
        if each.definition is not None
    ]


def _loaded(name: str, spec: str, config: Config) -> Definition:
    where = f"workflows.{name}.definition in {config.file or 'the configuration'}"
    if spec.endswith((".yaml", ".yml", ".json")):
        from leeward.workflow.files import read_file

        beside = Path(config.file).parent if config.file else Path()
        found: object = read_file(beside / spec)
    else:
        found = _imported(spec, where)
    if not isinstance(found, Definition):
        raise ConfigError(
            f'{where}: {spec!r} is not a workflow; decorate the function with @workflow("{name}")'
        )
    if found.name != name:
        raise ConfigError(f"{where}: {spec!r} is the workflow {found.name!r}; name it so here")
    return found


def _imported(spec: str, where: str) -> object:
    module, _, attribute = spec.partition(":")
    if not module or not attribute:
        raise ConfigError(f'{where} must look like "module:flow" or "flow.yaml"')
    try:
        found = import_module(module)
    except ConfigError:
        raise  # the flow itself is wrong, and the message says where
    except Exception as error:  # a module is a program of the user's, and may raise anything
        raise ConfigError(
            f"{where}: {spec!r} cannot be imported ({import_flaw(error)}); check its name, and "
            f"that `python -c 'import {module}'` works"
        ) from error
    try:
        return attrgetter(attribute)(found)
    except AttributeError as error:
        near = did_you_mean(attribute, vars(found)) or "; correct the name"
        raise ConfigError(f"{where}: the module {module!r} has no {attribute!r}{near}") from error


def _target(config: Config, drivers: Sequence[Driver]) -> str:
    """Return the target at which runs live."""
    if config.workflow_target is not None:
        return config.workflow_target
    if len(drivers) > 1:
        order = ", ".join(driver.target for driver in drivers)
        raise ConfigError(
            f"runs of workflows live in one place, and the order has {order}; set "
            "workflow_target in leeward.toml, to 'local' for the embedded engine"
        )
    return drivers[0].target


def _seconds(timeout: object) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise InvalidRequest("timeout must be a number of seconds, at least 0", field="timeout")
    return float(timeout)
