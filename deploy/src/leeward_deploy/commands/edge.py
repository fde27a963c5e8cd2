"""``leeward edge``: static rules for a cloud's edge, and functions for it. Nothing is deployed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, NamedTuple, TypeAlias

import typer

from leeward.app.app import App
from leeward.cli.arguments import json_argument, texts_argument
from leeward.cli.global_options import options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject
from leeward.errors import ConfigError, InvalidRequest, Unsupported
from leeward_deploy.build import Origin, build, write_template
from leeward_deploy.commands.package import (
    Exclude,
    FindLinks,
    NoIndex,
    Out,
    Python,
    Source,
    render_files,
    requires_of,
    store,
)
from leeward_deploy.edge.exports import Edge, FunctionSpec, Trigger
from leeward_deploy.edge.rules import EdgeRule, Request, answer_of, note_on_spelling, read_rules
from leeward_deploy.entry import names_in
from leeward_deploy.recipe import EDGES, Entry, PackageSpec, Recipe, offer_of, providers_with
from leeward_deploy.sources import sources_of
from leeward_deploy.uv import PackageSource

NAME = "edge"
"""Of the folder and the zip."""

Rules: TypeAlias = Annotated[Path, typer.Argument(metavar="RULES", help="A TOML file.")]

To: TypeAlias = Annotated[str, typer.Option(metavar="PROVIDER", help="As in CLOUD_PROVIDER.")]

Event: TypeAlias = Annotated[
    str, typer.Option(metavar="EVENT", help="When it is called, in the provider's words.")
]

Body: TypeAlias = Annotated[
    bool, typer.Option("--body", help="It gets the body of the request, too.")
]

Function: TypeAlias = Annotated[
    str, typer.Argument(metavar="FUNCTION", help="MODULE:NAME; called by the edge itself.")
]

Name: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="Of the function there.")]

Given: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="For edge_settings; may be repeated."),
]

LimitTable: TypeAlias = Annotated[
    str, typer.Option(metavar="TABLE", help="The table of limits. Default: the strict one.")
]

Seconds: TypeAlias = Annotated[int, typer.Option(help="How long it may take.")]

Memory: TypeAlias = Annotated[int, typer.Option(help="Megabytes.")]


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


def package_function(
    request: EdgeRequest, recipe_of: Callable[[FunctionSpec], Recipe]
) -> JsonObject:
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
        file: (folder / file).read_text(encoding="utf-8", errors="replace")
        for file in files
        if file.endswith(".py")
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
    templates = write_template(recipe, request.out)
    written = [str(package.folder), str(package.zip), str(package.list)]
    return {
        "files": written + [str(request.out / template.name) for template in templates],
        "sha256": package.digest,
        "zlib": package.zlib,
        "sizes": dict(package.sizes),
        "notes": [*package.notes, *(note for template in templates for note in template.notes)],
        "commands": [command._asdict() for command in recipe.commands(str(request.out))],
    }


def check(
    context: typer.Context,
    rules: Rules,
    *,
    path: Annotated[
        str | None, typer.Option(metavar="/PATH", help="Show what happens to this request.")
    ] = None,
    country: Annotated[
        str, typer.Option(metavar="XX", help="Of the client. Default: not known.")
    ] = "",
) -> None:
    """Check rules, and show which edges accept them; or what happens to one request."""
    options = options_of(context)
    found = read_rules(rules)
    if path is None:
        edges = [_judge(name, found) for name in providers_with(EDGES)]
        data = {"rules": [rule.name for rule in found], "edges": edges}
        options.output.show(data, _render_check)
        return
    if not path.startswith("/"):
        raise InvalidRequest("--path must begin with a slash", field="path")
    plain, _, query = path.partition("?")
    answer = answer_of(found, Request(plain, query, country))
    data = answer._asdict()
    for name in ("request", "response"):
        headers = getattr(answer, name)
        data[name] = {"set": dict(headers.set), "remove": [*headers.remove]}
    options.output.show(data, _render_answer)


def export_rules(
    context: typer.Context,
    rules: Rules,
    *,
    to: To,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Default: the working directory.")
    ] = Path(),
) -> None:
    """Write rules for a cloud's edge, and the commands that deploy them."""
    options = options_of(context)
    found = read_rules(rules)
    made = _edge(to).export(found)
    store(out, made.files)
    data = {
        "to": to,
        "files": [str(out / name) for name in made.files],
        "notes": [*made.notes, *note_on_spelling(found)],
        "commands": [command._asdict() for command in made.commands],
    }
    options.output.show(data, render_files)


