"""Fresh queues for the conformance suite: on ministack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from portable_aws._clients import client
from portable_aws._fresh_endpoint import endpoint, fresh_name, given, json_refusal
from portable_aws._messages import FIFO
from portable_contracts.provider import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portable_contracts.harness import Harness

_COUNTERPARTS = ("ministack_sqs",)


def create(harness: Harness, options: Mapping[str, Any]) -> str:
    """Make a queue and return its address. Raises MissingCounterpart."""
    return made(harness, "sqs", options)


def made(harness: Harness, scheme: str, options: Mapping[str, Any]) -> str:
    address = _address(harness, scheme, fresh_name())
    attributes = {"MaximumMessageSize": str(1024 * 1024)}
    if scheme == "sqs+fifo":
        attributes["FifoQueue"] = "true"
    if options.get("dead_letter"):
        dead = Address.parse(options["dead_letter"])
        arn = _client(dead).get_queue_attributes(QueueUrl=_url(dead), AttributeNames=["QueueArn"])
        attributes["RedrivePolicy"] = json.dumps(
            {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": options["max_attempts"]}
        )
    _client(address).create_queue(QueueName=_name(address), Attributes=attributes)
    return str(address)


def destroy(address: str) -> None:
    parsed = Address.parse(address)
    _client(parsed).delete_queue(QueueUrl=_url(parsed))


def move_clock(harness: Harness, ahead: float) -> bool:
    """Set the emulator's clock so many seconds ahead; another server's is its own."""
    if given("sqs"):
        return False
    ministack = harness.counterpart("ministack_sqs")
    ministack.move_clock(ministack.start(), ahead)
    return True


def unreachable(harness: Harness) -> str:
    """Return the address of a queue that does not exist."""
    return str(_address(harness, "sqs", "no-such-queue"))


def refusal(reason: str) -> tuple[int, Mapping[str, str], bytes]:
    """Return an answer of SQS's.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
    """
    return json_refusal(
        *{
            "throttled": (400, "RequestThrottled", "The request was denied due to request throttling."),
            "failed": (500, "InternalFailure", "The request processing has failed because of an unknown error."),
            "denied": (403, "AccessDeniedException", "User: ... is not authorized to perform: sqs:..."),
        }[reason]
    )


def _address(harness: Harness, scheme: str, name: str) -> Address:
    return Address(scheme, name, "", {"endpoint": endpoint(harness, "sqs", _COUNTERPARTS)})


def _client(address: Address) -> Any:
    return client("sqs", endpoint=address.parameters["endpoint"], parameter_validation=False)


def _name(address: Address) -> str:
    return address.name + FIFO if address.scheme == "sqs+fifo" else address.name


def _url(address: Address) -> str:
    return str(_client(address).get_queue_url(QueueName=_name(address))["QueueUrl"])
