"""The Terraform configuration of an app: a function for each handler, as an account of its own.

Messages, events and objects are pushed to the function, and what has failed in its last attempt
goes to a topic with a subscription that keeps it. Topics of buses, tables and buckets have lives of
their own: they are named, and not made.

Sources: the resources of the provider ``hashicorp/google``; in Pub/Sub's documentation "Handle
message failures" (at least 5 attempts; what its own account needs), "Push subscriptions" and
"Filter messages from a subscription"; "Pub/Sub notifications for Cloud Storage" (the service's own
account publishes them).
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from leeward.app.kit import Handler, Kind
from leeward.errors import ConfigError
from leeward_deploy.google.roles import (
    FUNCTION,
    PROJECT,
    Caller,
    GoogleRegion,
    allow,
    may_call,
    may_publish,
    member_of,
    own_name,
    stem,
    topic_of,
)
from leeward_deploy.google.rules import RULES
from leeward_deploy.google.watch import HEADS, LAYOUT, watch
from leeward_deploy.hcl import module
from leeward_deploy.needs import (
    DEAD,
    DeadQueue,
    bucket_of,
    dead_queue,
    is_queued,
    of_kind,
    seconds_of,
    shorten,
)
from leeward_deploy.recipe import PackageSpec, Template, changes_of, rights_for
from leeward_deploy.terraform import Configuration, check, literal, of, schemas_in

LONGEST: Final = 3600
"""Seconds of a function that is called by HTTP."""

MEMORY: Final = 256
"""Megabytes of a function."""

MOST: Final = "max_instances"
"""The variable with the number of instances of a function for which nothing says another one."""

_AGENT: Final = "serviceAccount:${data.google_storage_project_service_account.this.email_address}"
"""Cloud Storage itself, as which it tells of objects."""

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

SCHEMAS: Final = Path(__file__).with_name("terraform_schemas.json")

VARIABLES: Final = {"project": "the id of the project", "region": "where the functions are"}


def account_of(made: Configuration, spec: PackageSpec, name: str) -> str:
    """Return the email of a service account that all regions share; the first one adds it.

    One that `leeward.toml` names is there already.
    """
    own = spec.settings.role_of(name, arn=False)
    if own is not None:
        return own
    if made.reference("google_service_account", name) == name:
        made.add(
            "google_service_account",
            name,
            project=PROJECT,
            account_id=account_id(f"{stem(spec)}{name}".lower()),
            display_name=f"{spec.app.name}: {name}",
        )
    return of(f"google_service_account.{name}.email")


def account_id(name: str) -> str:
    """Return an id of 6 to 30 characters."""
    if len(name) >= 6:
        return shorten(name, 30)
    return f"{name}-{sha256(name.encode()).hexdigest()[:8]}"


class Code(NamedTuple):
    """What a function is made of: a reference to the package, and the email of its account."""

    content: str
    account: str


def add_function(
    made: Configuration, spec: PackageSpec, handler: Handler, source: Code, region: GoogleRegion
) -> str:
    """Add the function of a handler; return a reference to it.

    Raises:
        ConfigError: it wants more time than there is.
    """
    seconds = seconds_of(handler)
    if seconds > LONGEST:
        raise ConfigError(
            f"the handler {handler.name!r} has a timeout of {seconds} s, and Cloud Run functions "
            f"give {LONGEST} s; make it a workflow, or run it elsewhere"
        )
    settings = spec.settings
    usual = settings.concurrency if is_queued(handler) else settings.limit
    most = settings.of(handler.name).concurrency or usual
    # Pub/Sub and Scheduler of the project count as internal; nobody else calls these.
    ingress = None if handler.is_call else "ALLOW_INTERNAL_ONLY"
    shape = FunctionShape(own_name(spec, handler), handler.name, seconds, most, ingress)
    return add_resource(made, spec, shape, source, region)


class FunctionShape(NamedTuple):
    """A function.

    Attributes:
        name: its own.
        handler: for which it is.
        seconds: that it may take.
        most: instances, each of which runs one call at a time; None for the usual number.
        ingress: who may reach it; None for everybody.
    """

    name: str
    handler: str
    seconds: int
    most: int | None = None
    ingress: str | None = None


def add_resource(
    made: Configuration,
    spec: PackageSpec,
    function: FunctionShape,
    source: Code,
    region: GoogleRegion,
) -> str:
    """Add a function; return a reference to it."""
    # The platform tells no function of the second generation where it is.
    variables = {"LEEWARD_FUNCTION": function.handler, "GOOGLE_CLOUD_REGION": region.name}
    if not spec.declared.ordered:
        variables["CLOUD_PROVIDER"] = spec.declared.order or "google"
    if spec.settings.stage:
        variables["LEEWARD_STAGE"] = spec.settings.stage
    memory = spec.settings.of(function.handler).memory
    config: dict[str, Any] = {
        "available_memory": f"{memory or MEMORY}M",
        "timeout_seconds": function.seconds,
        "max_instance_count": function.most or f"${{var.{MOST}}}",
        "max_instance_request_concurrency": 1,
        "service_account_email": source.account,
        "environment_variables": variables,
    }
    if region.instances is not None:
        config["min_instance_count"] = region.instances
    if function.ingress is not None:
        config["ingress_settings"] = function.ingress
    return made.add(
        FUNCTION,
        f"{function.handler}{region.suffix}",
        project=PROJECT,
        location=region.name,
        name=function.name,
        build_config={
            "runtime": f"python{spec.python.replace('.', '')}",
            "entry_point": "main",
            "source": {
                "storage_source": {
                    "bucket": of(f"{source.content}.bucket"),
                    "object": of(f"{source.content}.name"),
                }
            },
        },
        service_config=config,
    )


def data_of(spec: PackageSpec) -> dict[str, dict[str, dict[str, str]]]:
    """Return what is read for an app: Cloud Storage's own account, if a bucket tells of objects."""
    if not any(of_kind(spec.app, Kind.OBJECT)):
        return {}
    return {"google_storage_project_service_account": {"this": {"project": PROJECT}}}


