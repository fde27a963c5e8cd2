"""Facts: what an app needs on one cloud, by logical names, for a fixed module of Terraform.

A module reads them by ``for_each``, so an address is a logical name and a region: never a position,
a prefix or a stage. Everything here is pure: an app and its settings go in, a value comes out.
`docs/facts.md` says what each fact means.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from leeward.adapter.looking import Expected
from leeward.app.handlers import Handler
from leeward.app.triggers import Kind
from leeward.errors import ConfigError
from leeward.values import NOTHING
from leeward.workflow.model import Definition, functions_of
from leeward_deploy.needs import (
    ORDERED,
    DeadQueue,
    dead_queue,
    is_queued,
    retries_of,
    seconds_of,
    stem,
)
from leeward_deploy.recipe import Declared, Deployment, PackageSpec, Rights, rights_for

Facts = dict[str, Any]

FORMAT: Final = 1
"""Of the file; a module refuses another one."""

NAMED: Final = (
    *("handlers", "functions", "queues", "dead_letters", "subscriptions"),
    *("tables", "buckets", "buses", "flows"),
)
"""Sections that hold one fact for each logical name."""

KINDS: Final = {
    Kind.CALL: "call",
    Kind.EVENT: "event",
    Kind.MESSAGE: "message",
    Kind.SCHEDULE: "schedule",
    Kind.OBJECT: "object",
}


class Cloud(NamedTuple):
    """What differs from cloud to cloud, for the writer of facts and for who compares them.

    Attributes:
        name: of the provider, which is that of its module.
        keeps: sections whose resources hold state there, so that none of them ever drops out.
        addresses: the resources of a module that belong to one fact of such a section.
        longest: seconds that a handler may run.
        most_retries: of a call that the platform repeats by itself.
        schedule: returns a crontab's line as the cloud writes it.
        flow: returns a workflow for the cloud's engine, given what its functions are called, and
            of what app it is; None where its engine takes the definitions by another way.
        check: raises `ConfigError` where the cloud cannot have what the facts say.
        settings: returns facts that this cloud alone has.
        notes: what a person has to know of them.
        arn_roles: roles that handlers have already are named by an ARN.
        adapt: returns the facts as the cloud has them.
        instance: the address of the module that has what keeps state, for a region.
        expected: returns what `leeward doctor` compares, by the facts, the texts of their files,
            and the targets by their regions.
    """

    name: str
    keeps: tuple[str, ...]
    addresses: Mapping[str, tuple[str, ...]]
    longest: int
    most_retries: int
    schedule: Callable[[str], str]
    flow: Callable[[Definition, Mapping[str, str], PackageSpec], str] | None
    check: Callable[[Facts], None]
    settings: Callable[[PackageSpec, Deployment], Mapping[str, Any]] = lambda *_: NOTHING
    notes: Callable[[PackageSpec, Deployment], Iterable[str]] = lambda *_: ()
    arn_roles: bool = False
    adapt: Callable[[PackageSpec, Deployment, Facts], Facts] = lambda _, __, facts: facts
    instance: str = 'module.app["{}"]'
    expected: Callable[[Facts, Facts, Mapping[str, str]], Iterable[Expected]] = lambda *_: ()


def facts_of(spec: PackageSpec, deployment: Deployment, cloud: Cloud) -> tuple[Facts, Facts]:
    """Return the facts of an app, and the files that they name: texts by their paths.

    Raises:
        ConfigError: the cloud cannot have them.
    """
    names = deployment.sites[0].declared
    spec = spec._replace(declared=names)
    handlers = spec.app.handlers.values()
    flows, files = _flows_of(spec, cloud)
    regions = [site.region for site in deployment.sites]
    facts: Facts = {
        "format": FORMAT,
        "cloud": cloud.name,
        "app": spec.app.name,
        "stage": spec.settings.stage,
        "prefix": names.prefix,
        "title": stem(spec),
        "python": spec.python,
        "arch": spec.arch,
        "order": "" if names.ordered else names.order or cloud.name,
        "regions": sorted(regions),
        "serving": regions[0],
        "settings": _settings_of(spec, deployment),
        "entrance": _entrance_of(spec, deployment),
        "warm": _rights_in(spec.warm, spec, (), deployment.away),
        cloud.name: dict(cloud.settings(spec, deployment)),
        "handlers": {
            handler.name: _handler_of(spec, handler, deployment, cloud) for handler in handlers
        },
        "functions": {
            name: _names_of(deployment, "functions", name)
            for name in names.functions
            if name not in spec.app.handlers and name not in queues_of(spec)
        },
        "queues": _queues_in(spec, deployment),
        "dead_letters": {
            letters.name: {"name": own_dead_letters(spec, letters), **_order_of(letters.name)}
            for letters in (_dead_letters(spec, handler) for handler in handlers)
        },
        "subscriptions": {
            handler.name: {
                "bus": handler.bus,
                "type": handler.type,
                "handler": handler.name,
                "dead_letters": _dead_letters(spec, handler).name,
                "deliveries": _dead_letters(spec, handler).deliveries,
            }
            for handler in handlers
            if handler.kind is Kind.EVENT
        },
        "tables": {
            name: {"name": own_name, "key": list(table.key), "home": table.region}
            | _existing(table.exists or ":" in own_name)
            for (name, own_name), table in zip(names.tables.items(), deployment.tables, strict=True)
        },
        "buckets": _buckets_in(spec, deployment),
        "buses": _buses_in(spec, deployment),
        "flows": flows,
    }
    facts = _lean(cloud.adapt(spec, deployment, facts))
    if not facts["handlers"] and not facts["flows"]:
        raise ConfigError(
            f"the app {spec.app.name!r} has no handler and no workflow, so there is nothing to "
            "deploy: add one, such as @app.function(), in a module that the app's module imports"
        )
    for name, handler in facts["handlers"].items():
        if handler["seconds"] > cloud.longest:
            raise ConfigError(
                f"the handler {name!r} has a timeout of {handler['seconds']} s, and {cloud.name} "
                f"gives {cloud.longest} s; make it a workflow, or run it elsewhere"
            )
    cloud.check(facts)
    return facts, files


def _settings_of(spec: PackageSpec, deployment: Deployment) -> Facts:
    """Return what ``[deploy]`` says of everything, which variables of a module may override."""
    settings = spec.settings
    return {
        "tags": dict(settings.tags),
        "memory": settings.memory,
        "concurrency": settings.concurrency,
        "limit": settings.limit,
        "log_days": settings.log_days,
        "retention_days": deployment.retention_days,
        "standby_instances": deployment.standby_instances,
        "tracing": settings.tracing,
        "alarms": settings.alarms,
        "metrics": spec.entry.options.get("emf"),
    }


def _entrance_of(spec: PackageSpec, deployment: Deployment) -> Facts:
    """Return how others than leeward reach the app; nothing without a domain."""
    if not deployment.domain:
        return {}
    return {
        "domain": deployment.domain,
        "zone": deployment.zone,
        "interval": deployment.interval,
        "failures": deployment.failures,
        "issuer": spec.settings.issuer,
        "audience": list(spec.settings.audience),
        "logs": spec.settings.access_logs,
    }


def _handler_of(spec: PackageSpec, handler: Handler, deployment: Deployment, cloud: Cloud) -> Facts:
    """Return the fact of a handler; what it does not have is left out."""
    settings = spec.settings.handlers.get(handler.name)
    letters = _dead_letters(spec, handler)
    return {
        "kind": KINDS[handler.kind],
        **_names_of(deployment, "functions", handler.name),
        "seconds": seconds_of(handler),
        "memory": settings and settings.memory,
        "concurrency": settings and settings.concurrency,
        "retries": retries_of(handler, cloud.most_retries),
        "role": spec.settings.role_of(handler.name, arn=cloud.arn_roles),
        "dead_letters": letters.name,
        "gives_up": is_queued(handler) and letters.by_leeward,
        "queue": (handler.queue or handler.name) if is_queued(handler) else None,
        "schedule": cloud.schedule(str(handler.schedule)) if handler.schedule else None,
        "bucket": handler.bucket,
        "prefix": handler.prefix,
        "rights": _rights_in(rights_for(spec, handler.name), spec, (handler,), deployment.away),
    }


def _rights_in(
    rights: Rights, spec: PackageSpec, handlers: Collection[Handler], away: Collection[str]
) -> Facts:
    """Return rights by verb: names, and places in buckets for what is done with objects.

    A handler of objects reads below its prefix, and writes where it says that it does: there it may
    read, too, to find what an attempt before has written. A bucket that is `away`, at another
    provider, is not named here.
    """
    names, queues = spec.declared, queues_of(spec)
    functions = {*names.functions, *spec.app.handlers}
    buckets = {*names.buckets, *(handler.bucket for handler in spec.app.handlers.values())}
    places: dict[str, set[tuple[str, str]]] = {
        verb: {(bucket, "") for bucket in getattr(rights, verb) & buckets}
        for verb in ("gets", "puts", "deletes")
    }
    scans: set[str] = set()
    for handler in handlers:
        targets = {(place.bucket, place.prefix) for place in handler.writes}
        # Where the app says under which prefixes it writes, it writes nowhere else.
        whole = {(bucket, "") for bucket, _ in targets}
        places["puts"] = (places["puts"] - whole) | targets
        if handler.kind is Kind.OBJECT:
            places["gets"].add((str(handler.bucket), handler.prefix))
        scans |= {handler.uses["scans"]} if "scans" in handler.uses else set()
    # Who may do everything with a table needs no right besides.
    tables = names.tables.keys()
    narrow = tables - rights.writes
    verbs = {
        "publishes": rights.publishes & names.buses.keys(),
        "calls": (rights.calls & functions) - queues,
        "sends": rights.calls & queues,
        "reads": rights.reads & narrow,
        "stores": rights.stores & narrow,
        "removes": rights.removes & narrow,
        "writes": rights.writes & tables,
        "scans": scans & tables,
        "starts": rights.starts & {*names.workflows, *(f.name for f in spec.app.workflows)},
    }
    for verb, items in places.items():
        places[verb] = {(bucket, prefix) for bucket, prefix in items if bucket not in away}
    places["gets"] = _outermost(places["gets"] - places["puts"])
    places["puts"] = _outermost(places["puts"])
    return {verb: sorted(items) for verb, items in verbs.items()} | {
        verb: [{"bucket": bucket, "prefix": prefix} for bucket, prefix in sorted(items)]
        for verb, items in places.items()
    }


def _outermost(places: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return places without those that lie below another one."""
    return {
        (bucket, prefix)
        for bucket, prefix in places
        if not any(
            bucket == other and prefix != begin and prefix.startswith(begin)
            for other, begin in places
        )
    }


