"""Looking whether functions, buses and tables are there, for `leeward doctor`.

A dry run of a function asks Lambda for what a call would need, permission included, and runs
nothing. A table is asked for an item that need not exist, which shows that its key fits, too.

Source: the API references of `Invoke` (`DryRun`), `GetQueueUrl`, `GetQueueAttributes`,
`DescribeEventBus`, `GetItem` and `ListObjectsV2`.
"""

from __future__ import annotations

from functools import partial

from leeward.adapter.looking import ask, bucket_look, table_look
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.wire import Request
from leeward.calls import Look, LookResult
from leeward.calls.looks import BACKLOG, BUCKET, BUS, FUNCTION, QUEUE, TABLE
from leeward_aws.functions.messages import count
from leeward_aws.functions.plans import DRY_RUN, path_of
from leeward_aws.objects.plans import list_page, store_of
from leeward_aws.service import Endpoint, endpoint_of
from leeward_aws.settings.options import Settings
from leeward_aws.tables.plans import load


def looks(settings: Settings) -> dict[str, Planner]:
    """Return the planners that look."""
    function = partial(_function, endpoint_of("lambda", settings))
    return {
        FUNCTION: function,
        QUEUE: partial(_queue, function, endpoint_of("sqs", settings)),
        BACKLOG: partial(_backlog, endpoint_of("sqs", settings)),
        BUS: partial(_bus, endpoint_of("events", settings)),
        TABLE: table_look(partial(load, endpoint_of("dynamodb", settings))),
        BUCKET: bucket_look(partial(list_page, store_of(settings)), right="s3:ListBucket"),
    }


def _function(endpoint: Endpoint, look: Look, view: View) -> Plan:
    request = Request("POST", endpoint.origin, path_of(look.name), DRY_RUN, b"null")
    return (yield from ask(endpoint.service, request, view))


def _queue(function: Planner, endpoint: Endpoint, look: Look, view: View) -> Plan:
    if not look.is_queue:  # whoever may call a function may queue the call
        return (yield from function(look, view))
    request = endpoint.request("GetQueueUrl", {"QueueName": look.name})
    return (yield from ask(endpoint.service, request, view, right="sqs:GetQueueUrl"))


def _backlog(endpoint: Endpoint, look: Look, view: View) -> Plan:
    result = yield from count(endpoint, look.name, view)
    return result._replace(value=LookResult(waiting=result.value))


def _bus(endpoint: Endpoint, look: Look, view: View) -> Plan:
    request = endpoint.request("DescribeEventBus", {"Name": look.name})
    return (yield from ask(endpoint.service, request, view, right="events:DescribeEventBus"))