def tell(made: Configuration, spec: PackageSpec, handler: Handler, topic: str) -> None:
    """Return what makes a bucket tell a topic of objects whose names begin as a handler wants."""
    agent = may_publish(made, f"{handler.name}-storage-agent", of(f"{topic}.name"), _AGENT)
    made.add(
        "google_storage_notification",
        handler.name,
        bucket=made.reference("google_storage_bucket", bucket_of(spec.declared, handler)),
        topic=of(f"{topic}.id"),
        payload_format="JSON_API_V1",
        event_types=["OBJECT_FINALIZE"],
        **({"object_name_prefix": literal(handler.prefix)} if handler.prefix else {}),
        depends_on=[agent],
    )


def template(spec: PackageSpec) -> tuple[Template, ...]:
    """Return the module of the handlers alone.

    Raises:
        ConfigError: a handler wants more time than there is, or two things would have one name.
    """
    made = Configuration("hashicorp/google", VERSION, VARIABLES)
    add_variables(made, spec)
    region = GoogleRegion()
    notes = add_handlers(made, spec, region)
    watch(made, spec, region.name)
    return tuple(
        each._replace(name=f"google.module/{each.name}")
        for each in files_of(made, spec, (*notes, *spec.notes))
    )


def add_variables(made: Configuration, spec: PackageSpec) -> None:
    """Add what a project may set of every module, and the labels of everything."""
    made.variable(
        MOST,
        "instances of a function at most, where leeward.toml says nothing: each costs",
        type="number",
        default=100,
        validation={
            "condition": f"${{var.{MOST} >= 1 && var.{MOST} <= 1000}}",
            "error_message": "It must be 1 to 1000.",
        },
    )
    made.variable("labels", "more labels of everything", type="map(string)", default={})
    labels = {_label(name): _label(value) for name, value in spec.settings.tags.items()}
    if len(labels) < len(spec.settings.tags):
        raise ConfigError(
            "deploy.tags has two names that are one label on Google, which writes "
            f"{', '.join(sorted(labels))}; rename one of them"
        )
    told = ", ".join(f'"{name}" = "{value}"' for name, value in labels.items())
    made.local("labels", f"${{merge({{{told}}}, var.labels)}}")


def _label(text: str) -> str:
    """Return a text as a label takes it: lower-case letters, digits, hyphens and underscores."""
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())


def files_of(
    made: Configuration, spec: PackageSpec, notes: tuple[str, ...]
) -> tuple[Template, ...]:
    """Return the files of a configuration, checked; the first one has the notes.

    Raises:
        ConfigError: something in it is wrong.
    """
    schemas = schemas_in(SCHEMAS)
    made.mark(schemas, "${local.labels}", "labels", "user_labels")
    document = made.document(DATA | data_of(spec))
    check(document, schemas, RULES, "Google")
    first, *more = module(document, schemas, LAYOUT, HEADS)
    return (first._replace(notes=notes, document=document), *more, *made.files)


def add_handlers(made: Configuration, spec: PackageSpec, region: GoogleRegion) -> list[str]:
    """Add the functions of a region, and what calls them; return what there is to say of it."""
    content = _code(made, spec, region)
    pusher = account_of(made, spec, "push")
    notes = []
    accounts = {}
    for handler in spec.app.handlers.values():
        accounts[handler] = account = account_of(made, spec, handler.name)
        function = add_function(made, spec, handler, Code(content, account), region)
        notes += _trigger(made, spec, handler, Pushing(function, account, pusher), region)
    # Now that all is there to which a role may refer.
    for each, account in accounts.items():
        caller = Caller(each.name, account, rights_for(spec, each.name))
        if spec.settings.role_of(each.name, arn=False) is None:
            allow(made, spec, caller, region, each)
        else:
            notes.append(f"{each.name}: runs as {account}, which is yours: give it its rights")
    if changes_of(spec):
        notes.append(
            "a role on Google is for a whole bucket or database: a handler that writes there may "
            "also read and delete, whatever its prefix"
        )
    if spec.declared.workflows:
        notes.append(
            "no function may start a workflow: the roles for that, Workflows Invoker and Viewer, "
            "hold for a whole project; give them to those that do"
        )
    return notes