def queues_of(spec: PackageSpec) -> set[str]:
    """Return the logical names of queues of messages, as leeward.toml or the app has them."""
    queues = {handler.queue for handler in spec.app.handlers.values() if handler.queue}
    return queues | {*spec.declared.queues}


def _queues_in(spec: PackageSpec, deployment: Deployment) -> Facts:
    """Return the queues that handlers take from, and those of other apps, which exist."""
    queues: Facts = {
        name: {**_names_of(deployment, "functions", name), "existing": True}
        for name in spec.declared.queues
    }
    for handler in spec.app.handlers.values():
        if is_queued(handler):
            name, letters = handler.queue or handler.name, _dead_letters(spec, handler)
            queues[name] = {
                **_names_of(deployment, "functions", name),
                "seconds": seconds_of(handler),
                "dead_letters": letters.name,
                "deliveries": letters.deliveries,
                **_order_of(name),
                **_existing(spec.settings.is_there("queues", name)),
            }
    return queues


def _buckets_in(spec: PackageSpec, deployment: Deployment) -> Facts:
    """Return the buckets that leeward.toml names, and those of handlers, which exist."""
    names = spec.declared
    buckets: Facts = {
        handler.bucket: {"name": names.usual(handler.bucket), "existing": True}
        for handler in spec.app.handlers.values()
        if handler.bucket and handler.bucket not in deployment.away
    }
    for (name, own_name), bucket in zip(names.buckets.items(), deployment.buckets, strict=True):
        buckets[name] = {"name": own_name, "home": bucket.region, **_existing(bucket.exists)}
    return buckets


