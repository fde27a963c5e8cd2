"""The base of every contract: its fixtures, and the guard against leaving tests out."""

from __future__ import annotations

import time

import pytest

from leeward import Client
from leeward.adapter import Driver
from leeward.testing import FakeClock, FaultyDriver
from leeward_contract_tests.contracts.observing import Ask, Deliveries, Runs
from leeward_contract_tests.contracts.refusal import Refusal
from leeward_contract_tests.faults import Faults
from leeward_contract_tests.fixtures import contract_config

PACKAGE = "leeward_contract_tests"


class Contract:
    """What every contract is made of. Subclasses outside this package provide `driver`."""

    refusal: Refusal

    @pytest.fixture
    def driver(self) -> Driver:
        """Return the driver under contract, open, and fresh for each test."""
        pytest.fail(
            f"{type(self).__name__} has no driver: give it a fixture `driver` that yields your "
            "leeward.adapter.Driver and closes it"
        )

    @pytest.fixture
    def faults(self) -> Faults:
        """Return what makes the driver's calls go wrong; only `FailureContract` asks for it."""
        pytest.fail(
            f"{type(self).__name__} has no faults: give it a fixture `faults` that returns a "
            "leeward_contract_tests.Faults, with lose_answers, refuse and throttle, for the "
            "cloud behind `driver`; where `driver` is a leeward.testing.FaultyDriver, "
            "leeward_contract_tests.faults_of(driver) is one"
        )

    @pytest.fixture
    def patience(self) -> float:
        """Return the seconds without any delivery after which those that are missing are lost."""
        return 30.0

    @pytest.fixture
    def ask(self, driver: Driver) -> Ask:
        """Return what calls the contract's functions to see what happened on the cloud.

        A driver without INVOKE needs one of its own, if it can enqueue or publish.
        """
        client = Client(driver, config=contract_config())
        return lambda function, payload: client.invoke(function, payload).value

    @pytest.fixture
    def clock(self) -> FakeClock:
        """Return the client's clock: it starts now, and waits between attempts take no time."""
        return FakeClock(time.time())

    @pytest.fixture
    def watched(self, driver: Driver) -> FaultyDriver:
        """Return the driver with a memory: `calls` holds what the client has put to it."""
        return FaultyDriver(driver)

    @pytest.fixture
    def client(self, watched: FaultyDriver, clock: FakeClock) -> Client:
        """Return the client under contract; the driver's fixture closes the driver."""
        return Client(watched, config=contract_config(), clock=clock)

    @pytest.fixture
    def runs(self, ask: Ask, patience: float) -> Runs:
        """Return a counter of how often a function has run."""
        return Runs(ask, patience)

    @pytest.fixture
    def deliveries(self, ask: Ask, patience: float) -> Deliveries:
        """Return a view of what the bus has delivered."""
        return Deliveries(ask, patience)

    @pytest.fixture(autouse=True)
    def hold_to_declaration(self, client: Client, watched: FaultyDriver) -> None:
        """Have the refusal at hand that `needs` checks for what is not declared."""
        self.refusal = Refusal(client, watched)

    def test_every_contract_test_is_there(self) -> None:
        """Run every test of the contract as it is: none deleted, none replaced."""
        replaced = [
            f"{owner.__name__}.{name}"
            for owner in type(self).__mro__
            if owner.__module__.partition(".")[0] == PACKAGE
            for name, test in vars(owner).items()
            if name.startswith("test_") and getattr(type(self), name, None) is not test
        ]
        assert replaced == [], "declare what the driver can do instead of leaving tests out"

    def __init_subclass__(cls) -> None:
        """Refuse, as soon as it is written, a class that replaces the guard itself."""
        super().__init_subclass__()
        guard = Contract.test_every_contract_test_is_there
        if cls.test_every_contract_test_is_there is not guard:
            raise TypeError(f"{cls.__name__} may not replace {guard.__name__}")
