"""The global options, for the command that follows them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from stat import S_IWOTH
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from leeward.client import Client
from leeward.config import Config, load_config, load_settings
from leeward.config.load import DEFAULT_FILE
from leeward.errors import ConfigError, LeewardError
from leeward.local.config import HANDLERS, import_app
from leeward.opening import check_places, open_order, target_config
from leeward.registry import EMBEDDED
from leeward.values import NOTHING
from leeward.workflow.opening import load_definitions
from leeward.workflow.steps import functions_called_by

if TYPE_CHECKING:
    import typer

    from leeward._delivery.runner import AppRunner
    from leeward.adapter import Driver
    from leeward.app.app import App
    from leeward.cli.output.output import Output
    from leeward.workflow.model import Definition


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The global options of one command line.

    Attributes:
        trust_env: False for the hardened mode, whatever a file says.
    """

    targets: str | None
    config: Path | None
    trust_env: bool
    output: Output

    @contextmanager
    def client(
        self, config: Config | None = None, workflows: Iterable[Definition] = ()
    ) -> Iterator[Client]:
        """Open the client that the options describe, or that `config` describes in full.

        It knows the `workflows` that are given, besides those of the configuration.

        What functions and subscribers of an embedded target print, and their modules when they
        are imported, is not a result, so it goes to the standard error.
        """
        config = self.resolve() if config is None else config
        with redirect_stdout(sys.stderr):
            with modules_beside(config):
                client = Client(config=config, workflows=workflows)
            with client:
                leave_to_workers(client._operations.drivers.values())  # noqa: SLF001 - of one package
                yield client

    @contextmanager
    def client_of_workflows(self) -> Iterator[Client]:
        """Open the same client, with the workflows that the configuration names.

        Raises:
            ConfigError: a step's function is nowhere: its runs would be taken back for that.
        """
        config = self.resolve()
        workflows = self.workflows(config)
        with self.client(_without_definitions(config), workflows) as client:
            _need_functions(client, config, workflows)
            yield client

    def workflows(self, config: Config) -> list[Definition]:
        """Return the workflows that `config` names; their modules may stand beside the file."""
        with redirect_stdout(sys.stderr), modules_beside(config):
            return load_definitions(config)

    def workflow(self, name: str) -> Definition:
        """Return one workflow that the configuration names.

        Raises:
            ConfigError: it names none like that, or it cannot be loaded.
        """
        config = self.resolve()
        workflows = {workflow.name: workflow for workflow in self.workflows(config)}
        if name not in workflows:
            raise ConfigError(
                f"no workflow {name!r} in {config.file or 'leeward.toml'} "
                f"(known: {', '.join(workflows) or 'none'}); name it: "
                f'[workflows.{name}] definition = "module:flow"'
            )
        return workflows[name]

    def check_functions(self, config: Config, workflows: Iterable[Definition]) -> None:
        """Check that embedded targets have the functions of workflows; a cloud is not asked."""
        if all(target.provider == "local" for target in config.order):
            with self.client(_without_definitions(config)) as client:
                _need_functions(client, config, workflows)

    def resolve(self) -> Config:
        """Return the configuration that the options describe."""
        return load_config(self.targets, file=self.config, env=os.environ, trust_env=self.trust_env)

    def settings(self) -> Config:
        """Return the same without an order of the command line or the environment."""
        return load_settings(file=self.config, env=os.environ, trust_env=self.trust_env)

    def environment(self) -> Mapping[str, str]:
        """Return the variables of leeward that may count."""
        return os.environ if self.trust_env else NOTHING

    def client_of_data(self) -> AbstractContextManager[Client]:
        """Open the same client without the functions and subscribers of embedded targets.

        Who looks at an item needs none of them, and a module that cannot be imported does not
        stop it.
        """
        return self.client(without_handlers(self.resolve()))


@contextmanager
def open_each(
    config: Config, env: Mapping[str, str]
) -> Iterator[tuple[dict[str, Driver], dict[str, LeewardError]]]:
    """Open each target of the order by itself; yield those that are open, and why others are not.

    Nothing goes to a target whose settings are wrong: its error is to be shown as it is.
    """
    drivers: dict[str, Driver] = {}
    flaws: dict[str, LeewardError] = {}
    with ExitStack() as opened:
        for target in config.order:
            try:
                (driver,) = open_order(config._replace(order=(target,)), env)
                opened.callback(driver.close)
                check_places(config, [*drivers.values(), driver])
                drivers[str(target)] = driver
            except LeewardError as error:
                flaws[str(target)] = error
        yield drivers, flaws


