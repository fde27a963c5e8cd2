"""Nobody passes the contract by leaving tests out of it."""

from __future__ import annotations

from typing import Any

import pytest

from leeward_contract_tests import Awaited, Contract, DriverContract, TablesContract

NAME = "test_store_tells_how_it_went"


def _subclass(*bases: type[Contract], **members: Any) -> Contract:
    made: Contract = type("TestMine", bases, members)()
    return made


def test_the_contract_as_it_is_passes_the_guard() -> None:
    """Fixtures and tests of one's own are welcome."""
    mine = _subclass(DriverContract, driver=lambda self: None, test_mine=lambda self: None)
    mine.test_every_contract_test_is_there()


@pytest.mark.parametrize("replacement", [None, lambda self: None], ids=["deleted", "overridden"])
def test_the_guard_names_what_was_left_out(replacement: Any) -> None:
    """A contract test that is set to None or replaced is named."""
    mine = _subclass(TablesContract, **{NAME: replacement})
    with pytest.raises(AssertionError, match=f"TablesContract.{NAME}"):
        mine.test_every_contract_test_is_there()


def test_the_guard_sees_through_bases() -> None:
    """It does not help to leave a test out in a base class, or in a mixin."""
    mixin: Any = type("Mixin", (), {NAME: None})
    mine: Contract = type("TestMine", (mixin, DriverContract), {})()
    with pytest.raises(AssertionError, match=f"TablesContract.{NAME}"):
        mine.test_every_contract_test_is_there()


def test_an_awaited_suite_leaves_to_its_base_what_the_driver_alone_does() -> None:
    """The guard knows these; with no base that runs them, none is left out."""
    base: Any = type("TestMine", (DriverContract,), {})
    beside: Any = type("TestMineAwaited", (Awaited, base), {})
    own: Any = type("TestMineAwaited", (Awaited, base), {"test_mine": lambda self: None})
    assert own.test_mine is not None
    alone: Any = type("TestMineAwaited", (Awaited, DriverContract), {})
    assert beside.test_store_keeps_the_write_id is None
    assert alone.test_store_keeps_the_write_id is DriverContract.test_store_keeps_the_write_id
    for each in (beside, alone):
        each().test_every_contract_test_is_there()
        assert getattr(each, NAME) is getattr(DriverContract, NAME)
    worse: Any = type("TestMineAwaited", (Awaited, base), {NAME: None})
    with pytest.raises(AssertionError, match=f"TablesContract.{NAME}"):
        worse().test_every_contract_test_is_there()


@pytest.mark.parametrize("replacement", [None, lambda self: None], ids=["deleted", "overridden"])
def test_the_guard_itself_cannot_be_left_out(replacement: Any) -> None:
    """A class without the guard is refused where it is written."""
    with pytest.raises(TypeError, match="test_every_contract_test_is_there"):
        _subclass(TablesContract, test_every_contract_test_is_there=replacement)


def test_no_two_contracts_share_a_test_name() -> None:
    """Put together in `DriverContract`, no contract's test hides another's."""
    _subclass(DriverContract).test_every_contract_test_is_there()
