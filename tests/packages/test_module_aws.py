"""The module of AWS makes of facts what an app needs, in Terraform's real core."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from leeward_deploy.moves import IDENTITY, moves_in
from tests.packages.exported import EVERYTHING, config_of, everything, settings
from tests.packages.ordinary import spec_for, usual
from tests.packages.roots import NEEDS_CORE, Plan, Root, inside

pytestmark = NEEDS_CORE

RECORDED: Final[dict[str, dict[str, Any]]] = json.loads(
    Path(__file__).with_name("recorded_aws.json").read_text("utf-8")
)["everything"]
"""What an earlier leeward exported of the same app: by address, what says which resource it is."""

LEFT: Final = {
    # What holds messages protects itself now: its policy is in the queue.
    "aws_sqs_queue_policy",
    # These have no name, or the health function's, and hold nothing.
    *("aws_apigatewayv2_integration", "aws_route53_health_check", "aws_lambda_permission"),
    *("aws_iam_role", "aws_iam_role_policy", "aws_cloudwatch_metric_alarm"),
}
"""Types of which an apply after the moves may delete some."""


def type_of(address: str) -> str:
    """Give the type of a resource."""
    return inside(address).partition(".")[0]


def identity_of(type: str, has: dict[str, Any]) -> str:
    """Give what says which resource of a type it is."""
    names = ("region", *IDENTITY.get(type, ("name",)))
    return json.dumps({name: has[name] for name in names if has.get(name) is not None})


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Give the plan of the app with everything, in two regions."""
    root = Root("aws", tmp_path_factory.mktemp("everything"))
    root.export(everything("aws"), settings("aws") + EVERYTHING)
    root.set_variables(certificate='"a-certificate"')
    return root.plan()


def rows(plan: Plan, type: str) -> dict[str, dict[str, Any]]:
    """Give what is planned of a type, by the key in the first region."""
    begin = f'module.app["us-east-1"].{type}.'
    return {
        address.removeprefix(begin).partition('["')[2].rstrip('"]'): dict(plan.values[address])
        for address in plan.actions
        if address.startswith(begin)
    }


