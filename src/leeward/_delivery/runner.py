"""Apps over the stores of one target: who gets which row, and what has it delivered.

The embedded target has one runner. At another target that keeps rows, each worker has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from leeward._delivery.bus import Bus
from leeward._delivery.dispatcher import (
    AttemptFailed,
    AttemptLimit,
    AttemptPutOff,
    Dispatcher,
    DispatcherStatus,
    Receiver,
)
from leeward._delivery.functions import Functions, NotTaken, deliver
from leeward._delivery.schedules import Schedules
from leeward.app.app import App
from leeward.app.handlers import Handler
from leeward.app.triggers import Kind, Platform
from leeward.errors import ConfigError
from leeward.leases.threads import CARRIERS, LOOK_AGAIN, Carriers
from leeward.records import NamedTuple
from leeward.stores import NOT_TAKEN, PATIENCE, RENEWED, LeasedRow, NewRow, Recipient, Stores, Taker

if TYPE_CHECKING:
    from leeward.local.object_events import ObjectEvents


class NamedLimit(NamedTuple):
    """A limit over some handlers, together."""

    most: int
    handlers: frozenset[str]


class Shares(NamedTuple):
    """How many attempts a process makes at one time.

    Attributes:
        concurrency: for all handlers together whose queue is not in `queues`; None for what the
            store says.
        queues: by the name of a queue, or of a bus for all of its subscribers.
    """

    concurrency: int | None = None
    queues: Mapping[str, int] = MappingProxyType({})
    limits: Mapping[str, NamedLimit] = MappingProxyType({})


class Share(NamedTuple):
    """What handlers of one dispatcher have in common: a queue, and the names of limits."""

    queue: str | None = None
    limits: tuple[str, ...] = ()


_REST: Final = Share()


class AppRunner:
    """Runs apps over the stores of one target; `is_there` may be rows of an earlier process."""

    def __init__(
        self, stores: Stores, platform: Platform, *, is_there: Callable[[], bool] = lambda: True
    ) -> None:
        self._stores = stores
        self._platform = platform
        self._is_there = is_there
        self._apps: list[App] = []
        self._owners: dict[Recipient, str] = {}
        self._names: dict[Recipient, Recipient] = {}
        self._claimed = -RENEWED
        self._shares = Shares()
        self._limits: dict[str, AttemptLimit] = {}
        self._is_paused = self._is_patient = False
        self._carriers = Carriers("leeward-dispatch", CARRIERS)
        self._known: tuple[dict[Recipient, Handler], dict[Share, dict[Recipient, Receiver]]] = (
            {},
            {},
        )
        self._dispatchers: dict[Share, Dispatcher] = {}
        self._add_dispatcher(_REST)
        self.functions = Functions(platform, self.accept, self.name_of)
        self.bus = Bus(self.accept, self.name_of, self._list_takers)
        self.schedules = Schedules(platform.clock, stores.schedules, self.wake, self.name_of)
        self.objects: ObjectEvents | None = None

    @property
    def is_started(self) -> bool:
        """Return whether anything was to be delivered so far."""
        return any(each.started for each in self._dispatchers.values())

    def share_out(self, shares: Shares) -> None:
        """Limit how many rows are leased at a time, and lease none before `resume`.

        From now on ends of attempts are kept while the store is away.
        """
        self._shares, self._is_paused, self._is_patient = shares, True, True
        self._known = {}, {}
        self._limits = {name: AttemptLimit(each.most) for name, each in shares.limits.items()}
        for each in self._dispatchers.values():
            each.close()
        self._dispatchers = {}
        self._add_dispatcher(_REST)
        self._divide()

    def accept(self, rows: Iterable[NewRow], timeout: float) -> None:
        """Keep rows durably, and deliver them in the background."""
        self._stores.deliveries.add(rows, timeout)
        self.wake()

    def wake(self) -> None:
        """Look for work now."""
        for each in self._dispatchers.values():
            each.wake()

    def look_for_work(self) -> None:
        """Deliver what earlier or other processes left for what is registered here."""
        if self._stores.is_shared and self._is_there() and self._list_handlers():
            self.wake()

    def mount(self, app: App) -> None:
        """Run the handlers of an app. Messages of a queue are what is queued under its name.

        Mounting twice is harmless.

        Raises:
            ConfigError: a handler is wrong, one of its names is taken, or nothing here can deliver
                to it.
        """
        if app in self._apps:
            return
        if app.name in (each.name for each in self._apps):  # of a module that is run and imported
            raise ConfigError(
                f"an app {app.name!r} runs here already, as leeward.toml may say; give it once: "
                "there, or to the client"
            )
        app.check()
        handlers, known = app.handlers.values(), self._list_handlers()
        objects = [each for each in handlers if each.kind is Kind.OBJECT]
        if objects and self.objects is None:
            names = ", ".join(repr(each.name) for each in objects)
            raise ConfigError(
                f"{self._platform.provider} does not deliver objects to handlers, so {names} of "
                f"the app {app.name!r} would never run; put handlers of objects into an app of "
                "their own, and deploy that where the bucket is"
            )
        for handler in handlers:
            if handler.is_call:
                self.functions.register(handler.name, handler)
            elif handler.kind is Kind.MESSAGE:
                self.functions.register(handler.queue or handler.name, handler)
            elif handler.kind is Kind.EVENT:
                self.bus.subscribe(handler)
            elif handler.kind is Kind.SCHEDULE:
                self.schedules.add(handler)
        if self.objects is not None:
            self.objects.add(objects)
        self._apps.append(app)
        self._owners |= dict.fromkeys(self._list_handlers().keys() - known.keys(), app.name)
        self._divide()
        self._look_for_own_work()

    def handlers(self) -> dict[Recipient, Handler]:
        """Return the handlers by the recipients of rows that they stand for."""
        if self._stores.recipients is not None and monotonic() - self._claimed > RENEWED:
            self.claim()
        return {self.name_of(own): each for own, each in self._list_handlers().items()}

    def name_of(self, own: Recipient) -> Recipient:
        """Return the recipient that a handler is in the store, by its own name."""
        return self._names.get(own) or self.claim()[own]

    def claim(self) -> Mapping[Recipient, Recipient]:
        """Have the store say which recipients the handlers here are; return all of them.

        It raises what `RecipientStore.claim` does.
        """
        self._claimed = monotonic()
        wanted: dict[str, dict[Recipient, str | None]] = {each.name: {} for each in self._apps}
        for own, handler in self._list_handlers().items():
            takes = handler.name if handler.kind is Kind.MESSAGE else handler.type
            wanted.setdefault(self._owners.get(own, ""), {})[own] = takes
        for app, handlers in wanted.items():
            names = {each: each for each in handlers}
            store = self._stores.recipients
            self._names |= names if store is None else store.claim(app, handlers)
        return self._names

    def _list_takers(self, timeout: float, *, live: bool = False) -> list[Taker]:
        store = self._stores.recipients
        return [] if store is None else store.list_takers(timeout, live=live)

    def _list_handlers(self) -> dict[Recipient, Handler]:
        known = self.functions.recipients() | self.bus.recipients() | self.schedules.recipients()
        return known if self.objects is None else known | self.objects.recipients()

    def wait_idle(self, timeout: float) -> None:
        """Wait until no row is pending for a handler of this process."""
        deadline = monotonic() + timeout
        for each in self._dispatchers.values():
            each.wait_idle(timeout)
            timeout = max(0.0, deadline - monotonic())

    def pause(self) -> None:
        """Stop taking rows until `resume`."""
        self._is_paused = True
        for each in self._dispatchers.values():
            each.pause()

    def resume(self) -> None:
        """Start taking rows again."""
        self._is_paused = False
        for each in self._dispatchers.values():
            each.resume()

    def leave_to_others(self) -> None:
        """Leave the rows if other processes work for all apps here: they deliver, and show it."""
        if self._is_worked_elsewhere():
            self.pause()

    def drain(self, timeout: float) -> int:
        """Stop taking rows, and wait for attempts; return how many have not after `timeout`."""
        deadline = monotonic() + timeout
        self.pause()
        left = [each.drain(max(0.0, deadline - monotonic())) for each in self._dispatchers.values()]
        return sum(left)

    def status(self) -> list[DispatcherStatus]:
        """Return what its dispatchers do."""
        return [each.status() for each in self._dispatchers.values()]

    def close(self) -> None:
        """Deliver what is pending, for a moment, unless it is paused; then run nothing more."""
        self.schedules.close()
        for each in self._dispatchers.values():
            each.close()
        if self._stores.recipients is not None and self._names:
            self._stores.recipients.release()

    def _add_dispatcher(self, share: Share) -> None:
        shares, store = self._shares, self._stores.deliveries
        most = None if share.queue is None else shares.queues[share.queue]
        self._dispatchers[share] = Dispatcher(
            store,
            partial(self._receivers, share),
            self._platform.clock,
            shared=self._stores.is_shared,
            concurrency=shares.concurrency if most is None else most,
            limits=[self._limits[name] for name in share.limits],
            paused=self._is_paused,
            patient=self._is_patient,
            carriers=self._carriers,
        )

    def _look_for_own_work(self) -> None:
        if not self._is_worked_elsewhere():
            self.look_for_work()

    def _is_worked_elsewhere(self) -> bool:
        presence, apps = self._stores.presence, self._apps
        return presence is not None and bool(apps) and all(presence.is_held(a.name) for a in apps)

    def _divide(self) -> None:
        """Make the dispatchers that the handlers need."""
        for recipient, handler in self._list_handlers().items():
            share = self._share_of(recipient, handler)
            if share not in self._dispatchers:
                self._add_dispatcher(share)

    def _share_of(self, recipient: Recipient, handler: Handler) -> Share:
        queue = recipient.bus or recipient.subscriber
        limits = self._shares.limits.items()
        return Share(
            queue if queue in self._shares.queues else None,
            tuple(name for name, each in limits if handler.name in each.handlers),
        )

    def _receivers(self, share: Share) -> dict[Recipient, Receiver]:
        handlers = self.handlers()
        if handlers != self._known[0]:  # another one has come; else a look at each costs most of it
            self._known = handlers, self._receivers_by_share(handlers)
        receivers = self._known[1].get(share, {})
        if self.objects is None or share != _REST:
            return receivers
        unclaimed = self.objects.unclaimed_recipients()
        return receivers | {each: Receiver(self.objects.claim) for each in unclaimed}

    def _receivers_by_share(
        self, handlers: Mapping[Recipient, Handler]
    ) -> dict[Share, dict[Recipient, Receiver]]:
        found: dict[Share, dict[Recipient, Receiver]] = {}
        for recipient, each in handlers.items():
            most = 0 if each.retries is None else each.retries + 1
            own = found.setdefault(self._share_of(recipient, each), {})
            attempt = partial(self._deliver, each)
            own[recipient] = Receiver(attempt, most, each.timeout or 0.0, each.name)
        return found

    def _deliver(self, handler: Handler, row: LeasedRow, deadline: float) -> None:
        """Make one attempt to deliver a row; none where its object is gone, or was replaced.

        An event of a type that the handler does not take here is left to a version that lives and
        takes it. If there is none, it is given up: so it stands before no other, is counted, and
        the next version that takes it has it back.
        """
        objects = self.objects
        if handler.kind is Kind.OBJECT and objects is not None and not objects.is_due(row):
            return
        try:
            deliver(handler, row, deadline, self._platform)
        except NotTaken as flaw:
            takers = self._list_takers(PATIENCE, live=True)
            types = [each.type for each in takers if each.recipient == row.recipient]
            if None in types or str(flaw) in types:
                raise AttemptPutOff(LOOK_AGAIN) from None
            raise AttemptFailed(flaw, again=False, reason=NOT_TAKEN, ran="no") from flaw
