"""The typer application: every command with its examples, and the global options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.cli.commands import fleet, keys, objects, scheduler, spool, unknown, verbs, workflow
from leeward.cli.commands.demo import demo
from leeward.cli.commands.dlq import dlq
from leeward.cli.commands.doctor import doctor
from leeward.cli.commands.handlers import show_app, trigger
from leeward.cli.commands.logs import logs
from leeward.cli.commands.new import new
from leeward.cli.commands.status import status
from leeward.cli.commands.targets import show_version, targets, version
from leeward.cli.commands.worker import worker
from leeward.cli.global_options import GlobalOptions
from leeward.cli.group import (
    NO_TRUST_ENV,
    CommandGroup,
    add_command,
    command_group,
    epilog,
    is_debugging,
)
from leeward.cli.output.exit_codes import EXIT_CODES
from leeward.cli.output.output import output_for

app = typer.Typer(
    cls=CommandGroup,
    name="leeward",
    help=(
        "Your serverless calls, on whichever cloud is up.\n\n"
        "Results go to the standard output; errors, and details of a result, to the standard "
        "error."
    ),
    epilog=epilog("Exit codes", *(f"{each.code:>3}  {each.meaning}" for each in EXIT_CODES)),
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def leeward(
    context: typer.Context,
    *,
    targets: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER", help="Such as local:a,local:b. Default: CLOUD_PROVIDER, else the file."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Default: LEEWARD_CONFIG, else ./leeward.toml."),
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
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Keep the global options for the command that follows."""
    context.obj = GlobalOptions(targets, config, not no_trust_env, output_for(json=json))
    if context.invoked_subcommand is not None:
        return
    if version:
        show_version(context.obj.output)
        return
    if json:
        context.fail("Missing command.")
    typer.echo(context.get_help())
    raise typer.Exit(2)


def _group(name: str, about: str) -> typer.Typer:
    """Add commands of two words; `about` says what they are for."""
    group = command_group(about)
    app.add_typer(group, name=name)
    return group


add_command(
    app,
    "invoke",
    verbs.invoke,
    """leeward invoke send-receipt '{"order": "42"}'""",
    "leeward invoke send-receipt @order.json --timeout 5",
    "leeward invoke stock --effect read_only --json | jq .value",
)
add_command(
    app,
    "enqueue",
    verbs.enqueue,
    """leeward enqueue send-receipt '{"order": "42"}' --effect idempotent""",
)
add_command(
    app,
    "settle",
    verbs.settle,
    "leeward settle charge 01a20e39-df49-7edf-853d-ce1f5bf93c48",
    "leeward settle charge order-42 --payload @order.json",
)
add_command(
    app,
    "publish",
    verbs.publish,
    """leeward publish orders order.created '{"id": "42"}'""",
    "leeward publish orders order.created @order.json --ordering-key c1",
)
add_command(
    app,
    "store",
    verbs.store,
    """leeward store orders '{"id": "42", "total": 9.90}'""",
    "leeward store orders @order.json --if-absent",
    "leeward load orders 42 | leeward store orders - --expires-in 86400",
)
add_command(
    app,
    "load",
    verbs.load,
    "leeward load orders 42",
    "leeward load orders customer=c1 order=42",
    """leeward load orders '{"customer": "c1", "order": "42"}'""",
)
add_command(
    app,
    "list",
    verbs.list_,
    "leeward list orders c1",
    "leeward list orders c1 --begins 2026-05- --descending --limit 20",
    "leeward list orders c1 --json | jq .items[].item",
)
add_command(
    app,
    "delete",
    verbs.delete,
    "leeward delete orders 42",
    "leeward delete orders customer=c1 order=42 --if-revision 01JZ...",
)
add_command(
    app, "targets", targets, "leeward targets", "leeward targets --targets local:a,local:b --json"
)
add_command(
    app, "doctor", doctor, "leeward doctor", "leeward doctor --targets local:a,local:b --json"
)
add_command(
    app, "status", status, "leeward status", "leeward status --json | jq '.facts[].sentence'"
)
add_command(
    app,
    "logs",
    logs,
    "leeward logs send-receipt --since 1h",
    "leeward logs --errors --follow",
    "leeward logs send-receipt --json | jq .lines[].message",
)
add_command(
    app,
    "dlq",
    dlq,
    "leeward dlq list",
    "leeward dlq show parcels-dead --json",
    "leeward dlq redrive parcels-dead --dry-run",
    "leeward dlq redrive parcels-dead --to parcels --rate 10 --force",
)
records = _group(
    "keys", "List and show the records of idempotent functions; settle or approve one."
)
add_command(records, "list", keys.list_, "leeward keys list keys --state unknown")
add_command(records, "show", keys.show, "leeward keys show keys 0123456789ab --result")
add_command(
    records,
    "settle",
    keys.settle_record,
    "leeward keys settle keys 0123456789ab did-not-run fedcba987654",
    """leeward keys settle keys 0123456789ab ran fedcba987654 --result '{"id": 42}'""",
)
add_command(records, "release", keys.release, "leeward keys release keys 0123456789ab fedcba987654")
add_command(records, "void", keys.void, "leeward keys void keys 0123456789ab fedcba987654")
add_command(records, "approve", keys.approve, "leeward keys approve keys 0123456789ab fedcba987654")
add_command(records, "refuse", keys.refuse, "leeward keys refuse keys 0123456789ab fedcba987654")
unknowns = _group("unknown", "List, settle or forget calls whose outcome nobody knows.")
add_command(unknowns, "list", unknown.list_, "leeward unknown list --limit 20")
add_command(
    unknowns,
    "settle",
    unknown.settle,
    "leeward unknown settle --all",
    "leeward unknown settle 01a20e39-df49-7edf-853d-ce1f5bf93c48",
)
add_command(
    unknowns,
    "forget",
    unknown.forget,
    "leeward unknown forget 01a20e39-df49-7edf-853d-ce1f5bf93c48",
    "leeward unknown forget --all --force",
)
spools = _group("spool", "Events and calls that wait until a target takes them.")
add_command(spools, "status", spool.status, "leeward spool status --json")
add_command(
    spools,
    "drain",
    spool.drain,
    "leeward spool drain --wait 60",
    "leeward spool drain --dead",
)
add_command(spools, "discard", spool.discard, "leeward spool discard --force")
buckets = _group("object", "Put, read, list and delete the objects of a bucket.")
add_command(
    buckets,
    "put",
    objects.put,
    "leeward object put reports 2026/may.csv may.csv",
    "leeward object put reports 2026/may.csv - --if-absent --metadata version=7",
)
add_command(
    buckets,
    "get",
    objects.get,
    "leeward object get reports 2026/may.csv --out may.csv",
    "leeward object get reports 2026/may.csv --length 100",
)
add_command(buckets, "show", objects.show, "leeward object show reports 2026/may.csv")
add_command(buckets, "list", objects.list_, "leeward object list reports 2026/ --limit 20")
add_command(buckets, "delete", objects.delete, "leeward object delete reports 2026/may.csv")

