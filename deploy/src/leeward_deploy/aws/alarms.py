"""What watches the handlers in one region: logs that end, and alarms, as CloudFormation has them.

An alarm tells the topic that the parameter `TOPIC` names; without one it shows in CloudWatch alone.
A handler that fails once, and not when it is tried again, makes no alarm; a dead letter does.

Sources: "Types of metrics for Lambda functions", "Available CloudWatch metrics for Amazon SQS",
"Monitoring health checks using CloudWatch" (these metrics are in us-east-1 alone), "Metrics of Step
Functions", and `PutRetentionPolicy` in the API reference of CloudWatch Logs.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from leeward_deploy.aws.roles import resource

Json = dict[str, Any]

TOPIC: Final = "AlarmTopic"
"""The parameter with the topic of SNS that alarms go to."""

HAS_TOPIC: Final = "HasAlarmTopic"

HEALTH_REGION: Final = "us-east-1"
"""Where Route 53 has the metrics of its health checks."""

HEALTH_ALARM: Final = "HealthCheckAlarm"

FIVE_MINUTES: Final = 300

OLDEST: Final = 900
"""Seconds that a message may wait, at least, before that is an alarm."""


def log_group(name: str, days: int) -> Json:
    """Return a log whose entries are kept for some days."""
    made = resource("Logs::LogGroup", LogGroupName=name, RetentionInDays=days)
    return {**made, "DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"}


def function_alarms(id: str, title: str) -> Json:
    """Return the alarms of a function: it failed, or was throttled, in 10 of 15 minutes."""
    dimensions = {"FunctionName": {"Ref": id}}
    return {
        f"{id}ErrorsAlarm": _alarm(
            Alarm(
                f"{title}-errors", "its runs fail: look into its log", "Lambda", "Errors", (2, 3)
            ),
            dimensions,
        ),
        f"{id}ThrottlesAlarm": _alarm(
            Alarm(
                f"{title}-throttles",
                "it is throttled: give it, or the account, more concurrency",
                "Lambda",
                "Throttles",
                (2, 3),
            ),
            dimensions,
        ),
    }


def dead_letter_alarm(id: str, title: str) -> Json:
    """Return the alarm of a queue of dead letters: it is not empty."""
    alarm = Alarm(
        f"{title}-dead-letters",
        "there are dead letters: see leeward dlq list",
        "SQS",
        "ApproximateNumberOfMessagesVisible",
        statistic="Maximum",
    )
    return {f"{id}Alarm": _alarm(alarm, {"QueueName": {"Fn::GetAtt": [id, "QueueName"]}})}


def age_alarm(id: str, title: str, name: Any, seconds: int) -> Json:
    """Return the alarm of a queue whose oldest message waits for too long.

    Args:
        id: of the handler.
        title: of the handler, for people.
        name: of the queue, as CloudFormation refers to it.
        seconds: that a message may take.
    """
    alarm = Alarm(
        f"{title}-oldest-message",
        "a message waits for too long: its handler fails, or is too slow",
        "SQS",
        "ApproximateAgeOfOldestMessage",
        (3, 3),
        "Maximum",
        max(OLDEST, seconds),
    )
    return {f"{id}AgeAlarm": _alarm(alarm, {"QueueName": name})}


def machine_alarm(id: str, name: str) -> Json:
    """Return the alarm of a state machine: a run has failed or timed out."""
    alarm = Alarm(f"{name}-runs", "a run has failed", "States", "ExecutionsFailed")
    return {f"{id}Alarm": _alarm(alarm, {"StateMachineArn": {"Ref": id}})}


def health_alarm(title: str, region: str) -> Json:
    """Return the alarm of the health check of a region."""
    made = _alarm(
        Alarm(
            f"{title}health-{region}",
            f"the app does not answer in {region}: DNS leads elsewhere",
            "Route53",
            "HealthCheckStatus",
            statistic="Minimum",
            threshold=1,
        ),
        {"HealthCheckId": {"Ref": "HealthCheck"}},
    )
    more = {
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
        "Period": 60,
    }
    return {HEALTH_ALARM: {**made, "Properties": {**made["Properties"], **more}}}


class Alarm(NamedTuple):
    """An alarm.

    Attributes:
        name: of it.
        told: what has happened, and what to do.
        namespace: of the metric, without ``AWS/``.
        metric: of it.
        times: in how many of how many times five minutes it is too high.
        statistic: of the metric.
        threshold: that it must not pass.
    """

    name: str
    told: str
    namespace: str
    metric: str
    times: tuple[int, int] = (1, 1)
    statistic: str = "Sum"
    threshold: int = 0


def _alarm(alarm: Alarm, dimensions: Json) -> Json:
    to_topic = {"Fn::If": [HAS_TOPIC, [{"Ref": TOPIC}], {"Ref": "AWS::NoValue"}]}
    return resource(
        "CloudWatch::Alarm",
        AlarmName=alarm.name,
        AlarmDescription=alarm.told,
        Namespace=f"AWS/{alarm.namespace}",
        MetricName=alarm.metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        Statistic=alarm.statistic,
        Period=FIVE_MINUTES,
        EvaluationPeriods=alarm.times[1],
        DatapointsToAlarm=alarm.times[0],
        ComparisonOperator="GreaterThanThreshold",
        Threshold=alarm.threshold,
        TreatMissingData="notBreaching",
        AlarmActions=to_topic,
        OKActions=to_topic,
    )
