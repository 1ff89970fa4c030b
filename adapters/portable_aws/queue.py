"""Queues of SQS: `sqs://NAME`, and `sqs+fifo://NAME` for NAME.fifo, which keeps order in groups and forgets repeats."""

from __future__ import annotations

import math
import os
from binascii import b2a_base64
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from portable_aws import _errors
from portable_aws._addresses import place
from portable_aws._clients import client
from portable_aws._messages import ENCODING, FIFO, attributes_written, content, group_of, no_group, written
from portable_aws.limits import SQS, SQS_FIFO
from portable_contracts.errors import (
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PortableError,
    Unavailable,
    Unsupported,
)
from portable_contracts.queue import QueueDriver, Received

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from portable_aws._addresses import Place
    from portable_contracts.provider import Address, Opening
    from portable_contracts.queue import Outgoing

_NAMES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_OLD_WORDS = "AWS.SimpleQueueService."
"""Begins some of the service's words in the protocol before JSON, which it still uses."""
_SYSTEM = ["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"]

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html, and each operation's page.
_KINDS: Mapping[str, type[PortableError]] = {
    "BatchRequestTooLong": LimitExceeded,
    "InvalidAddress": NotFound,
    "InvalidAttributeName": InvalidArgument,
    "InvalidAttributeValue": InvalidArgument,
    "InvalidMessageContents": InvalidArgument,
    "InvalidParameterValue": InvalidArgument,
    "InvalidSecurity": PermissionDenied,
    "KmsAccessDenied": PermissionDenied,
    "KmsDisabled": PermissionDenied,
    "KmsInvalidKeyUsage": PermissionDenied,
    "KmsInvalidState": PermissionDenied,
    "KmsNotFound": NotFound,
    "KmsOptInRequired": PermissionDenied,
    "KmsThrottled": Unavailable,
    "MessageNotInflight": NotFound,
    "MissingParameter": InvalidArgument,
    "NonExistentQueue": NotFound,
    "OverLimit": Unavailable,
    "QueueDeletedRecently": Unavailable,
    "QueueDoesNotExist": NotFound,
    "ReceiptHandleIsInvalid": NotFound,
    "UnsupportedOperation": Unsupported,
}


class Receipt:
    """One delivery of a message: what SQS calls it, and how long it is ours."""

    __slots__ = ("ends", "handle")

    def __init__(self, handle: str, ends: float) -> None:
        self.handle = handle
        self.ends = ends
        """In seconds since the epoch; a delivery that was settled has ended."""

    def __repr__(self) -> str:
        return f"Receipt({self.handle[:12]!r}...)"


