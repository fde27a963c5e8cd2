"""What Google Cloud adds to the facts of an app, and what it refuses.

A topic pushes to a function, and a subscription keeps what it has not brought: so calls that may be
queued have a topic, and objects have one, too. Topics, subscriptions and data are in the module
``global``, which no region is part of: regions only run functions.

Sources: the REST references of Cloud Scheduler, Compute Engine's health checks, Cloud DNS, Pub/Sub
and IAM; "Geography and regions"; "Deterministic URL" in Cloud Run's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from leeward.adapter.looking import Expected
from leeward.app.kit import HEALTH_PATH, Handler, Kind
from leeward.calls.looks import NONE
from leeward.errors import ConfigError
from leeward.values import NOTHING
from leeward.workflow.model import Definition
from leeward_deploy.facts import Cloud, Facts, check_differ, check_standby, own_dead_letters
from leeward_deploy.google.flows.export import export
from leeward_deploy.needs import dead_queue, seconds_of
from leeward_deploy.recipe import Deployment, PackageSpec, changes_of
from leeward_google.looks import SUBSCRIPTION

ADDRESSES: Final = {
    "queues": ("google_pubsub_topic.queue", "google_pubsub_subscription.queue"),
    "dead_letters": ("google_pubsub_topic.dead", "google_pubsub_subscription.dead"),
    "subscriptions": ("google_pubsub_subscription.event",),
    "tables": ("google_firestore_database.database",),
    "buckets": ("google_storage_bucket.bucket",),
    "buses": ("google_pubsub_topic.bus",),
}


LONGEST: Final = 3600
"""Seconds of a function that is called by HTTP."""

SCHEDULER_RETRIES: Final = 5
"""Of a job, at most."""

ATTEMPTS: Final = (5, 100)
"""Of a dead-letter policy: least and most."""

ACKNOWLEDGE: Final = (10, 600)
"""Seconds that a push may take: least and most."""

LONGEST_FILTER: Final = 255
"""Bytes of a filter of a subscription; Pub/Sub takes one more."""

LONGEST_PUSHED: Final = 50
"""Characters of a function that is pushed to: its address has 63, with the project's number."""

REST: Final = "the functions, schedules, accounts and workflows"
"""What nobody looks at: their APIs are not among those that a target is configured with."""


def is_pushed(handler: Handler) -> bool:
    """Return whether what a handler takes comes through a topic of its own."""
    return handler.kind in (Kind.MESSAGE, Kind.OBJECT) or handler.queued


def adapt(spec: PackageSpec, deployment: Deployment, facts: Facts) -> Facts:
    """Return facts as Google has them: who is pushed to has a topic, and dead letters."""
    names = spec.declared
    topics = names.settings.get("enqueue_topics") or {}
    handlers, queues, dead = dict(facts["handlers"]), {}, {}
    for name, queue in facts["queues"].items():
        queues[name] = queue | {"name": topics.get(name) or queue["name"]}
    for name, handler in spec.app.handlers.items():
        queue = handler.queue or name
        is_queue = is_pushed(handler)
        letters = dead_queue(handler, queue, spec.entry.options)
        handlers[name] = {
            **facts["handlers"][name],
            "queue": queue if is_queue else None,
            "gives_up": is_queue and letters.by_leeward,
            "retries": min(SCHEDULER_RETRIES, handler.retries or 0),
            "dead_letters": None,
        }
        if is_queue or handler.kind is Kind.EVENT:
            handlers[name]["dead_letters"] = letters.name
            dead[letters.name] = {"name": own_dead_letters(spec, letters)}
        if is_queue:
            queues[queue] = {
                "name": topics.get(queue) or names.own(queue),
                "seconds": seconds_of(handler),
                "dead_letters": letters.name,
                "deliveries": letters.deliveries,
                "handler": name,
                "subscription": f"{facts['title'].lower()}{name}",
                "existing": spec.settings.is_there("queues", queue),
            }
    sent = {
        handler.name
        for handler in spec.app.handlers.values()
        if is_pushed(handler) and handler.kind is Kind.CALL
    }
    for fact in handlers.values():
        fact["rights"] = _send_by_topic(fact["rights"], sent)
    seconds = {handler.name: seconds_of(handler) for handler in spec.app.handlers.values()}
    return {
        **facts,
        "warm": _send_by_topic(facts["warm"], sent),
        "handlers": handlers,
        "queues": queues,
        "dead_letters": dead,
        "subscriptions": {
            name: {**fact, "seconds": seconds[name]}
            for name, fact in facts["subscriptions"].items()
        },
        "tables": _tables_of(deployment, facts["tables"]),
    }


