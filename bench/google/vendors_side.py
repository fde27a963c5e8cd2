"""Google's clients, in a process of their own: `python -m bench.google.vendors_side URL`.

gRPC keeps threads of its own, which would work at the expense of whoever is measured beside them.
For each line that this reads it makes calls, and prints what one took: seconds of CPU, of all the
threads, and seconds by the clock on the wall. Where Google's services are, the environment says.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from importlib import import_module
from time import perf_counter
from typing import Any

import requests

from bench.calls import Block, Verb
from bench.google.sides import TOKEN, TOPIC
from bench.work import DATA, EVENT_TYPE, FUNCTION, PAYLOAD, SOURCE, TABLE


def main(url: str) -> None:
    """Answer each line: the verb's name, a tab, how often to call it."""
    with ExitStack() as opened:
        verbs = _requests(opened, url) | _pubsub(opened) | _firestore(opened)
        for line in sys.stdin:
            name, times = line.split("\t")
            block = Block(verbs[name], int(times))
            begun = perf_counter()
            cpu = block.cpu()
            print(cpu, (perf_counter() - begun) / block.times, flush=True)


def _requests(opened: ExitStack, url: str) -> dict[str, Verb]:
    session = opened.enter_context(requests.Session())

    def invoke() -> object:
        answer = session.post(
            f"{url}/{FUNCTION}", json=PAYLOAD, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        return answer.json()

    return {"invoke, requests": invoke}


def _pubsub(opened: ExitStack) -> dict[str, Verb]:
    library: Any = import_module("google.cloud.pubsub_v1")
    generated: Any = import_module("google.pubsub_v1")
    batched = library.PublisherClient()
    singly = library.PublisherClient(library.types.BatchSettings(max_messages=1))
    unbatched = generated.PublisherClient(transport=singly.transport)
    for publisher in batched, singly:
        opened.callback(publisher.transport.close)
        opened.callback(publisher.stop)
    attributes = {"ce-type": EVENT_TYPE, "ce-source": SOURCE}

    def publish(publisher: Any) -> object:
        return publisher.publish(TOPIC, json.dumps(DATA).encode(), **attributes).result()

    def publish_unbatched() -> object:
        message = {"data": json.dumps(DATA).encode(), "attributes": attributes}
        return unbatched.publish(topic=TOPIC, messages=[message]).message_ids[0]

    return {
        "publish_event, pubsub, max_messages=1": lambda: publish(singly),
        "publish_event, pubsub, unbatched": publish_unbatched,
        "publish_event, pubsub, as it comes": lambda: publish(batched),
    }


def _firestore(opened: ExitStack) -> dict[str, Verb]:
    """Firestore gets what leeward's item is there, as its client has no decimal numbers."""
    client: Any = import_module("google.cloud.firestore").Client()
    opened.callback(client.close)
    document = client.collection(TABLE).document("o-42")
    item = document.get().to_dict()
    return {
        "store_data, firestore": lambda: document.set(item),
        "load_data, firestore": lambda: document.get().to_dict(),
    }


if __name__ == "__main__":
    main(sys.argv[1])