def _buses_in(spec: PackageSpec, deployment: Deployment) -> Facts:
    """Return the buses that leeward.toml names, and those of subscribers, which exist."""
    buses: Facts = {
        handler.bus: {"name": spec.declared.usual(handler.bus), "existing": True}
        for handler in spec.app.handlers.values()
        if handler.bus
    }
    for name, own_name in spec.declared.buses.items():
        is_there = spec.settings.is_there("buses", name) or ":" in own_name or own_name == "default"
        buses[name] = {**_names_of(deployment, "buses", name), **_existing(is_there)}
    return buses


def _flows_of(spec: PackageSpec, cloud: Cloud) -> tuple[Facts, Facts]:
    """Return the workflows, and their files; a module puts own names in place of ``@@name@@``."""
    flows: Facts = {}
    files: Facts = {}
    for definition in spec.app.workflows:
        callees = sorted({*functions_of(definition)})
        path = cloud.flow and f"flows/{definition.name}.json"
        if cloud.flow and path:
            files[path] = cloud.flow(
                definition, {callee: f"@@{callee}@@" for callee in callees}, spec
            )
        own_name = spec.declared.workflows.get(definition.name)
        flows[definition.name] = {
            "name": own_name or spec.declared.usual(definition.name),
            "file": path,
            "calls": callees,
            **_existing(spec.settings.is_there("workflows", definition.name)),
        }
    for name, own_name in spec.declared.workflows.items():
        flows.setdefault(name, {"name": own_name, "existing": True})
    return flows, files


