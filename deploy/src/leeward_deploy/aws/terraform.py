"""Resources of CloudFormation as those of Terraform: the same infrastructure, in other words.

Both describe the same services, so most of it is names: ``QueueName`` is ``name``, and
``MaximumRetryAttempts`` is ``maximum_retry_attempts``. What Terraform splits into several resources
has a function of its own. Policies are texts of JSON there.

Sources: the resources of the provider ``hashicorp/aws``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from leeward.values import NOTHING
from leeward_deploy.aws.terraform_parts import PARTS
from leeward_deploy.terraform import Configuration, literal

Json = dict[str, Any]

ACCOUNT: Final = "${data.aws_caller_identity.this.account_id}"
PARTITION: Final = "${data.aws_partition.this.partition}"
SUFFIX: Final = "${data.aws_partition.this.dns_suffix}"

DATA: Final[Json] = {"aws_caller_identity": {"this": {}}, "aws_partition": {"this": {}}}


class Form(NamedTuple):
    """How Terraform has a type of CloudFormation's.

    Attributes:
        type: there.
        names: of properties, by CloudFormation's, where another case does not make them.
        ref: the attribute that ``Ref`` stands for.
        texts: properties that are texts of JSON.
    """

    type: str
    names: Mapping[str, str] = NOTHING
    ref: str = "id"
    texts: tuple[str, ...] = ()


FORMS: Final = {
    "ApiGatewayV2::Api": Form("aws_apigatewayv2_api"),
    "ApiGatewayV2::ApiMapping": Form("aws_apigatewayv2_api_mapping"),
    "ApiGatewayV2::DomainName": Form(
        "aws_apigatewayv2_domain_name",
        {"DomainNameConfigurations": "domain_name_configuration"},
        ref="domain_name",
    ),
    "ApiGatewayV2::Integration": Form("aws_apigatewayv2_integration"),
    "ApiGatewayV2::Route": Form("aws_apigatewayv2_route"),
    "ApiGatewayV2::Stage": Form("aws_apigatewayv2_stage", {"StageName": "name"}, ref="name"),
    "DynamoDB::Table": Form("aws_dynamodb_table", ref="name"),
    "Events::EventBus": Form("aws_cloudwatch_event_bus", ref="name"),
    "Events::Rule": Form("aws_cloudwatch_event_rule", ref="name", texts=("EventPattern",)),
    "IAM::Role": Form("aws_iam_role", ref="name", texts=("AssumeRolePolicyDocument",)),
    "Lambda::EventInvokeConfig": Form("aws_lambda_function_event_invoke_config"),
    "Lambda::EventSourceMapping": Form("aws_lambda_event_source_mapping"),
    "Lambda::Function": Form("aws_lambda_function", ref="function_name"),
    "Lambda::Permission": Form("aws_lambda_permission"),
    "Route53::HealthCheck": Form(
        "aws_route53_health_check",
        {"FullyQualifiedDomainName": "fqdn", "EnableSNI": "enable_sni"},
    ),
    "Route53::RecordSet": Form(
        "aws_route53_record",
        {"HostedZoneId": "zone_id", "ResourceRecords": "records", "TTL": "ttl"},
    ),
    "S3::Bucket": Form("aws_s3_bucket", {"BucketName": "bucket"}),
    "SQS::Queue": Form(
        "aws_sqs_queue",
        {
            "QueueName": "name",
            "VisibilityTimeout": "visibility_timeout_seconds",
            "MessageRetentionPeriod": "message_retention_seconds",
        },
        ref="url",
        texts=("RedrivePolicy",),
    ),
    "SQS::QueuePolicy": Form(
        "aws_sqs_queue_policy", {"PolicyDocument": "policy"}, texts=("PolicyDocument",)
    ),
    "Scheduler::Schedule": Form("aws_scheduler_schedule", ref="name"),
    "StepFunctions::StateMachine": Form(
        "aws_sfn_state_machine",
        {"StateMachineName": "name", "StateMachineType": "type"},
        ref="arn",
        texts=("Definition",),
    ),
}
"""By type, without ``AWS::``."""

ATTRIBUTES: Final = {
    "Arn": "arn",
    "RegionalDomainName": "domain_name_configuration[0].target_domain_name",
}
"""What ``Fn::GetAtt`` stands for."""


class Stack:
    """The resources of one region, as they are added to a configuration.

    Args:
        resources: by logical ids.
        region: such as ``us-east-1``.
        suffix: of every name in Terraform, so that several regions stand beside each other.
    """

    def __init__(self, resources: Json, region: str, suffix: str) -> None:
        self._resources = resources
        self._region = region
        self._suffix = suffix

    def add_to(self, made: Configuration) -> None:
        """Add them all."""
        for id, each in self._resources.items():
            form = FORMS[each["Type"].removeprefix("AWS::")]
            properties = self._properties(form, each["Properties"])
            if each.get("DeletionPolicy") == "Retain":
                properties["lifecycle"] = {"prevent_destroy": True}
            if "DependsOn" in each:
                properties["depends_on"] = [self._to(name) for name in each["DependsOn"]]
            split = PARTS.get(form.type)
            parts = (
                [("", form.type, properties)] if split is None else split(properties, self._to(id))
            )
            for ending, type, arguments in parts:
                given = {"region": self._region} if _is_regional(type) else {}
                made.add(type, self._name(id) + ending, **given, **arguments)

    def _name(self, id: str) -> str:
        """Return what Terraform calls a resource."""
        return snake(id) + self._suffix

    def _to(self, id: str) -> str:
        """Return the beginning of a reference to a resource."""
        form = FORMS[self._resources[id]["Type"].removeprefix("AWS::")]
        return f"{form.type}.{self._name(id)}"

    def _properties(self, form: Form, properties: Json) -> Json:
        found = {}
        for name, value in properties.items():
            own = form.names.get(name) or snake(name)
            written = self._value(value)
            found[own] = json.dumps(written) if name in form.texts else self._snaked(written, form)
        return found

    def _snaked(self, value: Any, form: Form) -> Any:
        """Return a value with the names of its blocks as Terraform has them."""
        if isinstance(value, list):
            return [self._snaked(each, form) for each in value]
        if not isinstance(value, dict):
            return value
        return {
            form.names.get(name) or snake(name): each
            if name in ("Variables", "PolicyDocument", "EventPattern")
            else self._snaked(each, form)
            for name, each in value.items()
        }

    def _value(self, value: Any) -> Any:
        """Return a value with references as Terraform writes them."""
        if isinstance(value, list):
            return [self._value(each) for each in value]
        if isinstance(value, str):
            return literal(value)
        if not isinstance(value, dict):
            return value
        if value.keys() == {"Ref"}:
            return self._ref(value["Ref"])
        if value.keys() == {"Fn::GetAtt"}:
            id, attribute = value["Fn::GetAtt"]
            return f"${{{self._to(id)}.{ATTRIBUTES[attribute]}}}"
        if value.keys() == {"Fn::Sub"}:
            return re.sub(r"\$\{([^}]+)\}", lambda each: self._ref(each[1]), value["Fn::Sub"])
        return {name: self._value(each) for name, each in value.items()}

    def _ref(self, name: str) -> str:
        """Return what ``Ref`` stands for: of AWS itself, of a resource, or what the user gives."""
        known = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": PARTITION,
            "AWS::Region": self._region,
            "AWS::URLSuffix": SUFFIX,
        }
        if name in known:
            return known[name]
        if name not in self._resources:
            return f"${{var.{self._name(name)}}}"
        form = FORMS[self._resources[name]["Type"].removeprefix("AWS::")]
        return f"${{{self._to(name)}.{form.ref}}}"


def snake(name: str) -> str:
    """Return a name of CloudFormation's as Terraform writes it."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _is_regional(type: str) -> bool:
    return not type.startswith(("aws_iam_", "aws_route53_"))
