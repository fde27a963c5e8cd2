"""The contract of keys of two fields: both count, and neither leaks into the other."""

from __future__ import annotations

import pytest

from leeward import Client, Conflict
from leeward.adapter import Capability
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import fresh
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.exact import ODD_PAIRS
from leeward_contract_tests.fixtures import PAIR, PAIRS

TABLES, COMPOSITE_KEYS = Capability.TABLES, Capability.COMPOSITE_KEYS


class CompositeKeysContract(Contract):
    """Keep items under a partition and a sort field."""

    @needs(TABLES, COMPOSITE_KEYS)
    def test_a_pair_finds_its_item(self, client: Client) -> None:
        """Store, load, replace and delete by both fields."""
        key = _pair(fresh("customer"), "42")
        for n in range(2):
            client.store_data(PAIRS, {**key, "n": n})
            record = client.load_data(PAIRS, key)
            assert record is not None
            assert record.item == {**key, "n": n}
        client.delete_data(PAIRS, key)
        assert client.load_data(PAIRS, key) is None

    @needs(TABLES, COMPOSITE_KEYS)
    def test_pairs_are_kept_apart(self, client: Client) -> None:
        """Keep the items of pairs apart that look alike when written together."""
        mark = fresh("pair")
        for pair in ODD_PAIRS:
            client.store_data(PAIRS, {**_pair(*pair), "mark": mark, "copy": [*pair]})
        records = [client.load_data(PAIRS, _pair(*pair)) for pair in ODD_PAIRS]
        assert [record and record.item for record in records] == [
            {**_pair(*pair), "mark": mark, "copy": [*pair]} for pair in ODD_PAIRS
        ]

    @needs(TABLES, COMPOSITE_KEYS)
    def test_a_pair_is_deleted_alone(self, client: Client) -> None:
        """Leave the other items of the same first, and of the same second field."""
        first, other = fresh("customer"), fresh("customer")
        pairs = [(first, "1"), (first, "2"), (other, "1")]
        for pair in pairs:
            client.store_data(PAIRS, _pair(*pair))
        client.delete_data(PAIRS, _pair(first, "1"))
        presences = [client.load_data(PAIRS, _pair(*pair)) is not None for pair in pairs]
        assert presences == [False, True, True]

    @needs(TABLES, COMPOSITE_KEYS, Capability.CONDITIONS)
    def test_a_condition_looks_at_both_fields(self, client: Client) -> None:
        """Count an item as absent where only one field of its key is the same."""
        customer = fresh("customer")
        client.store_data(PAIRS, _pair(customer, "1"), if_absent=True)
        client.store_data(PAIRS, _pair(customer, "2"), if_absent=True)
        with pytest.raises(Conflict):
            client.store_data(PAIRS, _pair(customer, "1"), if_absent=True)


def _pair(customer: str, order: str) -> dict[str, str]:
    return dict(zip(PAIR, (customer, order), strict=True))
