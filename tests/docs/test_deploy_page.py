"""The page on deploying says what the command does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leeward.cli.app import app
from leeward_deploy.infrastructure import module_texts
from leeward_deploy.recipe import PACKAGERS, Recipe, System, offer_of
from tests.docs.test_pages import DOCS, blocks, table
from tests.packages.everything import spec


def system(cloud: str, python: str) -> System:
    """Give what is below a cloud's Python, as its adapter says."""
    recipe: Recipe = offer_of(PACKAGERS, cloud.lower())(spec()._replace(python=python))
    return recipe.system


def test_the_table_of_systems_is_that_of_the_code() -> None:
    """For each cloud and Python its system, and the glibc that decides on wheels."""
    rows = table("deploy.md", "cloud | Python | system")
    for cloud, pythons, name, glibc in rows:
        for python in pythons.split(", "):
            found = system(cloud, python)
            assert found.name.endswith(f"on {name}")
            assert ".".join(map(str, found.glibc)) == glibc
    told = {(row[0], python) for row in rows for python in row[1].split(", ")}
    assert len(told) == 3 * 4


def test_the_commands_of_the_page_are_understood(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As they stand there; and each deploy command is one that the command prints."""
    monkeypatch.chdir(tmp_path)
    page = DOCS / "deploy.md"
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    ours = [shlex.split(line)[1:] for line in lines if line.startswith("leeward package")]
    assert len(ours) >= 3
    for args in ours:
        ran = CliRunner().invoke(app, args)
        assert "no module here has an app" in ran.stderr, "the folder of the test is empty"
    text = page.read_text()
    for cloud in ("aws", "azure", "google"):
        recipe: Recipe = offer_of(PACKAGERS, cloud)(spec())
        for command in recipe.commands("build"):
            words = command.text.split()
            assert " ".join(words[:3]) in text, command.text


def test_the_rights_of_the_page_are_those_of_the_templates() -> None:
    """Each action of AWS, and each role of Azure, that infrastructure has, is on the page."""
    text = (DOCS / "deploy.md").read_text()
    for made, pattern in (
        (module_texts("aws")["rights.tf"], r'"((?:dynamodb|events|lambda|s3|sqs):\w+)"'),
        (module_texts("azure")["rights.tf"], r'"((?:Azure|EventGrid|Monitoring|Storage)( \w+)+)"'),
    ):
        found = {each[1] for each in re.finditer(pattern, made)}
        # What dead letters of leeward's own need is on the page of dead letters.
        found -= {"sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"}
        assert len(found) >= 3
        assert {each for each in found if each.rpartition(":")[2] not in text} == set()
