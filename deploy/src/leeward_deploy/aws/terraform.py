"""Resources of CloudFormation as those of Terraform: the same infrastructure, in other words.

Both describe the same services, so most of it is names: ``QueueName`` is ``name``, and
``MaximumRetryAttempts`` is ``maximum_retry_attempts``. What Terraform splits into several
resources, or calls otherwise, has a function of its own. Policies are texts of JSON there.

Sources: the resources of the provider ``hashicorp/aws``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from leeward.values import NOTHING
from leeward_deploy.aws.alarms import HEALTH_ALARM, HEALTH_REGION
from leeward_deploy.aws.roles import BOUNDARY
from leeward_deploy.needs import shorten
from leeward_deploy.terraform import Configuration, Schemas, literal

Json = dict[str, Any]
Parts = list[tuple[str, str, Json]]

ZIP: Final = "${var.package}"
"""The path of the package."""

ACCOUNT: Final = "${data.aws_caller_identity.this.account_id}"

PARTITION: Final = "${data.aws_partition.this.partition}"

SUFFIX: Final = "${data.aws_partition.this.dns_suffix}"

DATA: Final[Json] = {"aws_caller_identity": {"this": {}}, "aws_partition": {"this": {}}}

ATTRIBUTES: Final = {
    "ApiEndpoint": "api_endpoint",
    "Arn": "arn",
    "QueueName": "name",
    "RegionalDomainName": "domain_name_configuration[0].target_domain_name",
}
"""What ``Fn::GetAtt`` stands for."""


def _of_function(given: Json, to: str) -> Parts:
    role = given["role"]
    if role.startswith("${aws_iam_role."):
        # A trigger is refused as long as the role may not read what it is for.
        given["depends_on"] = [role[2:-1].removesuffix(".arn").replace("role.", "role_policy.", 1)]
    del given["code"], to
    code = {"filename": ZIP, "source_code_hash": "${filebase64sha256(var.package)}"}
    return [("", "aws_lambda_function", {**given, **code})]


def _role(given: Json, to: str) -> Parts:
    (policy,) = given.pop("policies")
    trust = {
        "name": given.pop("name"),
        "assume_role_policy": given.pop("assume_role_policy_document"),
        "permissions_boundary": given.pop("permissions_boundary"),
    }
    inline = {
        "name": policy["policy_name"],
        "role": f"${{{to}.name}}",
        "policy": json.dumps(policy["policy_document"]),
    }
    return [("", "aws_iam_role", trust), ("", "aws_iam_role_policy", inline)]


def _rule(given: Json, to: str) -> Parts:
    (target,) = given.pop("targets")
    arguments = {
        "rule": f"${{{to}.name}}",
        "event_bus_name": given["event_bus_name"],
        "target_id": target["id"],
        "arn": target["arn"],
        "dead_letter_config": target["dead_letter_config"],
    }
    return [
        ("", "aws_cloudwatch_event_rule", given),
        ("", "aws_cloudwatch_event_target", arguments),
    ]


def _queue_policy(given: Json, to: str) -> Parts:
    del to
    (queue,) = given.pop("queues")
    return [("", "aws_sqs_queue_policy", {"queue_url": queue, **given})]


def _table(given: Json, to: str) -> Parts:
    del to
    keys = [each["attribute_name"] for each in given["key_schema"]]
    arguments = {
        "name": given["table_name"],
        **dict(zip(("hash_key", "range_key"), keys, strict=False)),
        "attribute": [
            {"name": definition["attribute_name"], "type": definition["attribute_type"]}
            for definition in given["attribute_definitions"]
        ],
        "billing_mode": given["billing_mode"],
        "deletion_protection_enabled": given["deletion_protection_enabled"],
        "ttl": given["time_to_live_specification"],
        "point_in_time_recovery": {"enabled": True},
    }
    return [("", "aws_dynamodb_table", {**arguments, **_meta(given)})]


def _bucket(given: Json, to: str) -> Parts:
    bucket = {"bucket": f"${{{to}.id}}"}
    rules = [
        {
            "id": rule["id"],
            "status": rule["status"],
            "filter": {},
            "noncurrent_version_expiration": rule["noncurrent_version_expiration"],
            "abort_incomplete_multipart_upload": rule["abort_incomplete_multipart_upload"],
        }
        for rule in given["lifecycle_configuration"]["rules"]
    ]
    public = given["public_access_block_configuration"]
    told = given.get("notification_configuration")
    return [
        *(
            []
            if told is None
            else [("", "aws_s3_bucket_notification", _notification(given, bucket))]
        ),
        ("", "aws_s3_bucket", {"bucket": given["bucket"], **_meta(given)}),
        (
            "",
            "aws_s3_bucket_versioning",
            {**bucket, "versioning_configuration": given["versioning_configuration"]},
        ),
        ("", "aws_s3_bucket_lifecycle_configuration", {**bucket, "rule": rules}),
        ("", "aws_s3_bucket_public_access_block", {**bucket, **public}),
    ]


def _notification(given: Json, bucket: Json) -> Json:
    """Return the notifications of a bucket."""
    told = given["notification_configuration"]
    return {
        **bucket,
        "queue": [
            _one(configuration, "queue_arn", "queue")
            for configuration in told["queue_configurations"]
        ],
        "lambda_function": [
            _one(configuration, "lambda_function_arn", "function")
            for configuration in told["lambda_configurations"]
        ],
        "depends_on": given["depends_on"],
    }


def _one(told: Json, arn: str, to: str) -> Json:
    rules = told.get("filter", {}).get("s3_key", {}).get("rules", ())
    prefixes = [("filter_prefix", rule["value"]) for rule in rules]
    return {arn: told[to], "events": [told["event"]], **dict(prefixes)}


def _health_check(given: Json, to: str) -> Parts:
    del to
    return [("", "aws_route53_health_check", given["health_check_config"])]


def _record(given: Json, to: str) -> Parts:
    del to
    failover = {"type": given.pop("failover")}
    arguments = {**given, "ttl": int(given["ttl"]), "failover_routing_policy": failover}
    return [("", "aws_route53_record", arguments)]


def _domain(given: Json, to: str) -> Parts:
    del to
    (given["domain_name_configuration"],) = given["domain_name_configuration"]
    return [("", "aws_apigatewayv2_domain_name", given)]


def _retries(given: Json, to: str) -> Parts:
    del to, given["qualifier"]  # without one, it is that of the latest code
    return [("", "aws_lambda_function_event_invoke_config", given)]


def _stage(given: Json, to: str) -> Parts:
    del to
    routes = given.pop("route_settings")
    given["route_settings"] = [{"route_key": key, **each} for key, each in routes.items()]
    return [("", "aws_apigatewayv2_stage", given)]


def _alarm(given: Json, to: str) -> Parts:
    del to
    dimensions = {each["name"]: each["value"] for each in given.pop("dimensions")}
    return [("", "aws_cloudwatch_metric_alarm", {**given, "dimensions": dimensions})]


def _meta(given: Mapping[str, Any]) -> Json:
    return {name: given[name] for name in ("lifecycle",) if name in given}


PARTS: Final[Mapping[str, Callable[[Json, str], Parts]]] = {
    "aws_apigatewayv2_domain_name": _domain,
    "aws_apigatewayv2_stage": _stage,
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_cloudwatch_event_rule": _rule,
    "aws_dynamodb_table": _table,
    "aws_iam_role": _role,
    "aws_lambda_function": _of_function,
    "aws_lambda_function_event_invoke_config": _retries,
    "aws_route53_health_check": _health_check,
    "aws_route53_record": _record,
    "aws_s3_bucket": _bucket,
    "aws_sqs_queue_policy": _queue_policy,
}


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
    "ApiGatewayV2::Authorizer": Form(
        "aws_apigatewayv2_authorizer", {"IdentitySource": "identity_sources"}
    ),
    "ApiGatewayV2::DomainName": Form(
        "aws_apigatewayv2_domain_name",
        {"DomainNameConfigurations": "domain_name_configuration"},
        ref="domain_name",
    ),
    "ApiGatewayV2::Integration": Form("aws_apigatewayv2_integration"),
    "ApiGatewayV2::Route": Form("aws_apigatewayv2_route"),
    "ApiGatewayV2::Stage": Form("aws_apigatewayv2_stage", {"StageName": "name"}, ref="name"),
    "CloudWatch::Alarm": Form("aws_cloudwatch_metric_alarm", {"OKActions": "ok_actions"}),
    "CloudWatch::Dashboard": Form("aws_cloudwatch_dashboard"),
    "DynamoDB::Table": Form("aws_dynamodb_table", ref="name"),
    "Events::EventBus": Form("aws_cloudwatch_event_bus", ref="name"),
    "Events::Rule": Form("aws_cloudwatch_event_rule", ref="name", texts=("EventPattern",)),
    "IAM::Role": Form("aws_iam_role", ref="name", texts=("AssumeRolePolicyDocument",)),
    "Lambda::EventInvokeConfig": Form("aws_lambda_function_event_invoke_config"),
    "Lambda::EventSourceMapping": Form("aws_lambda_event_source_mapping"),
    "Lambda::Function": Form("aws_lambda_function", ref="function_name"),
    "Lambda::Permission": Form("aws_lambda_permission"),
    "Logs::LogGroup": Form("aws_cloudwatch_log_group", {"LogGroupName": "name"}, ref="name"),
    "Route53::HealthCheck": Form(
        "aws_route53_health_check", {"FullyQualifiedDomainName": "fqdn", "EnableSNI": "enable_sni"}
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


OUTPUTS: Final = {
    "ApiGatewayV2::Api": ("apis", "Name", "api_endpoint"),
    "DynamoDB::Table": ("tables", "TableName", "arn"),
    "Events::EventBus": ("buses", "Name", "arn"),
    "Lambda::Function": ("functions", "FunctionName", "arn"),
    "Route53::HealthCheck": ("health_checks", "", "id"),
    "S3::Bucket": ("buckets", "BucketName", "arn"),
    "SQS::Queue": ("queues", "QueueName", "url"),
    "StepFunctions::StateMachine": ("state_machines", "StateMachineName", "arn"),
}
"""What a module tells others of a type, without ``AWS::``: the output, the property with the name,
and the attribute."""

LONGEST_ROLE: Final = 64
"""Characters of the name of a role. Source: "IAM and AWS STS quotas"."""

LAYOUT: Final = {
    "aws_apigatewayv2_api": "api.tf",
    "aws_apigatewayv2_api_mapping": "api.tf",
    "aws_apigatewayv2_authorizer": "api.tf",
    "aws_apigatewayv2_domain_name": "api.tf",
    "aws_apigatewayv2_integration": "api.tf",
    "aws_apigatewayv2_route": "api.tf",
    "aws_apigatewayv2_stage": "api.tf",
    "aws_cloudwatch_dashboard": "alarms.tf",
    "aws_cloudwatch_event_bus": "data.tf",
    "aws_cloudwatch_event_rule": "triggers.tf",
    "aws_cloudwatch_event_target": "triggers.tf",
    "aws_cloudwatch_log_group": "functions.tf",
    "aws_cloudwatch_metric_alarm": "alarms.tf",
    "aws_dynamodb_table": "data.tf",
    "aws_iam_role": "roles.tf",
    "aws_iam_role_policy": "roles.tf",
    "aws_lambda_event_source_mapping": "triggers.tf",
    "aws_lambda_function": "functions.tf",
    "aws_lambda_function_event_invoke_config": "functions.tf",
    "aws_lambda_permission": "triggers.tf",
    "aws_route53_health_check": "api.tf",
    "aws_route53_record": "api.tf",
    "aws_s3_bucket": "data.tf",
    "aws_s3_bucket_lifecycle_configuration": "data.tf",
    "aws_s3_bucket_notification": "triggers.tf",
    "aws_s3_bucket_public_access_block": "data.tf",
    "aws_s3_bucket_versioning": "data.tf",
    "aws_scheduler_schedule": "triggers.tf",
    "aws_sfn_state_machine": "workflows.tf",
    "aws_sqs_queue": "queues.tf",
    "aws_sqs_queue_policy": "queues.tf",
}
"""The file of each type of resource."""

TAGS: Final = "${local.tags}"

GLOBAL: Final = ("aws_iam_", "aws_route53_")
"""The beginning of types of resources that are in no region."""

ONCE: Final = {BOUNDARY: "permissions_boundary"}
"""Variables that are the same in every region, by the parameters of the templates."""


_BY_KEY: Final = frozenset({"RouteSettings"})
"""Properties whose keys are the user's."""


