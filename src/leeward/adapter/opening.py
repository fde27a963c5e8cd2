"""Opening a target whose verbs are plans over HTTP: settings in, a driver out; nothing is sent.

The driver, `PlanDriver`, serves threads and event loops. It carries out what a `PlanRun` asks for:
requests by a transport, what plans need by the resolver. It decides nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from leeward._http.options import TransportOptions, options_from_env, refuse_key_log
from leeward._http.wire import Transport, Wire, curl_wire
from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.adapter._plan_run import Learnt, PlanRun
from leeward.adapter.hosts import allowed_hosts
from leeward.adapter.options import Option, Setting, Values
from leeward.adapter.plans import Drop, Need, Planner, Send
from leeward.adapter.resolver import Resolved, Resolver, Source, Unresolved
from leeward.calls import Call, Key, Load, Result, Store, StoreMany
from leeward.clock import Clock, SystemClock
from leeward.entropy import random_unit
from leeward.entrypoints import import_spec
from leeward.errors import ConfigError, Outcome, Unsupported
from leeward.records import NamedTuple

if TYPE_CHECKING:
    from leeward.calls import Look


class Probe(NamedTuple):
    """How to look, cheaply and without any effect, whether a target works.

    Attributes:
        call: what is put to it. That what it names is not there is an answer, too.
        fidelity: ``data_plane`` if the same service answers that serves the calls, else
            ``control_plane``.
    """

    call: Call
    fidelity: str


LOAD_PROBE = Probe(Load("leeward-probe", Key(("id",), ("probe",))), "data_plane")
"""Load an item that need not exist, from a table that need not exist."""

_ANSWERED = frozenset(
    {Outcome.OK, Outcome.NOT_FOUND, Outcome.AUTH, Outcome.CALLER, Outcome.CONFLICT}
)
"""Outcomes of a probe that show a target at work."""


class TargetInfo(NamedTuple):
    """What a target says of itself.

    Attributes:
        settings: those in force, for `describe`; never a secret. The others are as of `Driver`.
        probe: a call without any effect by which the target can be looked at; None if there is
            not one.
    """

    target: str
    capabilities: frozenset[Capability]
    limits: Limits
    settings: Mapping[str, str]
    missing: Mapping[Capability, str] = Driver.missing
    probe: Probe | None = None
    has_stages: bool = False
    functions_in_app: bool = False


class PlanDriver(Driver):
    """One target whose verbs are plans.

    Args:
        info: what the target says of itself.
        plans: a planner for each verb.
        source: fetches what plans need.
        wire: carries requests.
        native: gives the vendor's own client of a service; it is handed a function that gives what
            a plan would need, or raises `Unresolved`. None where the vendor has no client.
        clock: for tests.
    """

    def __init__(
        self,
        info: TargetInfo,
        plans: Mapping[str, Planner],
        source: Source,
        wire: Wire,
        *,
        native: Callable[[str, Callable[[Hashable], Any]], object] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.target, self.capabilities, self.limits = info.target, info.capabilities, info.limits
        self._settings, self.missing, probe = info.settings, info.missing, info.probe
        self.has_stages, self.functions_in_app = info.has_stages, info.functions_in_app
        self._probe = probe
        self.probe_fidelity = None if probe is None else probe.fidelity
        self._plans = plans
        self._planners: dict[str, Planner] = {}
        self._wire = wire
        self._native = native
        self._clock: Clock = clock or SystemClock()
        self._resolver = Resolver(source, self._clock.now, random_unit)
        self._learnt = Learnt()

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at any call."""
        clock = self._clock
        deadline = clock.monotonic() + timeout
        run = self._begin(call, timeout)
        step = run.start()
        while True:
            if isinstance(step, Send):
                transport = self._wire.threads or self._wire.transport()
                answer: Any = transport.send(run.request, run.seconds)
            elif isinstance(step, Need):
                answer = self._resolver.get(step.what, run.seconds, run.refused)
            elif isinstance(step, Drop):
                self._wire.drop(step.origin)
                answer = None
            else:
                return step
            step = run.advance(answer, clock.now(), deadline - clock.monotonic())

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Do the same without blocking the event loop."""
        clock = self._clock
        deadline = clock.monotonic() + timeout
        run = self._begin(call, timeout)
        step = run.start()
        while True:
            if isinstance(step, Send):
                answer: Any = await self._wire.async_transport().send(run.request, run.seconds)
            elif isinstance(step, Need):
                answer = await self._resolver.get_async(step.what, run.seconds, run.refused)
            elif isinstance(step, Drop):
                self._wire.drop(step.origin)
                answer = None
            else:
                return step
            step = run.advance(answer, clock.now(), deadline - clock.monotonic())

    def probe(self, timeout: float) -> Result[Any]:
        """Look whether the target works: whether it answers at all is what counts."""
        if self._probe is None:
            return super().probe(timeout)
        result = self.perform(self._probe.call, timeout)
        return Result.ok(None) if result.outcome in _ANSWERED else result

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Look whether something is there, by a plan that only reads; not where there is none."""
        if look.verb not in self._plans:
            return super().look(look, timeout)
        return self.perform(look, timeout)

    def store_many(self, calls: Sequence[Store], timeout: float) -> list[Result[Any]] | None:
        """Make attempts at many stores, as many by one request as the target takes.

        None where it has no such request, or not with the conditions of these.
        """
        if self.limits.batch_stores == 1:
            return None
        deadline = self._clock.monotonic() + timeout
        results: list[Result[Any]] = []
        for at in range(0, len(calls), self.limits.batch_stores):
            part = StoreMany(calls[0].table, (*calls[at : at + self.limits.batch_stores],))
            try:
                result = self.perform(part, deadline - self._clock.monotonic())
            except Unsupported:
                return None  # by the first part: the others are of its kind
            entries: Any = result.value
            results += entries if result.outcome is Outcome.OK else [result] * len(part.calls)
        return results

    def places(self) -> tuple[int, int]:
        """Return how many requests are under way, and how many calls wait for a place."""
        return self._wire.places()

    def describe(self) -> Mapping[str, str]:
        """Return the settings in force."""
        return self._settings

    def native(self, service: str) -> object:
        """Return the vendor's own client of `service`."""
        if self._native is None:
            return super().native(service)
        return self._native(service, lambda what: self._resolver.require(what, NATIVE_SECONDS))

    def close(self) -> None:
        """Close every connection, those of event loops as soon as their loop can."""
        self._wire.close()

    async def close_async(self) -> None:
        """Close every connection."""
        self._wire.close()

    def _begin(self, call: Call, timeout: float) -> PlanRun:
        planner = self._planners.get(call.verb)
        if planner is None:
            if call.verb not in self._plans:
                raise Unsupported(f"{self.target} has no {call.verb}", target=self.target)
            planner = self._planners[call.verb] = self._plans[call.verb]
        return PlanRun(planner, call, self._learnt, self._clock.now(), timeout)


