from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
import requests

from leeward.cloudevents import to_json
from leeward.values import Event
from leeward_contract_tests.fixtures import COUNT, ECHO, EVENTS, FAIL, ITEMS, SEEN, SLOW
from tests.servers.certificates import Authority
from tests.servers.google import clients
from tests.servers.google.clients import ONCE, refusal
from tests.servers.google.cloud import DATABASE, GoogleCloud, faults_of, open_clouds
from tests.servers.loopback import PATIENCE

T = TypeVar("T")

SERVICES = ["cloud_run", "pubsub", "firestore"]

THROTTLING = {
    "cloud_run": 429,
    "pubsub": (429, "RESOURCE_EXHAUSTED"),
    "firestore": (429, "RESOURCE_EXHAUSTED"),
}


def _credentials(cloud: GoogleCloud) -> Any:
    return clients.static(cloud.identity.access_token())


def _call(cloud: GoogleCloud, function: str, payload: object = None) -> requests.Response:
    """Call a function through the proxy, as any client of HTTP does."""
    token = cloud.identity.id_token(cloud.url_of(function))
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(cloud.ca_bundle) if cloud.ca_bundle else True
        return session.post(
            cloud.url_of(function),
            json=payload,
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
        )


def _publish(cloud: GoogleCloud, topic: str, **message: Any) -> None:
    name = f"projects/{cloud.project}/topics/{topic}"
    url = cloud.proxies["pubsub"].url
    with clients.publisher(url, _credentials(cloud), cloud.ca_bundle) as client:
        client.publish(topic=name, messages=[message], **ONCE)


def _store(cloud: GoogleCloud, name: str) -> None:
    """Make a document that holds the name."""
    url = cloud.proxies["firestore"].url
    with clients.firestore_client(
        url, _credentials(cloud), cloud.project, ca_bundle=cloud.ca_bundle
    ) as client:
        client.collection(ITEMS).document(f"{name}-{uuid4().hex}").create({"name": name}, **ONCE)


def _work(cloud: GoogleCloud, service: str, name: str) -> int:
    """Do something that can be counted afterwards, through the proxy; give the status."""
    if service == "cloud_run":
        return _call(cloud, COUNT, {"name": name}).status_code
    if service == "pubsub":
        _publish(cloud, EVENTS, attributes={"name": name, "ce-id": name})
    else:
        _store(cloud, name)
    return 200


def _done(cloud: GoogleCloud, service: str, name: str) -> int:
    """Give how often that was done."""
    if service == "cloud_run":
        called = [each for each in cloud.cloud_run.begun if each.function == COUNT]
        return sum(name in str(each.payload) for each in called)
    if service == "pubsub":
        return sum(each.attributes["name"] == name for _, each in cloud.pubsub.published)
    store = cloud.firestore.stores["(default)"]
    found = store.collection(store.prefix.removesuffix("/"), ITEMS)
    return sum(each.fields["name"].string_value == name for each in found)