def _send_by_topic(rights: Facts, queued: set[str]) -> Facts:
    """Return rights in which a call that goes to a topic is one to send."""
    return rights | {
        "calls": [call for call in rights["calls"] if call not in queued],
        "sends": sorted({*rights["sends"], *({*rights["calls"]} & queued)}),
    }


def _tables_of(deployment: Deployment, tables: Facts) -> Facts:
    """Return the tables with their databases.

    Raises:
        ConfigError: tables of two regions would be in one database.
    """
    homes = {table.region for table in deployment.tables}
    databases = {
        site.region: str(site.declared.settings.get("database") or "(default)")
        for site in deployment.sites
        if site.region in homes
    }
    if len({*databases.values()}) < len(databases):
        raise ConfigError(
            f"the tables of Google Cloud have homes in {', '.join(databases)}, and a database of "
            "Firestore is in one region; give each of these targets a database of its own, or the "
            "tables one home"
        )
    return {name: table | {"firestore": databases[table["home"]]} for name, table in tables.items()}


def settings(spec: PackageSpec, deployment: Deployment) -> Facts:
    """Return the functions of which a URL is known, and whether requests are in the logs."""
    configured = spec.declared.settings.get("functions", NOTHING)
    names = {*spec.declared.functions, *spec.app.handlers}
    is_known = bool(spec.declared.settings.get("function_url"))
    return {
        "found": sorted(n for n in names if is_known or spec.declared.own(n) in configured),
        "requests": spec.settings.access_logs,
    }


def flow(definition: Definition, names: Mapping[str, str], spec: PackageSpec) -> str:
    """Return a workflow; of a function whose URL is known it has that."""
    urls = spec.declared.settings.get("functions", NOTHING)
    places = {name: urls.get(spec.declared.own(name), place) for name, place in names.items()}
    marks = {name for name, handler in spec.app.handlers.items() if handler.is_call}
    (text,) = export(definition, places, marks).files.values()
    return text


def check(facts: Facts) -> None:
    """Check what Pub/Sub, Firestore, Cloud DNS and the load balancer do not take.

    Raises:
        ConfigError: they do not take something; the message says what, and what helps.
    """
    for bus, fact in facts["buses"].items():
        for other in fact.get("names", {}).values():
            raise ConfigError(
                f"the bus {bus!r} would be two topics of one project, {fact['name']!r} and "
                f"{other!r}, and handlers hear of the first alone; give it one name for google"
            )
    check_standby(facts)
    _check_names(facts)
    if facts["entrance"] and HEALTH_PATH.strip("/") in facts["handlers"]:
        raise ConfigError(
            f"the load balancer answers {HEALTH_PATH} itself, and the app has a function of that "
            "name; rename it"
        )


def _check_names(facts: Facts) -> None:
    """Check that no two things of a kind would have one name, and that functions have addresses."""
    topics = {queue["name"]: name for name, queue in facts["queues"].items() if "handler" in queue}
    for bus in facts["buses"].values():
        if bus["name"] in topics:
            queue = topics[bus["name"]]
            raise ConfigError(
                f"the queue {queue!r} and a bus would both be the topic {bus['name']!r}; name one "
                f"of them otherwise in leeward.toml, such as [functions.{queue}] names = "
                '{google = "..."}'
            )
    check_differ((handler["name"].lower(), name) for name, handler in facts["handlers"].items())
    for sections in (("queues", "dead_letters", "buses"), ("buckets",)):
        things = [fact for section in sections for fact in facts[section].items()]
        check_differ((thing["name"], name) for name, thing in things if not thing.get("existing"))
    for name, handler in facts["handlers"].items():
        if (
            handler["kind"] != "call"
            and max(map(len, (handler["name"], *handler.get("names", {}).values())))
            > LONGEST_PUSHED
        ):
            raise ConfigError(
                f"{name!r} would be called {handler['name']!r}, and the address of a function that "
                f"is pushed to takes {LONGEST_PUSHED} characters; give it a shorter name"
            )


