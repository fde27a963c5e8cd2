"""Translate a SAM template as AWS does, and look at what becomes of it; print what is wrong.

python sam_check.py TEMPLATE, in the environment of aws-sam-translator and cfn-lint
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(file: str) -> int:
    """Return 0 if nothing is wrong."""
    from cfnlint.api import lint_all  # type: ignore[import-not-found]
    from samtranslator.parser.parser import Parser  # type: ignore[import-not-found]
    from samtranslator.translator.translator import Translator  # type: ignore[import-not-found]

    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    document = json.loads(Path(file).read_text(encoding="utf-8"))
    document["Globals"]["Function"]["CodeUri"] = "s3://bucket/aws.zip"  # as an upload leaves it
    made = Translator({}, Parser()).translate(document, {})
    found = [each for each in lint_all(json.dumps(made)) if each.rule.id[0] in "EW"]
    for each in found:
        sys.stdout.write(f"{each}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