NATIVE_SECONDS = 60.0
"""How long a vendor's own client waits for a credential; it knows no deadline of ours."""


class Plans(NamedTuple):
    """Where the planners of some verbs come from.

    Attributes:
        verbs: with blanks between.
        maker: what gives a planner for each of them; itself, or as ``"module:function"``.
        setting: which of the adapter's settings it is handed. Where that is None the verbs are not
            there. Empty for all settings in one.
    """

    verbs: str
    maker: str | Callable[[Any], Mapping[str, Planner]]
    setting: str = ""


def _load(function: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return a function itself, or the one of a ``"module:function"``, which is imported now."""
    return import_spec(function) if isinstance(function, str) else function


class LazyPlans(Mapping[str, "Planner"]):
    """Verb to planner. A program that only publishes pays at its cold start for no tables."""

    def __init__(self, plans: Iterable[Plans], settings: Any) -> None:
        self._makers: dict[str, tuple[str | Callable[[Any], Mapping[str, Planner]], Any]] = {}
        for verbs, maker, name in plans:
            setting = getattr(settings, name) if name else settings
            if setting is not None:
                self._makers.update(dict.fromkeys(verbs.split(), (maker, setting)))
        self._made: dict[str, Planner] = {}

    def __getitem__(self, verb: str) -> Planner:
        planner = self._made.get(verb)
        if planner is None:
            maker, setting = self._makers[verb]
            try:
                self._made.update(_load(maker)(setting))
                planner = self._made[verb]
            except (ImportError, AttributeError, KeyError) as error:
                name = type(error).__name__
                raise ConfigError(f"{maker!r} gives no plan of {verb}: {name}: {error}") from error
        return planner

    def __contains__(self, verb: object) -> bool:
        return verb in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class HttpSettings(NamedTuple):
    """What is in force of `http_options`.

    Attributes:
        ca_bundle: path of a file of CA certificates; None for what the environment or the system
            says. The others are as of a transport's options.
    """

    ca_bundle: str | None = None
    max_in_flight: int = 64
    public_only: bool = False
    client_certificate: str | None = None
    client_key: str | None = None


class TargetSettings(Protocol):
    """What the settings of an adapter hold besides its own.

    An adapter with few options has its `Values` as its settings, and no class for them.
    """

    @property
    def http(self) -> HttpSettings:
        """What is in force of `http_options`."""


def http_options(ca_bundle: str) -> tuple[Option, ...]:
    """Return the options that all targets over HTTP have.

    Args:
        ca_bundle: the variable that the provider's users know for a file of certificates.
    """
    return (
        Option("ca_bundle", "a PEM file of certificates to trust; else `SSL_CERT_FILE`, else the "
               "system's", variables=ca_bundle),
        Option("max_in_flight", "how many requests may be under way at once; 64 unless set", int,
               default=64, check=_check_places),
        Option("allowed_hosts", "with `trust_env = false`: further hosts that endpoints may name",
               list, hardened=True, check=lambda _, values: allowed_hosts(values.config)),
        Option("allow_private", "with `trust_env = false`: connect to private addresses too", bool,
               hardened=True, default=False),
    )  # fmt: skip


def http_settings(values: Values) -> HttpSettings:
    """Return what `http_options` say."""
    private_too = values.config.trust_env or values["allow_private"]
    return HttpSettings(values["ca_bundle"], values["max_in_flight"], public_only=not private_too)


def _check_places(setting: Setting, _: Values) -> int:
    if not 1 <= setting.value <= 10_000:
        raise ConfigError(f"{setting.where} must be a whole number from 1 to 10,000")
    return int(setting.value)


Answer: TypeAlias = Callable[[Hashable], Any]
"""Gives what a plan would `Need`, or raises `Unresolved`."""

MakeSource: TypeAlias = Callable[[Any, TargetConfig, Transport], Source]
"""Makes the source of what plans need from settings, configuration and transport."""

MakeNative: TypeAlias = Callable[[str, Any, TargetConfig, Answer], object]
"""Makes a vendor's client from the name of a service, settings, configuration and a function that
gives what a plan would need."""


def open_plan_driver(
    config: TargetConfig,
    settings: TargetSettings | Values,
    plans: Sequence[Plans],
    *,
    source: MakeSource | None = None,
    native: str | MakeNative | None = None,
    capabilities: Iterable[Capability],
    limits: Limits,
    describe: Mapping[str, str | None],
    missing: Mapping[Capability, str] = Driver.missing,
    probe: Probe | None = LOAD_PROBE,
    has_stages: bool = False,
    functions_in_app: bool = False,
) -> PlanDriver:
    """Open a target.

    Args:
        config: of the target.
        settings: the adapter's, which `source`, `native` and the plans are made with.
        plans: what the verbs are made of.
        source: None where no plan needs anything.
        native: itself, or as ``"module:function"``; None where the vendor has no client.
        capabilities: what the target can do.
        limits: the largest that it takes.
        missing: as of `Driver`.
        has_stages: as of `Driver`.
        functions_in_app: as of `Driver`.
        describe: what is in force, without a secret; None for nothing. What all targets have over
            HTTP is added.
        probe: a call without any effect by which the target can be looked at; by default a load
            from a table that need not exist, which is not made where there are no tables.

    Raises:
        ConfigError: a setting is wrong, or keys of a hardened target would be written down.
    """
    capabilities = frozenset(capabilities)
    if not config.trust_env:
        refuse_key_log(os.environ)
        config = config._replace(env={})
    options = _options_in_force(config, settings)
    wire = curl_wire(options)
    info = TargetInfo(
        config.name,
        capabilities,
        limits,
        _in_force(describe, options, config),
        missing,
        None if probe is LOAD_PROBE and Capability.TABLES not in capabilities else probe,
        has_stages,
        functions_in_app,
    )
    return PlanDriver(
        info,
        LazyPlans(plans, settings),
        _nothing if source is None else source(settings, config, wire.transport()),
        wire,
        native=None
        if native is None
        else lambda service, answer: _load(native)(service, settings, config, answer),
    )


def _options_in_force(config: TargetConfig, settings: TargetSettings | Values) -> TransportOptions:
    """Return how requests go out, by the settings and by as much of the environment as counts."""
    http = http_settings(settings) if isinstance(settings, Values) else settings.http
    return options_from_env(config.env, http.ca_bundle)._replace(
        max_in_flight=http.max_in_flight,
        public_only=http.public_only,
        client_certificate=http.client_certificate,
        client_key=http.client_key,
    )


def _in_force(
    describe: Mapping[str, str | None], options: TransportOptions, config: TargetConfig
) -> dict[str, str]:
    """Return an adapter's own description, and what all targets have over HTTP."""
    described = {
        **describe,
        "ca_file": options.ca_file,
        "proxy": options.proxy and options.proxy.rpartition("@")[2],  # without its password
        "max_in_flight": str(options.max_in_flight),
        "trust_env": str(config.trust_env).lower(),
    }
    return {name: text for name, text in described.items() if text is not None}


def _nothing(what: Hashable, timeout: float) -> Resolved:
    """Raise `Unresolved`: the adapter has no source of what a plan needs."""
    del what, timeout
    raise Unresolved(
        Outcome.AUTH,
        "no_source",
        "a plan needs something, and this adapter has no source of it: give open_plan_driver one",
    )
