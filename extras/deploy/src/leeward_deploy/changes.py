"""What an export changes: the last facts against the new ones, in words.

What keeps state never drops out. A fact that is gone becomes *retained*, in a file of its own, and
its module keeps the resource, until a person says ``--forget``. A change that would make the cloud
replace what holds data is refused. Everything here is pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from leeward.errors import ConfigError
from leeward.text import did_you_mean
from leeward_deploy.facts import FORMAT, NAMED, Cloud, Facts

IDENTITY: Final = ("key", "home", "ordered", "service_bus", "bus", "type", "firestore")
"""What a cloud cannot change of a thing that is there, besides its names: it would make another one
in its place."""

WORDS: Final = {
    "handlers": "handler",
    "functions": "function",
    "queues": "queue",
    "dead_letters": "queue of dead letters",
    "subscriptions": "subscription",
    "tables": "table",
    "buckets": "bucket",
    "buses": "bus",
    "flows": "workflow",
}

WHOLE: Final = {
    "app": "give the app its old name, or export the new one to another folder with --out",
    "cloud": "each cloud has a folder of its own",
    "prefix": "set deploy.prefix back; for a second app beside this one use --out, and its own "
    "state",
    "stage": "each stage has a folder of its own; set the stage back, or use --out",
}
"""Facts that are in every name, and what to do if one of them changes."""


class Changes(NamedTuple):
    """What an export changes.

    Attributes:
        retained: the new retained facts.
        notes: what is added, changed and retained, in words.
        commands: what lets go of what is to be forgotten.
    """

    retained: Facts
    notes: tuple[str, ...]
    commands: tuple[str, ...]


def compare(
    before: Mapping[str, Any] | None,
    retained: Mapping[str, Any] | None,
    now: Mapping[str, Any],
    cloud: Cloud,
    forget: tuple[str, ...] = (),
) -> Changes:
    """Return what changes from the last facts to the new ones.

    Args:
        before: the last facts; None for the first export.
        retained: what was retained then; None for nothing.
        now: the new facts.
        cloud: that they are for.
        forget: names of what is retained, such as ``tables.orders`` or a region, to be let go of.

    Raises:
        ConfigError: a change would replace what holds data, or a name to forget is not retained.
    """
    remains = _copy_of(retained, cloud)
    if before is not None:
        refusals = [*_whole_refusals(before, now), *_refusals(before, remains, now, cloud)]
        if refusals:
            raise ConfigError("; ".join(refusals))
        for section in cloud.keeps:
            remains[section] |= {
                name: fact
                for name, fact in before.get(section, {}).items()
                if not fact.get("existing")
            }
        if "{}" in cloud.instance:
            remains["regions"] = sorted({*remains["regions"], *before["regions"]})
    for section in cloud.keeps:
        remains[section] = {
            name: fact
            for name, fact in remains[section].items()
            if name not in now.get(section, {})
        }
    remains["regions"] = [region for region in remains["regions"] if region not in now["regions"]]
    remains["names"] = _names_of(before or {}, retained or {}, remains, now, cloud)
    notes = () if before is None else (*_notes(before, remains, now, cloud),)
    commands = tuple(line for name in forget for line in _forget(name, remains, now, cloud))
    return Changes({key: content for key, content in remains.items() if content}, notes, commands)


def _names_of(
    before: Mapping[str, Any],
    retained: Mapping[str, Any],
    remains: Mapping[str, Any],
    now: Mapping[str, Any],
    cloud: Cloud,
) -> Facts:
    """Return the own names in regions that the app has left, where the facts say others now."""
    result: Facts = {}
    for section in cloud.keeps:
        for name, fact in {**remains[section], **now.get(section, {})}.items():
            was = retained.get("names", {}).get(section, {}).get(name, {})
            last = before.get(section, {}).get(name, fact)
            names = {
                region: was.get(region) or _own_name(last, region) for region in remains["regions"]
            }
            names = {
                region: own_name
                for region, own_name in names.items()
                if own_name != _own_name(fact, region)
            }
            if names:
                result.setdefault(section, {})[name] = names
    return result


def _own_name(fact: Mapping[str, Any], region: str) -> Any:
    return fact.get("names", {}).get(region, fact.get("name"))


def keep_names(
    before: Mapping[str, Any] | None, retained: Mapping[str, Any] | None, now: Facts
) -> Facts:
    """Return facts in which the subscription of a queue has the name that it was made with.

    It is called by its first handler, and holds what another handler of the queue is to take.
    """
    queues = {**(retained or {}).get("queues", {}), **(before or {}).get("queues", {})}
    return now | {
        "queues": {
            name: queue
            | {key: queues[name][key] for key in ("subscription",) if key in queues.get(name, {})}
            for name, queue in now["queues"].items()
        }
    }


def _copy_of(retained: Mapping[str, Any] | None, cloud: Cloud) -> Facts:
    """Return retained facts with every section, so that they can be changed."""
    facts = retained or {}
    sections = {section: dict(facts.get(section, {})) for section in cloud.keeps}
    return {"format": FORMAT, "regions": list(facts.get("regions", ())), **sections}


def _whole_refusals(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key, remedy in WHOLE.items():
        if before.get(key) != now.get(key):
            yield (
                f"the {key} would change from {before.get(key)!r} to {now.get(key)!r}, and it is "
                f"part of every name, so all data would stay behind: {remedy}"
            )


def _refusals(
    before: Mapping[str, Any], remains: Mapping[str, Any], now: Mapping[str, Any], cloud: Cloud
) -> Iterator[str]:
    """Yield why what holds data cannot become what the new facts say."""
    for section in cloud.keeps:
        facts = {**remains[section], **before.get(section, {})}
        for name, fact in now.get(section, {}).items():
            last, word = facts.get(name), WORDS[section]
            if last is None or last.get("existing"):
                continue
            if fact.get("existing"):
                yield (
                    f"the {word} {name!r} was made by this module, so it cannot be named as "
                    f"existing: take {section}.{name} out of deploy.existing; or take it out of "
                    f"leeward.toml, export, and export again with --forget {section}.{name}, "
                    "before you name it"
                )
                continue
            both = [region for region in before["regions"] if region in now["regions"]]
            names = [("name", _own_name(last, region), _own_name(fact, region)) for region in both]
            others = [(field, last.get(field), fact.get(field)) for field in IDENTITY]
            for field, was, will in (*dict.fromkeys(names), *others):
                # What has one name in one region alone has its home there, said or not.
                if was != will and (field != "home" or None not in (was, will)):
                    yield (
                        f"the {field} of the {word} {name!r} would change from {was!r} to "
                        f"{will!r}, which the cloud does by making another one without the data: "
                        "set it back, or give the new one another logical name and move the data"
                    )


def _notes(
    before: Mapping[str, Any], remains: Mapping[str, Any], now: Mapping[str, Any], cloud: Cloud
) -> Iterator[str]:
    """Yield what changes, thing by thing."""
    for section in NAMED:
        last, new, word = before.get(section, {}), now.get(section, {}), WORDS[section]
        for name in sorted({*last, *new}):
            if name not in last:
                yield f"added: {word} {name}"
            elif name not in new and section in cloud.keeps and not last[name].get("existing"):
                yield (
                    f"retained: {word} {name}, with what it holds; --forget {section}.{name} says "
                    "how to let it go"
                )
            elif name not in new:
                yield f"removed: {word} {name}"
            elif last[name] != new[name]:
                fields = sorted(
                    key
                    for key in {*last[name], *new[name]}
                    if last[name].get(key) != new[name].get(key)
                )
                yield f"changed: {word} {name}: {', '.join(fields)}"
    for region in sorted({*now["regions"]} - {*before["regions"]}):
        yield f"added: region {region}"
    for region in sorted({*before["regions"]} - {*now["regions"]}):
        yield (
            f"retained: region {region}: its handlers go, its queues and what they hold stay; "
            f"--forget {region} says how to let it go"
            if region in remains["regions"]
            else f"removed: region {region}: its handlers go, and it holds nothing"
        )
    simple = [key for key in before if key not in (*NAMED, "digest", "regions")]
    changed = sorted(key for key in simple if before[key] != now.get(key))
    if changed:
        yield f"changed: {', '.join(changed)}"


def _forget(name: str, remains: Facts, now: Mapping[str, Any], cloud: Cloud) -> Iterator[str]:
    """Remove a name from what is retained; yield the commands that make Terraform let it go.

    Raises:
        ConfigError: it is not retained, or two things of this name are.
    """
    places = [*now["regions"], *remains["regions"]]
    if name in remains["regions"]:
        remains["regions"].remove(name)
        yield f"terraform state rm 'module.app[\"{name}\"]'"
        return
    short_names = {
        f"{section}.{entry}": entry for section in cloud.keeps for entry in remains[section]
    }
    matches = [full for full, short in short_names.items() if name in (full, short)]
    if len(matches) != 1:
        what = f"{len(matches)} things are called so" if matches else "it is not retained"
        hint = (
            did_you_mean(name, short_names)
            or f"; retained: {', '.join(sorted(short_names)) or 'nothing'}"
        )
        raise ConfigError(f"--forget names {name!r}, and {what}{hint}")
    section, _, short_name = matches[0].partition(".")
    for user in ("queues", "subscriptions"):
        field = {"dead_letters": "dead_letters", "buses": "bus"}.get(section, "")
        for other, fact in {**remains.get(user, {}), **now[user]}.items():
            if fact.get(field) == short_name:
                raise ConfigError(
                    f"--forget names {name!r}, and {user}.{other} needs it: forget that first"
                )
    fact = remains[section].pop(short_name)
    home, key = fact.get("home"), fact.get("firestore", short_name)
    others = (*remains[section].values(), *now.get(section, {}).values())
    if any(other.get("firestore") == key for other in others):
        return  # a database of other tables, too
    places = [home] if home else places
    for place in dict.fromkeys(cloud.instance.format(region) for region in places):
        for address in cloud.addresses[section]:
            yield f"terraform state rm '{place}.{address}[\"{key}\"]'"