def _code(made: Configuration, spec: PackageSpec, region: GoogleRegion) -> str:
    """Add the package as an object; return a reference to it."""
    bucket = made.add(
        "google_storage_bucket",
        "code",
        project=PROJECT,
        name=f"{PROJECT}-{stem(spec)}code",
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
    """Who is pushed to: a reference to the function, its account's email, and the pusher's."""

    function: str
    account: str
    pusher: str

    def token(self) -> dict[str, Any]:
        """Return whose token goes along."""
        return {"oidc_token": {"service_account_email": self.pusher}}

    def url(self) -> str:
        """Return where the function is."""
        return of(f"{self.function}.service_config[0].uri")


def _trigger(
    made: Configuration, spec: PackageSpec, handler: Handler, to: Pushing, region: GoogleRegion
) -> list[str]:
    """Add what calls a function; return what there is to say of it."""
    queued = handler.kind in (Kind.MESSAGE, Kind.OBJECT) or handler.queued
    if queued or not handler.is_call:
        name = of(f"{to.function}.name")
        may_call(made, f"push-{handler.name}", name, member_of(to.pusher), region)
    if handler.kind is Kind.SCHEDULE:
        # Add the job of a schedule.
        made.add(
            "google_cloud_scheduler_job",
            handler.name,
            project=PROJECT,
            region=region.name,
            name=f"{spec.declared.prefix}{handler.name}",
            schedule=handler.schedule,
            time_zone="Etc/UTC",
            attempt_deadline=f"{max(15, min(1800, seconds_of(handler)))}s",
            retry_config={"retry_count": min(SCHEDULER_RETRIES, handler.retries or 0)},
            http_target={"http_method": "POST", "uri": to.url(), **to.token()},
        )
    elif handler.kind is Kind.EVENT:
        bus = spec.declared.buses.get(str(handler.bus)) or spec.declared.usual(str(handler.bus))
        topic = made.reference("google_pubsub_topic", bus, "id")
        return _push(
            made, spec, handler, to, f"projects/{PROJECT}/topics/{bus}" if topic == bus else topic
        )
    elif queued and handler.bucket not in region.away:
        queue = handler.queue or handler.name
        name = topic_of(spec, queue)
        if name in spec.declared.buses.values():
            raise ConfigError(
                f"the queue {queue!r} and a bus would both be the topic {name!r}; name one of them "
                f'otherwise in leeward.toml, such as [functions.{queue}] names = {{google = "..."}}'
            )
        if spec.settings.is_there("queues", queue):
            return _push(made, spec, handler, to, f"projects/{PROJECT}/topics/{name}")
        topic = made.add("google_pubsub_topic", name, project=PROJECT, name=name)
        if handler.kind is Kind.OBJECT:
            tell(made, spec, handler, topic)
        return _push(made, spec, handler, to, of(f"{topic}.id"))
    return []


def _push(
    made: Configuration, spec: PackageSpec, handler: Handler, to: Pushing, topic: str
) -> list[str]:
    """Add the subscription that pushes to a function, and where its dead letters are kept."""
    dead = _dead_of(spec, handler)
    letters = made.add("google_pubsub_topic", dead.name, project=PROJECT, name=dead.name)
    _keep(made, dead.name, letters)
    if dead.by_leeward:
        may_publish(made, f"{handler.name}{DEAD}-own", of(f"{letters}.name"), member_of(to.account))
    attempts = max(ATTEMPTS[0], min(ATTEMPTS[1], dead.deliveries))
    arguments: dict[str, Any] = {
        "project": PROJECT,
        "name": f"{stem(spec)}{handler.name}",
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
    # Add what Pub/Sub needs itself to move a dead letter from a subscription to a topic.
    may_publish(made, f"{handler.name}{DEAD}-agent", of(f"{letters}.name"), AGENT)
    made.add(
        "google_pubsub_subscription_iam_member",
        handler.name,
        project=PROJECT,
        subscription=of(f"{subscription}.name"),
        role="roles/pubsub.subscriber",
        member=AGENT,
    )
    if handler.retries is not None and attempts != dead.deliveries and not dead.by_leeward:
        note = (
            f"{handler.name}: {handler.retries} retries are wanted, and Pub/Sub gives a message up "
            f"after {attempts} deliveries"
        )
        if handler.kind is not Kind.EVENT:
            note += "; name a dead-letter topic in the entry file, and leeward does so itself"
        return [note]
    return []


def _dead_of(spec: PackageSpec, handler: Handler) -> DeadQueue:
    """Return the topic of dead letters; one that the entry file names whole is called so."""
    queue, named = handler.queue or handler.name, spec.entry.options.get("dead_letters") or {}
    found = dead_queue(handler, queue, spec.entry.options)
    own = str(named.get(handler.name) or named.get(queue))
    return found if "/" in own else found._replace(name=spec.declared.usual(found.name))


def _keep(made: Configuration, name: str, topic: str) -> None:
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
