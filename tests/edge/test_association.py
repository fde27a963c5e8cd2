"""A function comes into a distribution by reading all, changing one thing, and writing all."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row
from leeward_deploy.edge.exports import Association, Edge, Trigger
from leeward_deploy.recipe import EDGES, offer_of

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:other:3"
ARN = "arn:aws:cloudfront::123456789012:function/rules"

READ: dict[str, Any] = {
    "ETag": "E2QWRUHAPOMQZL",
    "DistributionConfig": {
        "CallerReference": "2026",
        "Aliases": {"Quantity": 1, "Items": ["shop.example"]},
        "Origins": {
            "Quantity": 1,
            "Items": [
                {
                    "Id": "shop",
                    "DomainName": "origin.shop.example",
                    "CustomOriginConfig": {
                        "HTTPPort": 80,
                        "HTTPSPort": 443,
                        "OriginProtocolPolicy": "https-only",
                    },
                }
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "shop",
            "ViewerProtocolPolicy": "redirect-to-https",
            "LambdaFunctionAssociations": {
                "Quantity": 1,
                "Items": [
                    {
                        "LambdaFunctionARN": LAMBDA,
                        "EventType": "origin-response",
                        "IncludeBody": False,
                    }
                ],
            },
        },
        "CacheBehaviors": {
            "Quantity": 1,
            "Items": [
                {
                    "PathPattern": "/api/*",
                    "TargetOriginId": "shop",
                    "ViewerProtocolPolicy": "https-only",
                    "FunctionAssociations": {
                        "Quantity": 1,
                        "Items": [{"FunctionARN": ARN, "EventType": "viewer-request"}],
                    },
                }
            ],
        },
        "Comment": "",
        "Enabled": True,
    },
}


def associate(trigger: Trigger, read: Any = READ) -> Association:
    """Return a configuration with a function in it."""
    edge: Any = offer_of(EDGES, "aws")
    assert isinstance(edge, Edge)
    assert edge.associate
    return edge.associate(read, trigger)


def flaws(config: Any) -> str:
    """Return what botocore finds wrong with a call of UpdateDistribution."""
    from botocore.session import get_session  # type: ignore[import-untyped]
    from botocore.validate import ParamValidator  # type: ignore[import-untyped]

    model = get_session().get_service_model("cloudfront").operation_model("UpdateDistribution")
    told = {"DistributionConfig": config, "Id": "E1", "IfMatch": READ["ETag"]}
    return str(ParamValidator().validate(told, model.input_shape).generate_report())


def test_all_is_written_back_but_for_one_association() -> None:
    """On the condition of the ETag that was read; what was read stays as it is."""
    before = deepcopy(READ)
    made = associate(Trigger(ARN, "viewer-request"))
    config = json.loads(made.text)
    assert config["DefaultCacheBehavior"].pop("FunctionAssociations") == {
        "Quantity": 1,
        "Items": [{"FunctionARN": ARN, "EventType": "viewer-request"}],
    }
    assert before == READ
    assert config == READ["DistributionConfig"]
    assert "--if-match E2QWRUHAPOMQZL" in made.commands[0].text
    assert flaws(json.loads(made.text)) == ""
    assert "Missing required parameter" in flaws({"DefaultCacheBehavior": {}})


def test_after_a_lost_answer_the_same_call_says_that_it_is_done() -> None:
    """Read again and compared; another event comes beside it, at the behaviour that is named."""
    trigger = Trigger(ARN, "viewer-response", path="/api/*")
    config = json.loads(associate(trigger).text)
    items = config["CacheBehaviors"]["Items"][0]["FunctionAssociations"]["Items"]
    assert [each["EventType"] for each in items] == ["viewer-request", "viewer-response"]
    again = associate(trigger, {"ETag": "E3", "DistributionConfig": config})
    assert (again.text, again.commands) == ("", ())


PARTIAL = {"ETag": "E", "DistributionConfig": {"DefaultCacheBehavior": {}}}


@each_row(
    "trigger, read, message",
    [
        (Trigger(ARN, "viewer-request"), PARTIAL, "lacks CallerReference, Origins"),
        (
            Trigger(ARN, "viewer-request"),
            READ["DistributionConfig"],
            "no DistributionConfig and ETag",
        ),
        (Trigger("visits", "viewer-request"), READ, "--function must be the ARN"),
        (Trigger(LAMBDA, "viewer-request"), READ, "must be the ARN of a CloudFront Function"),
        (Trigger(ARN, "origin-request"), READ, "known: viewer-request"),
        (Trigger(f"{ARN}-2", "viewer-request", path="/api/*"), READ, "rules is at viewer-request"),
        (Trigger(ARN, "viewer-request", path="/x/*"), READ, "known: /api/"),
    ],
)
def test_what_cloudfront_would_refuse_or_lose_is_refused_here(
    trigger: Trigger, read: Any, message: str
) -> None:
    """A part of a configuration, another kind of function, and somebody else's place."""
    with pytest.raises(ConfigError, match=message):
        associate(trigger, read)
