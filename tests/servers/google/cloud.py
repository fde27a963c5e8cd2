"""Google Cloud as the contract needs it: functions, bus and tables, behind fault proxies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from leeward_contract_tests import Faults, contract_workflow
from leeward_contract_tests.fixtures import BUCKET, COUNT, ECHO, EVENTS, FAIL, SEEN, SETTLE, SLOW
from tests.servers.certificates import Authority
from tests.servers.faultproxy import FaultProxy
from tests.servers.google.cloud_run import CloudRun, Service
from tests.servers.google.faults import CloudFaults
from tests.servers.google.firestore import Firestore
from tests.servers.google.framework import DEPLOYED, FunctionsFramework
from tests.servers.google.functions_admin import Deployed, FunctionsAdmin
from tests.servers.google.identity import Identity
from tests.servers.google.pubsub import PubSub
from tests.servers.google.storage import Storage
from tests.servers.google.tokens import PUSHER
from tests.servers.google.workflows import WorkflowExecutions

REGIONS: Final = ("us-central1", "us-east1", "europe-west1")

DATABASE: Final = "named"
"""The id of a second database, beside the default one."""

CONTRACT: Final = (ECHO, FAIL, SLOW, COUNT, SEEN, SETTLE)

_ON_EVENTS: Final = "contract-on-events"
"""The function that Pub/Sub pushes to; it tells the topics apart."""


class GoogleCloud:
    """One project of Google Cloud.

    A topic has the name of each function of the contract: a message there is a call of it.

    Attributes:
        region: where the functions are, such as ``us-central1``.
        project: its id; each region has one of its own here.
        cloud_run: serves the functions; to see what has run, and to let them be unavailable.
        pubsub: to see what was published, and to add topics and subscriptions.
        firestore: its databases are ``(default)`` and `DATABASE`; tables need no making.
        storage: its one bucket is that of the contract.
        identity: the metadata server and the token endpoint.
        admin: the Cloud Functions API.
        workflows: the executions of the contract's workflow.
        proxies: what stands before ``cloud_run``, ``pubsub``, ``firestore``, ``storage`` and
            ``workflows``.
        control: what stands before ``metadata``, which never speaks TLS, ``token``, which is the
            same server for the rest of what it does, and ``admin``.
        ca_bundle: the file of the authority that vouches for everything with TLS; None without.
        service_account: the file of a service account, whose token endpoint is behind a proxy.
    """

    def __init__(self, region: str, ground: _Ground) -> None:
        enter = ground.stack.enter_context
        self.region = region
        self.project = f"leeward-{region}"
        self.ca_bundle = ground.ca_bundle
        self.cloud_run = enter(CloudRun())
        self.pubsub = enter(PubSub(self.project))
        self.firestore = enter(Firestore(self.project, ("(default)", DATABASE)))
        self.storage = enter(Storage(self.project, BUCKET))
        self.workflows = enter(WorkflowExecutions(self.project, self.region, contract_workflow()))
        self.identity = enter(Identity(self.project))
        self.admin = enter(FunctionsAdmin(self.project, self.region, self._deployed()))
        self.proxies = {
            "cloud_run": enter(FaultProxy(self.cloud_run.address, ground.tls)),
            "pubsub": enter(FaultProxy(self.pubsub.address, ground.tls)),
            "firestore": enter(FaultProxy(self.firestore.address, ground.tls)),
            "storage": enter(FaultProxy(self.storage.address, ground.tls)),
            "workflows": enter(FaultProxy(self.workflows.address, ground.tls)),
        }
        self.control = {
            "metadata": enter(FaultProxy(self.identity.address)),
            "token": enter(FaultProxy(self.identity.address, ground.tls)),
            "admin": enter(FaultProxy(self.admin.address, ground.tls)),
        }
        self.cloud_run.bases.add(self.proxies["cloud_run"].url)
        self.service_account = ground.folder / f"service-account-{region}.json"
        self.identity.write_service_account(
            self.service_account, f"{self.control['token'].url}/token"
        )

    @property
    def target(self) -> str:
        """Give the name of this cloud as a target of leeward."""
        return f"google:{self.region}"

    @property
    def env(self) -> dict[str, str]:
        """Give the usual variables that lead here: the project, and the metadata server.

        There are none for the services, but those of emulators, which know no token.
        """
        host = "{}:{}".format(*self.control["metadata"].address)
        return {
            "GOOGLE_CLOUD_PROJECT": self.project,
            "GCE_METADATA_HOST": host,
            "GCE_METADATA_IP": host,
        }

    @property
    def options(self) -> dict[str, str]:
        """Give the options of a target that lead here; tokens still come by `env`."""
        found = {
            "project": self.project,
            "region": self.region,
            "function_url": f"{self.proxies['cloud_run'].url}/{{name}}",
            "pubsub_endpoint": self.proxies["pubsub"].url,
            "firestore_endpoint": self.proxies["firestore"].url,
            "storage_endpoint": self.proxies["storage"].url,
            "workflows_endpoint": self.proxies["workflows"].url,
        }
        return found | ({"ca_bundle": str(self.ca_bundle)} if self.ca_bundle else {})

    @property
    def discovery(self) -> dict[str, str]:
        """Give the options that let functions be looked up; for `function_url`."""
        return {"functions_endpoint": self.control["admin"].url}

    def faults(self) -> Faults:
        """Give the contract's faults, for everything but `control`."""
        return CloudFaults(self.proxies)

    def url_of(self, function: str) -> str:
        """Give the URL of a function, through the proxy."""
        return f"{self.proxies['cloud_run'].url}/{function}"

    def deploy(self, name: str, service: Service) -> None:
        """Add a function that answers HTTP."""
        self.cloud_run.services[name] = service
        self.admin.functions[name] = Deployed(partial(self.url_of, name))

    def _deployed(self) -> dict[str, Deployed]:
        return {each: Deployed(partial(self.url_of, each)) for each in CONTRACT}


