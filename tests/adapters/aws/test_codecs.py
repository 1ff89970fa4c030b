"""What golden cases cannot say: refusals, credentials, contexts, batches, sizes, and what a front cannot carry."""

from __future__ import annotations

import copy
import json
import logging
import time
import tracemalloc
from base64 import b64encode
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from portable import App, BlobEvent, Change, Message, Request
from portable.runtime import runner
from portable_aws import _fronts
from portable_aws._context import UNKNOWN_SECONDS, context_of
from portable_aws.events import S3, DynamoDBStream, EventBridge, Kinesis, S3EventBridge, Schedule, Scheduler, Sns, Sqs
from portable_aws.http import LoadBalancer, Payload1, Payload2
from portable_contracts.errors import InvalidArgument, LimitExceeded
from portable_contracts.harness import HttpCall
from portable_contracts.http import Headers, HttpCodec, Response

GET = HttpCall("GET", "/", [("host", "example.com")])
CODECS: Sequence[HttpCodec] = (Payload2(), Payload1(), LoadBalancer())


def codec_of(form: str) -> HttpCodec:
    return next(codec for codec in CODECS if codec.shape == form.partition("~")[0])


def request(form: str = "aws.http.v2", /, **changes: Any) -> Request:
    return codec_of(form).decode({**_fronts.event(form, GET), **changes}, None)


def received(form: str, response: Response) -> Response:
    """Return what the client gets for *response*."""
    return _fronts.response(form, codec_of(form).encode(response, request(form)))


def message(number: int = 1, body: str = "hello", queue: str = "thumbs", **told: str) -> dict[str, Any]:
    return {
        "messageId": f"m-{number}", "body": body, "messageAttributes": {}, "eventSource": "aws:sqs",
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1767323045000", **told},
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{queue}",
    }  # fmt: skip


def sqs(*records: dict[str, Any]) -> list[Any]:
    return list(Sqs().decode({"Records": list(records)}, None))


def stored(name: str = "ObjectCreated:Put", /, **entry: Any) -> dict[str, Any]:
    return {
        "eventSource": "aws:s3", "eventName": name, "eventTime": "2026-01-02T03:04:05.678Z",
        "responseElements": {"x-amz-request-id": "R"},
        "s3": {"bucket": {"name": "photos"}, "object": {"key": "in/a", "sequencer": "0A", **entry}},
    }  # fmt: skip


def changed(keys: dict[str, Any], name: str = "INSERT", **stream: Any) -> dict[str, Any]:
    return {
        "eventID": "c-1", "eventName": name, "eventSource": "aws:dynamodb",
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:123456789012:table/entries/stream/2026-01-01T00:00:00.000",
        "dynamodb": {"ApproximateCreationDateTime": 1767323045, "Keys": keys, "SequenceNumber": "1", **stream},
    }  # fmt: skip


def change(keys: dict[str, Any], **stream: Any) -> Change:
    (decoded,) = DynamoDBStream().decode({"Records": [changed(keys, **stream)]}, None)
    assert isinstance(decoded, Change)
    return decoded


def on_bus(**fields: Any) -> dict[str, Any]:
    told = {"id": "e-1", "source": "acme", "detail-type": "signed", "time": "2026-01-02T03:04:05Z", "detail": {}}
    return {**told, **fields}


class TestContext:
    def test_without_one_an_invocation_has_the_longest_timeout(self) -> None:
        context = context_of(None, "r-1")

        assert (context.invocation_id, context.provider) == ("r-1", "aws")
        assert context.expires == pytest.approx(time.time() + UNKNOWN_SECONDS, abs=5)

    def test_the_deadline_is_what_the_runtime_says(self) -> None:
        context = context_of(_fronts.LambdaContext(seconds=12))

        assert context.remaining().total_seconds() == pytest.approx(12, abs=2)

    def test_a_deadline_that_has_passed_leaves_no_time(self) -> None:
        assert context_of(_fronts.LambdaContext(seconds=-5)).remaining() == timedelta(0)

    def test_a_runtime_without_a_functions_name_gives_none(self) -> None:
        native = _fronts.LambdaContext()
        native.function_name = None  # type: ignore[assignment]  # the variable is not set outside Lambda

        assert context_of(native).function == ""


