"""``leeward backup``: back up a table, prove it, restore it anywhere; or write an app for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final, NamedTuple, cast

import typer

from leeward.app import App
from leeward.cli.global_options import GlobalOptions, options_of, without_handlers
from leeward.cli.output.console import Printers
from leeward.cli.output.exit_codes import BROKEN
from leeward.cli.output.json_view import JsonObject
from leeward.client import Client
from leeward.config import Config, TableConfig
from leeward.config.model import BucketConfig
from leeward.errors import ConfigError
from leeward.values import Promise
from leeward_backup.backups import Backups
from leeward_backup.checkpoints import USUAL_FOLDER
from leeward_backup.commands import views
from leeward_backup.commands.views import progress
from leeward_backup.folder import LATEST
from leeward_backup.scheduled import Weekday, schedule_backup

Table = Annotated[str, typer.Argument(metavar="TABLE", help="Logical name of the table.")]
Id = Annotated[
    str, typer.Argument(metavar="[BACKUP]", help="Id of the backup; by default the last one.")
]
Store = Annotated[
    str, typer.Option("--store", metavar="BUCKET[/PREFIX]", help="Where the backups are.")
]
KeyFile = Annotated[
    list[Path] | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help="Holds the key of encrypted backups. Again for older keys, which only open.",
    ),
]
CopiedFrom = Annotated[
    str | None,
    typer.Option(
        "--copied-from", metavar="PLACE", help="Where the backups were made: BUCKET/PREFIX/TABLE."
    ),
]
Work = Annotated[
    Path, typer.Option("--work", metavar="FOLDER", help="Where runs keep what they have read.")
]
TableAt = Annotated[
    str | None,
    typer.Option("--at", metavar="TARGET", help="Where the table is. Default: its home."),
]
StoreAt = Annotated[
    str | None,
    typer.Option("--store-at", metavar="TARGET", help="Where the bucket is. Default: its home."),
]
Rate = Annotated[
    float | None, typer.Option("--rate", metavar="NUMBER", help="Items a second, at most.")
]

_MODULE: Final = '''"""Back up a table, on a schedule."""

from leeward import App
from leeward_backup import schedule_backup

app = App("backups")
schedule_backup(app, {arguments}, client=app.client{drill})
'''


def create(
    context: typer.Context,
    table: Table,
    *,
    store: Store,
    id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Of the backup. A repeated run makes no second."),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read stored segments; write damaged ones again."),
    ] = False,
    rate: Rate = None,
    key_file: KeyFile = None,
    at: TableAt = None,
    store_at: StoreAt = None,
    work: Work = USUAL_FOLDER,
) -> None:
    """Back up a table, and upload only what has changed since the last backup."""
    options = options_of(context)
    location = _Location(table, table, store, at, store_at, key_file, work)
    with _open(options, location) as backups:
        backup = backups.create(id=id, rate=rate, verify=verify)
    options.output.show(views.json_of_backup(backup), views.render_backup)


def list_(
    context: typer.Context,
    table: Table,
    *,
    store: Store,
    key_file: KeyFile = None,
    store_at: StoreAt = None,
) -> None:
    """List the backups of a table, the latest last."""
    options = options_of(context)
    with _open(options, _Location(table, table, store, None, store_at, key_file)) as backups:
        found = backups.list()
    listed = [views.json_of_backup(each) for each in found]
    options.output.show({"backups": listed}, views.render_list)
    if any(each.wrong for each in found):
        raise typer.Exit(BROKEN.code)


def check(
    context: typer.Context,
    table: Table,
    backup: Id = LATEST,
    *,
    store: Store,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Read everything: only this finds a changed byte."),
    ] = False,
    key_file: KeyFile = None,
    copied_from: CopiedFrom = None,
    store_at: StoreAt = None,
) -> None:
    """Check that a backup is complete; with --deep, that nothing in it has changed."""
    options = options_of(context)
    with _open(
        options, _Location(table, table, store, None, store_at, key_file, copied_from=copied_from)
    ) as backups:
        checked = backups.check(backup, deep=deep)
    options.output.show(views.json_of(checked), views.render_checked)
    if checked.findings:
        raise typer.Exit(BROKEN.code)


def restore(
    context: typer.Context,
    table: Table,
    backup: Id = LATEST,
    *,
    store: Store,
    into: Annotated[
        str | None,
        typer.Option("--into", metavar="TABLE", help="The table to fill. Default: the same table."),
    ] = None,
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            metavar="MODE",
            help="What if there are items: empty refuses, missing leaves them, overwrite does so.",
        ),
    ] = "empty",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; name the keys that do not fit.")
    ] = False,
    skip_damaged: Annotated[
        bool,
        typer.Option("--skip-damaged", help="Leave out damaged parts of the backup; name them."),
    ] = False,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain", help="Write values that only another cloud has as load_data returns them."
        ),
    ] = False,
    rate: Rate = None,
    parallel: Annotated[
        int, typer.Option("--parallel", metavar="NUMBER", help="Items that are written at once.")
    ] = 8,
    key_file: KeyFile = None,
    copied_from: CopiedFrom = None,
    at: TableAt = None,
    store_at: StoreAt = None,
    work: Work = USUAL_FOLDER,
) -> None:
    """Restore a backup into a table on any target, and read the table again to compare."""
    options = options_of(context)
    location = _Location(table, into or table, store, at, store_at, key_file, work, copied_from)
    with _open(options, location) as backups:
        if dry_run:
            fit = backups.dry_run(
                backup, into=into, mode=mode, skip_damaged=skip_damaged, plain=plain
            )
            options.output.show(views.json_of(fit), views.render_fit)
            if fit.findings or fit.missing:
                raise typer.Exit(BROKEN.code)
            return
        restored = backups.restore(
            backup,
            into=into,
            mode=mode,
            rate=rate,
            parallel=parallel,
            skip_damaged=skip_damaged,
            plain=plain,
        )
    options.output.show(views.json_of_restored(restored), views.render_restored)
    if restored.missing or (restored.promise is not Promise.VERIFIED and mode == "empty"):
        raise typer.Exit(BROKEN.code)


def drill(
    context: typer.Context,
    table: Table,
    backup: Id = LATEST,
    *,
    store: Store,
    key_file: KeyFile = None,
    copied_from: CopiedFrom = None,
    store_at: StoreAt = None,
    work: Work = USUAL_FOLDER,
) -> None:
    """Restore a backup on this machine's disk, compare everything, and remove it again."""
    options = options_of(context)
    with _open(
        options, _Location(table, table, store, None, store_at, key_file, work, copied_from)
    ) as backups:
        restored = backups.drill(backup)
    options.output.show(views.json_of_restored(restored), views.render_restored)
    if restored.promise is not Promise.VERIFIED:
        raise typer.Exit(BROKEN.code)


