"""The package of a function for the edge: of the same parts as that of an app."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from leeward.app.app import App
from leeward.errors import ConfigError
from leeward_deploy.build import Origin, build, write_template
from leeward_deploy.commands.wanted import requires_of
from leeward_deploy.entry import names_in
from leeward_deploy.recipe import Recipe, PackageSpec
from leeward_deploy.sources import sources_of
from leeward_deploy.uv import PackageSource

if TYPE_CHECKING:
    from leeward.cli.output.json_view import JsonObject
    from leeward_deploy.edge.exports import FunctionSpec

NAME = "edge"
"""Of the folder and the zip."""


class EdgeRequest(NamedTuple):
    """What the command line asks for.

    Attributes:
        spec: without the sources.
        folder: of the function.
        out: where the package is written to.
        leave_out: patterns of files.
        source: where packages come from.
    """

    spec: FunctionSpec
    folder: Path
    out: Path
    leave_out: tuple[str, ...]
    source: PackageSource


def package_function(request: EdgeRequest, recipe_of: Callable[[FunctionSpec], Recipe]) -> JsonObject:
    """Make a package and its template; return what there is to show of them.

    Raises:
        ConfigError: there is no such module, or the edge would not run it.
    """
    if not request.folder.is_dir():
        raise ConfigError(f"--source names {request.folder}, which is not a folder")
    folder = request.folder.resolve()
    files, denied = sources_of(folder, request.leave_out, request.out)
    entry = request.spec.entry
    if f"{entry.module}.py" not in files:
        raise ConfigError(f"{folder} has no {entry.module}.py; name the folder with --source")
    texts = {
        each: (folder / each).read_text(encoding="utf-8", errors="replace")
        for each in files
        if each.endswith(".py")
    }
    if entry.attribute not in names_in(texts[f"{entry.module}.py"]):
        raise ConfigError(
            f"{entry.module}.py has nothing at its top level that is called {entry.attribute}; "
            "name the function as MODULE:NAME"
        )
    recipe = recipe_of(request.spec._replace(sources=texts))
    clashes = sorted({recipe.entry, *recipe.files} & texts.keys())
    if clashes:
        raise ConfigError(f"{clashes[0]} is written into the package; rename yours")
    # A package is made for an app; at the edge there is one function, and no handlers.
    spec = PackageSpec(App(request.spec.name), entry, request.spec.python, "x86_64")
    requires = requires_of(folder, None)
    origin = Origin(folder, files, requires, request.source, denied=denied)
    package = build(spec, recipe, origin, request.out, NAME)
    template = write_template(recipe, request.out)
    written = [str(package.folder), str(package.zip), str(package.list)]
    return {
        "files": written + ([str(request.out / template.name)] if template else []),
        "sha256": package.digest,
        "zlib": package.zlib,
        "sizes": dict(package.sizes),
        "notes": [*package.notes, *(template.notes if template else ())],
        "commands": [each._asdict() for each in recipe.commands(str(request.out))],
    }
