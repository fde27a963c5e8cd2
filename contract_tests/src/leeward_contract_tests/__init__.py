"""What every leeward adapter must do, as a pytest suite to subclass.

```python
import pytest
from leeward_contract_tests import DriverContract


class TestNimbus(DriverContract):
    @pytest.fixture
    def driver(self):
        driver = open_my_driver()
        yield driver
        driver.close()

    @pytest.fixture
    def faults(self):
        return my_faults()
```

What has to exist on the cloud behind the driver is told by `leeward_contract_tests.fixtures`.

`class TestNimbusAwaited(Awaited, TestNimbus)` runs the same through `leeward.AsyncClient`. It
leaves to `TestNimbus` the tests that call the driver itself, without a client.
"""

import pytest

# Before the contracts are imported: a failure then shows what was compared, also where the suite
# is installed, and not only a bare AssertionError.
pytest.register_assert_rewrite("leeward_contract_tests.contracts")

from leeward_contract_tests.contracts.base import Contract  # noqa: E402
from leeward_contract_tests.contracts.composite_keys import CompositeKeysContract  # noqa: E402
from leeward_contract_tests.contracts.conditions import ConditionsContract  # noqa: E402
from leeward_contract_tests.contracts.coroutines import Awaited  # noqa: E402
from leeward_contract_tests.contracts.enqueue import EnqueueContract  # noqa: E402
from leeward_contract_tests.contracts.expiry import ExpiryContract  # noqa: E402
from leeward_contract_tests.contracts.failure import FailureContract  # noqa: E402
from leeward_contract_tests.contracts.invoke import InvokeContract  # noqa: E402
from leeward_contract_tests.contracts.lifecycle import LifecycleContract  # noqa: E402
from leeward_contract_tests.contracts.lists import ListsContract  # noqa: E402
from leeward_contract_tests.contracts.look import LookContract  # noqa: E402
from leeward_contract_tests.contracts.objects import ObjectsContract  # noqa: E402
from leeward_contract_tests.contracts.publish import PublishContract  # noqa: E402
from leeward_contract_tests.contracts.scan import ScanContract  # noqa: E402
from leeward_contract_tests.contracts.settle import SettleContract  # noqa: E402
from leeward_contract_tests.contracts.tables import TablesContract  # noqa: E402
from leeward_contract_tests.contracts.workflows import WorkflowsContract  # noqa: E402
from leeward_contract_tests.faults import Faults, faults_of  # noqa: E402
from leeward_contract_tests.fixtures import (  # noqa: E402
    Seen,
    contract_config,
    contract_functions,
    contract_workflow,
    settle_by_headers,
)
from leeward_contract_tests.loopback import LoopbackCloud  # noqa: E402

__all__ = [
    "Awaited",
    "CompositeKeysContract",
    "ConditionsContract",
    "Contract",
    "DriverContract",
    "EnqueueContract",
    "ExpiryContract",
    "FailureContract",
    "Faults",
    "InvokeContract",
    "LifecycleContract",
    "ListsContract",
    "LookContract",
    "LoopbackCloud",
    "ObjectsContract",
    "PublishContract",
    "ScanContract",
    "Seen",
    "SettleContract",
    "TablesContract",
    "WorkflowsContract",
    "contract_config",
    "contract_functions",
    "contract_workflow",
    "faults_of",
    "settle_by_headers",
]


class DriverContract(
    InvokeContract,
    SettleContract,
    EnqueueContract,
    PublishContract,
    TablesContract,
    ConditionsContract,
    ExpiryContract,
    CompositeKeysContract,
    ScanContract,
    ListsContract,
    ObjectsContract,
    LookContract,
    WorkflowsContract,
    FailureContract,
    LifecycleContract,
):
    """Everything that a driver promises."""