class SqsQueue(QueueDriver):
    """One standard queue of SQS, or of what speaks its protocol."""

    scheme = "sqs"
    capabilities = SQS

    def __init__(self, where: Place, clock: Callable[[], float]) -> None:
        self._name = where.name
        self._account = where.parameters.get("account", "")
        self._region = where.region
        self._endpoint = where.endpoint
        self._clock = clock
        self._url = ""

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> SqsQueue:
        where = place(address, opening, ("account",))
        longest = 80 - len(FIFO) * (cls is not SqsQueue)
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
        if not 1 <= len(where.name) <= longest or not _NAMES.issuperset(where.name):
            hint = f": a FIFO queue is sqs+fifo://{where.name.removesuffix(FIFO)}" if where.name.endswith(FIFO) else ""
            raise InvalidArgument(f"address {address}: a queue's name is 1 to {longest} of a-z A-Z 0-9 _ -{hint}")
        return cls(where, opening.clock)

    def native(self) -> Any:
        # What is sent is made here: botocore need not check it against its model.
        return client("sqs", region=self._region, endpoint=self._endpoint, parameter_validation=False)

    def _queue(self) -> str:
        """Return the queue's URL, which the service is asked for once."""
        url = self._url
        if not url:
            owner = {"QueueOwnerAWSAccountId": self._account} if self._account else {}
            asked = self.native().get_queue_url(QueueName=self._queue_name(), **owner)["QueueUrl"]
            url = self._url = asked if self._endpoint is None else self._at_endpoint(asked)
        return url

    def _at_endpoint(self, url: str) -> str:
        """Return *url* at the address's endpoint: an emulator may name itself otherwise."""
        return f"{str(self._endpoint).rstrip('/')}/{url.partition('://')[2].partition('/')[2]}"

    def _queue_name(self) -> str:
        return self._name

    # Errors.

    def classify(self, error: Exception) -> type[PortableError]:
        code = _word(error)
        if code == "InvalidParameterValue" and "must be shorter than" in str(error):
            return LimitExceeded
        return _KINDS.get(code) or _errors.classify(error, _KINDS)

    def explain(self, error: Exception) -> str:
        if self.classify(error) is NotFound and _word(error) in ("NonExistentQueue", "QueueDoesNotExist"):
            return f"there is no queue {self._queue_name()} in {self.native().meta.region_name}"
        return _errors.explain(error)

    def retry_after(self, error: Exception) -> float | None:
        return _errors.retry_after(error)

    def changed_nothing(self, error: Exception) -> bool:
        return _errors.changed_nothing(error) or _word(error) in ("KmsThrottled", "OverLimit")

    # The contract.

    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[str | Exception]:
        queue = self._queue()
        if len(messages) == 1:
            sent = self.native().send_message(QueueUrl=queue, **self._entry(messages[0]))
            return [sent["MessageId"]]
        entries = [{"Id": str(index), **self._entry(message)} for index, message in enumerate(messages)]
        answer = self.native().send_message_batch(QueueUrl=queue, Entries=entries)
        outcomes: dict[str, str | Exception] = {each["Id"]: each["MessageId"] for each in answer.get("Successful", ())}
        outcomes.update(_failures(answer, "SendMessageBatch"))
        return [outcomes[str(index)] for index in range(len(messages))]

    def _entry(self, message: Outgoing) -> dict[str, Any]:
        body, encoding = written(message.body)
        entry: dict[str, Any] = {"MessageBody": body}
        attributes = attributes_written(message.attributes) if message.attributes else {}
        if encoding:
            attributes[ENCODING] = encoding
        if attributes:
            entry["MessageAttributes"] = {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            }
        if message.delay:
            entry["DelaySeconds"] = math.ceil(message.delay)
        return entry

    def receive_batch(self, *, limit: int, wait: float, lease: float) -> Sequence[Received]:
        began = self._clock()
        answer = self.native().receive_message(
            QueueUrl=self._queue(),
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=math.ceil(wait),
            VisibilityTimeout=math.ceil(lease),
            MessageSystemAttributeNames=_SYSTEM,
            MessageAttributeNames=["All"],
        )
        # The lease begins when the service answers, which takes no second to come here.
        ends = max(began, self._clock() - 1) + math.ceil(lease)
        return [self._received(message, ends) for message in answer.get("Messages", ())]

    def _received(self, message: Mapping[str, Any], ends: float) -> Received:
        told, attributes = message["Attributes"], message.get("MessageAttributes")
        body, named = content(message["Body"], _texts(attributes) if attributes else {})
        return Received(
            message["MessageId"],
            body,
            named,
            int(told["ApproximateReceiveCount"]),
            datetime.fromtimestamp(int(told["SentTimestamp"]) / 1000, timezone.utc),
            self._group(told),
            Receipt(message["ReceiptHandle"], ends),
        )

    def _group(self, told: Mapping[str, str]) -> str | None:
        # A group of a queue that is not FIFO is there for fairness: nothing waits for anything in it.
        return None

    def ack_batch(self, receipts: Sequence[Receipt]) -> Sequence[Exception | None]:
        now = self._clock()
        outcomes: list[Exception | None] = [None] * len(receipts)
        # A lease that is over may be another's now, and SQS would take the old receipt of a message in no lease.
        live = {receipt.handle: index for index, receipt in enumerate(receipts) if now < receipt.ends}
        if not live:
            return outcomes
        queue = self._queue()
        if len(live) == 1:
            ((handle, index),) = live.items()
            try:
                self.native().delete_message(QueueUrl=queue, ReceiptHandle=handle)
            except ClientError as error:
                outcomes[index] = _unless_stale(error)
        else:
            entries = [{"Id": str(index), "ReceiptHandle": handle} for handle, index in live.items()]
            answer = self.native().delete_message_batch(QueueUrl=queue, Entries=entries)
            for number, failure in _failures(answer, "DeleteMessageBatch").items():
                outcomes[int(number)] = _unless_stale(failure)
        for index in live.values():
            if outcomes[index] is None:
                receipts[index].ends = 0.0
        # One that is named twice was asked for once.
        return [outcomes[live.get(receipt.handle, index)] for index, receipt in enumerate(receipts)]

    def retry(self, receipt: Receipt, *, delay: float) -> None:
        if self._clock() >= receipt.ends:
            return
        try:
            self._hide(receipt, math.ceil(delay))
        except ClientError as error:
            if not _is_stale(error):
                raise
        receipt.ends = 0.0

    def extend(self, receipt: Receipt, *, lease: float) -> None:
        now = self._clock()
        if now >= receipt.ends:
            raise NotFound("the lease is over")
        try:
            self._hide(receipt, math.ceil(lease))
        except ClientError as error:
            if not _is_stale(error):
                raise
            raise NotFound(_errors.explain(error)) from error
        receipt.ends = now + math.ceil(lease)

    def _hide(self, receipt: Receipt, seconds: int) -> None:
        self.native().change_message_visibility(
            QueueUrl=self._queue(), ReceiptHandle=receipt.handle, VisibilityTimeout=seconds
        )


