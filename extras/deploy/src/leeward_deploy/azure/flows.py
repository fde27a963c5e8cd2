"""The export of a workflow to Durable Functions: an app with the definitions as data beside it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Final

from leeward.workflow.checks import check_portable
from leeward.workflow.model import Definition
from leeward.workflow.reading import json_of
from leeward_deploy.azure.host import BUNDLE
from leeward_deploy.recipe import WorkflowExport

APP: Final = '''"""Workflows on Durable Functions. Made by `leeward workflow export`."""

from pathlib import Path

import azure.durable_functions as df
import azure.functions as func

from leeward import Client
from leeward_azure.workflows import register

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
register(app, Path(__file__).parent / "workflows", Client())
'''

HOST: Final = {"version": "2.0", "extensionBundle": BUNDLE}

REQUIREMENTS: Final = "azure-functions\nazure-functions-durable~=1.7\nleeward[azure]\n"


def export(
    definition: Definition, functions: Mapping[str, str], marks: Collection[str] = ()
) -> WorkflowExport:
    """Return the app of a workflow.

    Functions are described by ``leeward.toml`` there too, so nothing of them is needed.
    """
    del functions, marks
    check_portable(definition)
    data = f"workflows/{definition.name}-{definition.digest[:12]}.json"
    files = {
        "function_app.py": APP,
        "host.json": json.dumps(HOST, indent=2) + "\n",
        "requirements.txt": REQUIREMENTS,
        data: json_of(definition),
    }
    return WorkflowExport(files, "func azure functionapp publish NAME_OF_THE_FUNCTION_APP --python")