def _eventually(look: Callable[[], T], enough: Callable[[T], bool]) -> T:
    deadline = time.monotonic() + PATIENCE
    while not enough(found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _seen(cloud: GoogleCloud, event_id: str, least: int = 1) -> list[Any]:
    return _eventually(
        lambda: _call(cloud, SEEN, {"id": event_id}).json(), lambda found: len(found) >= least
    )


def test_the_functions_of_the_contract_run(google_cloud: GoogleCloud) -> None:
    """Each does what the contract asks of it."""
    name = uuid4().hex
    assert _call(google_cloud, ECHO, {"a": [None]}).json() == {"a": [None]}
    failed = _call(google_cloud, FAIL)
    assert (failed.status_code, failed.headers["X-Google-Status"]) == (500, "crash")
    assert _call(google_cloud, SLOW, {"seconds": 0}).json() == "done"
    counted = [_call(google_cloud, COUNT, {"name": name}).json() for _ in range(3)]
    assert counted == [1, 2, 3]
    assert _call(google_cloud, SEEN, {"id": name}).json() == []


def test_a_message_is_a_call(google_cloud: GoogleCloud) -> None:
    """The topic has the name of the function, and the data is the payload."""
    name = uuid4().hex
    _publish(google_cloud, COUNT, data=json.dumps({"name": name}).encode())
    looks = 0

    def look() -> int:
        nonlocal looks
        looks += 1
        found: int = _call(google_cloud, COUNT, {"name": name}).json()
        return found - looks

    assert _eventually(look, lambda runs: runs == 1) == 1


@pytest.mark.parametrize("data", [{"n": [1]}, b"\x00\xff", b"", None], ids=str)
def test_an_event_is_seen_as_it_was_published(google_cloud: GoogleCloud, data: Any) -> None:
    """In either mode what the bus delivers is the inner event."""
    document = to_json(Event("tests.happened", data, id=uuid4().hex, source="urn:tests"))
    kind = "application/cloudevents+json"
    _publish(
        google_cloud, EVENTS, data=json.dumps(document).encode(), attributes={"content-type": kind}
    )
    attributes = {
        "content-type" if name == "datacontenttype" else f"ce-{name}": str(value)
        for name, value in document.items()
        if not name.startswith("data_") and name != "data"
    }
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    _publish(google_cloud, EVENTS, data=b"" if data is None else body, attributes=attributes)
    assert _seen(google_cloud, str(document["id"]), 2) == [document, document]


def test_another_topic_is_not_there(google_cloud: GoogleCloud) -> None:
    """Neither a bus nor a function without a topic is found."""
    found = refusal(lambda: _publish(google_cloud, "absent", data=b"x"))
    assert found == (404, "NOT_FOUND")


def test_a_cloud_can_speak_tls(tmp_path: Path) -> None:
    """The proxies show certificates that the given authority vouches for, and share a memory."""
    authority = Authority()
    with open_clouds(1, tls=authority, memory=tmp_path / "memory") as (cloud,):
        assert {proxy.url.partition(":")[0] for proxy in cloud.proxies.values()} == {"https"}
        assert cloud.ca_bundle
        assert cloud.ca_bundle.read_bytes() == authority.pem
        assert cloud.options["ca_bundle"] == str(cloud.ca_bundle)
        for service in SERVICES:
            assert _work(cloud, service, "n") == 200
        assert _call(cloud, COUNT, {"name": "n"}).json() == 2
        assert json.loads(cloud.service_account.read_text())["token_uri"].startswith("https:")
    assert (tmp_path / "memory").exists()


def test_functions_can_be_looked_up(google_cloud: GoogleCloud) -> None:
    """The Cloud Functions API tells where each is, and knows no other."""
    cloud = google_cloud
    with clients.functions_client(cloud.control["admin"].url, _credentials(cloud)) as client:
        parent = f"projects/{cloud.project}/locations/{cloud.region}/functions"
        found = client.get_function(name=f"{parent}/{ECHO}", **ONCE)
        assert (found.service_config.uri, found.state.name) == (cloud.url_of(ECHO), "ACTIVE")
        elsewhere = f"projects/{cloud.project}/locations/asia-east1/functions"
        for name in (f"{parent}/absent", f"{elsewhere}/{ECHO}"):
            look = lambda name=name: client.get_function(name=name, **ONCE)  # noqa: E731
            assert refusal(look) == (404, "NOT_FOUND")


def test_clouds_share_what_functions_remember_and_nothing_else(
    google_clouds: tuple[GoogleCloud, ...],
) -> None:
    """A counter and an event are seen from both; a document and a call are of one project."""
    here, there = google_clouds
    name = uuid4().hex
    for service in SERVICES:
        _work(here, service, name)
    assert len(_seen(there, name)) == 1
    assert _call(there, COUNT, {"name": name}).json() == 2
    assert [_done(cloud, "cloud_run", name) for cloud in google_clouds] == [1, 1]
    assert [_done(cloud, "pubsub", name) for cloud in google_clouds] == [1, 0]
    assert [_done(cloud, "firestore", name) for cloud in google_clouds] == [1, 0]


def test_a_cloud_has_two_databases(google_cloud: GoogleCloud) -> None:
    """One is the default."""
    assert set(google_cloud.firestore.stores) == {"(default)", DATABASE}


@pytest.mark.parametrize("service", SERVICES)
def test_throttling_speaks_the_service_s_words(google_cloud: GoogleCloud, service: str) -> None:
    """Google's clients understand the refusal, nothing is done, and all is well afterwards."""
    name = uuid4().hex
    with google_cloud.faults().throttle():
        for _ in range(2):
            assert _throttled(google_cloud, service, name) == THROTTLING[service]
    assert _done(google_cloud, service, name) == 0
    _work(google_cloud, service, name)
    assert _done(google_cloud, service, name) == 1


def _throttled(cloud: GoogleCloud, service: str, name: str) -> object:
    if service == "cloud_run":
        return _work(cloud, service, name)
    return refusal(lambda: _work(cloud, service, name))


@pytest.mark.parametrize("service", SERVICES)
def test_a_lost_answer_leaves_the_work_done(google_cloud: GoogleCloud, service: str) -> None:
    """Each service loses as many answers as were asked for, and does the work every time."""
    name = uuid4().hex
    with google_cloud.faults().lose_answers(2):
        for _ in range(2):
            with pytest.raises(requests.ConnectionError):
                _work(google_cloud, service, name)
        _work(google_cloud, service, name)
    assert _done(google_cloud, service, name) == 3


@pytest.mark.parametrize("service", SERVICES)
def test_a_refusal_lets_no_connection_come_about(
    google_clouds: tuple[GoogleCloud, ...], service: str
) -> None:
    """The faults of two clouds stop both until the block ends."""
    name = uuid4().hex
    with faults_of(*google_clouds).refuse():
        for cloud in google_clouds:
            with pytest.raises(requests.ConnectionError):
                _work(cloud, service, name)
    for cloud in google_clouds:
        _work(cloud, service, name)
    assert [_done(cloud, service, name) for cloud in google_clouds] == [1, 1]
