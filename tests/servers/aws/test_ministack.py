from __future__ import annotations

from contextlib import closing

from tests.servers.aws.clients import client
from tests.servers.aws.ministack import Ministack


def test_ministack_forgets_when_it_is_wiped() -> None:
    """After a wipe it is as new, without having been started again."""
    with (
        Ministack() as ministack,
        closing(client("dynamodb", ministack.url, "us-east-1")) as tables,
    ):
        tables.create_table(
            TableName="things",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        assert tables.list_tables()["TableNames"] == ["things"]
        ministack.wipe()
        assert tables.list_tables()["TableNames"] == []