def prune(
    context: typer.Context,
    table: Table,
    *,
    store: Store,
    keep: Annotated[int, typer.Option("--keep", help="How many of the latest stay.")] = 7,
    days: Annotated[float, typer.Option("--days", help="Backups of so many days stay, too.")] = 0.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing.")] = False,
    key_file: KeyFile = None,
    store_at: StoreAt = None,
) -> None:
    """Delete old backups, and segments that no backup needs any more."""
    options = options_of(context)
    with _open(options, _Location(table, table, store, None, store_at, key_file)) as backups:
        pruned = backups.prune(keep=keep, days=days, dry_run=dry_run)
    options.output.show(views.json_of(pruned) | {"dry_run": dry_run}, views.render_pruned)
    if pruned.wrong:
        raise typer.Exit(BROKEN.code)


class _Location(NamedTuple):
    """Where everything is, by the options of a command.

    Attributes:
        table: whose backups they are.
        used: the table that is read or written.
        store: the bucket with the backups, and the prefix.
        at: the target of `used`; None for its home.
        store_at: the target of the bucket; None for its home.
        key_file: of encrypted backups.
        work: where runs keep what they have read.
        copied_from: where the backups were made, if they were copied.
    """

    table: str
    used: str
    store: str
    at: str | None
    store_at: str | None
    key_file: list[Path] | None
    work: Path = USUAL_FOLDER
    copied_from: str | None = None

    def config(self, config: Config) -> Config:
        """Return a configuration in which the table, and the bucket, have their homes there."""
        bucket = self.store.partition("/")[0]
        if self.at is not None:
            table = config.tables.get(self.used) or TableConfig()
            config = config._replace(
                tables={**config.tables, self.used: table._replace(home=self.at)}
            )
        if self.store_at is not None:
            known = config.buckets.get(bucket) or BucketConfig()
            config = config._replace(
                buckets={**config.buckets, bucket: known._replace(home=self.store_at)}
            )
        return config


@contextmanager
def _open(options: GlobalOptions, location: _Location) -> Iterator[Backups]:
    """Open the client without the functions of embedded targets, and show what goes on."""
    config = location.config(without_handlers(options.resolve()))
    quiet = options.output.is_for_programs
    with options.client(config) as client, progress(sys.stderr, quiet=quiet) as look:
        yield Backups(
            client,
            location.table,
            location.store,
            key_file=location.key_file,
            work=location.work,
            look=look,
            copied_from=location.copied_from,
        )


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
    # The sections that `leeward.toml` lacks, by which an export gives handlers rights.
    config = options.resolve()
    bucket = store.partition("/")[0]
    wanted = (
        (f"tables.{table}", table in config.tables),
        (f"buckets.{bucket}", bucket in config.buckets),
        (f"functions.{rest}", rest in config.functions),
    )
    missing = [f"[{section}]" for section, there in wanted if not there]
    name = f"{out.stem}:app"
    data = {
        "file": str(out),
        "handlers": [*app.handlers],
        "missing": missing,
        "commands": [
            "echo leeward-backup >> requirements.txt    # what the app needs besides leeward",
            f"leeward package {name} --target PROVIDER",
            f"leeward export terraform {name}",
            f"leeward worker    # with [targets.local] app = {_literal(name)}",
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


def _render(data: JsonObject, printers: Printers) -> None:
    printers.out.text(data["file"])
    if data["missing"]:
        printers.err.text(f"Name in leeward.toml what it may use: {', '.join(data['missing'])}")
    for command in data["commands"]:
        printers.err.text(command)
