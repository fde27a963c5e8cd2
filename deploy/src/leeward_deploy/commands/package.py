"""``leeward package``: an app as a cloud loads it, and how it is deployed. Nothing is deployed."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from leeward.cli.global_options import options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject
from leeward.errors import InvalidRequest

if TYPE_CHECKING:
    from leeward_deploy.commands.wanted import Request

App: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="[APP]", help="MODULE:NAME. Default: the only one there is.")
]
Target: TypeAlias = Annotated[str, typer.Option(metavar="PROVIDER", help="As in CLOUD_PROVIDER.")]
Python: TypeAlias = Annotated[str, typer.Option(metavar="3.x", help="Of the platform.")]
Arch: TypeAlias = Annotated[str, typer.Option(metavar="x86_64|arm64", help="The processor there.")]
Source: TypeAlias = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Of the app. Default: the working directory.")
]
Out: TypeAlias = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Where packages are written to.")
]
Requirements: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Default: the source's requirements.txt, or its pyproject.toml."
    ),
]
FindLinks: TypeAlias = Annotated[
    list[Path] | None, typer.Option(metavar="FOLDER", help="Of wheels; may be repeated.")
]
NoIndex: TypeAlias = Annotated[
    bool, typer.Option("--no-index", help="Take packages from --find-links alone.")
]
AllowBuild: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Of pure Python and without a wheel: build it here."),
]
Exclude: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Leave such files out; may be repeated."),
]
WithTemplate: TypeAlias = Annotated[
    bool, typer.Option("--template", help="Write what its handlers need around them, too.")
]


def package(
    context: typer.Context,
    app: App = None,
    *,
    target: Target,
    python: Python = "3.13",
    arch: Arch = "x86_64",
    source: Source = Path(),
    out: Out = Path("build"),
    requirements: Requirements = None,
    find_links: FindLinks = None,
    no_index: NoIndex = False,
    allow_build: AllowBuild = None,
    exclude: Exclude = None,
    template: WithTemplate = False,
) -> None:
    """Package an app for a cloud: the folder, the zip, and the commands that deploy them.

    It deploys nothing. The same app gives the same bytes.
    """
    from leeward_deploy.commands.wanted import Request
    from leeward_deploy.uv import Source as Packages

    options = options_of(context)
    if not options.trust_env:
        raise InvalidRequest(
            "leeward package imports the app, and runs uv, which reads variables and files of its "
            "own; run it without --no-trust-env",
            field="--no-trust-env",
        )
    links = tuple(str(each.resolve()) for each in find_links or ())
    packages = Packages(links, no_index, tuple(allow_build or ()))
    request = Request(
        *(app, target, python, arch, source, out, requirements, tuple(exclude or ())),
        packages,
        options.config,
    )
    with redirect_stdout(sys.stderr):
        data = _made(request, options.targets, template=template)
    options.output.show(data, _render)


def _made(request: Request, targets: str | None, *, template: bool) -> JsonObject:
    """Make what is wanted, and return what there is to show of it."""
    from leeward.app.runtimes import runtime_of
    from leeward_deploy.build import build, write_template
    from leeward_deploy.commands.wanted import adapters_of, wanted
    from leeward_deploy.needs import unnamed
    from leeward_deploy.recipe import GROUP, Recipe

    recipe_of = runtime_of(request.target, GROUP)
    wish, origin = wanted(request)
    recipe: Recipe = recipe_of(wish)
    others = adapters_of(request.folder, request.target, targets, request.settings)
    recipe = recipe._replace(requires=(*recipe.requires, *others))
    made = build(wish, recipe, origin, request.out, request.target)
    written = write_template(recipe, request.out) if template else None
    return {
        "target": request.target,
        "python": wish.python,
        "arch": wish.arch,
        "handlers": list(wish.app.handlers),
        "folder": str(made.folder),
        "zip": str(made.zip),
        "sha256": made.digest,
        "zlib": made.zlib,
        "requirements": str(made.list),
        "sizes": dict(made.sizes),
        "files": list(origin.files),
        "left_out": list(origin.denied),
        "template": written and str(request.out / written.name),
        "notes": [*made.notes, *((*written.notes, *unnamed(wish.declared)) if written else ())],
        "commands": [each._asdict() for each in recipe.commands(str(request.out))],
    }


def _render(data: JsonObject, printers: Printers) -> None:
    sizes = data["sizes"]
    pairs = [
        ("folder", f"{data['folder']}, {sizes['folder'] / 1e6:.1f} MB"),
        ("zip", f"{data['zip']}, {sizes['zip'] / 1e6:.1f} MB"),
        ("sha256", f"{data['sha256']} (zlib {data['zlib']})"),
        ("requirements", data["requirements"]),
    ]
    if data["template"]:
        pairs.append(("template", data["template"]))
    printers.out.pairs(pairs)
    for note in data["notes"]:
        printers.err.text(note)
    printers.err.text("Not deployed; do it with one of these:")
    for each in data["commands"]:
        printers.err.lines(f"  {each['tool']}: {each['text']}\n      {each['hint']}")
