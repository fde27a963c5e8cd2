"""The settings of one Google target: its options, and the variables that Google's users know.

A qualifier, as in ``google:us-central1``, is the region where functions are looked up. A project
is enough for events, queues and tables; where none is set, it is that of the credentials, found
when it is first needed. Without a URL or a region for functions, `invoke` is not declared.
"""

from __future__ import annotations

from typing import Final

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import check_token_goes_safely, parse_url
from leeward.adapter.opening import HttpSettings, http_options, http_settings
from leeward.adapter.options import Option, Setting, Values, matching, read_options, refuse_both
from leeward.errors import ConfigError
from leeward.records import NamedTuple
from leeward_google.settings.endpoints import (
    check_emulator,
    check_endpoint,
    endpoint,
    endpoint_option,
)
from leeward_google.settings.services import (
    NAME,
    TOPIC,
    Events,
    Functions,
    Identity,
    Objects,
    Tables,
    Tasks,
    Topics,
    Workflows,
)


def _function_url(setting: Setting, values: Values) -> str:
    """Return the URL of a function, as it is written."""
    url = parse_url(setting, "https://send-receipt-a1b2c3-uc.a.run.app")
    check_endpoint(values.config, "functions", url.origin, setting.where)
    if values["authenticate"]:
        check_token_goes_safely(url.origin, setting.where)
    return str(setting.value)


def _template(setting: Setting, values: Values) -> str:
    """Return the template with everything in its place but the function's name."""
    text = str(setting.value)
    for part in ("project", "region"):
        if f"{{{part}}}" in text and values[part] is None:
            raise ConfigError(f"{setting.where} has {{{part}}} in it: set {part} as well")
        text = text.replace(f"{{{part}}}", values[part] or "")
    if NAME not in text:
        raise ConfigError(
            f"{setting.where} must have {NAME} where the function's name goes, such as "
            "https://{region}-{project}.cloudfunctions.net/{name}; give a single function its URL "
            "in functions"
        )
    _function_url(setting._replace(value=text.replace(NAME, "name")), values)
    return text


def _external(setting: Setting, values: Values) -> bool:
    if setting.value and not values.config.trust_env:
        raise ConfigError(
            f"{setting.where} cannot be true while trust_env is false: such a file names servers "
            "and programs of its own"
        )
    return bool(setting.value)


_PROJECT: Final = matching(r"(?:[a-z0-9.-]{1,63}:)?[a-z0-9][a-z0-9-]{0,62}", "the id of a project")
_REGION: Final = matching(r"[a-z]+(?:-[a-z0-9]+)+", "the name of a region, such as us-central1")
_EMAIL: Final = matching(
    r"[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*",
    "the e-mail address of a service account",
)
_AUDIENCE: Final = matching("[!-~]+", "a URL, or another text without white space")
_DATABASE: Final = matching(
    r"\(default\)|[a-z](?:[a-z0-9-]{2,61}[a-z0-9])",
    "the id of a database: 4 to 63 of a-z, 0-9 and -, or (default)",
)
_QUEUE: Final = matching(
    r"projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/queues/[A-Za-z0-9-]+",
    "the whole name of a queue: projects/../locations/../queues/..",
)
_TOPIC: Final = matching(
    TOPIC,
    "the name of a topic: 3 to 255 letters, digits and . _ ~ + % -, beginning with a letter and "
    "not with goog",
)

_CALLED: Final = ("function_url or functions or region",)
"""What one of makes functions callable."""

OPTIONS: Final = (
    Option("project", "otherwise that of the credentials",
           variables="GOOGLE_CLOUD_PROJECT GCLOUD_PROJECT", check=_PROJECT),
    Option("region", "of functions and workflows; `google:us-central1` names its own",
           variables="GOOGLE_CLOUD_REGION FUNCTION_REGION", qualifier=True, check=_REGION),
    Option("authenticate", "`false` for functions that everybody may call", bool,
           default=True, needs=_CALLED),
    Option("function_url", "`https://{region}-{project}.cloudfunctions.net/{name}`",
           check=_template),
    Option("functions", "function to its URL, where that is another", dict, check=_function_url),
    Option("function_audience", "of the ID token; by default the URL",
           needs=_CALLED, check=_AUDIENCE),
    endpoint_option("functions_endpoint", "cloudfunctions"),
    Option("enqueue_topics", "function to the topic that triggers it, where not its name", dict,
           excludes="tasks_queue", check=_TOPIC),
    Option("tasks_queue", "calls are queued in Cloud Tasks, in this queue", needs=_CALLED,
           check=_QUEUE),
    Option("tasks_service_account", "as whom Cloud Tasks calls a function",
           needs=("tasks_queue",), check=_EMAIL),
    endpoint_option("tasks_endpoint", "cloudtasks", needs=("tasks_queue",)),
    endpoint_option("pubsub_endpoint", "pubsub", excludes="pubsub_emulator"),
    Option("pubsub_emulator", "an emulator of Pub/Sub", variables="PUBSUB_EMULATOR_HOST",
           key=False, check=check_emulator),
    endpoint_option("firestore_endpoint", "firestore", excludes="firestore_emulator"),
    Option("firestore_emulator", "an emulator of Firestore", variables="FIRESTORE_EMULATOR_HOST",
           key=False, check=check_emulator),
    endpoint_option("storage_endpoint", "storage", excludes="storage_emulator"),
    Option("storage_emulator", "an emulator of Cloud Storage", variables="STORAGE_EMULATOR_HOST",
           key=False, check=check_emulator),
    endpoint_option("workflows_endpoint", "workflowexecutions"),
    endpoint_option("logging_endpoint", "logging"),
    Option("database", "of Firestore", default="(default)", check=_DATABASE),
    Option("credentials_file", "of a service account, or of a workload identity",
           variables="GOOGLE_APPLICATION_CREDENTIALS"),
    Option("identity", "`metadata`: the metadata server alone; `default`: the usual chain",
           default="default", check=matching("default|metadata", "'default' or 'metadata'")),
    Option("access_token", "a given token for Google's APIs, for a short life",
           secret=True, excludes="credentials_file"),
    Option("id_token", "the same, for functions", secret=True, excludes="credentials_file"),
    Option("allow_external_account", "take a credentials file that names servers or programs",
           bool, default=False, check=_external),
    Option("impersonate", "the service account to act as", check=_EMAIL),
    endpoint_option("iam_endpoint", "iamcredentials"),
    Option("quota_project", "who pays", variables="GOOGLE_CLOUD_QUOTA_PROJECT", check=_PROJECT),
    *http_options("REQUESTS_CA_BUNDLE"),
)  # fmt: skip