class SqsFifoQueue(SqsQueue):
    """One FIFO queue of SQS; its name in the address is without `.fifo`."""

    scheme = "sqs+fifo"
    capabilities = SQS_FIFO

    def _queue_name(self) -> str:
        return self._name + FIFO

    def _entry(self, message: Outgoing) -> dict[str, Any]:
        entry = super()._entry(message)
        entry["MessageGroupId"] = message.group or no_group()
        # It has to have one, unless the queue was made to take a body's hash for it: then equal bodies were dropped.
        entry["MessageDeduplicationId"] = message.dedup or os.urandom(16).hex()
        return entry

    def _group(self, told: Mapping[str, str]) -> str | None:
        return group_of(told["MessageGroupId"])


def _texts(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return attributes as the record of an invocation has them: bytes, which others send, as base64."""
    return {
        name: each["StringValue"] if "StringValue" in each else b2a_base64(each["BinaryValue"], newline=False).decode()
        for name, each in attributes.items()
    }


def _word(error: Exception) -> str:
    return _errors.code_of(error).removeprefix(_OLD_WORDS)


def _is_stale(error: Exception) -> bool:
    """Say whether SQS says that the lease is over: in which words depends on the queue's kind, and on for how long."""
    word = _word(error)
    return word in ("MessageNotInflight", "ReceiptHandleIsInvalid") or (
        word == "InvalidParameterValue" and "ReceiptHandle" in str(error)
    )


def _unless_stale(error: Exception) -> Exception | None:
    return None if _is_stale(error) else error


def _failures(answer: Mapping[str, Any], operation: str) -> dict[str, Exception]:
    """Return the errors of a batch's entries, by their ids, as if each had been asked for alone."""
    failures: dict[str, Exception] = {}
    for each in answer.get("Failed", ()):
        status = {"HTTPStatusCode": 400 if each.get("SenderFault") else 500}
        said: Any = {"Error": {"Code": each["Code"], "Message": each.get("Message", "")}, "ResponseMetadata": status}
        failures[each["Id"]] = ClientError(said, operation)
    return failures
