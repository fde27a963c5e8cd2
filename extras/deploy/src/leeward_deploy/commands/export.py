"""``leeward export`` and ``leeward workflow export``: files for tools that set them up.

Where an app is to run follows from the order and ``leeward.toml``. Nothing is deployed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Final, NamedTuple, TypeAlias

import typer

from leeward.adapter.looking import Expected
from leeward.app.app import App as LoadedApp
from leeward.app.checks import check_no_loop
from leeward.app.triggers import Kind
from leeward.cli.arguments import argument, option
from leeward.cli.findings import home_of
from leeward.cli.global_options import options_of
from leeward.config import Config, TargetName, with_order
from leeward.config.model import ExportConfig
from leeward.errors import ConfigError, InvalidRequest
from leeward.values import NOTHING
from leeward.views import Json, Report
from leeward.workflow.model import functions_of
from leeward_deploy.commands.package import (
    App,
    Arch,
    PackageRequest,
    Python,
    Source,
    Stage,
    check_names,
    declared_for,
    settings_of,
    show_files,
    spec_of,
    store,
)
from leeward_deploy.infrastructure import ExportFiles, export_facts
from leeward_deploy.moves import moves_in
from leeward_deploy.needs import note_on_roles, of_kind
from leeward_deploy.recipe import (
    PACKAGERS,
    WORKFLOW_EXPORTS,
    Bucket,
    Declared,
    Deployment,
    Recipe,
    Site,
    Table,
    WorkflowExport,
    offer_of,
    providers_with,
)
from leeward_deploy.settings import read_settings
from leeward_deploy.uv import PackageSource

ExportOut: TypeAlias = Annotated[Path, option("A folder in it for each provider.", "FOLDER")]
Forget: TypeAlias = Annotated[
    list[str] | None,
    option(
        "Let go of what is retained, such as tables.orders; with several clouds aws:NAME.", "NAME"
    ),
]
MOVED: Final = "moved.tf"


class Home(NamedTuple):
    """The home of a table or a bucket: its provider and its region."""

    provider: str
    region: str


def read_order(
    folder: Path, targets: str | None, file: Path | None = None, stage: str | None = None
) -> Config:
    """Return what the ``leeward.toml`` of a folder says, with an order.

    Args:
        folder: of the app.
        targets: an order that wins over that of the file; None for that of the file.
        file: in place of the folder's own; None for that.
        stage: in place of that of the file; None for that.

    Raises:
        ConfigError: the file is wrong or not there, or nothing names an order.
    """
    config = settings_of(folder, file, stage)
    if targets is None and not config.order:
        raise ConfigError(
            "nothing says where the app is to run; name the order with --targets, or as "
            "cloud_provider in leeward.toml; the variable CLOUD_PROVIDER is for programs, and does "
            "not count here"
        )
    return with_order(config, targets, NOTHING)


def providers_of(config: Config) -> list[str]:
    """Return the providers of the order, each once."""
    return list(dict.fromkeys(target.provider for target in config.order))


def deployment_of(
    config: Config, provider: str, app: LoadedApp, *, in_file: bool = True
) -> Deployment:
    """Return where an app is to run on a provider.

    Args:
        config: with the order.
        provider: of it.
        app: with the handlers.
        in_file: the order is that of the file which goes along with the code; else a variable of
            each function has to name it.

    Raises:
        ConfigError: a target has no region, a table or bucket no home, or a domain no function; or
            what the app writes would make it run again.
    """
    targets = [target for target in config.order if target.provider == provider]
    regions = [region_of(config, target) for target in targets]
    twice = next((region for region in regions if regions.count(region) > 1), None)
    if twice is not None:
        raise ConfigError(f"two targets of {provider} are in {twice}; name one of them")
    homes = {
        "tables": {
            name: _home(config, "tables", name, table.home) for name, table in config.tables.items()
        },
        "buckets": {
            name: _home(config, "buckets", name, bucket.home)
            for name, bucket in config.buckets.items()
        },
    }
    order = "" if in_file else ",".join(map(str, config.order))
    sites = tuple(
        Site(
            region,
            _at_home(config, target, homes)._replace(ordered=in_file, order=order),
            str(target),
        )
        for region, target in zip(regions, targets, strict=True)
    )
    for site in sites:
        check_names(site.declared)
    for target in targets:
        check_no_loop(app.handlers.values(), declared_for(config, target).buckets)
    names = sites[0].declared
    _check_keys(config, names, homes["tables"])
    is_there = read_settings(config).is_there
    return Deployment(
        sites,
        tuple(
            Table(
                own_name,
                config.tables[name].key,
                homes["tables"][name].region,
                is_there("tables", name),
            )
            for name, own_name in names.tables.items()
        ),
        tuple(
            Bucket(own_name, homes["buckets"][name].region, is_there("buckets", name))
            for name, own_name in names.buckets.items()
        ),
        frozenset(name for name, home in homes["buckets"].items() if home.provider != provider),
        **_export_settings(config, provider, app)._asdict(),
        expected=tuple(_expectations(config, app, homes, targets)),
    )


def _check_keys(config: Config, names: Declared, homes: Mapping[str, Home]) -> None:
    """Check that tables which are one table of the cloud have one key.

    Raises:
        ConfigError: two have not.
    """
    first: dict[tuple[str, Home], str] = {}
    for name, own_name in names.tables.items():
        other = first.setdefault((own_name, homes[name]), name)
        if config.tables[other].key != config.tables[name].key:
            raise ConfigError(
                f"[tables.{other}] and [tables.{name}] are both {own_name!r}, with two keys; give "
                "one of them another name or the same key"
            )


def _export_settings(config: Config, provider: str, app: LoadedApp) -> ExportConfig:
    """Return what ``[export.<provider>]`` says.

    Raises:
        ConfigError: it names a domain, which would lead to no function.
    """
    settings = config.export.get(provider, ExportConfig())
    if settings.domain and not any(of_kind(app, Kind.CALL)):
        raise ConfigError(
            f"[export.{provider}] names a domain, and the app has no function that is called by "
            "HTTP; take the domain out, or add a function"
        )
    return settings


def _expectations(
    config: Config,
    app: LoadedApp,
    homes: Mapping[str, Mapping[str, Home]],
    targets: list[TargetName],
) -> Iterator[Expected]:
    """Yield what is there when the files have been applied, as far as a target can be asked."""
    for target in targets:
        name = str(target)
        for handler in app.handlers.values():
            if handler.kind is Kind.CALL:
                yield Expected("function", handler.name, name)
            elif handler.kind is Kind.MESSAGE and handler.queue in config.functions:
                yield Expected("queue", str(handler.queue), name)
        for bus in config.buses:
            yield Expected("bus", bus, name)
        here = Home(target.provider, region_of(config, target))
        for kind, section in (("table", "tables"), ("bucket", "buckets")):
            for thing, home in homes[section].items():
                if home == here:
                    yield Expected(kind, thing, name)


def region_of(config: Config, target: TargetName) -> str:
    """Return the region of a target: it is named behind the colon, or in its section.

    Raises:
        ConfigError: it is not named.
    """
    options = config.options.get(str(target)) or config.options.get(target.provider) or {}
    region = target.qualifier or options.get("region")
    if not isinstance(region, str):
        raise ConfigError(
            f"the target {str(target)!r} has no region; write it as {target.provider}:REGION in "
            "the order"
        )
    return region


def _home(config: Config, section: str, name: str, home: str | None) -> Home:
    """Return the home of a table or a bucket; without a region where nothing can be made."""
    order = {str(target): target for target in config.order}
    choice = home_of(config, home)
    if choice is None:
        raise ConfigError(
            f"[{section}.{name}] has no home, so nothing says where it is to be made; set home "
            f"there, or data_target, to one of {', '.join(order)}"
        )
    if choice not in order:
        raise ConfigError(
            f"the home of [{section}.{name}] is {choice!r}, which is not in the order "
            f"({', '.join(order)}); correct it, or name it in cloud_provider"
        )
    target = order[choice]
    is_made = target.provider in providers_with(PACKAGERS)
    return Home(target.provider, region_of(config, target) if is_made else "")


def _at_home(
    config: Config, target: TargetName, homes: Mapping[str, Mapping[str, Home]]
) -> Declared:
    """Return what is named for a target; tables and buckets as their homes at its provider are."""
    declared = declared_for(config, target)
    at = {
        Home(other.provider, region_of(config, other)): declared_for(config, other)
        for other in config.order
        if other.provider == target.provider
    }
    sections = {
        section: {
            name: getattr(at[home], section)[name]
            for name, home in homes[section].items()
            if home in at
        }
        for section in ("tables", "buckets")
    }
    return declared._replace(tables=sections["tables"], buckets=sections["buckets"])


def terraform(
    context: typer.Context,
    app: App = None,
    *,
    out: ExportOut = Path("infrastructure"),
    python: Python = "3.13",
    arch: Arch = "x86_64",
    source: Source = Path(),
    stage: Stage = None,
    forget: Forget = None,
) -> Report:
    """Write an app's facts for every provider of the order, and the module that reads them.

    The first target of a provider serves, the others are its standbys. The command checks
    everything before it writes it, says what changes, and deploys nothing.
    """
    fields = (app, "", python, arch, source, out, None, (), PackageSource())
    options = options_of(context)
    if not options.trust_env:
        raise InvalidRequest(
            "leeward export imports the app, which may read variables; run it without "
            "--no-trust-env",
            field="--no-trust-env",
        )
    request = PackageRequest(*fields, settings=options.config, stage=stage)
    with redirect_stdout(sys.stderr):
        data = _write_files(request, options.targets, tuple(forget or ()))
    return show_files(data)


def write_moves(
    plan: Annotated[Path, argument("Of terraform show -json.", "PLAN")],
    *,
    out: Annotated[Path, option("Of the root.", "FOLDER")] = Path(),
) -> Report:
    """Write moved blocks, by which resources of an earlier export keep what they hold.

    The plan is one of the new root over the old state. It deletes and creates everything: never
    apply it. With the blocks, a new plan deletes nothing that holds data; as long as it does, give
    that plan to the command, too: what is in an account is known when the account has moved.
    """
    try:
        document = json.loads(plan.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{plan} is not a plan in JSON; make it with terraform show -json") from (
            error
        )
    moves = moves_in(document)
    before = (out / MOVED).read_text("utf-8") if (out / MOVED).exists() else ""
    store(out, {MOVED: "\n".join(filter(None, (before, moves.text)))})
    notes = [f"{moves.moved} resources move"]
    notes += [f"{address} goes, and nothing takes its place" for address in moves.left]
    data = {"files": [str(out / MOVED)], "notes": notes, "commands": []}
    return show_files(data)


def _write_files(request: PackageRequest, targets: str | None, forget: tuple[str, ...]) -> Json:
    """Write the files of every provider that has some; return what there is to show of them."""
    config = read_order(request.folder, targets, request.settings, request.stage)
    facts: dict[str, ExportFiles] = {}
    notes: list[str] = []
    for provider in providers_of(config):
        if provider not in providers_with(PACKAGERS):
            continue
        spec, _ = spec_of(request._replace(target=provider))
        recipe: Recipe = offer_of(PACKAGERS, provider)(spec)
        place = deployment_of(config, provider, spec.app, in_file=targets is None)
        if recipe.cloud is None:
            continue
        names = _forgotten(forget, provider, providers_of(config))
        facts[provider] = export_facts(spec, place, recipe.cloud, request.out, names)
        more = (*facts[provider].notes, *note_on_roles(place.sites[0].declared))
        notes += [f"{provider}: {note}" for note in more]
    if not facts:
        order = ", ".join(map(str, config.order))
        raise ConfigError(
            f"no target of the order ({order}) can be exported; name one of a cloud that can, with "
            "--targets or as cloud_provider in leeward.toml"
        )
    # Nothing is written unless all of it is right.
    for export in facts.values():
        store(request.out, export.texts)
    hint = "in the folder of the stage; it deletes nothing"
    return {
        "tool": "terraform",
        "files": [str(request.out / path) for export in facts.values() for path in export.texts],
        "notes": notes,
        "commands": [
            {"tool": "Terraform", "text": line, "hint": hint}
            for export in facts.values()
            for line in export.commands
        ],
    }


def _forgotten(names: tuple[str, ...], provider: str, order: list[str]) -> tuple[str, ...]:
    """Return the names of `--forget` that are for a provider: all of them, if it is alone.

    Raises:
        ConfigError: the order has several, and a name does not say which one it is for.
    """
    for name in names:
        if len(order) > 1 and name.partition(":")[0] not in order:
            raise ConfigError(
                f"--forget names {name!r}, and the order has {', '.join(order)}; write it with its "
                f"cloud, such as {order[0]}:{name}"
            )
    parts = (name.partition(":") for name in names)
    return tuple(rest or first for first, _, rest in parts if not rest or first == provider)


def export_workflow(
    context: typer.Context,
    name: Annotated[str, argument("Its name.", "WORKFLOW")],
    *,
    engine: Annotated[str, option("The engine's provider, as in CLOUD_PROVIDER.", "PROVIDER")],
    out: Annotated[Path, option("Default: the working directory.", "FOLDER")] = Path(),
) -> Report:
    """Write a workflow for a cloud's own engine, and the command that deploys it.

    It deploys nothing.
    """
    options = options_of(context)
    definition = options.workflow(name)
    config = options.resolve()
    target = TargetName(engine)
    declared = declared_for(config, target)
    own_names = {callee: declared.own(callee) for callee in sorted({*functions_of(definition)})}
    marks = {logical for logical, function in config.functions.items() if function.marks_at(target)}
    export: WorkflowExport = offer_of(WORKFLOW_EXPORTS, engine)(definition, own_names, marks)
    store(out, export.files)
    files = [str(out / path) for path in export.files]
    data = {"workflow": name, "engine": engine, "digest": definition.digest, "files": files}
    note = f"Not deployed; do it with: {export.command}"
    return Report({**data, "command": export.command}, 0.0, files, [note])
