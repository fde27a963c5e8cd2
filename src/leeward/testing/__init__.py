"""For your tests: a clock that does not wait, drivers that fail, apps as on a cloud, logs.

```python
cloud = FaultyDriver(Local())
cloud.fail(Fault.LOSE_ANSWER, times=1)      # the work is done, and the answer is lost
with Client(cloud, app=app) as client, recorded_logs() as logs:
    ...

Deployed(app, platform).call("send-receipt", {"order": "42"}).value
```
"""

from __future__ import annotations

from leeward.app.runtimes import Ran
from leeward.testing.clock import FakeClock
from leeward.testing.deployed import Deployed
from leeward.testing.faults import Fault, FaultyDriver, prove
from leeward.testing.logs import Logged, recorded_logs

__all__ = [
    "Deployed",
    "FakeClock",
    "Fault",
    "FaultyDriver",
    "Logged",
    "Ran",
    "prove",
    "recorded_logs",
]
