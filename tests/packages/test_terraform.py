"""Terraform's files say what an app's handlers need, in words that the providers know."""

from __future__ import annotations

import pytest

from leeward import App, ConfigError
from leeward.adapter import Capability, TargetConfig
from leeward_deploy.google.template import account_id
from leeward_deploy.recipe import PACKAGERS, Declared, Entry, PackageSpec, offer_of
from leeward_deploy.terraform import Configuration
from leeward_google.driver import open_driver as open_google
from tests.packages.everything import DECLARED, document, flaws_in, notes, spec


def test_terraform_knows_every_argument() -> None:
    """Each argument is one of the provider's, of its type; none that it wants is missing."""
    assert flaws_in("google", document("google", spec())) == []
    assert flaws_in("google", document("google", spec(declared=Declared()))) == []


def test_on_google_each_handler_is_pushed_to_and_its_dead_letters_are_kept() -> None:
    """Dead letters have a subscription; Pub/Sub itself may move them; attempts are bounded."""
    made = document("google")["resource"]
    subscriptions = made["google_pubsub_subscription"]
    policies = {
        name: each["dead_letter_policy"]["max_delivery_attempts"]
        for name, each in subscriptions.items()
        if "dead_letter_policy" in each
    }
    objects = {"clean": 5, "shrink": 5}
    assert policies == {"count": 5, "remember": 5, "watch-all": 5, "send": 12, "pay": 10, **objects}
    for name, policy in policies.items():
        assert policy
        topic = subscriptions[name]["dead_letter_policy"]["dead_letter_topic"]
        assert topic in {each["topic"] for each in subscriptions.values()}
        assert f"{name}-dead-agent" in made["google_pubsub_topic_iam_member"]
        assert name in made["google_pubsub_subscription_iam_member"]
        account = "${google_service_account.push.email}"
        push = subscriptions[name]["push_config"]
        assert push["oidc_token"]["service_account_email"] == account
        member = made["google_cloud_run_service_iam_member"][f"push-{name}"]
        assert (member["role"], member["member"]) == (
            "roles/run.invoker",
            f"serviceAccount:{account}",
        )
    for name in ("parcels-gone", "memories", "watch-all-dead"):
        assert subscriptions[name]["message_retention_duration"] == "1209600s"
    assert 'attributes.ce-type = "order.created"' in subscriptions["remember"]["filter"]
    assert "filter" not in subscriptions["watch-all"]
    assert subscriptions["send"]["ack_deadline_seconds"] == 50
    job = made["google_cloud_scheduler_job"]["sweep"]
    assert (job["schedule"], job["retry_config"]["retry_count"]) == ("30 6 * * 1-5", 5)
    assert "count: 1 retries are wanted" in notes("google")


def test_on_google_a_function_knows_where_the_others_are() -> None:
    """Of a target without a region, the one that it runs in: else it could call none of them."""
    made = document("google")["resource"]["google_cloudfunctions2_function"]["make"]
    variables = made["service_config"]["environment_variables"]
    assert variables["GOOGLE_CLOUD_REGION"] == made["location"] == "${var.region}"
    env = {**variables, "GOOGLE_CLOUD_REGION": "us-central1", "K_SERVICE": "make"}
    driver = open_google(TargetConfig("google", "google", None, {}, env))
    assert Capability.INVOKE in driver.capabilities
    driver.close()


def test_on_google_an_account_has_roles_for_what_is_named_alone() -> None:
    """Each handler has an account of its own; no role is given for a whole project but Firestore's,
    which is bound to one database."""
    made = document("google")["resource"]
    assert set(made["google_service_account"]) == {
        *("push", "make", "count", "remember", "watch-all", "send", "pay", "sweep"),
        *("clean", "shrink"),
    }
    for each in made["google_project_iam_member"].values():
        assert each["role"] == "roles/datastore.user"
        assert "databases/main" in each["condition"]["expression"]
    published = made["google_pubsub_topic_iam_member"]
    assert published["pay-orders-events"]["topic"] == "orders-events"
    called = made["google_cloud_run_service_iam_member"]
    assert called["pay-bank-charge"]["service"] == "bank-charge"
    assert (
        made["google_storage_bucket_iam_member"]["pay-scans-of-ours"]["bucket"] == "scans-of-ours"
    )
    bare = document("google", spec(declared=Declared()))["resource"]
    assert "google_project_iam_member" not in bare
    topics = bare["google_pubsub_topic_iam_member"]
    assert [each for each in topics if "agent" not in each] == ["send-dead-own"], "leeward's own"


