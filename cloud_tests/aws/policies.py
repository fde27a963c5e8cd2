"""What the tests may do in an account, and what their functions may: no more than they need.

The functions' role gets no permission to write logs, so no log groups appear. (Those that appear
all the same are removed.) Everything is limited to names that begin with `leeward-test-`, but for
one: to be told that a function is not there, one has to be allowed to call it.

Source of the names: the Service Authorization Reference of AWS.
"""

from __future__ import annotations

from typing import Any, Final

PREFIX: Final = "leeward-test-"
"""Of the names of everything that is made."""

ROLE: Final = "leeward-test"

_DYNAMODB: Final = (
    "CreateTable DescribeTable DeleteTable TagResource PutItem GetItem DeleteItem "
    "BatchWriteItem Scan Query"
)
_LAMBDA: Final = (
    "CreateFunction GetFunction PutFunctionEventInvokeConfig AddPermission InvokeFunction "
    "DeleteFunction TagResource"
)
_EVENTS: Final = (
    "CreateEventBus DescribeEventBus DeleteEventBus PutEvents PutRule PutTargets RemoveTargets "
    "DeleteRule TagResource"
)


def trust() -> dict[str, Any]:
    """Return the trust policy of the functions' role: Lambda may take it."""
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    )


def of_functions(account: str) -> dict[str, Any]:
    """Return the policy of the functions' role, in the account of this number."""
    table = f"arn:aws:dynamodb:*:{account}:table/{PREFIX}*"
    return _policy(_allowed("dynamodb", "PutItem Query", table))


def of_tests(account: str, role: str) -> dict[str, Any]:
    """Return the policy of whoever runs the tests.

    Args:
        account: its number.
        role: the ARN of the functions' role.
    """

    def arns(service: str, *resources: str) -> list[str]:
        return [f"arn:aws:{service}:*:{account}:{each}" for each in resources]

    return _policy(
        _allowed("iam", "PassRole", role),
        _allowed("dynamodb", _DYNAMODB, *arns("dynamodb", f"table/{PREFIX}*")),
        _allowed("lambda", _LAMBDA, *arns("lambda", f"function:{PREFIX}*")),
        _allowed("lambda", "InvokeFunction", *arns("lambda", "function:no-such-function-*")),
        _allowed("events", _EVENTS, *arns("events", f"event-bus/{PREFIX}*", f"rule/{PREFIX}*")),
        _allowed("logs", "DeleteLogGroup", *arns("logs", f"log-group:/aws/lambda/{PREFIX}*")),
    )


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allowed(service: str, actions: str, *resources: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": [f"{service}:{each}" for each in actions.split()],
        "Resource": list(resources),
    }