def package_edge(
    context: typer.Context,
    function: Function,
    *,
    to: To,
    event: Event,
    name: Name = "edge",
    body: Body = False,
    given: Given = None,
    limits: LimitTable = "",
    seconds: Seconds = 5,
    memory: Memory = 128,
    python: Python = "3.13",
    source: Source = Path(),
    out: Out = Path("build"),
    find_links: FindLinks = None,
    no_index: NoIndex = False,
    exclude: Exclude = None,
) -> None:
    """Package a function for the edge: its zip, its template, and the commands that deploy them.

    Its code is read, and not run. Everybody who may read the package can read values of --set.
    """
    options = options_of(context)
    recipe_of = _edge(to).recipe
    if recipe_of is None:
        raise _no_python(to)
    module, _, attribute = function.partition(":")
    if not module.isidentifier() or not attribute.isidentifier():
        raise InvalidRequest(
            "FUNCTION must be MODULE:NAME, such as visits:handler", field="function"
        )
    settings = texts_argument(given or (), "set")
    if not all(name.isidentifier() and not iskeyword(name) for name in settings):
        raise InvalidRequest("--set must be NAME=VALUE, with a name of Python", field="set")
    spec = FunctionSpec(
        name,
        Entry(module, attribute),
        event,
        body,
        limits,
        settings,
        python=python,
        seconds=seconds,
        megabytes=memory,
    )
    links = tuple(str(link.resolve()) for link in find_links or ())
    packages = PackageSource(links, no_index)
    with redirect_stdout(sys.stderr):
        data = package_function(
            EdgeRequest(spec, source, out, tuple(exclude or ()), packages), recipe_of
        )
    options.output.show({"to": to, "event": event, **data}, render_files)


def associate(
    context: typer.Context,
    configuration: Annotated[
        Path, typer.Argument(metavar="FILE", help="The configuration, as it was read.")
    ],
    *,
    to: To,
    function: Annotated[
        str, typer.Option(metavar="ARN", help="Of a numbered version of the function.")
    ],
    event: Event,
    body: Body = False,
    path: Annotated[
        str, typer.Option(metavar="PATTERN", help="Of requests. Default: all others.")
    ] = "",
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Default: the working directory.")
    ] = Path(),
) -> None:
    """Put a function into a configuration that was read, and show how it is written back."""
    options = options_of(context)
    change = _edge(to).associate
    if change is None:
        raise _no_python(to)
    document = json_argument(f"@{configuration}", "file")
    if not isinstance(document, dict):
        raise InvalidRequest("FILE must hold a JSON object", field="file")
    made = change(document, Trigger(function, event, body, path))
    files = {made.name: made.text} if made.text else {}
    store(out, files)
    data = {
        "to": to,
        "changed": bool(files),
        "files": [str(out / name) for name in files],
        "notes": [*made.notes],
        "commands": [command._asdict() for command in made.commands],
    }
    options.output.show(data, render_files)


def _edge(to: str) -> Edge:
    found: Edge = offer_of(EDGES, to)
    return found


def _judge(name: str, rules: Sequence[EdgeRule]) -> JsonObject:
    """Return whether an edge can take rules, and if not, why."""
    try:
        made = _edge(name).export(rules)
    except ConfigError as error:
        return {"edge": name, "ok": False, "why": str(error), "notes": []}
    return {"edge": name, "ok": True, "why": None, "notes": [*made.notes]}


def _no_python(to: str) -> Unsupported:
    return Unsupported(
        f"the edge of {to} runs no Python: it has {_edge(to).runs}; export rules, or let the "
        "origin do it"
    )


def _render_check(data: JsonObject, printers: Printers) -> None:
    rows = [(edge["edge"], "yes" if edge["ok"] else edge["why"]) for edge in data["edges"]]
    printers.out.table(("edge", f"takes {len(data['rules'])} rules"), rows, ("cyan",))
    for edge in data["edges"]:
        for note in edge["notes"]:
            printers.err.text(f"{edge['edge']}: {note}")


def _render_answer(data: JsonObject, printers: Printers) -> None:
    pairs = [("rule", data["rule"] or "-")]
    if data["status"]:
        pairs.append(("status", str(data["status"])))
    if data["location"]:
        pairs.append(("location", data["location"]))
    if data["path"]:
        pairs.append(("origin", data["path"]))
    for name in ("request", "response"):
        for header, value in data[name]["set"].items():
            pairs.append((name, f"{header}: {value}"))
        for header in data[name]["remove"]:
            pairs.append((name, f"without {header}"))
    printers.out.pairs(pairs)