def test_on_google_a_bucket_tells_a_topic_of_new_objects_alone() -> None:
    """Those of the handler's prefix; Cloud Storage may publish; rights are for what is written."""
    made = document("google")
    resource = made["resource"]
    told = resource["google_storage_notification"]
    assert {
        name: (each["bucket"], each.get("object_name_prefix"), each["event_types"])
        for name, each in told.items()
    } == {
        "clean": ("scans-of-ours", "in/", ["OBJECT_FINALIZE"]),
        "shrink": ("photos", None, ["OBJECT_FINALIZE"]),
    }
    assert told["clean"]["topic"] == "${google_pubsub_topic.clean.id}"
    assert told["clean"]["depends_on"] == ["google_pubsub_topic_iam_member.clean-storage-agent"]
    agent = resource["google_pubsub_topic_iam_member"]["clean-storage-agent"]
    assert agent["role"] == "roles/pubsub.publisher"
    assert "google_storage_project_service_account" in agent["member"]
    assert "google_storage_project_service_account" in made["data"]
    rights = resource["google_storage_bucket_iam_member"]
    assert rights["shrink-photos"]["role"] == "roles/storage.objectViewer"


@pytest.mark.parametrize("target", ["aws", "azure", "google"])
def test_what_a_platform_does_not_run_is_refused_by_name(target: str) -> None:
    """A Python or a processor that it has not; a handler that takes longer than it gives."""
    recipe_of = offer_of(PACKAGERS, target)
    with pytest.raises(ConfigError, match=r"no Python 3\.10 .* may be 3\.11, 3\.12, 3\.13, 3\.14"):
        recipe_of(spec()._replace(python="3.10"))
    if target != "aws":
        with pytest.raises(ConfigError, match="arm64; leave --arch out"):
            recipe_of(spec()._replace(arch="arm64"))
        return
    slow = App("slow")

    @slow.function(timeout=4000)
    def dig() -> None: ...

    for each in ("google",):
        with pytest.raises(ConfigError, match=r"'dig' has a timeout of 4000 s"):
            document(each, PackageSpec(slow, Entry("m", "a"), "3.13", "x86_64"))


def test_what_code_says_is_no_expression_in_a_file() -> None:
    """Prefixes and types of events stand for themselves."""
    odd = App("odd")
    odd.on_event("orders", 'of "${path.root}"')(print)
    odd.on_object("scans", prefix="%{x}/${path.root}/")(len)
    asked = PackageSpec(odd, Entry("m", "a"), "3.13", "x86_64")
    google = document("google", asked)["resource"]
    wanted = google["google_pubsub_subscription"]["print"]["filter"]
    assert wanted.startswith('attributes.ce-type = "of \\"$${path.root}\\"" OR')
    told = google["google_storage_notification"]["len"]
    assert told["object_name_prefix"] == "%%{x}/$${path.root}/"


def test_names_that_would_be_one_are_refused() -> None:
    """A queue and a bus that would be one topic."""
    same = DECLARED._replace(buses={"orders": "parcels"})
    with pytest.raises(ConfigError, match="'parcels' and a bus would both be the topic"):
        document("google", spec(declared=same))
    made = Configuration("x/y", "1", {})
    made.add("t", "a b")
    with pytest.raises(ConfigError, match="two things are 'a.b' here"):
        made.add("t", "a.b")
    assert account_id("shop-a-name-that-is-much-longer-than-it-may-be") == (
        "shop-a-name-that-is-m-3715e426"
    )