def notes(spec: PackageSpec, deployment: Deployment) -> Iterator[str]:
    """Yield what cannot be said in facts, and what clients have to know."""
    spec = spec._replace(declared=deployment.sites[0].declared)
    for name, handler in spec.app.handlers.items():
        letters = dead_queue(handler, handler.queue or name, spec.entry.options)
        lowest, highest = ATTEMPTS
        attempts = max(lowest, min(highest, letters.deliveries))
        pushed = is_pushed(handler) or handler.kind is Kind.EVENT
        is_left = handler.retries is not None and not letters.by_leeward
        if pushed and is_left and attempts != letters.deliveries:
            remedy = "; name a dead-letter topic in the entry file, and leeward does so itself"
            yield (
                f"{name}: {handler.retries} retries are wanted, and Pub/Sub gives a message up "
                f"after {attempts} deliveries{'' if handler.kind is Kind.EVENT else remedy}"
            )
        role = spec.settings.role_of(name, arn=False)
        if role is not None:
            yield f"{name}: runs as {role}, which is yours: give it its rights"
    if changes_of(spec):
        yield (
            "a role on Google is for a whole bucket or database: a handler that writes there may "
            "also read and delete, whatever its prefix"
        )
    if spec.declared.workflows:
        yield (
            "no function may start a workflow: the roles for that, Workflows Invoker and Viewer, "
            "hold for a whole project; give them to those that do"
        )
    if spec.settings.issuer:
        yield "issuer is for the API of AWS; Google's load balancer takes Google's tokens"


def expectations(facts: Facts, _: Facts, targets: Mapping[str, str]) -> Iterator[Expected]:
    """Yield what targets have once the module was applied, and what of it nobody looks at.

    Subscriptions are of the whole project, so the target that serves is asked for them.
    """
    first = targets[facts["serving"]]
    title = facts["title"].lower()
    for queue in facts["queues"].values():
        if "handler" in queue:
            yield _subscription(facts, first, queue["subscription"], queue, queue["name"])
    for name, subscription in facts["subscriptions"].items():
        bus = facts["buses"][subscription["bus"]]["name"]
        yield _subscription(facts, first, title + name, subscription, bus)
    for letters in facts["dead_letters"].values():
        name = letters["name"]
        has = {"topic": name, "seconds": 10, "filter": NONE, "pushes": False}
        has |= {"dead letters": NONE, "deliveries": NONE}
        yield Expected("resource", name, first, SUBSCRIPTION, has)
    for target in targets.values():
        yield Expected("resource", REST, target, "settings of")


def _subscription(facts: Facts, target: str, name: str, fact: Facts, topic: str) -> Expected:
    """Return a subscription that pushes, in the words in which its target is asked."""
    lowest, highest = ACKNOWLEDGE
    has = {
        "topic": topic.rpartition("/")[2],
        "seconds": max(lowest, min(highest, fact["seconds"] + 10)),
        "filter": filter_of(fact.get("type")) or NONE,
        "pushes": True,
        "dead letters": facts["dead_letters"][fact["dead_letters"]]["name"],
        "deliveries": max(ATTEMPTS[0], min(ATTEMPTS[1], fact["deliveries"])),
    }
    return Expected("resource", name, target, SUBSCRIPTION, has)


def filter_of(type: str | None) -> str:
    """Return the filter of a subscription to one type of event; empty for none.

    An event that attributes cannot hold has its type in the message, and no such attribute; what
    comes unfiltered is left by the handler's runtime.
    """
    text = (type or "").replace("\\", "\\\\").replace('"', '\\"')
    expression = f'attributes.ce-type = "{text}" OR NOT attributes:ce-type'
    return expression if type and len(expression.encode()) <= LONGEST_FILTER else ""


CLOUD: Final = Cloud(
    name="google",
    keeps=tuple(ADDRESSES),
    addresses=ADDRESSES,
    longest=LONGEST,
    most_retries=SCHEDULER_RETRIES,
    schedule=str,
    flow=flow,
    check=check,
    settings=settings,
    notes=notes,
    adapt=adapt,
    instance="module.global",
    expected=expectations,
)
