from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from leeward_contract_tests.fixtures import COUNT, ECHO, EVENTS, FAIL, ITEMS, PAIRS, SEEN, SLOW
from tests.servers.azure import event_grid
from tests.servers.azure.clients import cosmos_client, eventually, queue_client, refusal
from tests.servers.azure.cloud import AzureCloud, azure_clouds, faults_of
from tests.servers.azure.functions_host import HOST_KEY
from tests.servers.certificates import Authority

SERVICES = ["functions", "event_grid", "cosmos", "queues"]

THROTTLING = {"functions": 429, "event_grid": 429, "cosmos": 429, "queues": 503}

Broken: tuple[type[Exception], ...] = (
    requests.ConnectionError,
    import_module("azure.core.exceptions").AzureError,
)


def _call(cloud: AzureCloud, function: str, payload: object, key: str = HOST_KEY) -> Any:
    answer = requests.post(
        f"{cloud.proxies['functions'].url}/api/{function}",
        json=payload,
        headers={"x-functions-key": key},
        timeout=60,
        verify=str(cloud.ca_bundle),
    )
    answer.raise_for_status()
    return answer.json()


def _publish(cloud: AzureCloud, event_id: str, key: str = event_grid.KEY) -> None:
    event = {"specversion": "1.0", "id": event_id, "source": "urn:tests", "type": "t", "data": 1}
    requests.post(
        f"{cloud.topic_url}?api-version=2018-01-01",
        json=[event],
        headers={
            "aeg-sas-key": key,
            "content-type": "application/cloudevents-batch+json; charset=utf-8",
        },
        timeout=60,
    ).raise_for_status()


def _work(cloud: AzureCloud, service: str, name: str) -> None:
    """Do something that can be counted afterwards, through the proxy."""
    if service == "functions":
        _call(cloud, COUNT, {"name": name})
    elif service == "event_grid":
        _publish(cloud, name)
    elif service == "queues":
        with queue_client(cloud.storage, COUNT) as queue:
            queue.send_message(json.dumps({"name": name}).encode())
    else:
        with cosmos_client(cloud.proxies["cosmos"].url) as client:
            items = client.get_database_client(cloud.database).get_container_client(ITEMS)
            items.create_item({"id": f"{name}-{uuid4().hex}", "name": name})


def _done(cloud: AzureCloud, service: str, name: str) -> int:
    """Give how often that was done."""
    if service == "functions":
        return sum(name in str(each.payload) for each in cloud.functions.begun)
    if service == "event_grid":
        return sum(each.event["id"] == name for each in cloud.events.published)
    if service == "queues":
        return sum(name in str(each.payload) for each in cloud.functions.begun)
    items = cloud.documents.get_container_client(ITEMS).read_all_items()
    return sum(each.get("name") == name for each in items)


def _status(call: Any) -> int:
    try:
        call()
    except requests.HTTPError as error:
        return error.response.status_code
    except Exception as error:  # noqa: BLE001 - looked at next
        status: int = vars(error)["status_code"]
        return status
    raise AssertionError("nothing was raised")


def test_the_functions_of_the_contract_run(azure_cloud: AzureCloud) -> None:
    """Each does what the contract asks of it."""
    name = uuid4().hex
    assert _call(azure_cloud, ECHO, {"a": [None]}) == {"a": [None]}
    assert _status(lambda: _call(azure_cloud, FAIL, None)) == 500
    assert _call(azure_cloud, SLOW, {"seconds": 0}) == "done"
    assert [_call(azure_cloud, COUNT, {"name": name}) for _ in range(3)] == [1, 2, 3]
    assert _call(azure_cloud, SEEN, {"id": name}) == []


def test_an_event_is_seen_as_it_was_published(azure_cloud: AzureCloud) -> None:
    """It comes back in the JSON of CloudEvents, with data of any kind, and extensions."""
    base = {"specversion": "1.0", "source": "urn:caf\u00e9", "type": "t", "subject": "s/1"}
    time = "2024-02-29T10:30:15.123456Z"
    for more in (
        {"data": {"n": [1, None]}, "time": time, "tenant": "a", "retries": -7, "urgent": True},
        {"data_base64": "AP8=", "datacontenttype": "application/octet-stream"},
        {"data": None},
    ):
        event = {**base, "id": uuid4().hex, **more}
        answer = requests.post(
            f"{azure_cloud.topic_url}?api-version=2018-01-01",
            json=[event],
            headers={
                "aeg-sas-key": event_grid.KEY,
                "content-type": "application/cloudevents-batch+json",
            },
            timeout=60,
        )
        assert answer.status_code == 200
        assert _call(azure_cloud, SEEN, {"id": event["id"]}) == [event]


def test_a_queued_call_is_made(azure_cloud: AzureCloud) -> None:
    """A message in the queue of a function's name calls it."""
    name = uuid4().hex
    _work(azure_cloud, "queues", name)
    eventually(lambda: _done(azure_cloud, "queues", name) or None)
    assert eventually(lambda: _call(azure_cloud, COUNT, {"name": name})) == 2


