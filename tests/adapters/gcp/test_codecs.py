"""What golden cases cannot say: refusals, credentials, deadlines, batches, protobuf as Google's package writes it."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime, timezone
from typing import Any

import pytest
from google.events.cloud.firestore_v1 import DocumentEventData
from hypothesis import given
from hypothesis import strategies as st

from portable import App, CloudEvent, Message, Request
from portable.runtime import runner
from portable_conformance._golden import typed
from portable_contracts.errors import InvalidArgument, NotFound
from portable_contracts.harness import HttpCall
from portable_contracts.http import Response
from portable_gcp._firestore import documents
from portable_gcp._fronts import environ_of, flask_request
from portable_gcp.events import AnyCloudEvent, Firestore, PubSub, PubSubPush, Scheduler, Storage
from portable_gcp.harness import GcpHarness, InvocationFailed
from portable_gcp.http import FlaskRequest


def request(**fields: Any) -> dict[str, Any]:
    return {"method": "POST", "target": "/", "headers": [], "body": "", "peer": "169.254.169.126", **fields}


def cloudevent(type: str = "com.acme.signed", **fields: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "e-1", "source": "/acme", "type": type, **fields}


class Delivering:
    """An app in functions-framework that remembers its events, and fails for those that it is told to."""

    def __init__(self, *failing: str) -> None:
        self.seen: list[Any] = []
        self.app = App("codecs")
        self.app.on_event("*")(self._handle)
        self.app.on_message(self.app.queue("thumbs"))(self._handle_message)
        self._failing = failing

    def _handle(self, event: CloudEvent) -> None:
        self.seen.append(event)
        if event.id in self._failing:
            raise NotFound(event.id)

    def _handle_message(self, message: Message) -> None:
        self.seen.append(message)
        if message.id in self._failing:
            raise NotFound(message.id)

    def deliver(self, headers: list[list[str]], body: Any) -> None:
        document = {"raw": request(headers=headers, body=body)}
        GcpHarness().deliver(runner(self.app, "gcp"), "gcp.cloudevent", document)


class TestHttp:
    def test_who_calls_a_private_service_is_kept_from_the_handler(self) -> None:
        raw = flask_request(request(headers=[["X-Serverless-Authorization", "Bearer secret"]]))

        assert "x-serverless-authorization" not in FlaskRequest().decode(raw, None).headers

    def test_what_the_client_claims_to_be_does_not_count(self) -> None:
        raw = flask_request(request(headers=[["X-Forwarded-For", "198.51.100.1, 203.0.113.9"]]))

        assert FlaskRequest().decode(raw, None).client == "203.0.113.9"

    def test_without_a_front_the_peer_is_the_client(self) -> None:
        raw = flask_request(request(peer="127.0.0.1"))

        assert FlaskRequest().decode(raw, None).client == "127.0.0.1"

    @pytest.mark.parametrize("status", [100, 103, 199])
    def test_a_status_that_is_no_answers_is_refused(self, status: int) -> None:
        with pytest.raises(InvalidArgument, match=str(status)):
            FlaskRequest().encode(Response(status=status), Request("GET", "/"))

    @pytest.mark.parametrize("path", ["/robots.txt", "/favicon.ico"])
    def test_functions_framework_answers_two_paths_itself(self, path: str) -> None:
        app = App("codecs")

        @app.get(path)
        def ours(request: Request) -> str:
            return "ours"

        assert GcpHarness().send(runner(app, "gcp"), HttpCall("GET", path)).status == 404


class TestContext:
    def test_the_deadline_is_what_the_deployment_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PORTABLE_TIMEOUT", "300")
        context = FlaskRequest().decode(flask_request(request()), None).context

        assert context.remaining().total_seconds() == pytest.approx(300, abs=2)

    def test_without_it_the_deadline_is_what_functions_framework_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CLOUD_RUN_TIMEOUT_SECONDS", "120")
        context = FlaskRequest().decode(flask_request(request()), None).context

        assert context.remaining().total_seconds() == pytest.approx(120, abs=2)

    def test_the_function_is_the_services_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("K_SERVICE", "guestbook")

        assert FlaskRequest().decode(flask_request(request()), None).context.function == "guestbook"

    def test_an_event_read_from_a_file_is_its_own_invocation(self) -> None:
        (event,) = AnyCloudEvent().decode(cloudevent(), None)

        assert event.context.invocation_id == "e-1"


class TestCloudEvents:
    @pytest.mark.parametrize(
        ("sent", "subject"),
        [
            ("a%20b", "a b"),
            ("%C3%BC%E6%97%A5", "ü日"),
            ("%2520", "%20"),
            ("100%", "100%"),
            ("a+b", "a+b"),
            ('"quoted"', "quoted"),
            ("%F0%90%90%B7", "𐐷"),
        ],
    )
    def test_attributes_are_percent_decoded_once(self, sent: str, subject: str) -> None:
        app = Delivering()
        app.deliver([*map(list, {f"ce-{name}": v for name, v in cloudevent(subject=sent).items()}.items())], "")

        assert app.seen[0].subject == subject

    def test_a_batch_is_delivered_one_by_one(self) -> None:
        app = Delivering()
        events = [cloudevent(id=name) for name in ("a", "b", "c")]
        app.deliver([["content-type", "application/cloudevents-batch+json"]], {"json": events})

        assert [event.id for event in app.seen] == ["a", "b", "c"]

    def test_an_event_of_a_batch_that_fails_leaves_the_others_their_turn(self) -> None:
        app = Delivering("a")
        events = [cloudevent(id=name) for name in ("a", "b")]
        with pytest.raises(NotFound):
            app.deliver([["content-type", "application/cloudevents-batch+json"]], {"json": events})

        assert [event.id for event in app.seen] == ["a", "b"]

    def test_a_list_of_events_is_recognised(self) -> None:
        events = [cloudevent(id="a"), cloudevent(id="b")]

        assert [event.id for event in AnyCloudEvent().decode(events, None)] == ["a", "b"]

    @pytest.mark.parametrize(
        "raw",
        [
            [],
            [cloudevent(), {}],
            cloudevent("Microsoft.Storage.BlobCreated"),
            cloudevent("google.cloud.pubsub.topic.v1.messagePublished"),
            {"type": "com.acme.signed"},
            {"type": 1, "specversion": "1.0"},
        ],
        ids=repr,
    )
    def test_what_is_another_shapes_is_not_recognised(self, raw: Any) -> None:
        assert AnyCloudEvent().recognises(raw) is False

    def test_text_that_is_not_in_its_charset_stays_bytes(self) -> None:
        app = Delivering()
        headers = [[f"ce-{name}", value] for name, value in cloudevent().items()]
        app.deliver([*headers, ["content-type", "text/plain"]], {"base64": b64encode(b"\xff").decode()})

        assert app.seen[0].data == b"\xff"

    @pytest.mark.parametrize("data", ["*", "a", "aGk"])
    def test_base64_that_is_none_is_refused(self, data: str) -> None:
        with pytest.raises(InvalidArgument, match="data_base64"):
            AnyCloudEvent().decode(cloudevent(data_base64=data), None)

    def test_an_event_of_a_version_to_come_is_refused(self) -> None:
        with pytest.raises(InvalidArgument, match=r"2\.0"):
            AnyCloudEvent().decode(cloudevent(specversion="2.0"), None)


class TestMessages:
    def test_a_push_of_attributes_alone_is_a_message_without_a_body(self) -> None:
        app = Delivering()
        message = {"attributes": {"a": "1"}, "messageId": "m-1", "publishTime": "2026-01-02T03:04:05Z"}
        pushed = {"message": message, "subscription": "projects/p/subscriptions/thumbs"}
        app.deliver([["content-type", "application/json"]], {"json": pushed})

        assert app.seen == [
            Message("m-1", "thumbs", b"", {"a": "1"}, sent=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
        ]

    def test_a_failed_message_is_answered_without_a_second_traceback(self, caplog: pytest.LogCaptureFixture) -> None:
        app = Delivering("m-1")
        pushed = {"message": {"messageId": "m-1"}, "subscription": "projects/p/subscriptions/thumbs"}
        with pytest.raises(InvocationFailed, match="500"):
            app.deliver([["content-type", "application/json"]], {"json": pushed})

        assert [record.name for record in caplog.records if record.exc_info] == ["portable"]

    def test_names_in_the_older_spelling_are_read(self) -> None:
        message = {"message_id": "m-1", "publish_time": "2026-01-02T03:04:05.006Z"}
        (read,) = PubSubPush().decode({"message": message, "subscription": "s"}, None)

        assert (read.id, read.sent.microsecond) == ("m-1", 6000)  # type: ignore[union-attr]  # it is a Message

    @pytest.mark.parametrize(
        ("message", "field"),
        [
            ({"data": "*"}, "data"),
            ({"data": 1}, "data"),
            ({"attributes": []}, "attributes"),
            ({"publishTime": "yesterday"}, "publishTime"),
            ({"orderingKey": 1}, "orderingKey"),
            ({"messageId": {}}, "messageId"),
        ],
    )
    def test_a_broken_message_is_refused_with_the_fields_name(self, message: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidArgument, match=field):
            PubSubPush().decode({"message": message, "subscription": "s"}, None)

    def test_an_event_without_a_message_is_refused(self) -> None:
        with pytest.raises(InvalidArgument, match="message"):
            PubSub().decode(cloudevent("google.cloud.pubsub.topic.v1.messagePublished", data={}), None)


class TestOthers:
    @pytest.mark.parametrize("data", [None, "text", {}, {"bucket": "b"}, {"bucket": "b", "name": "n", "size": "x"}])
    def test_a_broken_blob_event_is_refused(self, data: Any) -> None:
        with pytest.raises(InvalidArgument):
            Storage().decode(cloudevent("google.cloud.storage.object.v1.finalized", data=data), None)

    def test_a_jobs_full_name_is_its_last_part(self) -> None:
        raw = {
            "x-cloudscheduler-jobname": "projects/p/locations/l/jobs/tick",
            "x-cloudscheduler-scheduletime": "2026-01-02T03:05:00Z",
        }
        (tick,) = Scheduler().decode(raw, None)

        assert tick.schedule == "tick"  # type: ignore[union-attr]  # it is a Tick

    def test_a_call_of_the_scheduler_without_a_time_is_refused(self) -> None:
        with pytest.raises(InvalidArgument, match="scheduletime"):
            Scheduler().decode({"x-cloudscheduler-jobname": "tick"}, None)

    @pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_a_request_that_is_no_event_is_refused(self, content_type: str) -> None:
        with pytest.raises(InvalidArgument, match="no CloudEvent"):
            Delivering().deliver([["content-type", content_type]], "{}")

    @pytest.mark.parametrize("broken", [{"target": None}, {"method": 1}, {"headers": [["a", 1]]}, {"peer": "日"}])
    def test_a_front_lets_through_requests_alone(self, broken: dict[str, Any]) -> None:
        with pytest.raises((TypeError, ValueError)):
            environ_of(request(**broken))


class TestFirestore:
    """Our reader of protobuf, on what the vendor's own package writes."""

    def test_a_document_of_the_users_own_is_its_fields(self) -> None:
        data = serialized(value={"fields": {"a": {"integer_value": 1}}})
        event = cloudevent(
            "google.cloud.firestore.document.v1.created", subject="documents/rooms/7/people/ada", data=data
        )
        (change,) = Firestore().decode(event, None)

        assert (change.table, change.partition, change.sort, change.new) == ("rooms/7/people", "ada", "", {"a": 1})  # type: ignore[union-attr]  # it is a Change

    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            ({"null_value": 0}, None),
            ({"boolean_value": True}, True),
            ({"boolean_value": False}, False),
            ({"integer_value": 0}, 0),
            ({"integer_value": -1}, -1),
            ({"integer_value": 2**63 - 1}, 2**63 - 1),
            ({"integer_value": -(2**63)}, -(2**63)),
            ({"double_value": 0.0}, 0.0),
            ({"double_value": -1.5}, -1.5),
            ({"string_value": ""}, ""),
            ({"string_value": "grüße 日本 𐐷\x00"}, "grüße 日本 𐐷\x00"),
            ({"bytes_value": b""}, b""),
            ({"bytes_value": bytes(range(256))}, bytes(range(256))),
            ({"reference_value": "projects/p/databases/d/documents/a/b"}, "projects/p/databases/d/documents/a/b"),
            ({"geo_point_value": {"latitude": 51.5, "longitude": -0.5}}, {"latitude": 51.5, "longitude": -0.5}),
            ({"geo_point_value": {}}, {"latitude": 0.0, "longitude": 0.0}),
            ({"array_value": {}}, []),
            ({"array_value": {"values": [{"integer_value": 1}, {"null_value": 0}]}}, [1, None]),
            ({"map_value": {}}, {}),
            ({"map_value": {"fields": {"": {"map_value": {"fields": {"a": {"null_value": 0}}}}}}}, {"": {"a": None}}),
        ],
        ids=lambda value: ascii(value)[:40],
    )
    def test_a_field_is_its_value(self, field: dict[str, Any], expected: Any) -> None:
        new, _ = documents(serialized(value={"name": "n", "fields": {"field": field}}))

        assert new is not None
        assert (new["field"], type(new["field"])) == (expected, type(expected))

    @pytest.mark.parametrize(
        "moment",
        [
            datetime(2026, 1, 2, 3, 4, 5, 6, timezone.utc),
            datetime(1969, 12, 31, 23, 59, 59, tzinfo=timezone.utc),
            datetime(9999, 12, 31, tzinfo=timezone.utc),
        ],
    )
    def test_a_time_is_its_text(self, moment: datetime) -> None:
        new, _ = documents(serialized(value={"name": "n", "fields": {"at": {"timestamp_value": moment}}}))

        assert new == {"at": moment.isoformat().replace("+00:00", "Z")}

    def test_the_document_before_is_read_too(self) -> None:
        data = serialized(old_value={"name": "n", "fields": {"a": {"integer_value": 1}}})

        assert documents(data) == (None, {"a": 1})

    def test_a_document_without_fields_is_empty_and_not_missing(self) -> None:
        assert documents(serialized(value={"name": "n"})) == ({}, None)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
            max_leaves=10,
        )
    )
    def test_any_value_is_read_as_the_vendor_writes_it(self, value: Any) -> None:
        new, _ = documents(serialized(value={"name": "n", "fields": {"field": native(value)}}))

        assert new is not None
        assert typed(new["field"]) == typed(value)

    @given(st.binary(max_size=60))
    def test_bytes_that_are_none_of_it_are_read_or_refused(self, data: bytes) -> None:
        try:
            documents(data)
        except InvalidArgument as error:
            assert "DocumentEventData" in str(error)  # noqa: PT017  # either outcome is right

    @pytest.mark.parametrize(
        "data",
        [
            b"\x0a",  # a field without its length
            b"\x0a\x05ab",  # cut off
            b"\x0b",  # a group
            b"\x0a\x02\x12\x00\xff",  # an end in the middle of a key
            b"\x08" + b"\xff" * 10 + b"\x01",  # a number of more than 64 bits
            b"\x0a\x06\x12\x04\x0a\x02\xff\xfe",  # a name that is no UTF-8
            b"\x0a\x06\x12\x04\x08\x01\x12\x00",  # a name that is a number
        ],
    )
    def test_broken_protobuf_is_refused(self, data: bytes) -> None:
        with pytest.raises(InvalidArgument, match="DocumentEventData"):
            documents(data)

    def test_a_length_in_place_of_bytes_makes_no_bytes(self) -> None:
        # Field 18 as the varint 2**40: `bytes()` of it would be a terabyte.
        value = b"\x90\x01" + b"\x80\x80\x80\x80\x80\x20"
        entry = b"\x0a\x01a\x12" + bytes([len(value)]) + value
        document = b"\x12" + bytes([len(entry)]) + entry

        assert documents(b"\x0a" + bytes([len(document)]) + document) == ({"a": None}, None)

    def test_values_that_nest_without_end_are_refused(self) -> None:
        value = b"\x58\x00"
        for _ in range(60):
            array = b"\x0a" + varint(len(value)) + value
            value = b"\x4a" + varint(len(array)) + array
        entry = b"\x0a\x01a\x12" + varint(len(value)) + value
        document = b"\x12" + varint(len(entry)) + entry
        with pytest.raises(InvalidArgument, match="nested too deeply"):
            documents(b"\x0a" + varint(len(document)) + document)


def serialized(**fields: Any) -> bytes:
    return bytes(DocumentEventData.serialize(DocumentEventData(fields)))


def native(value: Any) -> dict[str, Any]:
    """Return *value* as the vendor's package takes it."""
    if value is None:
        return {"null_value": 0}
    if isinstance(value, list):
        return {"array_value": {"values": [native(entry) for entry in value]}}
    if isinstance(value, dict):
        return {"map_value": {"fields": {name: native(entry) for name, entry in value.items()}}}
    kinds = {bool: "boolean_value", int: "integer_value", float: "double_value", str: "string_value"}
    return {kinds[type(value)]: value}


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def test_json_that_is_no_cloudevent_names_the_nearest_shape() -> None:
    with pytest.raises(InvalidArgument, match=r"gcp\.pubsub\.push"):
        runner(App("codecs"), "gcp")({"subscription": json.dumps({}), "messages": []}, None)
