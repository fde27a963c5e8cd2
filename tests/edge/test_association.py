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

ARN = "arn:aws:lambda:us-east-1:123456789012:function:visits:7"
JAVASCRIPT = "arn:aws:cloudfront::123456789012:function/rules"

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
                        "LambdaFunctionARN": ARN.replace("visits:7", "other:3"),
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
                        "Items": [{"FunctionARN": JAVASCRIPT, "EventType": "viewer-request"}],
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
    made = associate(Trigger(ARN, "viewer-request", True))
    config = json.loads(made.text)
    items = config["DefaultCacheBehavior"]["LambdaFunctionAssociations"].pop("Items")
    assert [(each["EventType"], each["IncludeBody"]) for each in items] == [
        ("origin-response", False),
        ("viewer-request", True),
    ]
    assert config["DefaultCacheBehavior"]["LambdaFunctionAssociations"]["Quantity"] == 2
    assert before == READ
    config["DefaultCacheBehavior"]["LambdaFunctionAssociations"] = READ["DistributionConfig"][
        "DefaultCacheBehavior"
    ]["LambdaFunctionAssociations"]
    assert config == READ["DistributionConfig"]
    assert "--if-match E2QWRUHAPOMQZL" in made.commands[0].text
    assert flaws(json.loads(made.text)) == ""
    assert "Missing required parameter" in flaws({"DefaultCacheBehavior": {}})


def test_after_a_lost_answer_the_same_call_says_that_it_is_done() -> None:
    """Read again and compared; a newer version takes the place of the older one."""
    trigger = Trigger(ARN, "viewer-request")
    config = json.loads(associate(trigger).text)
    read = {"ETag": "E3", "DistributionConfig": config}
    again = associate(trigger, read)
    assert (again.text, again.commands) == ("", ())
    newer = json.loads(associate(trigger._replace(function=f"{ARN}1"), read).text)
    items = newer["DefaultCacheBehavior"]["LambdaFunctionAssociations"]["Items"]
    assert [each["LambdaFunctionARN"][-2:] for each in items] == [":3", "71"]


def test_a_cloudfront_function_has_a_list_of_its_own() -> None:
    """For viewer events, at the behaviour that is named."""
    read = deepcopy(READ)
    read["DistributionConfig"]["CacheBehaviors"]["Items"][0]["FunctionAssociations"] = {
        "Quantity": 0
    }
    config = json.loads(associate(Trigger(JAVASCRIPT, "viewer-response", path="/api/*"), read).text)
    assert config["CacheBehaviors"]["Items"][0]["FunctionAssociations"] == {
        "Quantity": 1,
        "Items": [{"FunctionARN": JAVASCRIPT, "EventType": "viewer-response"}],
    }
    assert flaws(config) == ""


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
        (Trigger(ARN.removesuffix(":7"), "viewer-request"), READ, "no version.*:NUMBER"),
        (Trigger(f"{ARN[:-1]}$LATEST", "viewer-request"), READ, r"version \$LATEST"),
        (Trigger(f"{ARN[:-1]}live", "viewer-request"), READ, "version live.*nor an alias"),
        (Trigger(ARN.replace("us-east-1", "eu-west-1"), "viewer-request"), READ, "is in eu-west-1"),
        (Trigger("visits", "viewer-request"), READ, "--function must be the ARN"),
        (Trigger(ARN, "request"), READ, "known: viewer-request"),
        (Trigger(ARN, "origin-response"), READ, "other:3 is at origin-response already"),
        (Trigger(ARN, "viewer-response", True), READ, "no body of a request"),
        (Trigger(ARN, "viewer-response", path="/api/*"), READ, "only one kind of function"),
        (Trigger(ARN, "viewer-request", path="/x/*"), READ, "known: /api/"),
        (Trigger(JAVASCRIPT, "origin-request"), READ, "viewer events alone"),
        (Trigger(JAVASCRIPT, "viewer-request", True), READ, "gets no body"),
    ],
)
def test_what_cloudfront_would_refuse_or_lose_is_refused_here(
    trigger: Trigger, read: Any, message: str
) -> None:
    """A part of a configuration, a function without a number, and somebody else's place."""
    with pytest.raises(ConfigError, match=message):
        associate(trigger, read)
