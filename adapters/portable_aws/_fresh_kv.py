"""Fresh tables for the conformance suite: on DynamoDB Local, or ministack where there is no Java."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portable_aws._clients import client
from portable_aws._fresh_endpoint import endpoint, fresh_name, json_refusal
from portable_contracts.provider import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portable_contracts.harness import Harness

_COUNTERPARTS = ("dynamodb_local", "ministack")


def create(harness: Harness, options: Mapping[str, Any]) -> str:
    """Make a table and return its address. Raises MissingCounterpart."""
    address = _address(harness, fresh_name())
    dynamodb, table = _client(address), address.name
    dynamodb.create_table(
        TableName=table,
        KeySchema=[
            {"AttributeName": "partition", "KeyType": "HASH"},
            {"AttributeName": "sort", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "partition", "AttributeType": "S"},
            {"AttributeName": "sort", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 2, "MaxAttempts": 60})
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    return str(address)


def destroy(address: str) -> None:
    parsed = Address.parse(address)
    _client(parsed).delete_table(TableName=parsed.name)


def move_clock(harness: Harness, ahead: float) -> bool:
    """Move no clock but the callers', which tells what has expired; the service's own sweeping is not waited for."""
    return True


def unreachable(harness: Harness) -> str:
    """Return the address of a table that does not exist."""
    return str(_address(harness, "no-such-table"))


def refusal(reason: str) -> tuple[int, Mapping[str, str], bytes]:
    """Return an answer of DynamoDB's.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    """
    return json_refusal(
        *{
            "throttled": (400, "ProvisionedThroughputExceededException", "The level of configured throughput ..."),
            "failed": (500, "InternalServerError", "Internal server error"),
            "denied": (400, "AccessDeniedException", "User: ... is not authorized to perform: dynamodb:..."),
        }[reason]
    )


def _address(harness: Harness, name: str) -> Address:
    return Address("dynamodb", name, "", {"endpoint": endpoint(harness, "dynamodb", _COUNTERPARTS)})


def _client(address: Address) -> Any:
    return client("dynamodb", endpoint=address.parameters["endpoint"], parameter_validation=False)
