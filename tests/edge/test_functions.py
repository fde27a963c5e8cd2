"""A function for Lambda@Edge: what the usual sketch gets wrong is refused, or made right."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row
from leeward_deploy.commands.edge import EdgeRequest, package_function
from leeward_deploy.edge.exports import Edge, FunctionSpec
from leeward_deploy.recipe import EDGES, Entry, Recipe, offer_of
from leeward_deploy.uv import PackageSource
from tests.servers.installed import executable

SPEC = FunctionSpec("visits", Entry("visits", "handler"), "viewer-request")

SOURCE = """\
import edge_settings

def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    request["headers"]["x-site"] = [{"key": "X-Site", "value": edge_settings.SITE}]
    return request
"""


def recipe_of(spec: FunctionSpec) -> Recipe:
    """Return what Lambda@Edge wants."""
    edge: Any = offer_of(EDGES, "aws")
    assert isinstance(edge, Edge)
    assert edge.recipe
    return edge.recipe(spec)


def packaged(folder: Path, spec: FunctionSpec = SPEC, **files: str) -> dict[str, Any]:
    """Package a folder of its own with modules in it."""
    source = folder / "source"
    source.mkdir()
    for name, text in files.items():
        (source / f"{name}.py").write_text(text)
    request = EdgeRequest(spec, source, folder / "build", (), PackageSource(offline=True))
    return package_function(request, recipe_of)


def test_the_package_runs_by_itself_and_has_its_settings_inside(tmp_path: Path) -> None:
    """Lambda@Edge has no variables: the values are in a module; the same files, the same bytes."""
    spec = SPEC._replace(settings={"SITE": "it's"})
    data = packaged(tmp_path, spec, visits=SOURCE)
    archive = tmp_path / "build/edge.zip"
    with ZipFile(archive) as opened:
        assert opened.namelist() == ["edge_handler.py", "edge_settings.py", "visits.py"]
        opened.extractall(tmp_path / "there")
    event = {"Records": [{"cf": {"request": {"uri": "/", "headers": {}}}}]}
    run = f"import json, edge_handler as e; print(json.dumps(e.lambda_handler({event!r}, None)))"
    done = subprocess.run(
        [executable("nodejs", "python"), "-c", run],
        cwd=tmp_path / "there",
        capture_output=True,
        text=True,
        check=True,
        env={},
    )
    assert json.loads(done.stdout)["headers"]["x-site"][0]["value"] == "it's"
    (tmp_path / "again").mkdir()
    assert packaged(tmp_path / "again", spec, visits=SOURCE)["sha256"] == data["sha256"]


def test_the_template_has_what_cloudfront_wants(tmp_path: Path) -> None:
    """One region, a numbered version, a role for both services, nothing that the edge lacks; and
    CloudFormation takes it."""
    packaged(tmp_path, visits=SOURCE)
    file = tmp_path / "build/edge.template.json"
    document = json.loads(file.read_text())
    assert "us-east-1" in json.dumps(document["Rules"])
    function = document["Resources"]["Edge"]["Properties"]
    assert function["AutoPublishAlias"]
    assert document["Outputs"]["Version"]["Value"] == {"Ref": "Edge.Version"}
    assert (function["Timeout"], function["MemorySize"]) == (5, 128)
    lacking = {
        "Environment",
        "VpcConfig",
        "Layers",
        "EphemeralStorage",
        "ProvisionedConcurrencyConfig",
    }
    assert not lacking & function.keys()
    role = document["Resources"]["EdgeRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"]["Service"] == ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]
    (policy,) = role["Policies"]
    (logs,) = policy["PolicyDocument"]["Statement"]
    # It writes its log in the region where it runs, under a name with that of its home.
    assert all(":logs:*:" in each["Fn::Sub"] for each in logs["Resource"])
    assert "/aws/lambda/us-east-1.visits" in logs["Resource"][0]["Fn::Sub"]
    program = Path(__file__).parents[1] / "packages/sam_check.py"
    done = subprocess.run(
        [executable("sam", "python"), program, file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_the_strict_limits_count_unless_the_others_are_asked_for(tmp_path: Path) -> None:
    """Size, time and memory of viewer events; origin events have Lambda's own."""
    large = f"X = {random.Random(7).randbytes(900_000)!r}\n"  # does not compress
    with pytest.raises(ConfigError, match=r"1,048,576.*strict table.*--limits 2026"):
        packaged(tmp_path, visits=SOURCE, large=large)
    (tmp_path / "other").mkdir()
    newer = SPEC._replace(limits="2026", seconds=30, megabytes=512)
    assert packaged(tmp_path / "other", newer, visits=SOURCE, large=large)["sha256"]
    recipe_of(SPEC._replace(event="origin-response", seconds=30, megabytes=10_240))


