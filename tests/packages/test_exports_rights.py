"""What an exported app is allowed: what its code does at run time, in every region, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.packages.exported import (
    document,
)


def test_on_google_a_right_is_given_when_its_thing_is_there(
    documents: dict[str, dict[str, Any]],
) -> None:
    """What the same file makes is referred to and not named: else one apply makes both at once."""
    google = documents["google"]["resource"]
    rights = {
        "google_pubsub_topic": ("google_pubsub_topic_iam_member", "topic"),
        "google_cloudfunctions2_function": ("google_cloud_run_service_iam_member", "service"),
        "google_storage_bucket": ("google_storage_bucket_iam_member", "bucket"),
    }
    for type, (members, argument) in rights.items():
        made = {each["name"] for each in google[type].values()}
        told = {each[argument] for each in google[members].values()}
        assert told
        assert not made & told, type
    groups = google["google_compute_region_network_endpoint_group"]
    assert groups["make"]["cloud_run"]["service"] == "${google_cloudfunctions2_function.make.name}"
    services = google["google_cloud_run_service_iam_member"]
    assert services["pay-make-it-europe-west1"]["service"] == (
        "${google_cloudfunctions2_function.make-europe-west1.name}"
    )


def test_on_google_an_account_may_do_what_its_function_does(
    tmp_path: Path, documents: dict[str, dict[str, Any]]
) -> None:
    """leeward's own dead letters are sent as it; functions without a URL are looked up as it; what
    the app shares is made for the health, too."""
    google = documents["google"]["resource"]
    account = "serviceAccount:${google_service_account.%s.email}"
    may_send = {
        each["member"]
        for each in google["google_pubsub_topic_iam_member"].values()
        if each["topic"] == "${google_pubsub_topic.parcels-gone.name}"
    }
    assert account % "send" in may_send
    assert account % "pay" not in may_send
    for members in ("google_cloudfunctions2_function_iam_member", "google_project_iam_member"):
        told = {each["member"] for each in google[members].values()}
        assert account % "make" in told
        assert account % "leeward-health" not in told, "it makes nothing that handlers share"
    looked_up = google["google_cloudfunctions2_function_iam_member"]["make-make-it-europe-west1"]
    assert looked_up["role"] == "roles/cloudfunctions.viewer"
    url = '[targets.google]\nfunction_url = "https://{region}-p.cloudfunctions.net/{name}"\n'
    assert (
        "google_cloudfunctions2_function_iam_member"
        not in document("google", tmp_path, url)["resource"]
    )
