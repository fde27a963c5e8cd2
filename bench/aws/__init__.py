"""leeward beside boto3, and beside aiobotocore where calls are awaited."""

from __future__ import annotations

import os
from unittest import mock

from bench.aws import calls, cold, crowd, imports, tasks
from bench.aws.sides import environment
from bench.cloud import running
from bench.figures import Figure


def measure(rounds: int) -> list[Figure]:
    """Measure imports, cold starts, calls, batches, and many calls at once."""
    with running("aws") as cloud, mock.patch.dict(os.environ, environment(cloud, cloud.plain)):
        return [
            imports.measure(rounds),
            *cold.measure(cloud, rounds),
            *calls.measure(cloud, rounds),
            *crowd.measure(cloud, rounds),
            *tasks.measure(cloud, rounds),
        ]