def with_source(text: str, **more: Any) -> FunctionSpec:
    """Return a spec for a function of one line."""
    source = f"import os\n\ndef handler(event, context):\n    {text}\n"
    return SPEC._replace(sources={"visits.py": source}, **more)


@each_row(
    "spec, message",
    [
        (SPEC._replace(seconds=6), "--seconds must be from 1 to 5.*--limits 2026"),
        (SPEC._replace(megabytes=256), "--memory must be from 1 to 128.*--limits 2026"),
        (SPEC._replace(limits="2026", seconds=31), "from 1 to 30, by the 2026 table"),
        (SPEC._replace(limits="lax"), "known: strict, 2026"),
        (SPEC._replace(event="viewer"), "known: viewer-request"),
        (SPEC._replace(python="3.15"), "has no Python 3.15"),
        (SPEC._replace(event="viewer-response", body=True), "no body of a request"),
        (with_source("return os.environ['A']"), "visits.py, line 4: .*no environment.*--set"),
        (with_source("from os import getenv"), "no environment variables"),
        (with_source("x['body']"), "add --body"),
        (with_source("request.get('body')"), "add --body"),
        (
            with_source("response['status'] = '404'", event="viewer-response"),
            "cannot change the status.*origin-response",
        ),
        (
            with_source("response['body'] = ''", event="viewer-response"),
            "cannot change the body",
        ),
        (with_source("r['headers']['host'] = []"), "change host in a request"),
        (
            with_source("headers['X-Edge-A'] = []", event="origin-response"),
            "change X-Edge-A in a response",
        ),
        (with_source("del headers['via']"), "change via"),
        (with_source("return ("), "visits.py is not Python"),
    ],
)
def test_what_the_edge_does_not_run_is_refused(spec: FunctionSpec, message: str) -> None:
    """By name, with a remedy, before anything is packaged."""
    with pytest.raises(ConfigError, match=message):
        recipe_of(spec)


def test_what_the_edge_does_run_is_not_refused() -> None:
    """The body if it was asked for, and the status of an answer from the origin."""
    recipe_of(with_source("x['body']", body=True))
    recipe_of(with_source("response['status'] = '404'", event="origin-response"))
    recipe_of(with_source("headers['x-a'] = [event['host']]"))


def test_a_folder_that_cannot_be_packaged_is_refused(tmp_path: Path) -> None:
    """Without the module, without a folder, or with a file of a name that is written."""
    with pytest.raises(ConfigError, match=r"has no visits\.py"):
        packaged(tmp_path, other=SOURCE)
    (tmp_path / "other").mkdir()
    with pytest.raises(ConfigError, match=r"visits\.py has nothing at its top level .* handler"):
        packaged(tmp_path / "other", visits="def handle(event, context): ...\n")
    request = EdgeRequest(SPEC, tmp_path / "none", tmp_path, (), PackageSource(offline=True))
    with pytest.raises(ConfigError, match="not a folder"):
        package_function(request, recipe_of)
    (tmp_path / "mine").mkdir()
    with pytest.raises(ConfigError, match=r"edge_settings\.py is written into the package"):
        packaged(tmp_path / "mine", visits=SOURCE, edge_settings="A = 1\n")