def allowed(plan: Plan, handler: str, region: str = "us-east-1") -> set[tuple[str, str]]:
    """Give what the role of a handler allows: action, and on what."""
    address = f'module.app["{region}"].aws_iam_role_policy.role["{handler}"]'
    statements = json.loads(plan.values[address]["policy"])["Statement"]
    return {
        (action, resource)
        for statement in statements
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def test_the_module_makes_what_was_exported_before(planned: Plan) -> None:
    """By type and own name, resource by resource."""
    before = Counter((type_of(a), identity_of(type_of(a), has)) for a, has in RECORDED.items())
    now = Counter(
        (type_of(a), identity_of(type_of(a), dict(planned.values[a]))) for a in planned.actions
    )
    differ = {type for type, _ in (before - now) + (now - before)}
    # The health's role has the name of its function now.
    assert differ == {
        "terraform_data",
        "aws_sqs_queue_policy",
        "aws_iam_role",
        "aws_iam_role_policy",
    }
    counts = Counter(type for type, _ in before - now), Counter(type for type, _ in now - before)
    assert counts[0]["aws_iam_role"] == counts[1]["aws_iam_role"] == 2


def test_whoever_exported_before_moves_without_a_loss(planned: Plan) -> None:
    """Each resource that holds something is at its new address, and nothing else goes."""
    gone = [
        {
            "address": address,
            "type": type_of(address),
            "change": {"actions": ["delete"], "before": has, "after": None},
        }
        for address, has in RECORDED.items()
    ]
    come = [
        {
            "address": address,
            "type": type_of(address),
            "change": {"actions": ["create"], "before": None, "after": planned.values[address]},
        }
        for address in planned.actions
    ]
    moves = moves_in({"resource_changes": [*gone, *come]})
    assert {type_of(each) for each in moves.left} <= LEFT
    assert moves.moved == len(RECORDED) - len(moves.left)


def test_failed_messages_are_not_taken_for_done(planned: Plan) -> None:
    """The mapping asks for the answer by message; queues wait, count, and keep what has failed."""
    mappings = rows(planned, "aws_lambda_event_source_mapping")
    types = [each["function_response_types"] for each in mappings.values()]
    assert types == [["ReportBatchItemFailures"]] * len(mappings)
    queues = rows(planned, "aws_sqs_queue")
    assert queues["parcels"]["visibility_timeout_seconds"] == 6 * 40
    assert queues["parcels-gone"]["message_retention_seconds"] == 14 * 86_400
    for each in queues.values():
        assert json.loads(each["policy"])["Statement"][0]["Action"] == "sqs:DeleteQueue"


def test_a_dead_region_is_left_after_150_seconds(planned: Plan) -> None:
    """Three checks, 30 seconds apart, and what resolvers keep for 60 seconds."""
    (check,) = rows(planned, "aws_route53_health_check").values()
    (record,) = rows(planned, "aws_route53_record").values()
    assert check["request_interval"] * check["failure_threshold"] + record["ttl"] == 150
    assert (check["type"], check["search_string"]) == ("HTTPS_STR_MATCH", '"status":"ok"')


def test_the_health_is_open_throttled_and_without_rights(planned: Plan) -> None:
    """It has a function of its own; the others are for signed requests."""
    kinds = {
        each["route_key"]: each["authorization_type"]
        for each in rows(planned, "aws_apigatewayv2_route").values()
    }
    assert kinds == {"GET /health": "NONE", "POST /make": "AWS_IAM", "POST /count": "AWS_IAM"}
    (stage,) = rows(planned, "aws_apigatewayv2_stage").values()
    (limits,) = stage["route_settings"]
    assert (limits["throttling_burst_limit"], limits["throttling_rate_limit"]) == (50, 25)
    actions = {action.partition(":")[0] for action, _ in allowed(planned, "leeward-health")}
    assert actions == {"logs", "xray"}


def test_a_role_names_what_it_may_touch(planned: Plan) -> None:
    """No star for a service; a handler may do nothing with another one's queue."""
    for handler in rows(planned, "aws_iam_role_policy"):
        if handler in rows(planned, "aws_lambda_function"):
            for action, resource in allowed(planned, handler):
                assert "*" not in action
                assert resource != "*" or action.startswith("xray:")
    pay, clean = allowed(planned, "pay"), allowed(planned, "clean")
    taken = {on.rpartition(":")[2] for action, on in pay if action == "sqs:ReceiveMessage"}
    assert taken == {"bills"}
    assert [on for action, on in clean if action == "s3:PutObject"] == ["arn:aws:s3:::scans/out/*"]


def test_the_own_calls_of_an_app_may_fail_over(planned: Plan) -> None:
    """A role allows what is called in every region: those of a standby begin in the first one."""
    for here in ("us-east-1", "us-west-2"):
        found = allowed(planned, "make", here)
        for region in ("us-east-1", "us-west-2"):
            place = f"{region}:123456789012"
            assert (
                "lambda:InvokeFunction",
                f"arn:aws:lambda:{place}:function:bank-charge",
            ) in found
            assert ("events:PutEvents", f"arn:aws:events:{place}:event-bus/orders") in found
        assert ("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:123456789012:table/orders") in found


def test_alarms_watch_what_can_be_lost(planned: Plan) -> None:
    """Each queue of dead letters, errors, throttles, the oldest message, each health check."""
    handlers = everything("aws").app.handlers
    found = Counter(e["metric_name"] for e in rows(planned, "aws_cloudwatch_metric_alarm").values())
    assert found["ApproximateNumberOfMessagesVisible"] == len(handlers)
    assert found["Errors"] == found["Throttles"] == len(handlers)
    assert found["ApproximateAgeOfOldestMessage"] == 3
    assert found["HealthCheckStatus"] == 1


@pytest.mark.parametrize(("cloud", "runs"), [("aws", 5), ("azure", 6)])
def test_the_module_passes_its_tests_with_a_mocked_provider(
    tmp_path: Path, cloud: str, runs: int
) -> None:
    """By ``terraform test``, which a platform engineer runs, too."""
    root = Root(cloud, tmp_path)
    case = usual(cloud)
    root.export(spec_for(case, cloud, config_of(tmp_path, case.text)), case.text)
    told = root.test(Path(__file__).with_name(f"{cloud}.tftest.hcl"))
    assert f"{runs} passed, 0 failed" in told
