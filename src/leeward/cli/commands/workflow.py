"""``leeward workflow``: start runs, look at them, end them, and draw them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.cli.arguments import argument, json_argument, name_of_person, option, seconds
from leeward.cli.global_options import options_of
from leeward.cli.output.exit_codes import ABSENT, RAISED, STILL_RUNS
from leeward.entropy import new_id
from leeward.errors import ConfigError
from leeward.views import Block, Column, Json, Report, Table
from leeward.views.runs import answer_question, list_runs, picture_of, show_run
from leeward.workflow.model import document_of, functions_of
from leeward.workflow.reading import json_of, yaml_of

if TYPE_CHECKING:
    from leeward.client import Client
    from leeward.values.runs import Run

Name = Annotated[str, argument("Its name.", "WORKFLOW")]
Id = Annotated[str, argument("The id of the run.", "RUN")]

_CHECKED = (
    Column("Workflow", "workflow", is_name=True),
    Column("Digest", lambda row: row["digest"][:12]),
    Column("Timeout", "timeout"),
)

SENT = "The run continues where a process has its functions: leeward worker."

LONGEST_WAIT = 24 * 3600.0
"""Seconds that a command follows a run, if it is not told."""


def list_(
    context: typer.Context,
    name: Annotated[str | None, argument("Its name; by default all.", "[WORKFLOW]")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many runs.")] = 50,
) -> Report:
    """List the latest runs, the last one first."""
    options = options_of(context)
    with options.client_of_data() as client:
        runs = client.list_runs(name, limit=limit)
    return list_runs(runs, time())


def show(context: typer.Context, name: Name, run: Id) -> Report:
    """Show a run: its state, and what it did, in order."""
    options = options_of(context)
    with options.client_of_data() as client:
        return _show(client.get_run(name, run), name, run)


def start(
    context: typer.Context,
    name: Name,
    value: Annotated[
        str | None, argument("JSON, @file, or - for the standard input.", "[INPUT]")
    ] = None,
    *,
    id: Annotated[str, option("Of the run: starting it again does nothing more.", "TEXT", "--id")],
    wait: Annotated[
        float,
        option(
            "How long to run it here; then others continue. Default: to its end.",
            "SECONDS",
            parser=seconds,
        ),
    ] = LONGEST_WAIT,
) -> Report:
    """Start a run, and work on it here until it has ended."""
    options = options_of(context)
    payload = json_argument(value, "input")
    with options.client_of_workflows() as client:
        client.start_workflow(name, payload, id=id)
        result = _follow(client, name, id, wait)
    return _show(result, name, id, ended=True)


def rerun(
    context: typer.Context,
    name: Name,
    run: Id,
    *,
    step: Annotated[str, option("The first one that runs again.", "STEP", "--from")],
    id: Annotated[str, option("Of the new run.", "TEXT", "--id")],
) -> Report:
    """Run a run again from a step, with the results of what is before it."""
    options = options_of(context)
    with options.client_of_workflows() as client:
        client.rerun(name, run, step, id=id)
        return _show(client.get_run(name, id), name, id)._replace(notes=[SENT])


def resume(
    context: typer.Context,
    *,
    wait: Annotated[
        float, option("How long. Default: to their end.", "SECONDS", parser=seconds)
    ] = LONGEST_WAIT,
) -> Report:
    """Continue the runs whose process is gone, until no run is left; show them."""
    options = options_of(context)
    with options.client_of_workflows() as client:
        left = [run for run in client.list_runs(limit=10_000) if run.ended is None]
        client.resume_runs()
        runs = [_follow(client, run.workflow, run.id, wait) for run in left]
    return list_runs(filter(None, runs), time())


def send(
    context: typer.Context,
    name: Name,
    run: Id,
    event: Annotated[str, argument("Its name.", "EVENT")],
    value: Annotated[
        str | None, argument("JSON, @file, or - for the standard input.", "[VALUE]")
    ] = None,
    *,
    id: Annotated[
        str | None, option("Of the event: it counts once. Default: a new one.", "TEXT", "--id")
    ] = None,
) -> Report:
    """Send an event to a run, which waits for it or will."""
    options = options_of(context)
    payload = json_argument(value, "value")
    with options.client_of_data() as client:
        client.send_event(name, run, event, payload, id=id or new_id(time()))
        return _show(client.get_run(name, run), name, run)._replace(notes=[SENT])


Node = Annotated[str | None, option("Which one; needed if it asks several.", "NODE")]
Note = Annotated[str, option("Why.", "TEXT")]
By = Annotated[str | None, option("Who decides. Default: the user of this machine.", "NAME")]


def _answering(approved: bool, does: str) -> Callable[..., Report]:
    """Return a command that answers the question of a run."""

    def answer(
        context: typer.Context,
        name: Name,
        run: Id,
        *,
        node: Node = None,
        note: Note = "",
        by: By = None,
    ) -> Report:
        options = options_of(context)
        with options.client_of_data() as client:
            waiting = client.get_run(name, run)
            if waiting is None:
                return _show(None, name, run)
            value = {"approved": approved, "by": name_of_person(by), "note": note}
            answer_question(client, waiting, node, value)
            return _show(client.get_run(name, run), name, run)._replace(notes=[SENT])

    answer.__doc__ = does
    return answer


approve = _answering(True, "Answer yes to the question of a run.")
deny = _answering(False, "Answer no to the question of a run.")


def cancel(context: typer.Context, name: Name, run: Id) -> Report:
    """Ask a run to end: before its next step it compensates."""
    options = options_of(context)
    with options.client_of_data() as client:
        return _show(client.cancel_run(name, run), name, run)


def abort(context: typer.Context, name: Name, run: Id) -> Report:
    """End a run at once, without compensation."""
    options = options_of(context)
    with options.client_of_data() as client:
        return _show(client.abort_run(name, run), name, run)


def check(context: typer.Context) -> Report:
    """Check the workflows that leeward.toml names, and show their digests.

    A function that no target has is an error. The command does not ask clouds.
    """
    options = options_of(context)
    config = options.resolve()
    definitions = options.workflows(config)
    options.check_functions(config, definitions)
    data: list[Json] = [
        {
            "workflow": definition.name,
            "digest": definition.digest,
            "timeout": definition.timeout,
            "unnamed": sorted({*functions_of(definition)} - {*config.functions}),
        }
        for definition in definitions
    ]
    is_local = all(target.provider == "local" for target in config.order)
    notes = [
        f"{row['workflow']} calls {', '.join(row['unnamed'])}, which leeward.toml does not name; "
        "each target must have them by these names"
        for row in data
        if row["unnamed"] and not is_local
    ]
    listed = Table(_CHECKED, data, "", "No workflows in leeward.toml.")
    return Report({"workflows": data, "local": is_local}, 0.0, [listed], notes)


def draw(
    context: typer.Context,
    name: Name,
    run: Annotated[str | None, argument("Show the state of this run.", "[RUN]")] = None,
    *,
    out: Annotated[Path | None, option("Default: the standard output.", "FILE")] = None,
) -> Report:
    """Draw a workflow as SVG, with the state of a run in it."""
    options = options_of(context)
    state = None
    if run is not None:
        with options.client_of_data() as client:
            state = client.get_run(name, run)
        if state is None:
            return _show(None, name, run)
    svg = picture_of(options.workflow(name), state)
    return _write({"workflow": name, "run": run, "svg": svg}, "svg", out)


def write(
    context: typer.Context,
    name: Name,
    *,
    form: Annotated[str, option("Default: yaml.", "yaml|json", "--format")] = "yaml",
    out: Annotated[Path | None, option("Default: the standard output.", "FILE")] = None,
) -> Report:
    """Write a workflow's definition as YAML or JSON."""
    if form not in ("yaml", "json"):
        raise typer.BadParameter("--format must be yaml or json")
    options = options_of(context)
    definition = options.workflow(name)
    text = yaml_of(definition) if form == "yaml" else json_of(definition)
    data = {"workflow": name, "definition": document_of(definition), "text": text}
    return _write(data, "text", out)


def _store(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def _write(data: Json, field: str, out: Path | None) -> Report:
    """Write one text of a result into a file, or show the result."""
    if out is None:
        return Report(data, parts=[Block(field, data[field].rstrip("\n"))])
    _store(out, data[field])
    return Report({**data, "file": str(out)}, parts=[str(out)])


def _follow(client: Client, name: str, id: str, wait: float) -> Run | None:
    """Return a run once it has ended, or after `wait` seconds, with what it has done."""
    with suppress(TimeoutError):
        client.wait_for_run(name, id, timeout=wait)
    return client.get_run(name, id)


def _show(run: Run | None, name: str, id: str, *, ended: bool = False) -> Report:
    """Return a run; if it was to end here (`ended`), with the code of its end."""
    if run is None:
        data = {"found": False, "workflow": name, "id": id}
        return Report(data, notes=[f"{name!r} has no run {id!r}."], exit_code=ABSENT.code)
    code = 0
    if ended and run.state.value != "succeeded":
        code = STILL_RUNS.code if run.ended is None else RAISED.code
    return show_run(run, time())._replace(exit_code=code)