class Stack:
    """The resources of one region, as they are added to a configuration.

    Args:
        resources: by logical ids.
        region: such as ``us-east-1``.
        suffix: of every name in Terraform, so that several regions stand beside each other.
        stem: the beginning of the names of roles.
        schemas: that tell which resources take tags.
    """

    def __init__(
        self, resources: Json, region: str, suffix: str, stem: str, schemas: Schemas
    ) -> None:
        self._resources = resources
        self._region = region
        self._suffix = suffix
        self._stem = stem
        self._schemas = schemas

    def add_to(self, made: Configuration) -> None:
        """Add them all."""
        for id, each in self._resources.items():
            form = FORMS[each["Type"].removeprefix("AWS::")]
            properties = self._properties(form, each["Properties"])
            if each.get("DeletionPolicy") == "Retain":
                properties["lifecycle"] = {"prevent_destroy": True}
            if "DependsOn" in each:
                properties["depends_on"] = [self._to(name) for name in each["DependsOn"]]
            if form.type == "aws_iam_role":
                name = f"{self._stem}{snake(id).replace('_', '-')}-{self._region}"
                properties["name"] = shorten(name, LONGEST_ROLE)
            split = PARTS.get(form.type)
            parts = (
                [("", form.type, properties)] if split is None else split(properties, self._to(id))
            )
            for ending, type, arguments in parts:
                made.add(type, self._name(id) + ending, **self._around(id, type), **arguments)

    def _around(self, id: str, type: str) -> Json:
        """Return where a resource is, and its tags, if it has some."""
        region = HEALTH_REGION if id == HEALTH_ALARM else self._region
        where = {} if type.startswith(GLOBAL) else {"region": region}
        return {**where, **({"tags": TAGS} if "tags" in self._schemas.get(type, ()) else {})}

    def variable(self, name: str) -> str:
        """Return what Terraform calls the variable for a parameter of a template."""
        return ONCE.get(name) or self._name(name)

    def outputs(self) -> Iterator[tuple[str, Any]]:
        """Yield what the region has, by name: a mapping for each kind."""
        kinds: dict[str, Json] = {}
        for id, each in self._resources.items():
            type = each["Type"].removeprefix("AWS::")
            if type in OUTPUTS:
                kind, name, attribute = OUTPUTS[type]
                own = each["Properties"].get(name, id)
                kinds.setdefault(kind, {})[own] = f"${{{self._to(id)}.{attribute}}}"
        for kind, values in kinds.items():
            yield f"{kind}{self._suffix}", values

    def _name(self, id: str) -> str:
        """Return what Terraform calls a resource."""
        return snake(id) + self._suffix

    def _to(self, id: str) -> str:
        """Return the beginning of a reference to a resource."""
        form = FORMS[self._resources[id]["Type"].removeprefix("AWS::")]
        return f"{form.type}.{self._name(id)}"

    def _properties(self, form: Form, properties: Json) -> Json:
        found: Json = {}
        for name, value in properties.items():
            own = form.names.get(name) or snake(name)
            written = self._value(value)
            if name in form.texts:
                found[own] = json.dumps(written)
            elif name in _BY_KEY:
                found[own] = {key: self._rename(each, form) for key, each in written.items()}
            else:
                found[own] = self._rename(written, form)
        return found

    def _rename(self, value: Any, form: Form) -> Any:
        """Return a value with the names of its blocks as Terraform has them."""
        if isinstance(value, list):
            return [self._rename(each, form) for each in value]
        if not isinstance(value, dict):
            return value
        return {
            form.names.get(name) or snake(name): each
            if name in ("Variables", "PolicyDocument", "EventPattern")
            else self._rename(each, form)
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
        if value.keys() == {"Fn::If"}:
            return self._optional(*value["Fn::If"])
        if value.keys() == {"Fn::GetAtt"}:
            return self._attribute(*value["Fn::GetAtt"])
        if value.keys() == {"Fn::Sub"}:
            parts = re.split(r"(\$\{[^}!][^}]*\})", value["Fn::Sub"])
            return "".join(
                self._ref(part[2:-1]) if number % 2 else literal(part.replace("${!", "${"))
                for number, part in enumerate(parts)
            )
        return {name: self._value(each) for name, each in value.items()}

    def _attribute(self, id: str, name: str) -> str:
        """Return what an attribute of a resource is there."""
        return f"${{{self._to(id)}.{ATTRIBUTES[name]}}}"

    def _optional(self, condition: str, then: Any, _: Any) -> str:
        """Return a parameter, or a list with it, if it is given."""
        (given,) = then if isinstance(then, list) else [then]
        variable = f"var.{self.variable(given['Ref'])}"
        nothing, something = (
            ("[]", f"[{variable}]") if isinstance(then, list) else ("null", variable)
        )
        return f'${{{variable} == "" ? {nothing} : {something}}}'

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
        id, _, attribute = name.partition(".")
        if attribute:
            return self._attribute(id, attribute)
        if name not in self._resources:
            return f"${{var.{self.variable(name)}}}"
        form = FORMS[self._resources[name]["Type"].removeprefix("AWS::")]
        return f"${{{self._to(name)}.{form.ref}}}"


def snake(name: str) -> str:
    """Return a name of CloudFormation's as Terraform writes it."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