def faults_of(*clouds: Any) -> Faults:
    """Give the faults of several clouds at once, some of which may be other providers'."""
    return CloudFaults(*(cloud.proxies for cloud in clouds))


class _Ground(NamedTuple):
    """What clouds stand on."""

    folder: Path
    ca_bundle: Path | None
    tls: Authority | None
    stack: ExitStack


@contextmanager
def open_clouds(
    number: int, *, tls: Authority | None = None, memory: Path | None = None
) -> Iterator[tuple[GoogleCloud, ...]]:
    """Open some clouds; their functions share what they remember.

    Args:
        number: how many, at most as many as there are `REGIONS`.
        tls: whose certificates the proxies show; None for plain HTTP.
        memory: the SQLite file that functions remember in, where clouds elsewhere share it.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        bundle = folder / "ca.pem" if tls else None
        if tls and bundle:
            bundle.write_bytes(tls.pem)
        ground = _Ground(folder, bundle, tls, stack)
        clouds = tuple(GoogleCloud(each, ground) for each in REGIONS[:number])
        for cloud in clouds:
            _furnish(cloud, memory or folder / "memory", stack)
        yield clouds


def _furnish(cloud: GoogleCloud, memory: Path, stack: ExitStack) -> None:
    """Deploy the functions, and make the topics that lead to them."""
    source, environment = DEPLOYED / "contract", {"MEMORY": str(memory)}
    main = FunctionsFramework(source, "main", "http", environment)
    on_events = FunctionsFramework(source, "events", "cloudevent", environment)
    stack.enter_context(main)
    stack.enter_context(on_events)
    for name in CONTRACT:
        cloud.deploy(name, Service(main, f"/{name}"))
    cloud.cloud_run.services[_ON_EVENTS] = Service(on_events)
    for topic in (*CONTRACT, EVENTS):
        name = cloud.pubsub.add_topic(topic)
        cloud.pubsub.subscribe(
            f"to-{topic}",
            topic,
            enable_message_ordering=True,
            push_config=trigger(cloud.cloud_run.url_of(_ON_EVENTS), name),
        )


def trigger(url: str, topic: str) -> dict[str, Any]:
    """Give the push configuration by which Eventarc brings a topic's messages to a function.

    Args:
        url: of the function; it is the audience too.
        topic: its name in full.
    """
    mode = topic.replace("/", "%2F")
    return {
        "push_endpoint": f"{url}?__GCP_CloudEventsMode=CUSTOM_PUBSUB_{mode}",
        "oidc_token": {"service_account_email": PUSHER, "audience": url},
    }