flows = _group("workflow", "Start runs of workflows, look at them, end them, and draw them.")
add_command(
    flows, "start", workflow.start, """leeward workflow start order '{"id": "42"}' --id order-42"""
)
add_command(flows, "list", workflow.list_, "leeward workflow list order --limit 20")
add_command(flows, "show", workflow.show, "leeward workflow show order order-42")
add_command(flows, "cancel", workflow.cancel, "leeward workflow cancel order order-42")
add_command(flows, "abort", workflow.abort, "leeward workflow abort order order-42")
add_command(flows, "resume", workflow.resume, "leeward workflow resume --wait 60")
add_command(flows, "check", workflow.check, "leeward workflow check")
add_command(flows, "write", workflow.write, "leeward workflow write order --out order.yaml")
add_command(
    flows,
    "draw",
    workflow.draw,
    "leeward workflow draw order --out order.svg",
    "leeward workflow draw order order-42 --out order-42.svg",
)
schedulers = _group("scheduler", "Schedules of an app on the embedded target; clouds run theirs.")
add_command(
    schedulers, "run", scheduler.run, "leeward scheduler run", "leeward scheduler run --once --json"
)
add_command(
    app,
    "worker",
    worker,
    "leeward worker shop:app --targets postgres",
    "leeward worker --queue parcels=4 --limit send-receipt=2",
    "leeward worker --health 8081 --http 127.0.0.1:8080 --drain 60",
    "leeward worker --once",
)
add_command(
    app,
    "isolate",
    fleet.isolate,
    "leeward isolate local:a --everywhere --why 'disk is full' --for 2h",
)
add_command(app, "restore", fleet.restore, "leeward restore local:a --everywhere")
add_command(app, "app", show_app, "leeward app", "leeward app shop:app --json")
add_command(
    app,
    "trigger",
    trigger,
    """leeward trigger create-ticket '{"id": "7", "text": "lost keys"}'""",
    "leeward trigger note-ticket @event.json",
    "leeward trigger greet",
)
add_command(app, "new", new, "leeward new help-desk", "leeward new help-desk --folder apps/desk")
add_command(app, "demo", demo, "leeward demo", "leeward demo --json")
add_command(app, "version", version, "leeward version")

__all__ = ["app", "is_debugging"]
