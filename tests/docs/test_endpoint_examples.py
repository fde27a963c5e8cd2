"""The examples of other endpoints, on the clouds' pages and in testing.md, open a target."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from leeward.adapter import Capability, TargetConfig
from leeward.registry import open_target

DOCS = Path(__file__).parents[2] / "docs"

VARIABLES = {
    "aws": {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"},
    "azure": {},
    "google": {
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:8085",
        "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8086",
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:8087",
    },
}
"""Those that each page asks for beside its options."""


def example(page: str, cloud: str) -> str:
    """Give the file that begins with a section for a target of `cloud`."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(rf'```toml\n(\[targets\."?{cloud}[^`]*)```', text)
    assert len(found) == 1
    return str(found[0])


@pytest.mark.parametrize("cloud", VARIABLES)
def test_the_example_leads_every_verb_to_this_machine(cloud: str) -> None:
    """All services are configured, and each endpoint is on loopback."""
    [(name, options)] = tomllib.loads(example(f"{cloud}.md", cloud))["targets"].items()
    qualifier = name.partition(":")[2] or None
    driver = open_target(TargetConfig(name, cloud, qualifier, options, VARIABLES[cloud]))
    endpoints = [text for what, text in driver.describe().items() if what.startswith("endpoint.")]
    driver.close()
    lacking = {Capability.ORDERING, Capability.SINGLE_STARTS, Capability.SETTLING}
    assert frozenset(Capability) - driver.capabilities <= lacking
    assert all(each.startswith("http://127.0.0.1:") for each in endpoints)


@pytest.mark.parametrize("cloud", VARIABLES)
def test_both_pages_have_the_same_example(cloud: str) -> None:
    """So that one is not mended without the other."""
    assert example("testing.md", cloud) == example(f"{cloud}.md", cloud)


@pytest.mark.parametrize("cloud", VARIABLES)
def test_the_variables_of_an_example_are_on_its_page(cloud: str) -> None:
    """Whoever follows the page sets what the test sets."""
    text = (DOCS / f"{cloud}.md").read_text(encoding="utf-8")
    section = text.partition("\n## Another endpoint, for tests\n")[2].partition("\n## ")[0]
    assert all(name in section for name in VARIABLES[cloud])
