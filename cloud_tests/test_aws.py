"""AWS itself keeps the contract.

``docs/aws.md`` says what a run takes, with two policies, that of the functions' role and that of
whoever runs the tests, which are in `cloud_tests.aws.policies`, too.

`FailureContract` is left out. Its faults happen between leeward and the cloud: a server that
loses an answer has to read the request, and here TLS forbids that. The refusals, too, are those of
a cloud that is throttled or gone, which cannot be had on demand. `SettleContract` is left out, too:
what stands in for this account when the tests themselves are tested passes no client context on.
`make test` has all of it, on servers of its own.
"""

from __future__ import annotations

import pytest

from cloud_tests.aws.provision import open_cloud
from cloud_tests.furnished import FurnishedContract, furnish
from leeward_contract_tests import Awaited

config = furnish(open_cloud)


class TestAws(FurnishedContract):
    """One region."""

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        """Return the services of which boto3 gives a client."""
        return ("dynamodb", "events", "lambda")


class TestAwsAwaited(Awaited, TestAws):
    """The same through `AsyncClient`, on an event loop."""
