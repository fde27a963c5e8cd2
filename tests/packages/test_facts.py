"""Facts say what an app needs by logical names; an export says what changes, and keeps the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from leeward import App, ConfigError, Event
from leeward_deploy.aws.facts import CLOUD
from leeward_deploy.changes import compare
from leeward_deploy.commands.export import deployment_of
from leeward_deploy.facts import Facts, digest_of, facts_from, facts_of, text_of
from leeward_deploy.infrastructure import RECORD, export_facts, module_texts
from leeward_deploy.moves import moves_in
from leeward_deploy.recipe import Entry, PackageSpec, Rights
from tests.packages.exported import EVERYTHING, PYTHON, config_of, everything, settings
from tests.packages.ordinary import CHANGES, NAMES, REFUSALS, Case, spec_for, usual

ORDERS: Final = ("tables", "queues", "dead_letters", "buckets", "buses")


def facts(folder: Path, case: Case) -> Facts:
    """Give the facts of a case, as they are read back from their file."""
    config = config_of(folder, case.text)
    spec = spec_for(case, "aws", config)
    found, _ = facts_of(spec, deployment_of(config, "aws", spec.app), CLOUD)
    return facts_from(text_of(found), "facts.json")


def test_facts_are_the_same_whatever_the_order_of_targets(tmp_path: Path) -> None:
    """But for the region that serves: addresses know no position."""
    first = facts(tmp_path, usual("aws"))
    swapped = facts(tmp_path, CHANGES["regions swapped"](usual("aws"), "aws"))
    differ = {key for key in first if first[key] != swapped[key]}
    assert differ == {"digest", "serving"}


def test_a_stage_differs_in_names_alone(tmp_path: Path) -> None:
    """Logical names, and so addresses, are those of every stage."""
    first = facts(tmp_path, usual("aws"))
    prod = facts(tmp_path, usual("aws")._replace(deploy='stage = "prod"\n'))
    for section in (*ORDERS, "handlers"):
        assert first[section].keys() == prod[section].keys()
    assert prod["tables"]["orders"]["name"] == "prod-orders"
    assert (prod["stage"], prod["prefix"], prod["title"]) == ("prod", "prod-", "prod-")


@pytest.mark.parametrize("count", [2, 20, 60])
def test_facts_grow_by_few_lines_for_each_handler(tmp_path: Path, count: int) -> None:
    """At most 15: the handler, its queue and its dead letters have one each."""

    def lines(count: int) -> int:
        app = App("many")
        for number in range(count):
            app.on_message(f"queue-{number}", name=f"handler-{number}")(print)
        spec = PackageSpec(app, Entry("m", "a"), *PYTHON)
        deployment = deployment_of(config_of(tmp_path, usual("aws").text), "aws", app)
        return text_of(facts_of(spec, deployment, CLOUD)[0]).count("\n")

    assert lines(count + 1) - lines(1) <= 15 * count


def test_rights_are_narrow(tmp_path: Path) -> None:
    """A handler of objects reads below its prefix and writes where it says; who stores removes not.

    What one verb allows anyway is not there a second time.
    """
    app = App("narrow")
    app.on_object("scans", prefix="in/", writes="scans/out/", name="clean")(print)
    app.function(name="store")(print)
    config = config_of(tmp_path, usual("aws").text)
    rights = {
        "clean": Rights(puts=frozenset({"scans"})),
        "store": Rights(stores=frozenset({"orders"}), gets=frozenset({"scans"})),
    }
    names = spec_for(usual("aws"), "aws", config).declared
    spec = PackageSpec(app, Entry("m", "a"), *PYTHON, declared=names, rights=rights)
    found, _ = facts_of(spec, deployment_of(config, "aws", app), CLOUD)
    place = {"bucket": "scans", "prefix": ""}
    assert found["handlers"]["store"]["rights"] == {"stores": ["orders"], "gets": [place]}
    assert found["handlers"]["clean"]["rights"] == {
        "gets": [{**place, "prefix": "in/"}],
        "puts": [{**place, "prefix": "out/"}],
    }


def test_facts_have_no_secret_and_no_setting_of_a_target(tmp_path: Path) -> None:
    """What stands in the section of a target stays there."""
    text = usual("aws").text + '\n[targets.aws]\nendpoint = "https://user:secret@example.com"\n'
    try:
        config = config_of(tmp_path, text)
    except ConfigError:
        config = config_of(tmp_path, usual("aws").text)
    spec = spec_for(usual("aws"), "aws", config)
    found, _ = facts_of(spec, deployment_of(config, "aws", spec.app), CLOUD)
    assert "secret" not in text_of(found)


@pytest.mark.parametrize("field", ["digest", "handlers", "regions"])
def test_facts_that_somebody_has_edited_are_refused(tmp_path: Path, field: str) -> None:
    """With the remedy; another format is refused by its number."""
    found = facts(tmp_path, usual("aws"))
    with pytest.raises(ConfigError, match="facts.json was edited by hand: restore it"):
        facts_from(json.dumps({**found, field: "other"}), "facts.json")
    later = {**found, "format": 2}
    later["digest"] = digest_of(later)
    with pytest.raises(ConfigError, match="has format 2, and this leeward writes format 1"):
        facts_from(json.dumps(later), "facts.json")


@pytest.mark.parametrize("change", CHANGES)
def test_what_keeps_state_never_drops_out(tmp_path: Path, change: str) -> None:
    """It is a fact, or it is retained; and what is done is said in words."""
    before = facts(tmp_path, usual("aws"))
    now = facts(tmp_path, CHANGES[change](usual("aws"), "aws"))
    changes = compare(before, {}, now, CLOUD)
    for section in ORDERS:
        kept = {**changes.retained.get(section, {}), **now[section]}
        assert before[section].keys() <= kept.keys()
        for name, fact in before[section].items():
            assert kept[name]["name"] == fact["name"]
    assert {*before["regions"]} <= {*now["regions"], *changes.retained.get("regions", ())}
    assert bool(changes.notes) == (change != "nothing")


@pytest.mark.parametrize("kind", NAMES)
def test_a_handler_that_is_renamed_keeps_the_queue_that_it_names(tmp_path: Path, kind: str) -> None:
    """A consumer's queue is called by the queue; that of the others is retained."""
    before = facts(tmp_path, usual("aws"))
    now = facts(tmp_path, CHANGES[f"a handler of kind {kind} renamed"](usual("aws"), "aws"))
    retained = compare(before, {}, now, CLOUD).retained
    if kind == "message":
        assert retained == {"format": 1}
        assert now["queues"].keys() == before["queues"].keys()
    else:
        assert f"{kind}-dead" in retained["dead_letters"]


