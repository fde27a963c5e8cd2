"""Hold sources of Google Cloud Workflows to its public JSON schema, one a line.

It answers with what is wrong first, or an empty line. Run by the Python of ``.servers/engines``,
whose package workflows-emulator brings the schema.
"""

from __future__ import annotations

import json
import sys
from importlib.resources import files

import jsonschema


def main() -> None:
    """Check what comes, until the input ends."""
    schema = json.loads((files("workflows_emulator") / "workflow-schema.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    for line in sys.stdin:
        wrong = jsonschema.exceptions.best_match(validator.iter_errors(json.loads(line)))
        said = "" if wrong is None else wrong.message.splitlines()[0][:200]
        sys.stdout.write(f"{said}\n")


if __name__ == "__main__":
    main()