class TestRequests:
    @pytest.mark.parametrize(
        ("form", "field", "value"),
        [
            ("aws.http.v2", "rawPath", None),
            ("aws.http.v2", "rawQueryString", 1),
            ("aws.http.v2", "headers", []),
            ("aws.http.v2", "cookies", "a=1"),
            ("aws.http.v2", "body", ["text"]),
            ("aws.http.v1", "path", 1),
            ("aws.http.v1", "httpMethod", None),
            ("aws.http.v1", "multiValueHeaders", []),
            ("aws.http.v1", "body", 1),
            ("aws.http.alb", "path", None),
            ("aws.http.alb", "httpMethod", []),
            ("aws.http.alb", "multiValueQueryStringParameters", "a=1"),
        ],
    )
    def test_a_broken_field_is_an_error_that_names_it(self, form: str, field: str, value: object) -> None:
        with pytest.raises(InvalidArgument, match=field):
            request(form, **{field: value})

    def test_the_consoles_test_of_a_rest_api_has_null_for_whatever_is_absent(self) -> None:
        absent = ("headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters")
        decoded = request("aws.http.v1", **dict.fromkeys((*absent, "pathParameters", "stageVariables", "body")))

        assert (decoded.headers, decoded.query.multi_items(), decoded.body) == (Headers(), [], b"")

    def test_single_values_serve_where_a_front_sends_no_lists(self) -> None:
        event = _fronts.event("aws.http.v1", HttpCall("GET", "/?a=1", [("X-Tag", "one")]))
        del event["multiValueHeaders"], event["multiValueQueryStringParameters"]
        decoded = Payload1().decode(event, None)

        assert (decoded.query["a"], decoded.headers["x-tag"]) == ("1", "one")

    @pytest.mark.parametrize(
        ("told", "client"),
        [
            ("203.0.113.9", "203.0.113.9"),
            ("10.0.0.1, 203.0.113.9", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("", None),
        ],
    )
    def test_behind_a_load_balancer_the_client_is_whom_the_balancer_saw(self, told: str, client: str | None) -> None:
        event = _fronts.event("aws.http.alb", GET)
        event["multiValueHeaders"]["x-forwarded-for"] = [told]

        assert LoadBalancer().decode(event, None).client == client

    @pytest.mark.parametrize(
        ("path", "stage", "seen"),
        [("/prod", "prod", "/"), ("/prod/", "prod", "/"), ("/production/a", "prod", "/production/a"),
         ("/a", "prod", "/a"), ("/$default/a", "$default", "/$default/a")],
    )  # fmt: skip
    def test_a_stage_is_taken_off_where_it_is_a_whole_segment(self, path: str, stage: str, seen: str) -> None:
        event = _fronts.event("aws.http.v2", GET)
        event["requestContext"]["stage"] = stage

        assert Payload2().decode({**event, "rawPath": path}, None).path == seen

    @pytest.mark.parametrize("form", ["aws.http.v2", "aws.http.v1"])
    @pytest.mark.parametrize("field", ["routeArn", "methodArn"])
    def test_an_authorizers_question_is_no_request(self, form: str, field: str) -> None:
        event = {**_fronts.event(form, GET), "type": "REQUEST", "routeArn": "arn", "methodArn": "arn"}

        assert [codec.shape for codec in CODECS if codec.recognises(event)] == []

    @pytest.mark.parametrize("form", _fronts.FORMS)
    def test_one_codec_recognises_even_what_has_marks_of_several_fronts(self, form: str) -> None:
        event = _fronts.event(form, GET)
        event["requestContext"] |= {"elb": {}, "http": {"method": "GET"}, "apiId": "a", "stage": "prod"}
        event |= {"version": "2.0", "httpMethod": "GET", "path": "/", "rawPath": "/"}

        assert {codec.shape for codec in CODECS if codec.recognises(event)} == {"aws.http.alb"}

    @pytest.mark.parametrize("form", _fronts.FORMS)
    def test_credentials_are_in_no_representation_and_no_log(self, form: str, caplog: pytest.LogCaptureFixture) -> None:
        app = App("codecs")

        @app.get("/")
        def broken(request: Request) -> None:
            raise ZeroDivisionError

        secrets = [("authorization", "Bearer s3cret"), ("x-amz-security-token", "s3cret"), ("cookie", "session=s3cret")]
        event = _fronts.event(form, HttpCall("GET", "/?token=s3cret", secrets))
        runner(app, "aws")(event, None)

        assert "s3cret" not in repr(codec_of(form).decode(event, None))
        assert "s3cret" not in caplog.text


class TestResponses:
    @pytest.mark.parametrize("form", _fronts.FORMS)
    def test_each_cookie_is_sent_on_its_own(self, form: str) -> None:
        response = Response("ok")
        for number in range(12):
            response.set_cookie(f"c{number}", str(number))

        assert received(form, response).headers.getlist("set-cookie") == response.headers.getlist("set-cookie")

    @pytest.mark.parametrize("form", ["aws.http.v2", "aws.http.alb~single"])
    def test_a_repeated_field_that_is_no_list_is_an_error_where_a_name_has_one_value(self, form: str) -> None:
        response = Response("ok", headers=[("location", "/a"), ("location", "/b")])

        with pytest.raises(InvalidArgument, match="location stands there 2 times"):
            received(form, response)

    @pytest.mark.parametrize("form", ["aws.http.v1", "aws.http.alb"])
    def test_a_repeated_field_is_kept_where_a_name_has_several_values(self, form: str) -> None:
        response = Response("ok", headers=[("location", "/a"), ("location", "/b")])

        assert received(form, response).headers.getlist("location") == ["/a", "/b"]

    @pytest.mark.parametrize("form", _fronts.FORMS)
    @pytest.mark.parametrize(
        ("body", "content_type", "is_base64"),
        [
            (b"text", "text/plain", False),
            ("ü 𐐷".encode(), "text/plain; charset=utf-8", False),
            (b"{}", "application/problem+json", False),
            (b"<svg/>", "image/svg+xml", False),
            (b"\x00\x01", "application/octet-stream", False),
            (b"\xff", "text/plain", True),
            (b"\x1f\x8b\x08", "text/plain", True),
            (b"\x89PNG", "image/png", True),
            (b"", "image/png", False),
        ],
    )
    def test_a_body_is_base64_only_where_it_is_no_text(
        self, form: str, body: bytes, content_type: str, is_base64: bool
    ) -> None:
        response = Response(body, headers={"content-type": content_type})
        answer = codec_of(form).encode(response, request(form))

        assert answer["isBase64Encoded"] is is_base64
        assert _fronts.response(form, answer).body == body

    @pytest.mark.parametrize("form", _fronts.FORMS)
    def test_an_answer_is_plain_json(self, form: str) -> None:
        response = Response(b"\xff", 201, [("x-tag", "one"), ("x-tag", "two"), ("set-cookie", "a=1")])
        answer = codec_of(form).encode(response, request(form))

        assert json.loads(json.dumps(answer)) == answer

    @pytest.mark.parametrize(
        ("form", "size"), [("aws.http.v2", 4_700_000), ("aws.http.v1", 4_700_000), ("aws.http.alb", 800_000)]
    )
    def test_an_answer_that_the_front_refuses_is_an_error_with_its_size(self, form: str, size: int) -> None:
        with pytest.raises(LimitExceeded, match=f"the response is {size:,} bytes") as caught:
            codec_of(form).encode(Response(b"\xff" * size), request(form))

        assert (caught.value.limit, caught.value.actual, caught.value.owner) == ("max_response_bytes", size, "AWS")

    def test_a_response_that_the_front_refuses_is_answered_with_500_and_logged(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = App("codecs")

        @app.get("/")
        def large(request: Request) -> bytes:
            return b"\xff" * 5_000_000

        answer = runner(app, "aws")(_fronts.event("aws.http.v2", GET), None)

        assert answer["statusCode"] == 500
        assert "LimitExceeded: the response is 5,000,000 bytes" in caplog.text


class TestMemory:
    def test_a_body_of_five_megabytes_costs_two_copies_at_most(self) -> None:
        app = App("codecs")

        @app.post("/")
        def echo(request: Request) -> bytes:
            return request.body

        entry = runner(app, "aws")
        small = _fronts.event("aws.http.v2", HttpCall("POST", "/", (), b"\xff" * 100))
        entry(small, None)
        text = b64encode(b"\xff" * 3_750_000).decode()
        event = {**small, "body": text}
        tracemalloc.start()
        try:
            answer = entry(event, None)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert answer["body"] == text
        assert peak <= 2 * len(text)


class TestMessages:
    @pytest.mark.parametrize(
        ("field", "value"),
        [("messageId", None), ("eventSourceARN", 1), ("body", {}), ("attributes", []), ("messageAttributes", "a"),
         ("messageAttributes", {"a": "text"})],
    )  # fmt: skip
    def test_a_broken_field_is_an_error_that_names_it(self, field: str, value: object) -> None:
        with pytest.raises(InvalidArgument, match=field):
            sqs({**message(), field: value})

    @pytest.mark.parametrize("name", ["SentTimestamp", "ApproximateReceiveCount"])
    @pytest.mark.parametrize("value", ["", "x", "nan", []])
    def test_a_broken_number_is_an_error_that_names_it(self, name: str, value: Any) -> None:
        with pytest.raises(InvalidArgument, match=name):
            sqs(message(**{name: value}))

    def test_a_time_that_no_calendar_has_is_an_error(self) -> None:
        with pytest.raises(InvalidArgument, match="SentTimestamp"):
            sqs(message(SentTimestamp="9" * 30))

    def test_what_sqs_does_not_tell_has_its_default(self) -> None:
        (decoded,) = sqs({**message(), "attributes": None})

        assert (decoded.attempt, decoded.sent, decoded.group) == (1, None, None)

    def test_a_group_of_a_queue_that_is_not_fifo_orders_nothing(self) -> None:
        (decoded,) = sqs(message(MessageGroupId="tenant-7"))

        assert decoded.group is None
        assert decoded.native["attributes"]["MessageGroupId"] == "tenant-7"

    @pytest.mark.parametrize(
        "body",
        [
            '{"TopicArn": "arn", "Type": "Notification"}',
            '{"TopicArn": "arn", "Type": "SubscriptionConfirmation", "Message": "m", "MessageId": "i"}',
            '{"TopicArn": ',
            '"TopicArn"',
            "[" * 2000 + '"TopicArn"',
        ],
        ids=["no message", "confirmation", "cut off", "text", "deep"],
    )  # fmt: skip
    def test_what_only_looks_like_a_topics_notification_stays_as_it_is(self, body: str) -> None:
        (decoded,) = sqs(message(body=body))

        assert decoded.text == body

    def test_a_body_that_is_not_the_base64_it_says_is_an_error(self) -> None:
        record = message(body="no base64!")
        record["messageAttributes"] = {"portable.encoding": {"stringValue": "base64", "dataType": "String"}}

        with pytest.raises(InvalidArgument, match="body cannot be decoded"):
            sqs(record)

    def test_an_encoding_is_no_attribute_of_the_sender(self) -> None:
        record = message(body="")
        record["messageAttributes"] = {
            "portable.encoding": {"stringValue": "base64", "dataType": "String"},
            "a": {"binaryValue": "AP8=", "dataType": "Binary"},
        }
        (decoded,) = sqs(record)

        assert (decoded.body, dict(decoded.attributes)) == (b"", {"a": "AP8="})

    def test_a_report_keeps_the_order_of_the_batch(self) -> None:
        decoded = sqs(*(message(number) for number in range(4)))

        assert Sqs().encode(decoded, [True, False, False, True]) == {
            "batchItemFailures": [{"itemIdentifier": "m-0"}, {"itemIdentifier": "m-3"}]
        }


class Consuming:
    """An app that fails for the messages that it is told to."""

    def __init__(self, *failing: str, partial_batch: bool) -> None:
        self.seen: list[str] = []
        app = App("codecs")
        app.on_message(app.queue("thumbs"))(self._handle)
        self._failing = failing
        self.run = runner(app, "aws", partial_batch=partial_batch)

    def _handle(self, message: Message) -> None:
        self.seen.append(message.id)
        if message.id in self._failing:
            raise ZeroDivisionError

    def failures(self, *records: dict[str, Any]) -> list[str]:
        report = self.run({"Records": list(records)}, None)
        return [failure["itemIdentifier"] for failure in report["batchItemFailures"]]


class TestPartialBatches:
    def test_a_standard_queue_gets_back_what_failed(self) -> None:
        consuming = Consuming("m-1", partial_batch=True)
        records = [message(number, MessageGroupId="same") for number in range(4)]

        assert consuming.failures(*records) == ["m-1"]
        assert consuming.seen == ["m-0", "m-1", "m-2", "m-3"]

    def test_a_fifo_queue_gets_back_all_of_the_group_from_the_failure_on(self) -> None:
        consuming = Consuming("m-1", partial_batch=True)
        groups = ["a", "a", "b", "a", "b"]
        records = [message(number, queue="thumbs.fifo", MessageGroupId=group) for number, group in enumerate(groups)]

        assert consuming.failures(*records) == ["m-1", "m-3"]
        assert consuming.seen == ["m-0", "m-1", "m-2", "m-4"]

    def test_a_stream_gets_back_all_from_the_failure_on(self) -> None:
        consuming = Consuming("1", partial_batch=True)
        records = [
            {
                "eventSource": "aws:kinesis",
                "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/thumbs",
                "kinesis": {"sequenceNumber": str(number), "data": "eA==", "partitionKey": str(number)},
            }
            for number in range(4)
        ]

        assert consuming.failures(*records) == ["1"]
        assert consuming.seen == ["0", "1"]

    def test_without_a_report_one_failure_fails_the_batch_after_all_had_their_turn(self) -> None:
        consuming = Consuming("m-1", partial_batch=False)

        with pytest.raises(Exception, match="1 of 3 messages must be delivered again"):
            consuming.failures(*(message(number) for number in range(3)))
        assert consuming.seen == ["m-0", "m-1", "m-2"]

    def test_each_traceback_is_logged_where_a_report_hides_it(self, caplog: pytest.LogCaptureFixture) -> None:
        Consuming("m-0", "m-2", partial_batch=True).failures(*(message(number) for number in range(3)))

        assert [record.levelno for record in caplog.records if record.exc_info] == [logging.ERROR] * 2


class TestTopics:
    @pytest.mark.parametrize("field", ["MessageId", "TopicArn", "Message", "Timestamp"])
    def test_a_missing_field_is_an_error_that_names_it(self, field: str) -> None:
        sns = {"MessageId": "n", "TopicArn": "arn:t", "Message": "m", "Timestamp": "2026-01-02T03:04:05.000Z"}
        del sns[field]

        with pytest.raises(InvalidArgument, match=field):
            Sns().decode({"Records": [{"EventSource": "aws:sns", "Sns": sns}]}, None)


class TestStreams:
    @pytest.mark.parametrize(
        ("field", "value"), [("sequenceNumber", 1), ("data", "no base64!"), ("partitionKey", {}), ("data", 1)]
    )
    def test_a_broken_record_is_an_error_that_names_the_field(self, field: str, value: object) -> None:
        kinesis = {"sequenceNumber": "1", "data": "", "partitionKey": "p", field: value}
        record = {"eventSource": "aws:kinesis", "eventSourceARN": "arn:aws:kinesis:e:1:stream/s", "kinesis": kinesis}

        with pytest.raises(InvalidArgument, match=field):
            Kinesis().decode({"Records": [record]}, None)


class TestChanges:
    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ({"partition": {"S": "p"}, "sort": {"S": "s"}}, ("p", "s")),
            ({"sort": {"S": "s"}, "partition": {"S": "p"}}, ("p", "s")),
            ({"sk": {"S": "s"}, "pk": {"S": "p"}}, ("p", "s")),
            ({"partition": {"S": "p"}, "sort": {"S": "\x01"}}, ("p", "")),
            ({"id": {"S": "p"}}, ("p", "")),
            ({"id": {"N": "7"}, "at": {"N": "1.5"}}, ("7", "1.5")),
            ({"id": {"B": "AP8="}}, ("AP8=", "")),
        ],
        ids=repr,
    )
    def test_keys_are_told_apart_by_their_names(self, keys: dict[str, Any], expected: tuple[str, str]) -> None:
        decoded = change(keys)

        assert (decoded.partition, decoded.sort) == expected

    @pytest.mark.parametrize(
        "keys", [{}, {"a": {}}, {"a": {"S": 1}}, {"a": {"M": {}}}, {"a": "text"}, {name: {"S": "x"} for name in "abc"}]
    )
    def test_broken_keys_are_an_error(self, keys: dict[str, Any]) -> None:
        with pytest.raises(InvalidArgument, match="Keys"):
            change(keys)

    @pytest.mark.parametrize(
        ("attribute", "value"),
        [
            ({"SS": ["2.0"]}, 2.0),
            ({"SS": ["-0.0"]}, -0.0),
            ({"SS": ["1e+300"]}, 1e300),
            ({"N": "1.5"}, 1.5),
            ({"N": "-9223372036854775808"}, -(2**63)),
            ({"L": [{"SS": ["1.0"]}, {"M": {"a": {"SS": ["2.0"]}}}]}, [1.0, {"a": 2.0}]),
        ],
        ids=repr,
    )
    def test_a_portable_items_value_has_its_types(self, attribute: dict[str, Any], value: object) -> None:
        image = {"partition": {"S": "p"}, "value": attribute, "version": {"S": "v"}}

        assert repr(change({"partition": {"S": "p"}}, NewImage=image).new) == repr(value)

    @pytest.mark.parametrize("texts", [["nan"], ["-inf"], ["x"], [1], [10**400], ["1.0", "2.0"], []])
    def test_what_is_no_float_in_a_portable_item_is_an_error_or_no_float(self, texts: list[Any]) -> None:
        image = {"partition": {"S": "p"}, "value": {"SS": texts}, "version": {"S": "v"}}
        try:
            value = change({"partition": {"S": "p"}}, NewImage=image).new
        except InvalidArgument:
            value = None

        assert value in (None, texts)

    def test_another_items_value_is_a_map_of_what_are_no_keys(self) -> None:
        image = {"id": {"S": "p"}, "tags": {"SS": ["a", "b"]}, "numbers": {"NS": ["1", "2.5"]}, "one": {"SS": ["1"]}}

        assert change({"id": {"S": "p"}}, NewImage=image).new == {
            "tags": ["a", "b"], "numbers": [1, 2.5], "one": ["1"]
        }  # fmt: skip

    @pytest.mark.parametrize(
        "attribute",
        [{}, {"S": 1}, {"N": "x"}, {"N": "NaN"}, {"N": "Infinity"}, {"N": 1}, {"BOOL": 1}, {"B": "a"}, {"M": []},
         {"L": {}}, {"SS": "a"}, {"X": 1}, {"S": "a", "N": "1"}, None, "text", {"N": "9" * 5000}],
        ids=lambda attribute: repr(attribute)[:20],
    )  # fmt: skip
    def test_a_broken_attribute_is_an_error_that_says_where(self, attribute: object) -> None:
        with pytest.raises(InvalidArgument, match=r"NewImage\.a is no"):
            change({"id": {"S": "p"}}, NewImage={"a": attribute})

    def test_a_value_that_is_too_deep_is_an_error(self) -> None:
        attribute: dict[str, Any] = {"S": "x"}
        for _ in range(100):
            attribute = {"L": [attribute]}

        with pytest.raises(InvalidArgument, match="NewImage"):
            change({"id": {"S": "p"}}, NewImage={"a": attribute})

    def test_a_stream_without_images_gives_keys_alone(self) -> None:
        decoded = change({"id": {"S": "p"}})

        assert (decoded.kind, decoded.old, decoded.new) == ("created", None, None)

    def test_an_unknown_kind_is_an_error_that_names_those_that_are_known(self) -> None:
        with pytest.raises(InvalidArgument, match="expected INSERT, MODIFY, REMOVE"):
            DynamoDBStream().decode({"Records": [changed({"id": {"S": "p"}}, "DROP")]}, None)

    def test_a_record_without_a_sequence_number_could_not_be_reported_so_it_is_an_error(self) -> None:
        with pytest.raises(InvalidArgument, match="SequenceNumber"):
            change({"id": {"S": "p"}}, SequenceNumber=None)