@pytest.mark.parametrize("change", REFUSALS)
def test_a_change_that_would_lose_data_is_refused(tmp_path: Path, change: str) -> None:
    """Also for what was retained, and comes back otherwise."""
    make, told = REFUSALS[change]
    before, now = facts(tmp_path, usual("aws")), facts(tmp_path, make(usual("aws"), "aws"))
    with pytest.raises(ConfigError, match=told):
        compare(before, {}, now, CLOUD)
    if change != "a prefix":
        empty = {**before, **{section: {} for section in ORDERS}}
        kept = {"format": 1, **{section: before[section] for section in ORDERS}}
        with pytest.raises(ConfigError, match=told):
            compare(empty, kept, now, CLOUD)


def test_what_comes_back_is_not_retained_any_more(tmp_path: Path) -> None:
    """It is the same thing at the same address."""
    before = facts(tmp_path, usual("aws"))
    without = facts(tmp_path, CHANGES["a table removed"](usual("aws"), "aws"))
    retained = compare(before, {}, without, CLOUD).retained
    assert retained["tables"] == {"mails": before["tables"]["mails"]}
    assert compare(without, retained, before, CLOUD).retained == {"format": 1}


def test_forgetting_names_what_is_retained(tmp_path: Path) -> None:
    """By its section where two have the name; a region, too; and nothing else."""
    before = facts(tmp_path, usual("aws"))
    without = facts(tmp_path, CHANGES["a table removed"](usual("aws"), "aws"))
    gone = compare(before, {}, without, CLOUD, ("mails",))
    assert gone.commands == (
        'terraform state rm \'module.app["us-east-1"].aws_dynamodb_table.table["mails"]\'',
    )
    assert "tables" not in gone.retained
    with pytest.raises(ConfigError, match=r"'tables.orders', and it is not retained.*tables.mails"):
        compare(before, {}, without, CLOUD, ("tables.orders",))
    one = facts(tmp_path, CHANGES["a region taken out"](usual("aws"), "aws"))
    assert compare(before, {}, one, CLOUD).retained["regions"] == ["us-west-2"]
    left = compare(before, {}, one, CLOUD, ("us-west-2",))
    assert left.commands == ("terraform state rm 'module.app[\"us-west-2\"]'",)
    assert "regions" not in left.retained


def export(folder: Path) -> tuple[str, ...]:
    """Export the app with everything into a folder; return what is said."""
    spec = everything("aws")
    deployment = deployment_of(config_of(folder, settings("aws") + EVERYTHING), "aws", spec.app)
    files = export_facts(spec, deployment, CLOUD, folder)
    for path, text in files.texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    return files.notes