class Settings(NamedTuple):
    """What is in force for one target.

    Attributes:
        functions: for `invoke`; None if it is not configured.
        queued: for `enqueue`.
        events: for `publish`.
        tables: for items.
        project: its id; None to ask for it where the credentials come from.
        region: or None.
        admin: origin of the Cloud Functions API, where functions are looked up.
        identity: who asks.
        http: how requests are carried.
        objects: for objects.
        workflows: for runs of workflows; None without a region.
        logging: origin of Cloud Logging.
    """

    functions: Functions | None
    queued: Topics | Tasks
    events: Events
    tables: Tables
    project: str | None = None
    region: str | None = None
    admin: str = endpoint("cloudfunctions")
    identity: Identity = Identity()
    http: HttpSettings = HttpSettings()
    objects: Objects = Objects(endpoint("storage"))
    workflows: Workflows | None = None
    logging: str = endpoint("logging")


def settings_from(config: TargetConfig) -> Settings:
    """Read the settings of a target.

    In the hardened mode somebody has to say where credentials come from.

    Raises:
        ConfigError: a setting is wrong; names it and the remedy.
    """
    values = read_options(config, OPTIONS)
    events, region = Events(*_read_origin("pubsub", values)), values["region"]
    tables_at, emulated = _read_origin("firestore", values)
    return Settings(
        functions=_functions(values),
        queued=_read_queue(values, events),
        events=events,
        tables=Tables(tables_at, values["database"], emulated),
        project=values["project"],
        region=region,
        admin=values["functions_endpoint"],
        identity=_identity(values),
        http=http_settings(values),
        objects=Objects(*_read_origin("storage", values)),
        workflows=region and Workflows(values["workflows_endpoint"], region, values["project"]),
        logging=values["logging_endpoint"],
    )


def _read_origin(service: str, values: Values) -> tuple[str, bool]:
    """Return the origin of a service, and whether it is an emulator's."""
    emulator = values[f"{service}_emulator"]
    return emulator or values[f"{service}_endpoint"], emulator is not None


def _functions(values: Values) -> Functions | None:
    audience = values.setting("function_audience")
    if audience is not None and not values["authenticate"]:
        raise ConfigError(f"{audience.where} has no effect with authenticate = false")
    if not (values["function_url"] or values["functions"] or values["region"]):
        return None
    return Functions(
        values["function_url"],
        values["functions"],
        values["region"],
        values["function_audience"],
        values["authenticate"],
    )


def _read_queue(values: Values, events: Events) -> Topics | Tasks:
    """Return how calls are queued: in Cloud Tasks where a queue is named, else in Pub/Sub."""
    queue, account = values.setting("tasks_queue"), values["tasks_service_account"]
    if queue is None:
        return Topics(events.origin, events.emulator, values["enqueue_topics"])
    if account is None and values["authenticate"]:
        raise ConfigError(
            f"{queue.where} goes with tasks_service_account, the one that Cloud Tasks calls the "
            "function as; or with authenticate = false, where everybody may call it"
        )
    return Tasks(values["tasks_endpoint"], queue.value, account)


def _identity(values: Values) -> Identity:
    config, said = values.config, values.setting("identity")
    metadata = values["identity"] == "metadata"
    others = map(values.setting, ("access_token", "id_token", "credentials_file"))
    given = [other for other in others if other is not None and not other.variable]
    if said is not None and metadata and given:
        refuse_both(said, given[0])
    identity = Identity(
        access_token=values["access_token"],
        id_token=values["id_token"],
        metadata=metadata,
        file=None if metadata else values["credentials_file"],
        external=values["allow_external_account"],
        impersonate=values["impersonate"],
        quota_project=values["quota_project"],
        iam=values["iam_endpoint"],
    )
    if not (config.trust_env or any(identity[:4])):
        raise ConfigError(
            f"{config.name!r} has no credential: with trust_env = false set credentials_file, or "
            f"identity = 'metadata' on a machine of Google's, in {config.section}"
        )
    return identity
