"""What a plugin author reads is what the suite asks for."""

from __future__ import annotations

from pathlib import Path

import leeward_contract_tests
from leeward_contract_tests import fixtures

README = (Path(__file__).parents[2] / "contract_tests/README.md").read_text(encoding="utf-8")


def test_the_readme_names_everything_that_has_to_exist() -> None:
    """Each function, bus, table and workflow that the contract uses stands in the README."""
    names = [value for name, value in vars(fixtures).items() if name.isupper()]
    assert len(names) == 17
    assert [name for name in names if isinstance(name, str) and f"`{name}`" not in README] == []


def test_the_readme_names_every_contract() -> None:
    """Each class that can be subclassed stands in the README."""
    contracts = [name for name in leeward_contract_tests.__all__ if name.endswith("Contract")]
    assert [name for name in contracts if f"`{name}`" not in README and name != "Contract"] == []