def test_the_tables_of_the_contract_have_its_keys(azure_cloud: AzureCloud) -> None:
    """Each is parted by the first field of its key; items may expire in both."""
    found = {
        table: azure_cloud.documents.get_container_client(table).read() for table in (ITEMS, PAIRS)
    }
    assert {table: each["partitionKey"]["paths"] for table, each in found.items()} == {
        ITEMS: ["/id"],
        PAIRS: ["/customer"],
    }
    assert {each["defaultTtl"] for each in found.values()} == {-1}


def test_clouds_share_what_functions_remember_and_nothing_else(
    azure_clouds: tuple[AzureCloud, ...],
) -> None:
    """A counter and an event are seen from both; the rest is of one cloud."""
    here, there = azure_clouds
    name = uuid4().hex
    for service in ("functions", "event_grid", "cosmos"):
        _work(here, service, name)
    assert _call(there, COUNT, {"name": name}) == 2
    assert len(_call(there, SEEN, {"id": name})) == 1
    assert [_done(cloud, "event_grid", name) for cloud in azure_clouds] == [1, 0]
    assert [_done(cloud, "cosmos", name) for cloud in azure_clouds] == [1, 0]


def test_a_cloud_can_speak_tls_and_be_furnished_otherwise() -> None:
    """The proxies show certificates that the given authority vouches for; paths may be others."""
    authority = Authority()
    with azure_clouds(1, tls=authority, paths={"other": ("/a", "/b")}) as (cloud,):
        assert {proxy.url.partition(":")[0] for proxy in cloud.proxies.values()} == {"https"}
        bundle = Path(cloud.options["ca_bundle"])
        assert bundle.read_bytes() == authority.pem
        assert _call(cloud, ECHO, 1) == 1
        definition = cloud.documents.get_container_client("other").read()
        assert definition["partitionKey"]["paths"] == ["/a", "/b"]


def test_options_and_variables_lead_through_the_proxies(azure_cloud: AzureCloud) -> None:
    """Whoever follows them is seen by the proxies, and by no server first."""
    urls = {name: proxy.url for name, proxy in azure_cloud.proxies.items()}
    for settings, services in (
        (azure_cloud.options, {*SERVICES}),
        (azure_cloud.keyless, {"functions", "event_grid", "cosmos"}),
        (azure_cloud.env, {"cosmos", "queues"}),
    ):
        led = [value for value in settings.values() if "://" in value]
        found = {name for name, url in urls.items() for value in led if url in value}
        blobs = {"blobs"} & found  # which one connection string leads to, beside the queues
        assert found == services | blobs
        assert blobs == ({"blobs"} if "queues" in services else set())
        assert len({*led}) == len(services)  # runs are at the functions' own address
    assert azure_cloud.target == "azure:one"
    assert azure_cloud.topic_url.endswith(f"/{EVENTS}/api/events")


def test_a_wrong_key_is_refused_by_every_service(azure_cloud: AzureCloud) -> None:
    """And nothing is done."""
    name = uuid4().hex
    assert _status(lambda: _call(azure_cloud, COUNT, {"name": name}, "wrong")) == 401
    assert _status(lambda: _publish(azure_cloud, name, "wrong")) == 401
    url = azure_cloud.proxies["cosmos"].url
    assert refusal(lambda: cosmos_client(url, "d3Jvbmc=")) == 401
    wrong = azure_cloud.storage.replace("AccountKey=bGVl", "AccountKey=d3Jv")
    with queue_client(wrong, COUNT) as queue:
        assert refusal(lambda: queue.send_message(b"{}")) == 403
    assert [_done(azure_cloud, each, name) for each in SERVICES] == [0] * 4


@pytest.mark.parametrize("service", SERVICES)
def test_throttling_speaks_the_service_s_words(azure_cloud: AzureCloud, service: str) -> None:
    """Microsoft's clients understand the refusal, nothing is done, and all is well afterwards."""
    name = uuid4().hex
    with azure_cloud.faults().throttle():
        assert _status(lambda: _work(azure_cloud, service, name)) == THROTTLING[service]
    assert _done(azure_cloud, service, name) == 0
    _work(azure_cloud, service, name)
    assert eventually(lambda: _done(azure_cloud, service, name) or None) == 1


@pytest.mark.parametrize("service", ["functions", "event_grid", "queues"])
def test_a_lost_answer_leaves_the_work_done(azure_cloud: AzureCloud, service: str) -> None:
    """Each service loses as many answers as were asked for, and does the work every time."""
    name = uuid4().hex
    with azure_cloud.faults().lose_answers(2):
        for _ in range(2):
            with pytest.raises(Broken):
                _work(azure_cloud, service, name)
        _work(azure_cloud, service, name)
    assert eventually(lambda: _done(azure_cloud, service, name) == 3 or None)


@pytest.mark.parametrize("service", SERVICES)
def test_a_refusal_lets_no_connection_come_about(
    azure_clouds: tuple[AzureCloud, ...], service: str
) -> None:
    """The faults of two clouds stop both, until the block ends."""
    name = uuid4().hex
    with faults_of(*azure_clouds).refuse():
        for cloud in azure_clouds:
            with pytest.raises(Broken):
                _work(cloud, service, name)
    assert [_done(cloud, service, name) for cloud in azure_clouds] == [0, 0]
    for cloud in azure_clouds:
        _work(cloud, service, name)
