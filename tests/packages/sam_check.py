"""Translate SAM templates as AWS does, and look at what becomes of them; print what is wrong.

python sam_check.py TEMPLATE..., in the environment of aws-sam-translator and cfn-lint
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(files: list[str]) -> None:
    """Print one line for each file: a list of what is wrong, as JSON."""
    from cfnlint.api import lint_all  # type: ignore[import-untyped]
    from samtranslator.parser.parser import Parser  # type: ignore[import-not-found]
    from samtranslator.translator.translator import Translator  # type: ignore[import-not-found]

    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    for file in files:
        document = json.loads(Path(file).read_text(encoding="utf-8"))
        document["Globals"]["Function"]["CodeUri"] = "s3://bucket/aws.zip"  # as an upload leaves it
        made = Translator({}, Parser()).translate(document, {})
        found = [each.message for each in lint_all(json.dumps(made)) if each.rule.id[0] in "EW"]
        sys.stdout.write(f"{json.dumps(found)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
