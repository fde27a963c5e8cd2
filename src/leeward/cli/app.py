"""The typer application: every command with its examples, and the global options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from leeward.cli.arguments import option
from leeward.cli.commands import keys, objects, spool, unknown, verbs, workflow
from leeward.cli.commands.demo import demo
from leeward.cli.commands.dlq import dlq
from leeward.cli.commands.doctor import doctor
from leeward.cli.commands.handlers import show_app, trigger
from leeward.cli.commands.logs import logs
from leeward.cli.commands.new import new
from leeward.cli.commands.status import status
from leeward.cli.commands.targets import isolate, restore, show_version, targets
from leeward.cli.commands.worker import worker
from leeward.cli.global_options import GlobalOptions
from leeward.cli.group import (
    NO_TRACEBACK,
    NO_TRUST_ENV,
    CommandGroup,
    add_command,
    command_group,
    epilog,
    is_debugging,
)
from leeward.cli.output.exit_codes import EXIT_CODES
from leeward.cli.output.output import Output
from leeward.views import Report

GROUPS: Final = {
    "keys": "List and show the records of idempotent functions; settle or approve one.",
    "unknown": "List, settle or forget calls whose outcome nobody knows.",
    "spool": "Events and calls that wait until a target takes them.",
    "object": "Put, read, list and delete the objects of a bucket.",
    "workflow": "Start runs of workflows, look at them, end them, and draw them.",
}
"""Commands of two words: the first one, and what they are for."""

COMMANDS: Final[Mapping[str, Callable[..., Report | None]]] = {
    "invoke": verbs.invoke,
    "enqueue": verbs.enqueue,
    "settle": verbs.settle,
    "publish": verbs.publish,
    "store": verbs.store,
    "load": verbs.load,
    "list": verbs.list_,
    "delete": verbs.delete,
    "targets": targets,
    "doctor": doctor,
    "status": status,
    "logs": logs,
    "dlq": dlq,
    "keys list": keys.list_,
    "keys show": keys.show,
    "keys settle": keys.settle_record,
    "keys release": keys.release,
    "keys void": keys.void,
    "keys approve": keys.approve,
    "keys refuse": keys.refuse,
    "unknown list": unknown.list_,
    "unknown settle": unknown.settle,
    "unknown forget": unknown.forget,
    "spool status": spool.status,
    "spool drain": spool.drain,
    "spool discard": spool.discard,
    "object put": objects.put,
    "object get": objects.get,
    "object show": objects.show,
    "object list": objects.list_,
    "object delete": objects.delete,
    "workflow start": workflow.start,
    "workflow list": workflow.list_,
    "workflow show": workflow.show,
    "workflow rerun": workflow.rerun,
    "workflow send": workflow.send,
    "workflow approve": workflow.approve,
    "workflow deny": workflow.deny,
    "workflow cancel": workflow.cancel,
    "workflow abort": workflow.abort,
    "workflow resume": workflow.resume,
    "workflow check": workflow.check,
    "workflow write": workflow.write,
    "workflow draw": workflow.draw,
    "worker": worker,
    "isolate": isolate,
    "restore": restore,
    "app": show_app,
    "trigger": trigger,
    "new": new,
    "demo": demo,
    "version": show_version,
}

EXAMPLES: Final = """
leeward invoke send-receipt '{"order": "42"}'
leeward invoke send-receipt @order.json --timeout 5
leeward invoke stock --effect read_only --json | jq .value
leeward enqueue send-receipt '{"order": "42"}' --effect idempotent
leeward settle charge 01a20e39-df49-7edf-853d-ce1f5bf93c48
leeward settle charge order-42 --payload @order.json
leeward publish orders order.created '{"id": "42"}'
leeward publish orders order.created @order.json --ordering-key c1
leeward store orders '{"id": "42", "total": 9.90}'
leeward store orders @order.json --if-absent
leeward store orders @order.json --expires-in 86400
leeward load orders 42
leeward load orders customer=c1 order=42
leeward load orders '{"customer": "c1", "order": "42"}'
leeward list orders c1
leeward list orders c1 --begins 2026-05- --descending --limit 20
leeward list orders c1 --json | jq .items[].item
leeward delete orders 42
leeward delete orders customer=c1 order=42 --if-revision 01JZ...
leeward targets
leeward targets --targets local:a,local:b --json
leeward doctor
leeward doctor --targets local:a,local:b --json
leeward status
leeward status --json | jq '.facts[].sentence'
leeward logs send-receipt --since 1h
leeward logs --errors --follow
leeward logs send-receipt --json | jq .lines[].message
leeward dlq list
leeward dlq show parcels-dead --json
leeward dlq redrive parcels-dead --dry-run
leeward dlq redrive parcels-dead --to parcels --rate 10 --force
leeward keys list keys --state unknown
leeward keys show keys 0123456789ab --result
leeward keys settle keys 0123456789ab did-not-run fedcba987654
leeward keys settle keys 0123456789ab ran fedcba987654 --result '{"id": 42}'
leeward keys release keys 0123456789ab fedcba987654
leeward keys void keys 0123456789ab fedcba987654
leeward keys approve keys 0123456789ab fedcba987654
leeward keys refuse keys 0123456789ab fedcba987654
leeward unknown list --limit 20
leeward unknown settle --all
leeward unknown settle 01a20e39-df49-7edf-853d-ce1f5bf93c48
leeward unknown forget 01a20e39-df49-7edf-853d-ce1f5bf93c48
leeward unknown forget --all --force
leeward spool status --json
leeward spool drain --wait 60
leeward spool drain --dead
leeward spool discard --force
leeward object put reports 2026/may.csv may.csv
leeward object put reports 2026/may.csv - --if-absent --metadata version=7
leeward object get reports 2026/may.csv --out may.csv
leeward object get reports 2026/may.csv --length 100
leeward object show reports 2026/may.csv
leeward object list reports 2026/ --limit 20
leeward object delete reports 2026/may.csv
leeward workflow start order '{"id": "42"}' --id order-42
leeward workflow list order --limit 20
leeward workflow show order order-42
leeward workflow rerun order order-42 --from ship-order --id order-42-again
leeward workflow send order order-42 paid '{"charge": "ch_1"}'
leeward workflow approve order order-42 --note "they are a good customer"
leeward workflow deny order order-42
leeward workflow cancel order order-42
leeward workflow abort order order-42
leeward workflow resume --wait 60
leeward workflow check
leeward workflow write order --out order.yaml
leeward workflow draw order --out order.svg
leeward workflow draw order order-42 --out order-42.svg
leeward worker shop:app --targets postgres
leeward worker --queue parcels=4 --limit send-receipt=2
leeward worker --health 8081 --http 127.0.0.1:8080 --drain 60
leeward worker --once
leeward isolate local:a --everywhere --why 'disk is full' --for 2h
leeward restore local:a --everywhere
leeward app
leeward app shop:app --json
leeward trigger create-ticket '{"id": "7", "text": "lost keys"}'
leeward trigger note-ticket @event.json
leeward trigger greet
leeward new help-desk
leeward new help-desk --folder apps/desk
leeward demo
leeward demo --json
leeward version
"""
"""Each is in the help of the command that it begins with."""

app = typer.Typer(
    cls=CommandGroup,
    name="leeward",
    help=(
        "Your serverless calls, on whichever cloud is up.\n\n"
        "Results go to the standard output; errors, and details of a result, to the standard "
        "error."
    ),
    epilog=epilog("Exit codes", *(f"{code.code:>3}  {code.meaning}" for code in EXIT_CODES)),
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def leeward(
    context: typer.Context,
    *,
    targets: Annotated[
        str | None,
        option("Such as local:a,local:b. Default: CLOUD_PROVIDER, else the file.", "ORDER"),
    ] = None,
    config: Annotated[
        Path | None, option("Default: LEEWARD_CONFIG, else ./leeward.toml.", "FILE")
    ] = None,
    no_trust_env: Annotated[
        bool,
        typer.Option(
            NO_TRUST_ENV,
            help="Hardened mode: ignore variables, and files that --config does not name.",
        ),
    ] = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Write one JSON object: a result to stdout, an error to stderr."
        ),
    ] = False,
    no_traceback: Annotated[
        bool, typer.Option(NO_TRACEBACK, help="Show no text of what a handler here has raised.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Keep the global options for the command that follows."""
    output = Output(json=json, tracebacks=not no_traceback)
    context.obj = GlobalOptions(targets, config, not no_trust_env, output)
    if context.invoked_subcommand is not None:
        return
    if version:
        output.report(show_version())
        return
    if json:
        context.fail("Missing command.")
    typer.echo(context.get_help())
    raise typer.Exit(2)


def _add_commands() -> None:
    groups = {"": app} | {name: command_group(about) for name, about in GROUPS.items()}
    for name in GROUPS:
        app.add_typer(groups[name], name=name)
    for path, command in COMMANDS.items():
        group, _, name = path.rpartition(" ")
        start = f"leeward {path} "
        examples = (line for line in EXAMPLES.splitlines() if f"{line} ".startswith(start))
        add_command(groups[group], name, command, *examples)


_add_commands()

__all__ = ["app", "is_debugging"]
