"""ministack: DynamoDB, EventBridge, SQS and the rest of AWS, in one process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.servers.installed import executable
from tests.servers.process import ServerProcess

ACCOUNT: Final = "000000000000"


class Ministack(ServerProcess):
    """ministack with its check of signatures and permissions, for the keys that `make_key` makes.

    Regions are apart from each other, as on AWS. Where it is kinder than AWS, tests do not rely on
    it: `PutEvents` takes a malformed `Detail`, an entry without `Source`, and a bus that is not
    there. (AWS takes the last too, and drops the event.) `DescribeEventBus` of such a bus fails as
    it should. It delivers to queues before it answers `PutEvents`.
    """

    HEALTH = "/_ministack/health"

    def wipe(self) -> None:
        """Forget everything, in every region."""
        assert self.ask("POST", "/_ministack/reset") == 200

    def _command(self, port: int) -> list[str]:
        return [str(executable("ministack", "ministack"))]

    def _environment(self, port: int, folder: str) -> Mapping[str, str]:
        return {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "AUTH": "true",
            "LOG_LEVEL": "WARNING",
            "STATE_DIR": folder,
            "S3_DATA_DIR": folder,
            # It looks for containers of its own, also on a machine where others run.
            "DOCKER_HOST": f"unix://{folder}/no-docker",
        }
