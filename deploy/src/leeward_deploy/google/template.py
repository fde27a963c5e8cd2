"""The Terraform configuration of an app: a function for each handler, as an account of its own.

Messages and events are pushed to the function, and what has failed in its last attempt goes to a
topic with a subscription that keeps it. Topics of buses, tables and buckets have lives of their
own: they are named, and not made.

Sources: the resources of the provider ``hashicorp/google``; in Pub/Sub's documentation "Handle
message failures" (at least 5 attempts; what its own account needs), "Push subscriptions" and
"Filter messages from a subscription".
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from leeward.app.kit import Handler, Kind
from leeward.errors import ConfigError
from leeward_deploy.google import objects
from leeward_deploy.google.functions import Source, add_account, add_function
from leeward_deploy.google.roles import (
    PROJECT,
    Region,
    allow,
    may_call,
    may_publish,
    member_of,
    topic_of,
)
from leeward_deploy.needs import DEAD, dead_queue, seconds_of
from leeward_deploy.recipe import Template, Wish
from leeward_deploy.terraform import Configuration, literal, of, text_of

ATTEMPTS: Final = (5, 100)
"""Of a dead-letter policy: least and most."""

ACKNOWLEDGE: Final = (10, 600)
"""Seconds that a push may take: least and most."""

SCHEDULER_RETRIES: Final = 5
"""Of a job, at most."""

LONGEST_FILTER: Final = 256
"""Bytes of a filter of a subscription."""

_AGENTS: Final = "gcp-sa-pubsub.iam.gserviceaccount.com"

AGENT: Final = f"serviceAccount:service-${{data.google_project.this.number}}@{_AGENTS}"
"""Pub/Sub itself, as which it moves dead letters."""

DATA: Final = {"google_project": {"this": {"project_id": PROJECT}}}

VERSION: Final = ">= 8.0"
"""Whose schemas are kept here."""

VARIABLES: Final = {
    "project": "the id of the project",
    "region": "where the functions are",
}


def template(wish: Wish) -> Template:
    """Return the configuration of the handlers alone.

    Raises:
        ConfigError: a handler wants more time than there is, or two things would have one name.
    """
    made = Configuration("hashicorp/google", VERSION, VARIABLES)
    notes = add_handlers(made, wish, Region())
    return Template(
        "google.tf.json", text_of(made.document(DATA | objects.data_of(wish))), tuple(notes)
    )


def add_handlers(made: Configuration, wish: Wish, region: Region) -> list[str]:
    """Add the functions of a region, and what calls them; return what there is to say of it."""
    content = _code(made, wish, region)
    pusher = add_account(made, wish, "push")
    notes = []
    accounts = {}
    for each in wish.app.handlers.values():
        accounts[each] = account = add_account(made, wish, each.name)
        function = add_function(made, wish, each, Source(content, account), region)
        notes += _trigger(made, wish, each, Pushing(function, account, pusher), region)
    # Now that all is there to which a role may refer.
    for each, account in accounts.items():
        allow(made, wish, each.name, account, region)
        if each.bucket not in region.away:
            objects.allow(made, wish, each, member_of(account))
    if wish.declared.workflows:
        notes.append(
            "no function may start a workflow: the roles for that, Workflows Invoker and Viewer, "
            "hold for a whole project; give them to those that do"
        )
    return notes


def _code(made: Configuration, wish: Wish, region: Region) -> str:
    """Add the package as an object; return a reference to it."""
    bucket = made.add(
        "google_storage_bucket",
        "code",
        project=PROJECT,
        name=f"{PROJECT}-{wish.app.name.lower()}-code",
        location=region.name,
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
    )
    # The name changes with the content, so that functions are built anew.
    return made.add(
        "google_storage_bucket_object",
        "code",
        bucket=of(f"{bucket}.name"),
        name=f'google-${{filesha256("{region.package}")}}.zip',
        source=region.package,
    )


class Pushing(NamedTuple):
    """Who is pushed to: references to the function, to its account, and to that which pushes."""

    function: str
    account: str
    pusher: str

    def token(self) -> dict[str, Any]:
        """Return whose token goes along."""
        return {"oidc_token": {"service_account_email": of(f"{self.pusher}.email")}}

    def url(self) -> str:
        """Return where the function is."""
        return of(f"{self.function}.service_config[0].uri")


def _trigger(
    made: Configuration, wish: Wish, handler: Handler, to: Pushing, region: Region
) -> list[str]:
    """Add what calls a function; return what there is to say of it."""
    queued = handler.kind in (Kind.MESSAGE, Kind.OBJECT) or handler.queued
    if queued or not handler.is_call:
        name = of(f"{to.function}.name")
        may_call(made, f"push-{handler.name}", name, member_of(to.pusher), region)
    if handler.kind is Kind.SCHEDULE:
        _job(made, handler, to, region)
    elif handler.kind is Kind.EVENT:
        bus = wish.declared.buses.get(str(handler.bus), str(handler.bus))
        topic = made.known("google_pubsub_topic", bus, "id")
        return _pushed(
            made, wish, handler, to, f"projects/{PROJECT}/topics/{bus}" if topic == bus else topic
        )
    elif queued and handler.bucket not in region.away:
        queue = handler.queue or handler.name
        name = topic_of(wish, queue)
        if name in wish.declared.buses.values():
            raise ConfigError(
                f"the queue {queue!r} and a bus would both be the topic {name!r}; name one of them "
                f'otherwise in leeward.toml, such as [functions.{queue}] names = {{google = "..."}}'
            )
        topic = made.add("google_pubsub_topic", name, project=PROJECT, name=name)
        if handler.kind is Kind.OBJECT:
            objects.tell(made, wish, handler, topic)
        return _pushed(made, wish, handler, to, of(f"{topic}.id"))
    return []


def _pushed(
    made: Configuration, wish: Wish, handler: Handler, to: Pushing, topic: str
) -> list[str]:
    """Add the subscription that pushes to a function, and where its dead letters are kept."""
    dead = dead_queue(handler, handler.queue or handler.name, wish.entry.options)
    letters = made.add("google_pubsub_topic", dead.name, project=PROJECT, name=dead.name)
    _kept(made, dead.name, letters)
    if dead.by_leeward:
        may_publish(made, f"{handler.name}{DEAD}-own", of(f"{letters}.name"), member_of(to.account))
    attempts = max(ATTEMPTS[0], min(ATTEMPTS[1], dead.deliveries))
    arguments: dict[str, Any] = {
        "project": PROJECT,
        "name": f"{wish.app.name.lower()}-{handler.name}",
        "topic": topic,
        "ack_deadline_seconds": max(ACKNOWLEDGE[0], min(ACKNOWLEDGE[1], seconds_of(handler) + 10)),
        "push_config": {"push_endpoint": to.url(), **to.token()},
        "retry_policy": {"minimum_backoff": "10s", "maximum_backoff": "600s"},
        "dead_letter_policy": {
            "dead_letter_topic": of(f"{letters}.id"),
            "max_delivery_attempts": attempts,
        },
        "expiration_policy": {"ttl": ""},
    }
    if handler.kind is Kind.EVENT and handler.type:
        # An event that attributes cannot hold has its type in the message, and no such attribute;
        # what comes unfiltered is left by the handler's runtime.
        type = json.dumps(handler.type, ensure_ascii=False)
        wanted = f"attributes.ce-type = {type} OR NOT attributes:ce-type"
        if len(wanted.encode()) <= LONGEST_FILTER:
            arguments["filter"] = literal(wanted)
    subscription = made.add("google_pubsub_subscription", handler.name, **arguments)
    _agent_may_move(made, handler.name, letters, subscription)
    if handler.retries is not None and attempts != dead.deliveries and not dead.by_leeward:
        note = (
            f"{handler.name}: {handler.retries} retries are wanted, and Pub/Sub gives a message up "
            f"after {attempts} deliveries"
        )
        if handler.kind is not Kind.EVENT:
            note += "; name a dead-letter topic in the entry file, and leeward does so itself"
        return [note]
    return []


def _kept(made: Configuration, name: str, topic: str) -> None:
    """Add a subscription that keeps what comes to a topic: without one it would be gone."""
    made.add(
        "google_pubsub_subscription",
        name,
        project=PROJECT,
        name=name,
        topic=of(f"{topic}.id"),
        message_retention_duration="1209600s",
        expiration_policy={"ttl": ""},
    )


def _agent_may_move(made: Configuration, name: str, topic: str, subscription: str) -> None:
    """Add what Pub/Sub needs itself to move a dead letter from a subscription to a topic."""
    may_publish(made, f"{name}{DEAD}-agent", of(f"{topic}.name"), AGENT)
    made.add(
        "google_pubsub_subscription_iam_member",
        name,
        project=PROJECT,
        subscription=of(f"{subscription}.name"),
        role="roles/pubsub.subscriber",
        member=AGENT,
    )


def _job(made: Configuration, handler: Handler, to: Pushing, region: Region) -> None:
    """Add the job of a schedule."""
    made.add(
        "google_cloud_scheduler_job",
        handler.name,
        project=PROJECT,
        region=region.name,
        name=handler.name,
        schedule=handler.schedule,
        time_zone="Etc/UTC",
        attempt_deadline=f"{max(15, min(1800, seconds_of(handler)))}s",
        retry_config={"retry_count": min(SCHEDULER_RETRIES, handler.retries or 0)},
        http_target={
            "http_method": "POST",
            "uri": to.url(),
            **to.token(),
        },
    )