def test_a_module_is_copied_once_and_left_alone_when_edited(tmp_path: Path) -> None:
    """A copy that nobody has edited follows the version; the root is written once."""
    export(tmp_path)
    module = tmp_path / "modules" / "aws"
    assert {path.name for path in module.iterdir()} == {*module_texts("aws"), RECORD}
    (tmp_path / "aws" / "main.tf").write_text("# facts.json: mine\n", "utf-8")
    (module / "data.tf").write_text("# mine\n", "utf-8")
    record = json.loads((module / RECORD).read_text("utf-8"))
    (module / RECORD).write_text(json.dumps({**record, "version": "0.0.9"}), "utf-8")
    assert any("was edited, so it stays as it is" in note for note in export(tmp_path))
    assert (module / "data.tf").read_text("utf-8") == "# mine\n"
    assert (tmp_path / "aws" / "main.tf").read_text("utf-8") == "# facts.json: mine\n"


def test_facts_that_are_gone_are_not_written_again_in_silence(tmp_path: Path) -> None:
    """What was made is known from them alone; and files of an earlier leeward are named."""
    export(tmp_path)
    (tmp_path / "aws" / "retained.json").unlink()
    with pytest.raises(ConfigError, match="restore it from version control"):
        export(tmp_path)
    (tmp_path / "aws" / "facts.json").unlink()
    (tmp_path / "aws" / "main.tf").write_text("# generated\n", "utf-8")
    with pytest.raises(ConfigError, match="files of an earlier leeward export"):
        export(tmp_path)


def test_two_handlers_of_the_same_objects_are_refused() -> None:
    """S3 tells one of them alone."""
    app = App("twice")
    app.on_object("scans", prefix="in/", name="one")(print)
    app.on_object("scans", prefix="in/new/", name="two")(print)
    with pytest.raises(ConfigError, match="'one' and 'two' would both be told"):
        _check(app)


def test_a_handler_that_takes_too_long_is_refused() -> None:
    """With what the cloud gives."""
    app = App("slow")
    app.function(name="dig", timeout=4000)(print)
    with pytest.raises(ConfigError, match="'dig' has a timeout of 4000 s, and aws gives 900 s"):
        _check(app)


def _check(app: App) -> None:
    spec = PackageSpec(app, Entry("m", "a"), *PYTHON)
    facts_of(spec, _place(), CLOUD)


def _place() -> Any:
    from leeward_deploy.recipe import Declared, Deployment, Site

    return Deployment((Site("us-east-1", Declared()),))


def test_a_move_is_from_what_goes_to_what_comes_under_the_same_name() -> None:
    """Two of one name are left to a person; what is no plan is refused."""

    def change(address: str, action: str, name: str) -> dict[str, Any]:
        value = {"name": name, "region": "us-east-1"}
        found = {"actions": [action], "before": value, "after": value}
        return {"address": address, "type": "aws_sqs_queue", "change": found}

    rows = [
        *(change("aws_sqs_queue.old", "delete", "a"), change("m.aws_sqs_queue.new", "create", "a")),
        *(change("x", "delete", "b"), change("y", "delete", "b"), change("z", "create", "b")),
        change("gone", "delete", "c"),
    ]
    found = moves_in({"resource_changes": rows})
    assert found.text == "moved {\n  from = aws_sqs_queue.old\n  to   = m.aws_sqs_queue.new\n}\n"
    assert (found.moved, found.left) == (1, ("gone", "x", "y"))
    with pytest.raises(ConfigError, match="this is not a plan"):
        moves_in({})


def test_an_event_of_a_bus_that_nothing_names_exists_already(tmp_path: Path) -> None:
    """It is referred to, and not made."""
    app = App("guest")

    @app.on_event("foreign")
    def see(event: Event) -> None: ...

    spec = PackageSpec(app, Entry("m", "a"), *PYTHON)
    found, _ = facts_of(spec, _place(), CLOUD)
    assert found["buses"] == {"foreign": {"name": "foreign", "existing": True}}


def test_a_name_of_one_region_stays_that_of_this_region(tmp_path: Path) -> None:
    """Whichever region serves, and when the app has left it; only another name is refused."""
    first, other = usual("aws").order
    region = other.partition(":")[2]
    named = f'[buses.orders]\nnames = {{ "{other}" = "orders-there" }}\n'
    sections = usual("aws").sections.replace("[buses.orders]\n", named)
    case = usual("aws")._replace(sections=sections)
    before = facts(tmp_path, case)
    swapped = facts(tmp_path, case._replace(order=(other, first)))
    assert compare(before, {}, swapped, CLOUD).retained == {"format": 1}
    one = facts(tmp_path, usual("aws")._replace(order=(first,)))
    left = compare(before, {}, one, CLOUD).retained
    assert left["names"] == {"buses": {"orders": {region: "orders-there"}}}
    assert compare(one, left, one, CLOUD).retained == left
    assert compare(one, left, before, CLOUD).retained == {"format": 1}
    with pytest.raises(ConfigError, match="name of the bus 'orders' would change"):
        compare(before, {}, facts(tmp_path, usual("aws")), CLOUD)
