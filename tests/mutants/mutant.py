"""What a planted fault is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Mutant(NamedTuple):
    """One fault, planted by replacing a text of a file.

    Attributes:
        fault: what leeward then does wrong.
        file: path from the root of the project.
        old: a text that stands in the file exactly once.
        new: what is put in its place.
        test: the node id, as pytest has it, of the test that must fail.
    """

    fault: str
    file: str
    old: str
    new: str
    test: str

    def planted_in(self, text: str) -> str:
        """Return the content of the file with the fault in it.

        Raises:
            ValueError: the fault does not fit: `old` does not stand there exactly once.
        """
        if (found := text.count(self.old)) != 1:
            raise ValueError(f"{self.file} holds {self.old!r} {found} times, not once")
        return text.replace(self.old, self.new)

    def check(self, root: Path) -> None:
        """Raise `ValueError` if the fault does not fit what is at `root`, or its test is gone."""
        compile(self.planted_in((root / self.file).read_text(encoding="utf-8")), self.file, "exec")
        path, *names = self.test.partition("[")[0].split("::")
        text = (root / path).read_text(encoding="utf-8")
        for name in names:
            if not (f" {name}(" in text or f" {name}:" in text):
                raise ValueError(f"{path} has no {name}")
            # A class may have its tests from one beside it.
            text = "".join(
                each.read_text(encoding="utf-8") for each in (root / path).parent.glob("*.py")
            )
