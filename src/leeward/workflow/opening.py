"""The workflows of one client: its definitions, and the engine that runs them.

Runs live in one place, as data does; with several targets it must be named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from leeward.adapter import Capability
from leeward.client import Client
from leeward.config import Config
from leeward.config.model import Keeper, check_kept
from leeward.errors import ConfigError
from leeward.registry import EMBEDDED, ENGINE, JOURNAL, import_object, import_room
from leeward.workflow.checks import by_name
from leeward.workflow.model import Definition, functions_of
from leeward.workflow.reading import read_file
from leeward.workflow.steps import ClientFunctions

if TYPE_CHECKING:
    from leeward._operations.operations import Operations
    from leeward._operations.protocols import Runs

WORKERS: Final = 32
"""Runs of a shared journal that this process drives at one time: enough for one commit to serve
many."""
PATH: Final = Path(".leeward/local.workflows.sqlite3")
"""The journal if no embedded target is open to name its folder."""


def open_runs(operations: Operations) -> Runs:
    """Return where the runs of a client's workflows live: in this process, or at a target.

    Raises:
        ConfigError: a definition cannot be loaded, two have one name, or the target of runs is not
            named.
        Unsupported: that target has no workflows.
    """
    config, drivers = operations.config, operations.drivers
    given = cast("Iterable[Definition]", operations.definitions)
    definitions = by_name([*given, *load_definitions(config)])
    target = _target(config, [*drivers])
    check_runs(config, target, definitions.values())
    driver = drivers.get(target)
    functions = ClientFunctions(operations)
    if target.partition(":")[0] == EMBEDDED:
        path = PATH if driver is None else driver.native("workflows")
        journal = import_room(JOURNAL)(path if isinstance(path, Path) else None, operations.clock)
        # Nobody else can run what is in memory: there a run fails, and names what is missing.
        shared = {"absent": functions.list_absent} if isinstance(path, Path) else {}
        embedded: Runs = import_room(ENGINE)(
            functions, definitions.values(), journal, owner=operations.owner, **shared
        )
        return embedded
    is_engine = driver is not None and Capability.WORKFLOWS in driver.capabilities
    stores = None if driver is None or is_engine else driver.stores()
    if stores is not None and stores.open_journal is not None:
        engine: Runs = import_room(ENGINE)(
            *(functions, definitions.values(), stores.open_journal()),
            workers=WORKERS,
            target=target,
            owner=operations.owner,
            absent=functions.list_absent,
        )
        return engine
    if driver is not None:
        # An embedded engine needs no table to keep two starts apart.
        from leeward.workflow.deployed import DeployedRuns

        client = operations.share(Client)
        return DeployedRuns(driver, operations.router, definitions, client, operations.clock)
    raise ConfigError(
        f"workflow_target is {target!r}, which is not in the order ({', '.join(drivers)}); add it, "
        "or set another one"
    )


def check_runs(config: Config, target: str, definitions: Iterable[Definition]) -> None:
    """Check that runs live where the payloads and results of their functions may be kept."""
    for flow in definitions:
        names, remedy = frozenset(functions_of(flow)), f"change the workflow {flow.name!r}"
        check_kept(config, Keeper(("workflow_target",), target, names, remedy))


def load_definitions(config: Config) -> list[Definition]:
    """Return the definitions that the configuration names."""
    return [
        _load(name, workflow.definition, config)
        for name, workflow in config.workflows.items()
        if workflow.definition is not None
    ]


def _load(name: str, spec: str, config: Config) -> Definition:
    where = f"workflows.{name}.definition in {config.file or 'the configuration'}"
    if spec.endswith((".yaml", ".yml", ".json")):
        beside = Path(config.file).parent if config.file else Path()
        definition: object = read_file(beside / spec)
    else:
        definition = import_object(spec, where)
    if not isinstance(definition, Definition):
        raise ConfigError(
            f'{where}: {spec!r} is not a workflow; decorate the function with @workflow("{name}")'
        )
    if definition.name != name:
        raise ConfigError(f"{where}: {spec!r} is the workflow {definition.name!r}; name it so here")
    return definition


def _target(config: Config, order: Sequence[str]) -> str:
    """Return the target at which runs live."""
    if config.workflow_target is not None:
        return config.workflow_target
    if len(order) > 1:
        raise ConfigError(
            f"runs of workflows live in one place, and the order has {', '.join(order)}; set "
            "workflow_target in leeward.toml to one of them, or to 'local' for this machine"
        )
    return order[0]
