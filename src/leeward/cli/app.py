"""The typer application: every command with its examples, and the global options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.cli import NO_TRUST_ENV
from leeward.cli.commands import backup, edge, export, verbs, workflow
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
            help="Hardened mode: no variable counts, and no file that is not named by --config.",
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


app.command(
    cls=Command,
    epilog=_examples(
        """leeward invoke send-receipt '{"order": "42"}'""",
        "leeward invoke send-receipt @order.json --timeout 5",
        "leeward invoke stock --effect read_only --json | jq .value",
    ),
)(verbs.invoke)
app.command(
    cls=Command,
    epilog=_examples("""leeward enqueue send-receipt '{"order": "42"}' --effect idempotent"""),
)(verbs.enqueue)
app.command(
    cls=Command,
    epilog=_examples(
        """leeward publish orders order.created '{"id": "42"}'""",
        "leeward publish orders order.created @order.json --ordering-key c1",
    ),
)(verbs.publish)
app.command(
    cls=Command,
    epilog=_examples(
        """leeward store orders '{"id": "42", "total": 9.90}'""",
        "leeward store orders @order.json --if-absent",
        "leeward load orders 42 | leeward store orders - --expires-in 86400",
    ),
)(verbs.store)
app.command(
    cls=Command,
    epilog=_examples(
        "leeward load orders 42",
        "leeward load orders customer=c1 order=42",
        """leeward load orders '{"customer": "c1", "order": "42"}'""",
    ),
)(verbs.load)
app.command(
    cls=Command,
    epilog=_examples(
        "leeward delete orders 42",
        "leeward delete orders customer=c1 order=42 --if-revision 01JZ...",
    ),
)(verbs.delete)
app.command(
    cls=Command,
    epilog=_examples(
        "leeward targets",
        "leeward targets --targets local:a,local:b --json",
    ),
)(targets)
app.command(
    cls=Command,
    epilog=_examples("leeward doctor", "leeward doctor --targets local:a,local:b --json"),
)(doctor)
app.command(
    cls=Command,
    epilog=_examples(
        "leeward drill --simulate",
        "leeward drill stock --effect read_only",
        """leeward drill stock '{"sku": "7"}' --fault "local:a:slow x4@2s-9s" --rate 50""",
    ),
)(drill)
app.command(
    cls=Command,
    epilog=_examples(
        "leeward dlq list",
        "leeward dlq show parcels-dead --json",
        "leeward dlq redrive parcels-dead --dry-run",
        "leeward dlq redrive parcels-dead --to parcels --rate 10 --force",
    ),
)(dlq)
app.command(
    cls=Command,
    epilog=_examples(
        "leeward package --target $CLOUD_PROVIDER --source shop",
        "leeward package shop:app --target $CLOUD_PROVIDER --template",
    ),
)(package)
flows = typer.Typer(
    cls=Commands,
    help="Start runs of workflows, look at them, end them, and draw them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
flows.command(
    name="start",
    cls=Command,
    epilog=_examples("""leeward workflow start order '{"id": "42"}' --id order-42"""),
)(workflow.start)
flows.command(name="list", cls=Command, epilog=_examples("leeward workflow list order --limit 20"))(
    workflow.list_
)
flows.command(name="show", cls=Command, epilog=_examples("leeward workflow show order order-42"))(
    workflow.show
)
flows.command(
    name="cancel", cls=Command, epilog=_examples("leeward workflow cancel order order-42")
)(workflow.cancel)
flows.command(name="abort", cls=Command, epilog=_examples("leeward workflow abort order order-42"))(
    workflow.abort
)
flows.command(name="resume", cls=Command, epilog=_examples("leeward workflow resume --wait 60"))(
    workflow.resume
)
flows.command(name="check", cls=Command, epilog=_examples("leeward workflow check"))(workflow.check)
flows.command(
    name="write",
    cls=Command,
    epilog=_examples("leeward workflow write order --out order.yaml"),
)(workflow.write)
flows.command(
    name="draw",
    cls=Command,
    epilog=_examples(
        "leeward workflow draw order --out order.svg",
        "leeward workflow draw order order-42 --out order-42.svg",
    ),
)(workflow.draw)
flows.command(
    name="conformance",
    cls=Command,
    epilog=_examples(
        "leeward workflow conformance",
        "leeward workflow conformance --engine 'python my_engine.py'",
    ),
)(conformance)
flows.command(
    name="export",
    cls=Command,
    epilog=_examples("leeward workflow export order --engine $CLOUD_PROVIDER --out deploy"),
)(workflow.export)
app.add_typer(flows, name="workflow")
backups = typer.Typer(
    cls=Commands,
    help="Back up tables, prove the backups, and restore them on any target.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
backups.command(
    name="create",
    cls=Command,
    epilog=_examples(
        "leeward backup create orders --store backups/shop",
        "leeward backup create orders --store backups --id nightly-20260131",
    ),
)(backup.create)
backups.command(
    name="list", cls=Command, epilog=_examples("leeward backup list orders --store backups/shop")
)(backup.list_)
backups.command(
    name="check",
    cls=Command,
    epilog=_examples("leeward backup check orders --store backups/shop --deep"),
)(backup.check)
backups.command(
    name="restore",
    cls=Command,
    epilog=_examples(
        "leeward backup restore orders --store backups/shop --dry-run",
        "leeward backup restore orders --store backups/shop --into orders-again",
    ),
)(backup.restore)
backups.command(
    name="drill", cls=Command, epilog=_examples("leeward backup drill orders --store backups/shop")
)(backup.drill)
backups.command(
    name="prune",
    cls=Command,
    epilog=_examples("leeward backup prune orders --store backups/shop --keep 7 --days 30"),
)(backup.prune)
backups.command(
    name="native",
    cls=Command,
    epilog=_examples(
        "leeward backup native orders", "leeward backup native orders --export exports/orders"
    ),
)(backup.native)
app.add_typer(backups, name="backup")
edges = typer.Typer(
    cls=Commands,
    help="Static rules for the edge of a cloud, and functions where an edge runs them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
edges.command(
    name="check",
    cls=Command,
    epilog=_examples(
        "leeward edge check edge.toml",
        "leeward edge check edge.toml --path /shop/7 --country DE",
    ),
)(edge.check)
edges.command(
    name="export",
    cls=Command,
    epilog=_examples("leeward edge export edge.toml --to $CLOUD_PROVIDER --out deploy"),
)(edge.export)
edges.command(
    name="package",
    cls=Command,
    epilog=_examples(
        "leeward edge package visits:f --to $CLOUD_PROVIDER --event viewer-request",
    ),
)(edge.package)
edges.command(
    name="associate",
    cls=Command,
    epilog=_examples(
        "leeward edge associate a.json --to $CLOUD_PROVIDER --function ARN --event E",
    ),
)(edge.associate)
app.add_typer(edges, name="edge")
exports = typer.Typer(
    cls=Commands,
    help="An app's infrastructure, for the tools that set it up. Nothing is deployed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
exports.command(
    name="terraform",
    cls=Command,
    epilog=_examples(
        "leeward export terraform shop:app --out infrastructure",
        "leeward export terraform --targets $CLOUD_PROVIDER --source shop",
    ),
)(export.terraform)
exports.command(
    name="cloudformation",
    cls=Command,
    epilog=_examples("leeward export cloudformation shop:app --out infrastructure"),
)(export.cloudformation)
app.add_typer(exports, name="export")
app.command(cls=Command, epilog=_examples("leeward demo", "leeward demo --json"))(demo)
app.command(cls=Command, epilog=_examples("leeward version"))(version)