class TestBlobs:
    def blob(self, record: dict[str, Any]) -> BlobEvent:
        (decoded,) = S3().decode({"Records": [record]}, None)
        assert isinstance(decoded, BlobEvent)
        return decoded

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("ObjectCreated:Put", "created"),
            ("ObjectCreated:Copy", "created"),
            ("ObjectCreated:CompleteMultipartUpload", "created"),
            ("s3:ObjectCreated:Post", "created"),
            ("ObjectRemoved:Delete", "deleted"),
            ("ObjectRemoved:DeleteMarkerCreated", "deleted"),
            ("LifecycleExpiration:Delete", "deleted"),
        ],
    )
    def test_what_writes_and_deletes_is_a_blob_event(self, name: str, kind: str) -> None:
        assert self.blob(stored(name)).kind == kind

    @pytest.mark.parametrize("name", ["ObjectRestore:Completed", "Replication:OperationMissedThreshold", "", None, 1])
    def test_what_neither_writes_nor_deletes_is_no_blob_event(self, name: Any) -> None:
        assert not S3().recognises({"Records": [stored(name)]})

    def test_it_is_an_error_among_blob_events(self) -> None:
        with pytest.raises(InvalidArgument, match="ObjectRestore:Completed"):
            S3().decode({"Records": [stored(), stored("ObjectRestore:Completed")]}, None)

    def test_a_deletion_has_neither_size_nor_version(self) -> None:
        decoded = self.blob(stored("ObjectRemoved:DeleteMarkerCreated", eTag="e", size=1))

        assert (decoded.size, decoded.version) == (None, None)

    @pytest.mark.parametrize(("key", "decoded"), [("a+b", "a b"), ("a%2Bb", "a+b"), ("%C3%BC", "ü"), ("%252F", "%2F")])
    def test_a_notifications_key_is_decoded_as_a_form_is(self, key: str, decoded: str) -> None:
        assert self.blob(stored(key=key)).key == decoded

    @pytest.mark.parametrize("key", ["a+b", "a%2Bb", "%C3%BC"])
    def test_a_key_on_the_bus_is_as_it_is(self, key: str) -> None:
        detail = {"bucket": {"name": "b"}, "object": {"key": key}}
        event = on_bus(**{"source": "aws.s3", "detail-type": "Object Created"}, detail=detail)
        (decoded,) = S3EventBridge().decode(event, None)

        assert isinstance(decoded, BlobEvent)
        assert decoded.key == key

    @pytest.mark.parametrize(("field", "value"), [("key", None), ("size", "x"), ("eTag", 1), ("sequencer", [])])
    def test_a_broken_field_is_an_error_that_names_it(self, field: str, value: object) -> None:
        with pytest.raises(InvalidArgument, match=field):
            self.blob(stored(**{field: value}))


