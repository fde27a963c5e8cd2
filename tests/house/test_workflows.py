"""The workflows of a public forge run what a contributor runs, and may do no more than that."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any, Final

from ruamel.yaml import YAML

from leeward_contract_tests.rows import each_row
from tests.house.workspace import ROOT, read_pyproject

FORGE: Final = ROOT / ".github"
WORKFLOWS: Final = sorted(path.name for path in (FORGE / "workflows").iterdir())
TARGETS: Final = set(
    re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
)

NEEDED: Final = {
    "pypa/gh-action-pypi-publish": {"id-token": "write"},
    "actions/deploy-pages": {"id-token": "write", "pages": "write"},
}
"""What an action may do beyond reading the repository, by its README; no other may do more."""


def read(path: str) -> Any:
    """Read a file of the forge; a key that stands twice in a mapping is an error."""
    return YAML(typ="safe", pure=True).load((FORGE / path).read_text(encoding="utf-8"))


def steps(name: str) -> list[dict[str, Any]]:
    """Return the steps of all jobs of a workflow."""
    jobs = read(f"workflows/{name}")["jobs"].values()
    return [step for job in jobs for step in job.get("steps", ())]


def test_each_workflow_is_here() -> None:
    """Tests, the release and the site."""
    assert WORKFLOWS == ["release.yml", "site.yml", "tests.yml"]


@each_row("name", WORKFLOWS)
def test_a_workflow_may_do_only_what_its_actions_need(name: str) -> None:
    """It reads the repository; a job that publishes gets that right in place of reading."""
    workflow = read(f"workflows/{name}")
    assert "pull_request_target" not in workflow["on"]
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        actions = [
            step["uses"].partition("@")[0] for step in job.get("steps", ()) if "uses" in step
        ]
        rights = {key: right for each in actions for key, right in NEEDED.get(each, {}).items()}
        assert job.get("permissions", {}) == rights
        assert not rights or (rights and "actions/checkout" not in actions and job["environment"])
        assert "uses" in job or job["timeout-minutes"] <= 120


@each_row("name", WORKFLOWS)
def test_every_action_is_pinned_and_leaves_no_credentials(name: str) -> None:
    """By the digest of a commit, with its version beside it."""
    text = (FORGE / "workflows" / name).read_text(encoding="utf-8")
    for line in re.findall(r"uses: (.+)", text):
        assert re.fullmatch(r"\./[\w./-]+|[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
    for step in steps(name):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"persist-credentials": False}


@each_row("name", WORKFLOWS)
def test_what_runs_is_a_target_of_make(name: str) -> None:
    """Nothing of an event gets into a command."""
    for command in [step["run"] for step in steps(name) if "run" in step]:
        program, *words = re.sub(r"\$\{\{ matrix\.\w+ \}\}", "x", command).split()
        assert program == "make"
        assert {word for word in words if "=" not in word} <= TARGETS
        assert all(re.fullmatch(r"[\w./=-]+", word) for word in words)


def test_a_release_is_tested_built_and_published_without_a_token() -> None:
    """In this order, with attestations, from what `make dist` has made."""
    jobs = read("workflows/release.yml")["jobs"]
    assert jobs["tests"]["uses"] == "./.github/workflows/tests.yml"
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("tests", "build")
    assert jobs["publish"]["steps"][-1]["with"] == {"attestations": True}
    text = (FORGE / "workflows/release.yml").read_text(encoding="utf-8")
    assert re.search("secrets|password", text) is None


@each_row("version, code", [("", 0), (".1", 2), ("rc1", 2)])
def test_a_tag_of_another_version_builds_nothing(version: str, code: int) -> None:
    """It fails in the step before the distributions are made, and says both."""
    build = [
        step["run"]
        for step in read("workflows/release.yml")["jobs"]["build"]["steps"]
        if "run" in step
    ]
    check, make = build
    assert make.startswith("make dist ")
    tag = f"v{read_pyproject(ROOT)['project']['version']}{version}"
    done = subprocess.run(
        [*check.split()[:2], f"PYTHON={sys.executable}"],
        cwd=ROOT,
        env={**os.environ, "GITHUB_REF_NAME": tag},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, tag in done.stderr) == (code, bool(code))


def test_read_the_docs_builds_the_site_as_make_does() -> None:
    """The same command, and the folder that it fills."""
    found = read("../.readthedocs.yaml")
    assert found["version"] == 2
    first, *_, last = found["build"]["commands"]
    assert first == "make docs PYTHON=python"
    assert last.split()[:3] == ["cp", "-R", "docs/_build/html"]
    assert "SITE := docs/_build/html\n" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_a_report_of_a_bug_has_what_doctor_prints() -> None:
    """It is required; the other form asks for the need before the solution."""
    forms = {name: read(f"ISSUE_TEMPLATE/{name}.yml") for name in ("bug", "feature")}
    fields = {each["id"]: each for each in forms["bug"]["body"] if "id" in each}
    assert "`leeward doctor`" in fields["doctor"]["attributes"]["label"]
    assert fields["doctor"]["validations"] == {"required": True}
    assert [each["id"] for each in forms["feature"]["body"]] == ["need", "today", "idea"]
