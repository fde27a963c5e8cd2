"""Charge the orders that come in the queue `charges`."""

import os

from bank import pay
from celery import Celery

app = Celery("shop", broker="sqs://")
app.conf.update(
    task_default_queue="charges",
    task_ignore_result=True,
    worker_enable_remote_control=False,
    broker_transport_options={
        "region": os.environ["AWS_DEFAULT_REGION"],
        "predefined_queues": {"charges": {"url": os.environ["QUEUE"]}},
    },
)


@app.task(acks_late=True, autoretry_for=(OSError,), default_retry_delay=0, max_retries=3)
def charge(order: dict) -> None:
    """Charge the card of an order."""
    pay(order)
