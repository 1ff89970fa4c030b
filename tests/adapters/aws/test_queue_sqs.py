"""Queues of SQS: what the conformance suite cannot say of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore import exceptions as sdk

from portable.queue import Queue, Send
from portable_aws._clients import client
from portable_aws.events import Sqs
from portable_aws.harness import AwsHarness
from portable_aws.queue import Receipt, SqsFifoQueue, SqsQueue
from portable_conformance.counterparts.faults import LOST, Proxy, refusal
from portable_contracts.errors import (
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
    Unsupported,
)
from portable_contracts.harness import MissingCounterpart
from portable_contracts.provider import Address, Opening


def opened(address: str, region: str | None = None) -> SqsQueue:
    kind = SqsFifoQueue if address.startswith("sqs+fifo:") else SqsQueue
    return kind.from_address(Address.parse(address), Opening(region=region))


driver = opened("sqs://thumbs")


def answered(code: str, message: str = "It failed.", status: int = 400) -> sdk.ClientError:
    said: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return sdk.ClientError(said, "SendMessage")


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (answered("QueueDoesNotExist"), NotFound),
            (answered("AWS.SimpleQueueService.NonExistentQueue"), NotFound),
            (answered("AWS.SimpleQueueService.QueueDeletedRecently"), Unavailable),
            (answered("ReceiptHandleIsInvalid", status=404), NotFound),
            (answered("AWS.SimpleQueueService.MessageNotInflight"), NotFound),
            (answered("InvalidMessageContents"), InvalidArgument),
            (answered("InvalidParameterValue"), InvalidArgument),
            (answered("InvalidParameterValue", "Message must be shorter than 1048576 bytes."), LimitExceeded),
            (answered("AWS.SimpleQueueService.BatchRequestTooLong"), LimitExceeded),
            (answered("AWS.SimpleQueueService.UnsupportedOperation"), Unsupported),
            (answered("OverLimit", status=403), Unavailable),
            (answered("RequestThrottled", status=403), Unavailable),
            (answered("ThrottlingException"), Unavailable),
            (answered("KmsThrottled"), Unavailable),
            (answered("KmsAccessDenied"), PermissionDenied),
            (answered("InvalidSecurity", status=403), PermissionDenied),
            (answered("AccessDeniedException", status=403), PermissionDenied),
            (answered("InternalFailure", status=500), Unavailable),
            (answered("ServiceUnavailable", status=503), Unavailable),
            (answered("SomethingNew"), PortableError),
            (sdk.EndpointConnectionError(endpoint_url="http://x"), Unavailable),
            (sdk.ConnectionClosedError(endpoint_url="http://x"), Unavailable),
            (sdk.ReadTimeoutError(endpoint_url="http://x"), Timeout),
            (sdk.NoCredentialsError(), PermissionDenied),
            (sdk.NoRegionError(), InvalidArgument),
        ],
        ids=repr,
    )
    def test_what_the_sdk_raises_is_classified(self, error: Exception, kind: type[PortableError]) -> None:
        assert driver.classify(error) is kind

    @pytest.mark.parametrize(
        "error", [answered("OverLimit"), answered("RequestThrottled"), answered("KmsThrottled")], ids=repr
    )
    def test_what_was_throttled_changed_nothing(self, error: Exception) -> None:
        assert driver.changed_nothing(error)

    def test_a_receipt_is_not_printed_whole(self) -> None:
        assert "secret-handle" not in repr(Receipt("0123456789ab-secret-handle", 0.0))


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "said"),
        [
            ("sqs://", "1 to 80"),
            ("sqs://a.b", "1 to 80"),
            ("sqs://thumbs.fifo", r"sqs\+fifo://thumbs"),
            ("sqs+fifo://" + "a" * 76, "1 to 75"),
            ("sqs://thumbs/x", "has a path"),
            ("sqs://thumbs?acount=1", "did you mean 'account'"),
        ],
    )
    def test_a_wrong_address_is_refused(self, address: str, said: str) -> None:
        with pytest.raises(InvalidArgument, match=said):
            opened(address)

    def test_the_region_is_the_addresss_else_the_targets(self) -> None:
        assert opened("sqs://thumbs?region=eu-west-1", "us-east-1").native().meta.region_name == "eu-west-1"
        assert opened("sqs://thumbs", "us-east-1").native().meta.region_name == "us-east-1"


@pytest.fixture(params=["sqs"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    harness = AwsHarness()
    try:
        made = harness.create("queue", request.param, {})
    except MissingCounterpart as missing:
        pytest.skip(str(missing))
    yield made
    harness.destroy(made)


fifo = pytest.mark.parametrize("address", ["sqs+fifo"], indirect=True)


@pytest.fixture
def queue(address: str) -> Queue:
    return Queue.at(address)


@pytest.fixture
def raw(address: str) -> Any:
    return client("sqs", endpoint=Address.parse(address).parameters["endpoint"], parameter_validation=False)


@pytest.fixture
def url(address: str, raw: Any) -> str:
    parsed = Address.parse(address)
    name = parsed.name + (".fifo" if parsed.scheme == "sqs+fifo" else "")
    return str(raw.get_queue_url(QueueName=name)["QueueUrl"])


@pytest.fixture
def stored(raw: Any, url: str) -> Callable[[], Any]:
    """Return what takes the one message as SQS has it."""
    return lambda: raw.receive_message(
        QueueUrl=url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    )["Messages"][0]


HARD = {"empty": "", ".dots.": "a", "a..b": "c", "AWS.x": "d", "line": "a\nb", "control": "\x00\x1f"}


class TestMessages:
    def test_text_travels_as_it_is(self, queue: Queue, stored: Callable[[], Any]) -> None:
        queue.send("Grüße 😀", attributes={"kind": "greeting"})
        message = stored()

        assert message["Body"] == "Grüße 😀"
        assert message["MessageAttributes"] == {"kind": {"StringValue": "greeting", "DataType": "String"}}

    @pytest.mark.parametrize(("body", "text"), [(b"\xff\x00", "/wA="), (b"a\x00", "YQA="), (b"", "-")])
    def test_what_sqs_does_not_carry_is_marked(
        self, queue: Queue, stored: Callable[[], Any], body: bytes, text: str
    ) -> None:
        queue.send(body)
        message = stored()

        assert message["Body"] == text
        assert list(message["MessageAttributes"]) == ["portable.encoding"]

    def test_attributes_that_sqs_refuses_come_back(self, queue: Queue) -> None:
        attributes = {**HARD, "plain": "value", "portable.encoding": "mine", "portable.attributes": "mine too"}
        queue.send(b"\xff", attributes=attributes)
        (message,) = queue.receive(wait=timedelta(seconds=1))

        assert (message.body, message.attributes) == (b"\xff", attributes)

    def test_nine_attributes_and_a_body_of_bytes_are_within_sqs_ten(self, queue: Queue, stored: Any) -> None:
        queue.send(b"\xff", attributes={f"a{number}": "x" * (number % 2) for number in range(9)})

        assert len(stored()["MessageAttributes"]) <= 10

    def test_what_another_program_sent_is_read(self, queue: Queue, raw: Any, url: str) -> None:
        bytes_of_theirs = {"DataType": "Binary", "BinaryValue": b"\x01"}
        raw.send_message(
            QueueUrl=url,
            MessageBody="theirs",
            MessageAttributes={"n": {"DataType": "Number", "StringValue": "1"}, "b": bytes_of_theirs},
        )
        (message,) = queue.receive(wait=timedelta(seconds=1))

        assert (message.body, message.attributes) == (b"theirs", {"n": "1", "b": "AQ=="})

    def test_what_a_topic_sent_is_read_without_its_envelope(self, queue: Queue, raw: Any, url: str) -> None:
        envelope = {
            "Type": "Notification",
            "MessageId": "m",
            "TopicArn": "arn:aws:sns:eu-west-1:123456789012:t",
            "Message": "published",
            "MessageAttributes": {"kind": {"Type": "String", "Value": "x"}},
        }
        raw.send_message(QueueUrl=url, MessageBody=json.dumps(envelope))
        (message,) = queue.receive(wait=timedelta(seconds=1))

        assert (message.body, message.attributes) == (b"published", {"kind": "x"})

    @pytest.mark.parametrize("body", [b"text", b"\xff\x00", b"", "\ufffe".encode()])
    def test_lambda_is_told_the_same_message(self, queue: Queue, stored: Callable[[], Any], body: bytes) -> None:
        queue.send(body, attributes=HARD)
        message = self.told(stored(), "thumbs")

        assert (message.body, message.attributes, message.group) == (body, HARD, None)

    @fifo
    @pytest.mark.parametrize("group", [None, "g"])
    def test_lambda_is_told_the_group(self, queue: Queue, stored: Callable[[], Any], group: str | None) -> None:
        queue.send(b"1", group=group)

        assert self.told(stored(), "thumbs.fifo").group == group

    @staticmethod
    def told(message: Any, queue: str) -> Any:
        """Return the message as Lambda is told of it.

        https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
        """
        named = message.get("MessageAttributes", {})
        record = {
            "messageId": message["MessageId"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {
                name: {"stringValue": each["StringValue"], "dataType": "String"} for name, each in named.items()
            },
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{queue}",
        }
        (told,) = Sqs().decode({"Records": [record]}, None)
        return told

    @fifo
    def test_messages_without_a_group_wait_for_none(self, queue: Queue) -> None:
        queue.send_many([b"1", b"2", b"3"])
        messages = queue.receive(3, wait=timedelta(seconds=1))

        assert [(message.body, message.group) for message in messages] == [(b"1", None), (b"2", None), (b"3", None)]


@pytest.fixture
def proxy(address: str) -> Iterator[Proxy]:
    where = AwsHarness().upstream(address)
    assert where is not None
    with Proxy(*where) as proxy:
        yield proxy


@pytest.fixture
def far(address: str, proxy: Proxy) -> Queue:
    handle = Queue.at(AwsHarness().through(address, proxy.host, proxy.port))
    handle.receive()  # The queue's URL is asked for once.
    proxy.clear()
    return handle


class TestRequests:
    @pytest.mark.parametrize(
        "operation",
        [
            pytest.param(lambda queue: queue.send(b"1"), id="send"),
            pytest.param(lambda queue: queue.send_many([b"1"] * 10), id="send_many"),
            pytest.param(lambda queue: queue.receive(), id="receive"),
        ],
    )
    def test_an_operation_is_one_request(self, far: Queue, proxy: Proxy, operation: Callable[[Queue], object]) -> None:
        operation(far)

        assert len(proxy.seen) == 1

    @pytest.mark.parametrize(
        "settle",
        [
            pytest.param(lambda message: message.ack(), id="ack"),
            pytest.param(lambda message: message.retry(), id="retry"),
            pytest.param(lambda message: message.extend(timedelta(seconds=60)), id="extend"),
        ],
    )
    def test_settling_is_one_request(self, far: Queue, proxy: Proxy, settle: Callable[[Any], None]) -> None:
        far.send(b"1")
        (message,) = far.receive(wait=timedelta(seconds=1))
        proxy.clear()
        settle(message)

        assert len(proxy.seen) == 1

    def test_an_acknowledged_delivery_asks_for_nothing_more(self, far: Queue, proxy: Proxy) -> None:
        far.send(b"1")
        (message,) = far.receive(wait=timedelta(seconds=1))
        message.ack()
        proxy.clear()
        message.ack()
        message.retry()

        assert proxy.seen == []

    def test_a_delivery_that_is_acknowledged_twice_at_once_is_named_once(self, far: Queue, proxy: Proxy) -> None:
        far.send_many([b"1", b"2"])
        one, other = far.receive(2, wait=timedelta(seconds=1))
        seen: list[Any] = []
        far.native().meta.events.register("before-call.sqs.DeleteMessageBatch", lambda params, **_: seen.append(params))
        proxy.clear()

        assert far.ack_many([one, other, one]) == [None, None, None]
        assert len(json.loads(seen[0]["body"])["Entries"]) == 2

    def test_messages_of_a_batch_that_failed_alone_are_sent_again(self, far: Queue, proxy: Proxy) -> None:
        answer = {
            "Successful": [{"Id": "0", "MessageId": "m-0", "MD5OfMessageBody": ""}],
            "Failed": [
                {"Id": "1", "Code": "InternalError", "SenderFault": False, "Message": "again"},
                {"Id": "2", "Code": "InvalidMessageContents", "SenderFault": True, "Message": "never"},
            ],
        }
        proxy.inject(refusal(200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(answer).encode()))
        first, second, third = far.send_many([b"1", Send(b"2"), b"3"])

        assert first == "m-0"
        assert isinstance(second, str)
        assert isinstance(third, InvalidArgument)
        assert [message.body for message in far.receive(wait=timedelta(seconds=1))] == [b"2"]

    def test_no_error_tells_the_credentials(self, far: Queue, proxy: Proxy) -> None:
        proxy.inject(LOST, times=None)
        with pytest.raises(Unavailable) as caught:
            far.send(b"1")

        assert "Signature" not in f"{caught.value!r} {caught.value.__cause__!r}"


class TestForks:
    def test_a_forked_child_has_a_client_of_its_own(self, queue: Queue) -> None:
        queue.send(b"1")
        child = os.fork()
        if child == 0:  # As gunicorn --preload does.
            try:
                queue.send(b"2")
            finally:
                os._exit(0)
        os.waitpid(child, 0)

        assert {message.body for message in queue.receive(wait=timedelta(seconds=1))} == {b"1", b"2"}