def _dead_letters(spec: PackageSpec, handler: Handler) -> DeadQueue:
    """Return where the dead letters of a handler go, by a logical name."""
    queue = (handler.queue or handler.name) if is_queued(handler) else handler.name
    return dead_queue(handler, queue, spec.entry.options)


def own_dead_letters(spec: PackageSpec, letters: DeadQueue) -> str:
    """Return the own name of a queue of dead letters: as it is, where an URL or an ARN names it."""
    addresses = (spec.entry.options.get("dead_letters") or {}).values()
    is_address = any("/" in name and name.rpartition("/")[2] == letters.name for name in addresses)
    return letters.name if is_address else spec.declared.usual(letters.name)


def _names_of(deployment: Deployment, section: str, name: str) -> Facts:
    """Return the own name in the serving region, and that of other regions where it differs."""

    def own(names: Declared) -> str:
        return str(getattr(names, section).get(name) or names.usual(name))

    usual = own(deployment.sites[0].declared)
    others = {site.region: own(site.declared) for site in deployment.sites}
    return {
        "name": usual,
        "names": {region: other for region, other in sorted(others.items()) if other != usual},
    }


def _existing(is_there: bool) -> Facts:
    return {"existing": True} if is_there else {}


def _order_of(name: str) -> Facts:
    return {"ordered": True} if name.endswith(ORDERED) else {}


def check_standby(facts: Facts) -> None:
    """Check that a standby may answer its health check: with 0 instances it never would.

    Raises:
        ConfigError: it may not.
    """
    if facts["settings"]["standby_instances"] == 0:
        raise ConfigError(
            f"standby_instances in [export.{facts['cloud']}] must be 1 or more, to answer a health "
            "check"
        )


def check_differ(pairs: Iterable[tuple[str, str]]) -> None:
    """Check that no two things would be one, given own and logical names.

    Raises:
        ConfigError: two would be.
    """
    first: dict[str, str] = {}
    for own_name, name in pairs:
        if first.setdefault(own_name, name) != name:
            raise ConfigError(
                f"{first[own_name]} and {name} would both be {own_name!r}; give one of them "
                "another name, in the app, in dead_letters of the entry file, or in leeward.toml"
            )


def _lean(value: Any) -> Any:
    """Return facts without what is empty or false: a module has the defaults.

    Sections and the names in them stay, and so do numbers: 0 retries are not the usual ones.
    """

    def lean(value: Any) -> Any:
        if isinstance(value, dict):
            row = {key: lean(content) for key, content in value.items()}
            return {k: e for k, e in row.items() if e not in (None, "", [], {}) and e is not False}
        return value

    return {
        key: {name: lean(entry) for name, entry in sorted(section.items())}
        if key in NAMED
        else section
        if key == "settings"
        else lean(section)
        for key, section in value.items()
    }


def text_of(facts: Mapping[str, Any]) -> str:
    """Return facts as a file has them: a line for each named thing, and a digest of all of it."""
    content = {"digest": digest_of(facts)} | {k: v for k, v in facts.items() if k != "digest"}
    lines = (f"  {json.dumps(key)}: {_section_text(key, value)}" for key, value in content.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _section_text(key: str, value: Any) -> str:
    if key not in NAMED or not value:
        return json.dumps(value)
    rows = (f"    {json.dumps(name)}: {json.dumps(fact)}" for name, fact in sorted(value.items()))
    return "{\n" + ",\n".join(rows) + "\n  }"


def digest_of(facts: Mapping[str, Any]) -> str:
    """Return the digest of facts, whatever stands in them under ``digest``."""
    content = {key: fact for key, fact in facts.items() if key != "digest"}
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def facts_from(text: str, file: str) -> Facts:
    """Read facts.

    Raises:
        ConfigError: somebody has edited the file, or another version of leeward has written it.
    """
    try:
        facts: Facts = json.loads(text)
        is_own = facts["digest"] == digest_of(facts)
    except (ValueError, KeyError, TypeError):
        is_own = False
    if not is_own:
        raise ConfigError(
            f"{file} was edited by hand: restore it from version control, change the app or "
            "leeward.toml, and export again; what a module is to do otherwise is a variable of it"
        )
    if facts.get("format") != FORMAT:
        raise ConfigError(
            f"{file} has format {facts.get('format')}, and this leeward writes format {FORMAT}; "
            "use the version of leeward that has written it"
        )
    return facts
