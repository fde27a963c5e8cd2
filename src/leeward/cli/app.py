"""The typer application: every command with its examples, and the global options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from leeward.cli import NO_TRUST_ENV
from leeward.cli.commands import (
    backup,
    backup_schedule,
    edge,
    export,
    keys,
    objects,
    scheduler,
    verbs,
    workflow,
)
from leeward.cli.commands.conformance import conformance
from leeward.cli.commands.demo import demo
from leeward.cli.commands.dlq import dlq
from leeward.cli.commands.doctor import doctor
from leeward.cli.commands.drill import drill
from leeward.cli.commands.package import package
from leeward.cli.commands.targets import targets
from leeward.cli.commands.version import show_version, version
from leeward.cli.global_options import GlobalOptions
from leeward.cli.group import Command, Commands, Group
from leeward.cli.output.exit_codes import EXIT_CODES
from leeward.cli.output.output import output_for


def _epilog(title: str, *lines: str) -> str:
    """Return lines that the help shows as they are: click wraps text without the mark."""
    return "\b\n" + "\n".join([f"{title}:", *(f"  {line}" for line in lines)])


def _examples(*lines: str) -> str:
    return _epilog("Examples", *lines) + (
        "\n\n\b\nBefore or after the command: --targets, --config, --no-trust-env, --json\n"
        "(see leeward --help)."
    )


app = typer.Typer(
    cls=Group,
    name="leeward",
    help=(
        "Your serverless calls, on whichever cloud is up.\n\n"
        "Results go to the standard output; errors, and details of a result, to the standard "
        "error."
    ),
    epilog=_epilog("Exit codes", *(f"{each.code:>3}  {each.meaning}" for each in EXIT_CODES)),
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
    made = typer.Typer(
        cls=Commands, help=about, no_args_is_help=True, pretty_exceptions_enable=False
    )
    app.add_typer(made, name=name)
    return made


def _add(group: typer.Typer, name: str, command: Callable[..., None], *examples: str) -> None:
    group.command(name=name, cls=Command, epilog=_examples(*examples))(command)


_add(
    app,
    "invoke",
    verbs.invoke,
    """leeward invoke send-receipt '{"order": "42"}'""",
    "leeward invoke send-receipt @order.json --timeout 5",
    "leeward invoke stock --effect read_only --json | jq .value",
)
_add(
    app,
    "enqueue",
    verbs.enqueue,
    """leeward enqueue send-receipt '{"order": "42"}' --effect idempotent""",
)
_add(
    app,
    "publish",
    verbs.publish,
    """leeward publish orders order.created '{"id": "42"}'""",
    "leeward publish orders order.created @order.json --ordering-key c1",
)
_add(
    app,
    "store",
    verbs.store,
    """leeward store orders '{"id": "42", "total": 9.90}'""",
    "leeward store orders @order.json --if-absent",
    "leeward load orders 42 | leeward store orders - --expires-in 86400",
)
_add(
    app,
    "load",
    verbs.load,
    "leeward load orders 42",
    "leeward load orders customer=c1 order=42",
    """leeward load orders '{"customer": "c1", "order": "42"}'""",
)
_add(
    app,
    "delete",
    verbs.delete,
    "leeward delete orders 42",
    "leeward delete orders customer=c1 order=42 --if-revision 01JZ...",
)
_add(app, "targets", targets, "leeward targets", "leeward targets --targets local:a,local:b --json")
_add(app, "doctor", doctor, "leeward doctor", "leeward doctor --targets local:a,local:b --json")
_add(
    app,
    "drill",
    drill,
    "leeward drill --simulate",
    "leeward drill stock --effect read_only",
    """leeward drill stock '{"sku": "7"}' --fault "local:a:slow x4@2s-9s" --rate 50""",
)
_add(
    app,
    "dlq",
    dlq,
    "leeward dlq list",
    "leeward dlq show parcels-dead --json",
    "leeward dlq redrive parcels-dead --dry-run",
    "leeward dlq redrive parcels-dead --to parcels --rate 10 --force",
)
records = _group("keys", "List the records of idempotent functions, and settle one by hand.")
_add(records, "list", keys.list_, "leeward keys list keys --state unknown")
_add(
    records,
    "settle",
    keys.settle_record,
    "leeward keys settle keys 0123456789ab did-not-run",
    """leeward keys settle keys 0123456789ab ran --result '{"paid": "42"}'""",
)
_add(
    app,
    "package",
    package,
    "leeward package --target $CLOUD_PROVIDER --source shop",
    "leeward package shop:app --target $CLOUD_PROVIDER --template",
)

buckets = _group("object", "Put, read, list and delete the objects of a bucket.")
_add(
    buckets,
    "put",
    objects.put,
    "leeward object put reports 2026/may.csv may.csv",
    "leeward object put reports 2026/may.csv - --if-absent --metadata version=7",
)
_add(
    buckets,
    "get",
    objects.get,
    "leeward object get reports 2026/may.csv --out may.csv",
    "leeward object get reports 2026/may.csv --length 100",
)
_add(buckets, "show", objects.show, "leeward object show reports 2026/may.csv")
_add(buckets, "list", objects.list_, "leeward object list reports 2026/ --limit 20")
_add(buckets, "delete", objects.delete, "leeward object delete reports 2026/may.csv")

flows = _group("workflow", "Start runs of workflows, look at them, end them, and draw them.")
_add(
    flows, "start", workflow.start, """leeward workflow start order '{"id": "42"}' --id order-42"""
)
_add(flows, "list", workflow.list_, "leeward workflow list order --limit 20")
_add(flows, "show", workflow.show, "leeward workflow show order order-42")
_add(flows, "cancel", workflow.cancel, "leeward workflow cancel order order-42")
_add(flows, "abort", workflow.abort, "leeward workflow abort order order-42")
_add(flows, "resume", workflow.resume, "leeward workflow resume --wait 60")
_add(flows, "check", workflow.check, "leeward workflow check")
_add(flows, "write", workflow.write, "leeward workflow write order --out order.yaml")
_add(
    flows,
    "draw",
    workflow.draw,
    "leeward workflow draw order --out order.svg",
    "leeward workflow draw order order-42 --out order-42.svg",
)
_add(
    flows,
    "conformance",
    conformance,
    "leeward workflow conformance",
    "leeward workflow conformance --engine 'python my_engine.py'",
)
_add(
    flows,
    "export",
    workflow.export,
    "leeward workflow export order --engine $CLOUD_PROVIDER --out deploy",
)

backups = _group("backup", "Back up tables, prove the backups, and restore them on any target.")
_add(
    backups,
    "create",
    backup.create,
    "leeward backup create orders --store backups/shop",
    "leeward backup create orders --store backups --id nightly-20260131",
)
_add(backups, "list", backup.list_, "leeward backup list orders --store backups/shop")
_add(backups, "check", backup.check, "leeward backup check orders --store backups/shop --deep")
_add(
    backups,
    "restore",
    backup.restore,
    "leeward backup restore orders --store backups/shop --dry-run",
    "leeward backup restore orders --store backups/shop --into orders-again",
)
_add(backups, "drill", backup.drill, "leeward backup drill orders --store backups/shop")
_add(
    backups,
    "schedule",
    backup_schedule.schedule,
    "leeward backup schedule orders --store backups/shop --drill sunday",
)
_add(
    backups,
    "prune",
    backup.prune,
    "leeward backup prune orders --store backups/shop --keep 7 --days 30",
)
_add(
    backups,
    "native",
    backup.native,
    "leeward backup native orders",
    "leeward backup native orders --export exports/orders",
)

edges = _group(
    "edge", "Static rules for the edge of a cloud, and functions where an edge runs them."
)
_add(
    edges,
    "check",
    edge.check,
    "leeward edge check edge.toml",
    "leeward edge check edge.toml --path /shop/7 --country DE",
)
_add(
    edges, "export", edge.export, "leeward edge export edge.toml --to $CLOUD_PROVIDER --out deploy"
)
_add(
    edges,
    "package",
    edge.package,
    "leeward edge package visits:f --to $CLOUD_PROVIDER --event viewer-request",
)
_add(
    edges,
    "associate",
    edge.associate,
    "leeward edge associate a.json --to $CLOUD_PROVIDER --function ARN --event E",
)

exports = _group(
    "export", "Write an app's infrastructure for Terraform or CloudFormation. It deploys nothing."
)
_add(
    exports,
    "terraform",
    export.terraform,
    "leeward export terraform shop:app --out infrastructure",
    "leeward export terraform --targets $CLOUD_PROVIDER --source shop",
)
_add(
    exports,
    "cloudformation",
    export.cloudformation,
    "leeward export cloudformation shop:app --out infrastructure",
)

schedulers = _group("scheduler", "Schedules of an app on the embedded target; clouds run theirs.")
_add(
    schedulers, "run", scheduler.run, "leeward scheduler run", "leeward scheduler run --once --json"
)
_add(app, "demo", demo, "leeward demo", "leeward demo --json")
_add(app, "version", version, "leeward version")
