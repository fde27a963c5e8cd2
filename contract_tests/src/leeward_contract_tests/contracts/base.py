"""The base of every contract: its fixtures, and the guard against leaving tests out."""

from __future__ import annotations

import time

import pytest

from leeward import Client
from leeward.adapter import Driver
from leeward.testing import FakeClock, FaultyDriver
from leeward_contract_tests.contracts.capabilities import Undeclared
from leeward_contract_tests.contracts.coroutines import repeats_its_base
from leeward_contract_tests.contracts.observations import CallFunction, Deliveries, Runs
from leeward_contract_tests.faults import Faults
from leeward_contract_tests.fixtures import contract_config, contract_workflow

PACKAGE = "leeward_contract_tests"


class Contract:
    """The base of every contract. Subclasses outside this package provide `driver`."""

    undeclared: Undeclared

    @pytest.fixture
    def driver(self) -> Driver:
        """Return the driver under contract, open, and fresh for each test."""
        pytest.fail(
            f"{type(self).__name__} has no driver: give it a fixture `driver` that yields your "
            "leeward.adapter.Driver and closes it"
        )

    @pytest.fixture
    def faults(self) -> Faults:
        """Return what makes the driver's calls fail; only `FailureContract` uses it."""
        pytest.fail(
            f"{type(self).__name__} has no faults: give it a fixture `faults` that returns a "
            "leeward_contract_tests.Faults, with lose_answers, refuse, throttle, change_answers "
            "and drip_answers, for the cloud behind `driver`; where `driver` is a "
            "leeward.testing.FaultyDriver, leeward_contract_tests.faults_of(driver) is one"
        )

    @pytest.fixture
    def patience(self) -> float:
        """Return the seconds without a delivery after which a missing one counts as lost."""
        return 30.0

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        """Return the services of which the driver's `native` gives a client; none by default."""
        return ()

    @pytest.fixture
    def call_function(self, driver: Driver) -> CallFunction:
        """Return what calls the contract's functions, to see what happened on the cloud.

        A driver without INVOKE that can enqueue or publish needs another one.
        """
        client = Client(driver, config=contract_config())
        return lambda function, payload: client.invoke(function, payload).value

    @pytest.fixture
    def clock(self) -> FakeClock:
        """Return the client's clock: it starts now, and waits between attempts take no time."""
        return FakeClock(time.time())

    @pytest.fixture
    def recorder(self, driver: Driver) -> FaultyDriver:
        """Return the driver in a recorder: `calls` holds the calls that the client made."""
        return FaultyDriver(driver)

    @pytest.fixture
    def client(self, recorder: FaultyDriver, clock: FakeClock) -> Client:
        """Return the client under contract; the driver's fixture closes the driver."""
        workflows = [contract_workflow()]
        return Client(recorder, config=contract_config(), clock=clock, workflows=workflows)

    @pytest.fixture
    def runs(self, call_function: CallFunction, patience: float) -> Runs:
        """Return a counter of how often a function has run."""
        return Runs(call_function, patience)

    @pytest.fixture
    def deliveries(self, call_function: CallFunction, patience: float) -> Deliveries:
        """Return a view of what the bus has delivered."""
        return Deliveries(call_function, patience)

    @pytest.fixture(autouse=True)
    def check_undeclared(self, client: Client, recorder: FaultyDriver) -> None:
        """Prepare what `needs` checks for capabilities that are not declared."""
        self.undeclared = Undeclared(client, recorder)

    def test_every_contract_test_is_there(self) -> None:
        """Run every test of the contract as it is: none deleted, none replaced.

        An awaited suite leaves those to its base that its base has run.
        """
        replaced = [
            f"{owner.__name__}.{name}"
            for owner in type(self).__mro__
            if owner.__module__.partition(".")[0] == PACKAGE
            for name, test in vars(owner).items()
            if name.startswith("test_")
            and getattr(type(self), name, None) is not test
            and not repeats_its_base(type(self), name, test)
        ]
        assert replaced == [], "declare what the driver can do instead of leaving tests out"

    def __init_subclass__(cls) -> None:
        """Refuse, as soon as it is written, a class that replaces the guard itself."""
        super().__init_subclass__()
        guard = Contract.test_every_contract_test_is_there
        if cls.test_every_contract_test_is_there is not guard:
            raise TypeError(f"{cls.__name__} may not replace {guard.__name__}")