class TestBus:
    @pytest.mark.parametrize(
        "event",
        [
            on_bus(**{"source": "aws.s3", "detail-type": "Object Restore Completed"}),
            on_bus(**{"source": "aws.events", "detail-type": "Rule Disabled"}),
            on_bus(**{"source": "acme", "detail-type": "Scheduled Event"}),
            on_bus(**{"aws.scheduler": "tick"}),
        ],
        ids=["restored", "rule", "not AWS's", "scheduler's key"],
    )
    def test_what_no_other_shape_is_for_is_any_event(self, event: dict[str, Any]) -> None:
        codecs: list[Any] = [S3EventBridge(), Schedule(), Scheduler(), EventBridge()]

        assert [codec.shape for codec in codecs if codec.recognises(event)] == ["aws.eventbridge"]

    @pytest.mark.parametrize("resources", [None, [], "rule/tick", [1]])
    def test_a_rule_without_a_name_is_a_schedule_that_no_app_has(self, resources: object) -> None:
        event = on_bus(**{"source": "aws.events", "detail-type": "Scheduled Event"}, resources=resources)
        (decoded,) = Schedule().decode(event, None)

        assert decoded.schedule in ("", "1")  # type: ignore[union-attr]  # a Tick

    def test_the_input_of_a_schedule_is_what_its_shape_reads(self) -> None:
        placeholders = {"<name>": "tick", "<aws.scheduler.scheduled-time>": "2026-01-02T03:05:00Z"}
        event = {name: placeholders.get(value, "x-1") for name, value in Scheduler.input.items()}
        (decoded,) = Scheduler().decode(event, None)

        assert Scheduler().recognises(event)
        assert (decoded.schedule, decoded.id) == ("tick", "x-1")  # type: ignore[union-attr]  # a Tick


class TestUnknownEvents:
    @pytest.mark.parametrize(
        "event",
        [
            {"Records": [{"eventSource": "aws:ses", "ses": {}}]},
            {"awslogs": {"data": "H4sI"}},
            {"eventSource": "aws:kafka", "records": {"topic-0": []}},
            {"requestContext": {"connectionId": "c", "routeKey": "$connect", "stage": "prod"}},
        ],
        ids=["mail", "logs", "kafka", "websocket"],
    )
    def test_on_event_takes_it_raw(self, event: dict[str, Any]) -> None:
        seen: list[Any] = []
        app = App("codecs")
        app.on_event("*")(lambda event: seen.append(event))
        before = copy.deepcopy(event)
        runner(app, "aws")(event, None)

        assert [(taken.type, taken.native) for taken in seen] == [("unrecognised", before)]
