"""``leeward export``: an app's infrastructure, for tools that set it up. Nothing is deployed."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from leeward.cli.global_options import options_of
from leeward.cli.output.json_view import JsonObject
from leeward.errors import ConfigError, InvalidRequest
from leeward_deploy.commands.files import render_files, store
from leeward_deploy.commands.package import App, Arch, Python, Source

if TYPE_CHECKING:
    from leeward.app.app import App as LoadedApp
    from leeward.cli.global_options import GlobalOptions
    from leeward_deploy.commands.wanted import Request
    from leeward_deploy.recipe import Exporter, Template

Out: TypeAlias = Annotated[
    Path, typer.Option(metavar="FOLDER", help="A folder in it for each provider.")
]


def terraform(
    context: typer.Context,
    app: App = None,
    *,
    out: Out = Path("infrastructure"),
    python: Python = "3.13",
    arch: Arch = "x86_64",
    source: Source = Path(),
) -> None:
    """Write Terraform's JSON for every provider of the order: a module of a project of yours.

    The first target of a provider serves, the others are its standbys. The command checks
    everything before it writes it, and deploys nothing.
    """
    request = _request(app, python, arch, source, out)
    _export(options_of(context), "terraform", request)


def cloudformation(
    context: typer.Context,
    app: App = None,
    *,
    out: Out = Path("infrastructure"),
    python: Python = "3.13",
    arch: Arch = "x86_64",
    source: Source = Path(),
) -> None:
    """Write a CloudFormation template for each region of the order.

    The command checks everything before it writes it, and deploys nothing.
    """
    request = _request(app, python, arch, source, out)
    _export(options_of(context), "cloudformation", request)


def _request(app: str | None, python: str, arch: str, source: Path, out: Path) -> Request:
    from leeward_deploy.commands.wanted import Request
    from leeward_deploy.uv import Source as Packages

    return Request(app, "", python, arch, source, out, None, (), Packages())


def _export(options: GlobalOptions, tool: str, request: Request) -> None:
    if not options.trust_env:
        raise InvalidRequest(
            "leeward export imports the app, which may read variables; run it without "
            "--no-trust-env",
            field="--no-trust-env",
        )
    with redirect_stdout(sys.stderr):
        data = _made(request._replace(settings=options.config), tool, options.targets)
    options.output.show(data, render_files)


def _made(request: Request, tool: str, targets: str | None) -> JsonObject:
    """Write the files of every provider that has some; return what there is to show of them."""
    from leeward.config import TargetName
    from leeward_deploy.commands.deployments import deployment_of, ordered, providers_of
    from leeward_deploy.commands.wanted import declared_for
    from leeward_deploy.needs import unnamed

    config = ordered(request.folder, targets, request.settings)
    made: dict[str, tuple[Template, ...]] = {}
    notes: list[str] = []
    for provider in providers_of(config):
        found = _exporter(provider, tool, request)
        if found is not None:
            exporter, app = found
            place = deployment_of(config, provider, app, in_file=targets is None)
            made[provider] = exporter(place)
            told = (*made[provider][0].notes, *unnamed(declared_for(config, TargetName(provider))))
            notes += [f"{provider}: {note}" for note in told]
    if not made:
        order = ", ".join(map(str, config.order))
        raise ConfigError(
            f"no target of the order ({order}) can be exported to {tool}; name one of a cloud that "
            "can, with --targets or as cloud_provider in leeward.toml"
        )
    # Nothing is written unless all of it is right.
    for provider, templates in made.items():
        store(request.out / provider, {each.name: each.text for each in templates})
    return {
        "tool": tool,
        "files": [
            str(request.out / provider / each.name)
            for provider, templates in made.items()
            for each in templates
        ],
        "notes": notes,
        "commands": [],
    }


def _exporter(provider: str, tool: str, request: Request) -> tuple[Exporter, LoadedApp] | None:
    """Return what writes an app's files of a tool for a provider, and the app; None if nothing."""
    from leeward.app.runtimes import runtime_of
    from leeward.entrypoints import all_entry_points
    from leeward_deploy.commands.wanted import wanted
    from leeward_deploy.recipe import GROUP, Recipe

    if provider not in {each.name for each in all_entry_points(GROUP)}:
        return None
    wish, _ = wanted(request._replace(target=provider))
    recipe: Recipe = runtime_of(provider, GROUP)(wish)
    exporter = recipe.exports.get(tool)
    return None if exporter is None else (exporter, wish.app)
