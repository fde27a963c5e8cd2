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
from leeward.cli.arguments import argument, flag, option
from leeward.cli.global_options import GlobalOptions, options_of, without_handlers
from leeward.client import Client
from leeward.config import Config, TableConfig
from leeward.config.model import BucketConfig
from leeward.errors import ConfigError
from leeward.values import Promise
from leeward.views import Report
from leeward_backup.backups import Backups
from leeward_backup.checkpoints import USUAL_FOLDER
from leeward_backup.commands import views
from leeward_backup.commands.views import progress
from leeward_backup.folder import LATEST
from leeward_backup.scheduled import Weekday, schedule_backup

Table = Annotated[str, argument("Logical name of the table.", "TABLE")]
Id = Annotated[str, argument("Id of the backup; by default the last one.", "[BACKUP]")]
Store = Annotated[str, option("Where the backups are.", "BUCKET[/PREFIX]", "--store")]
KeyFile = Annotated[
    list[Path] | None,
    option(
        "Holds the key of encrypted backups. Again for older keys, which only open.",
        "FILE",
        "--key-file",
    ),
]
CopiedFrom = Annotated[
    str | None,
    option("Where the backups were made: BUCKET/PREFIX/TABLE.", "PLACE", "--copied-from"),
]
Work = Annotated[Path, option("Where runs keep what they have read.", "FOLDER", "--work")]
TableAt = Annotated[str | None, option("Where the table is. Default: its home.", "TARGET", "--at")]
StoreAt = Annotated[
    str | None, option("Where the bucket is. Default: its home.", "TARGET", "--store-at")
]
Rate = Annotated[float | None, option("Items a second, at most.", "NUMBER", "--rate")]

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
        str | None, option("Of the backup. A repeated run makes no second.", "ID", "--id")
    ] = None,
    verify: Annotated[
        bool, flag("--verify", "Read stored segments; write damaged ones again.")
    ] = False,
    rate: Rate = None,
    key_file: KeyFile = None,
    at: TableAt = None,
    store_at: StoreAt = None,
    work: Work = USUAL_FOLDER,
) -> Report:
    """Back up a table, and upload only what has changed since the last backup."""
    options = options_of(context)
    location = _Location(table, table, store, at, store_at, key_file, work)
    with _open(options, location) as backups:
        backup = backups.create(id=id, rate=rate, verify=verify)
    return views.show_backup(backup)


def list_(
    context: typer.Context,
    table: Table,
    *,
    store: Store,
    key_file: KeyFile = None,
    store_at: StoreAt = None,
) -> Report:
    """List the backups of a table, the latest last."""
    options = options_of(context)
    with _open(options, _Location(table, table, store, None, store_at, key_file)) as backups:
        return views.show_backups(backups.list())


def check(
    context: typer.Context,
    table: Table,
    backup: Id = LATEST,
    *,
    store: Store,
    deep: Annotated[
        bool, flag("--deep", "Read everything: only this finds a changed byte.")
    ] = False,
    key_file: KeyFile = None,
    copied_from: CopiedFrom = None,
    store_at: StoreAt = None,
) -> Report:
    """Check that a backup is complete; with --deep, that nothing in it has changed."""
    options = options_of(context)
    with _open(
        options, _Location(table, table, store, None, store_at, key_file, copied_from=copied_from)
    ) as backups:
        return views.show_check(backups.check(backup, deep=deep))


def restore(
    context: typer.Context,
    table: Table,
    backup: Id = LATEST,
    *,
    store: Store,
    into: Annotated[
        str | None, option("The table to fill. Default: the same table.", "TABLE", "--into")
    ] = None,
    mode: Annotated[
        str,
        option(
            "What if there are items: empty refuses, missing leaves them, overwrite does so.",
            "MODE",
            "--mode",
        ),
    ] = "empty",
    dry_run: Annotated[
        bool, flag("--dry-run", "Write nothing; name the keys that do not fit.")
    ] = False,
    skip_damaged: Annotated[
        bool, flag("--skip-damaged", "Leave out damaged parts of the backup; name them.")
    ] = False,
    plain: Annotated[
        bool, flag("--plain", "Write values that only another cloud has as load_data returns them.")
    ] = False,
    rate: Rate = None,
    parallel: Annotated[int, option("Items that are written at once.", "NUMBER", "--parallel")] = 8,
    key_file: KeyFile = None,
    copied_from: CopiedFrom = None,
    at: TableAt = None,
    store_at: StoreAt = None,
    work: Work = USUAL_FOLDER,
) -> Report:
    """Restore a backup into a table on any target, and read the table again to compare."""
    options = options_of(context)
    location = _Location(table, into or table, store, at, store_at, key_file, work, copied_from)
    with _open(options, location) as backups:
        if dry_run:
            fit = backups.dry_run(
                backup, into=into, mode=mode, skip_damaged=skip_damaged, plain=plain
            )
            return views.show_fit(fit)
        restored = backups.restore(
            backup,
            into=into,
            mode=mode,
            rate=rate,
            parallel=parallel,
            skip_damaged=skip_damaged,
            plain=plain,
        )
    is_wrong = restored.promise is not Promise.VERIFIED and mode == "empty"
    return views.show_restore(restored, is_wrong=is_wrong)


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
) -> Report:
    """Restore a backup on this machine's disk, compare everything, and remove it again."""
    options = options_of(context)
    with _open(
        options, _Location(table, table, store, None, store_at, key_file, work, copied_from)
    ) as backups:
        restored = backups.drill(backup)
    return views.show_restore(restored, is_wrong=restored.promise is not Promise.VERIFIED)


def prune(
    context: typer.Context,
    table: Table,
    *,
    store: Store,
    keep: Annotated[int, option("How many of the latest stay.", "NUMBER", "--keep")] = 7,
    days: Annotated[float, option("Backups of so many days stay, too.", "NUMBER", "--days")] = 0.0,
    dry_run: Annotated[bool, flag("--dry-run", "Delete nothing.")] = False,
    key_file: KeyFile = None,
    store_at: StoreAt = None,
) -> Report:
    """Delete old backups, and segments that no backup needs any more."""
    options = options_of(context)
    with _open(options, _Location(table, table, store, None, store_at, key_file)) as backups:
        pruned = backups.prune(keep=keep, days=days, dry_run=dry_run)
    return views.show_prune(pruned, dry_run=dry_run)


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
            configured = config.buckets.get(bucket) or BucketConfig()
            config = config._replace(
                buckets={**config.buckets, bucket: configured._replace(home=self.store_at)}
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
    cron: Annotated[str, option("Five fields, in UTC.", "SCHEDULE", "--cron")] = "0 2 * * *",
    drill: Annotated[
        str | None, option("The day on which it is also restored.", "WEEKDAY", "--drill")
    ] = None,
    out: Annotated[Path, option("The module that is written.", "FILE", "--out")] = Path(
        "backups_app.py"
    ),
) -> Report:
    """Write an app that backs up a table on a schedule, on every cloud and on local.

    It deploys nothing, and prints the commands that do.
    """
    options = options_of(context)
    app = App("backups")
    day = cast("Weekday | None", drill)
    schedule_backup(app, cron, table, store, client=Client, drill=day)
    arguments = ", ".join(map(_literal, (cron, table, store)))
    argument = "" if drill is None else f", drill={_literal(drill)}"
    text = _MODULE.format(arguments=arguments, drill=argument)
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
    notes = [f"Name in leeward.toml what it may use: {', '.join(missing)}"] if missing else []
    return Report(data, 0.0, [str(out)], [*notes, *data["commands"]])


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
