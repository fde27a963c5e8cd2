"""``leeward backup schedule``: write the app that backs up a table at times."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, cast

import typer

from leeward.app import App
from leeward.cli.global_options import options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject
from leeward.client import Client
from leeward.config import Config
from leeward.errors import ConfigError
from leeward_backup.commands.backup import Store, Table
from leeward_backup.scheduled import Weekday, schedule_backup

_MODULE: Final = '''"""Back up a table, on a schedule."""

from leeward import App
from leeward_backup import schedule_backup

app = App("backups")
schedule_backup(app, {arguments}, client=app.client{drill})
'''


def schedule(
    context: typer.Context,
    table: Table,
    *,
    store: Store,
    cron: Annotated[
        str, typer.Option("--cron", metavar="SCHEDULE", help="Five fields, in UTC.")
    ] = "0 2 * * *",
    drill: Annotated[
        str | None,
        typer.Option("--drill", metavar="WEEKDAY", help="The day on which it is also restored."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The module that is written.")
    ] = Path("backups_app.py"),
) -> None:
    """Write an app that backs up a table on a schedule, on every cloud and on local.

    It deploys nothing, and prints the commands that do.
    """
    options = options_of(context)
    app = App("backups")
    day = cast("Weekday | None", drill)
    schedule_backup(app, cron, table, store, client=Client, drill=day)
    arguments = ", ".join(map(_literal, (cron, table, store)))
    told = "" if drill is None else f", drill={_literal(drill)}"
    text = _MODULE.format(arguments=arguments, drill=told)
    if not out.stem.isidentifier() or out.suffix != ".py":
        raise ConfigError(f"--out {out} must be the file of a module, such as backups_app.py")
    _keep(out, text)
    *_, rest = app.handlers
    missing = _missing(options.resolve(), table, store.partition("/")[0], rest)
    name = f"{out.stem}:app"
    data = {
        "file": str(out),
        "handlers": [*app.handlers],
        "missing": missing,
        "commands": [
            "echo leeward-backup >> requirements.txt    # what the app needs besides leeward",
            f"leeward package {name} --target PROVIDER --template",
            f"leeward scheduler run    # with [targets.local] app = {_literal(name)}",
        ],
    }
    options.output.show(data, _render)


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _keep(file: Path, text: str) -> None:
    """Write a file, unless it is there with the same text.

    Raises:
        ConfigError: it is there with another one, or cannot be written.
    """
    try:
        with suppress(FileExistsError):
            with file.open("x", encoding="utf-8") as new:  # through no link, not even a broken one
                new.write(text)
            return
        if file.is_symlink() or file.read_text(encoding="utf-8") != text:
            raise ConfigError(f"{file} is there already; name another file with --out")
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error


def _missing(config: Config, table: str, bucket: str, rest: str) -> list[str]:
    """Return the sections that `leeward.toml` lacks, by which templates give handlers rights."""
    wanted = (
        (f"tables.{table}", table in config.tables),
        (f"buckets.{bucket}", bucket in config.buckets),
        (f"functions.{rest}", rest in config.functions),
    )
    return [f"[{section}]" for section, there in wanted if not there]


def _render(data: JsonObject, printers: Printers) -> None:
    printers.out.text(data["file"])
    if data["missing"]:
        printers.err.text(f"Name in leeward.toml what it may use: {', '.join(data['missing'])}")
    for command in data["commands"]:
        printers.err.text(command)
