"""Charge an order once, however often Lambda is called for it."""

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent,
)
from bank import pay

keys = DynamoDBPersistenceLayer(table_name="keys")


@idempotent(persistence_store=keys, config=IdempotencyConfig(event_key_jmespath="id"))
def lambda_handler(order: dict, context: object) -> dict:
    """Charge the card of an order."""
    return pay(order)