@contextmanager
def open_all(config: Config, env: Mapping[str, str]) -> Iterator[list[Driver]]:
    """Open the targets of the order, and close them at the end."""
    with ExitStack() as opened:
        drivers = open_order(config, env)
        for driver in drivers:
            opened.callback(driver.close)
        yield drivers


CORRECT_IT: Final = "correct it; nothing goes there until then"
"""What is to be done about a target that cannot be opened."""


def leave_to_workers(drivers: Iterable[Driver]) -> None:
    """Leave deliveries to the processes that work for the same apps, such as `leeward dev`."""
    for driver in drivers:
        stores = driver.stores()
        if stores is not None and stores.runner is not None:
            cast("AppRunner", stores.runner).leave_to_others()


@contextmanager
def modules_beside(config: Config, *, is_named: bool = False) -> Iterator[None]:
    """Import modules from the directory of the configuration file, for a moment.

    So a ``leeward.toml`` can name functions in files beside it, without a package around them. It
    comes last, so that no file there hides an installed module, and goes when the targets are
    open. The working directory has no part in it, and in the hardened mode nothing has.

    Raises:
        ConfigError: anybody may write the directory.
    """
    names_code = is_named or (config.file is not None and config != without_handlers(config))
    if not config.trust_env or not names_code:
        yield
        return
    place = Path(config.file or DEFAULT_FILE).absolute().parent
    if os.name == "posix" and place.is_dir() and place.stat().st_mode & S_IWOTH:
        raise ConfigError(
            f"{config.file or 'the command line'} names functions, and the directory {place} may "
            f"be written by others, who could put a module there; run `chmod o-w {place}`, or move "
            "the file"
        )
    directory = str(place)
    sys.path.append(directory)
    try:
        yield
    finally:
        sys.path.remove(directory)


class AppName(NamedTuple):
    """What names an app: ``module:app``, and where that is written, for messages."""

    spec: Any
    where: str

    def load(self) -> App:
        """Return the app."""
        return import_app(self.spec, self.where)


def named_app(
    spec: str | None,
    config: Config,
    env: Mapping[str, str],
    command: str,
    *,
    target: str | None = None,
) -> AppName:
    """Return what names an app: the command line, ``[worker]``, or the embedded target.

    Raises:
        ConfigError: nothing names one.
    """
    if spec is not None:
        return AppName(spec, "MODULE:APP")
    file = config.file or DEFAULT_FILE
    if config.worker.app is not None:
        return AppName(config.worker.app, f"'app' in [worker] of {file}")
    wanted = target or config.worker.target
    for one in config.order:
        target_ = target_config(one, config, env)
        if one.provider == EMBEDDED and wanted in (None, str(one)) and "app" in target_.options:
            return AppName(target_.options["app"], f"'app' in {target_.section}")
    raise ConfigError(
        f"no app is named; name it: leeward {command} module:app, or [worker] "
        f'app = "module:app" in {file}'
    )


def _need_functions(client: Client, config: Config, workflows: Iterable[Definition]) -> None:
    """Refuse workflows whose functions no target has; what a cloud has, nobody says here."""
    if any(target.provider != "local" for target in config.order):
        return
    for workflow in workflows:
        missing = functions_called_by(client).list_absent(workflow)
        if missing:
            raise ConfigError(
                f"the workflow {workflow.name!r} calls {', '.join(missing)}, which no target has; "
                f"name the app in {config.file or 'leeward.toml'}: [targets.local] "
                'app = "module:app"'
            )


def without_handlers(config: Config) -> Config:
    """Return `config` without the options that name code of the user's."""
    options = {
        target: {name: value for name, value in option.items() if name not in HANDLERS}
        if target.partition(":")[0] == "local"
        else option
        for target, option in config.options.items()
    }
    worker = config.worker._replace(app=None)
    return _without_definitions(config._replace(options=options, worker=worker))


def _without_definitions(config: Config) -> Config:
    """Return `config` with the names of its workflows, and without their definitions."""
    named = {name: each._replace(definition=None) for name, each in config.workflows.items()}
    return config._replace(workflows=named)


def options_of(context: typer.Context) -> GlobalOptions:
    """Return the global options of the running command."""
    options = context.obj
    assert isinstance(options, GlobalOptions)
    return options
