"""The commands of leeward-deploy, as the `leeward` command adds them."""

from __future__ import annotations

from leeward.cli.group import add_command, command_group
from leeward_deploy.commands import edge, export
from leeward_deploy.commands.package import package

PACKAGE = command_group()
add_command(
    PACKAGE,
    "package",
    package,
    "leeward package --target $CLOUD_PROVIDER --source shop",
    "leeward package shop:app --target $CLOUD_PROVIDER --report",
)

WORKFLOW_EXPORT = command_group()
add_command(
    WORKFLOW_EXPORT,
    "export",
    export.export_workflow,
    "leeward workflow export order --engine $CLOUD_PROVIDER --out deploy",
)

EDGE = command_group("Static rules for the edge of a cloud.")
add_command(
    EDGE,
    "check",
    edge.check,
    "leeward edge check edge.toml",
    "leeward edge check edge.toml --path /shop/7 --country DE",
)
add_command(
    EDGE,
    "export",
    edge.export_rules,
    "leeward edge export edge.toml --to $CLOUD_PROVIDER --out deploy",
)

EXPORT = command_group("Write an app's infrastructure for Terraform. It deploys nothing.")
add_command(
    EXPORT,
    "terraform",
    export.terraform,
    "leeward export terraform shop:app --out infrastructure",
    "leeward export terraform --targets $CLOUD_PROVIDER --source shop",
)
add_command(EXPORT, "moved", export.write_moves, "leeward export moved plan.json")
