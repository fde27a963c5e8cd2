"""``leeward package``: an app as a cloud loads it, and how it is deployed. Nothing is deployed."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from leeward.cli.global_options import options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject
from leeward.errors import InvalidRequest


def package(
    context: typer.Context,
    app: Annotated[
        str | None,
        typer.Argument(metavar="[APP]", help="MODULE:NAME. Default: the only one there is."),
    ] = None,
    *,
    target: Annotated[str, typer.Option(metavar="PROVIDER", help="As in CLOUD_PROVIDER.")],
    python: Annotated[str, typer.Option(metavar="3.x", help="Of the platform.")] = "3.13",
    arch: Annotated[
        str, typer.Option(metavar="x86_64|arm64", help="The processor there.")
    ] = "x86_64",
    source: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Of the app. Default: the working directory.")
    ] = Path(),
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where packages are written to.")
    ] = Path("build"),
    requirements: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Default: the source's requirements.txt, or its pyproject.toml."
        ),
    ] = None,
    find_links: Annotated[
        list[Path] | None, typer.Option(metavar="FOLDER", help="Of wheels; may be repeated.")
    ] = None,
    no_index: Annotated[
        bool, typer.Option("--no-index", help="Take packages from --find-links alone.")
    ] = False,
    allow_build: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of pure Python and without a wheel: build it here."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Leave such files out; may be repeated."),
    ] = None,
    template: Annotated[
        bool, typer.Option("--template", help="Write what its handlers need around them, too.")
    ] = False,
) -> None:
    """Package an app for a cloud: the folder and the zip that it loads, and what deploys them.

    Nothing is deployed. The same app gives the same bytes.
    """
    from leeward.app.runtimes import runtime_of
    from leeward.cli.package.wanted import Request, wanted
    from leeward.packaging.build import build, write_template
    from leeward.packaging.recipe import GROUP, Recipe
    from leeward.packaging.uv import Source

    options = options_of(context)
    if not options.trust_env:
        raise InvalidRequest(
            "leeward package imports the app, and runs uv, which reads variables and files of its "
            "own; run it without --no-trust-env",
            field="--no-trust-env",
        )
    links = tuple(str(each.resolve()) for each in find_links or ())
    request = Request(
        *(app, target, python, arch, source, out, requirements, tuple(exclude or ())),
        Source(links, no_index, tuple(allow_build or ())),
    )
    with redirect_stdout(sys.stderr):
        recipe_of = runtime_of(target, GROUP)
        wish, origin = wanted(request)
        recipe: Recipe = recipe_of(wish)
        made = build(wish, recipe, origin, out, target)
        written = write_template(recipe, out) if template else None
    data = {
        "target": target,
        "python": python,
        "arch": arch,
        "handlers": list(wish.app.handlers),
        "folder": str(made.folder),
        "zip": str(made.zip),
        "sha256": made.digest,
        "zlib": made.zlib,
        "requirements": str(made.list),
        "sizes": dict(made.sizes),
        "files": list(origin.files),
        "template": written and str(out / written.name),
        "notes": [*made.notes, *(written.notes if written else ())],
        "commands": [each._asdict() for each in recipe.commands(str(out))],
    }
    options.output.show(data, _render)


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
