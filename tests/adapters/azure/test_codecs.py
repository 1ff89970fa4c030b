"""What golden cases cannot say: refusals, credentials, deadlines, what the entry point makes of an app."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portable import App, CloudEvent, Request, Response, Tick
from portable.config import Configuration, Target
from portable.runtime import runner
from portable_azure import _fronts
from portable_azure._context import context_of
from portable_azure._envelope import pack, unpack
from portable_azure.entry import entry
from portable_azure.events import (
    BlobTrigger,
    CosmosChangeFeed,
    EventGrid,
    EventGridBlob,
    ServiceBus,
    StorageQueue,
    Timer,
)
from portable_azure.harness import AzureHarness
from portable_azure.http import FunctionsRequest
from portable_conformance._requests import cookie
from portable_contracts.errors import InvalidArgument, Unsupported
from portable_contracts.harness import HttpCall
from portable_contracts.provider import Opening

TIME = "2026-01-02T03:04:05+00:00"
THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
CONTEXT = {"invocation_id": "r-1", "function_name": "http"}


def http(url: str, params: dict[str, str] | None = None, context: Any = CONTEXT, **headers: str) -> Request:
    """Return what the codec makes of a GET."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = {"method": "GET", "url": url, "headers": named, "query": {}, "params": params or {}, "body": ""}
    return FunctionsRequest().decode(*AzureHarness().invocation("azure.http", {"raw": raw, "context": context}))


def decoded(codec: Any, trigger: str, data: dict[str, Any], source: str = "thumbs", **metadata: Any) -> Any:
    raw = {"trigger": trigger, "source": source, "data": data, "metadata": metadata}
    return codec.decode(*AzureHarness().invocation(codec.shape, {"raw": raw, "context": CONTEXT}))


def changed(*items: dict[str, Any]) -> list[Any]:
    return list(CosmosChangeFeed().decode(list(items), None))


@pytest.fixture
def harness() -> Iterator[AzureHarness]:
    with AzureHarness() as harness:
        yield harness


class TestPaths:
    def test_the_path_is_what_the_catch_all_parameter_holds(self) -> None:
        assert http("https://x/v1/shop/a%20b", {"portable_path": "a b"}).path == "/a b"

    @pytest.mark.parametrize("url", ["https://x/", "https://x/api/", "https://x/api", "https://x/v1/shop"])
    def test_a_parameter_that_matched_nothing_is_the_root(self, url: str) -> None:
        assert http(url).path == "/"

    @pytest.mark.parametrize(
        ("url", "path"),
        [("https://x/api/a%2Fb", "/a/b"), ("https://x/apis", "/apis"), ("https://x/api", "/"), ("https://x", "/")],
    )
    def test_a_function_of_another_name_and_route_loses_the_default_prefix(self, url: str, path: str) -> None:
        assert http(url, {"id": "7"}, {"invocation_id": "r-1", "function_name": "mine"}).path == path

    @pytest.mark.parametrize(
        ("sent", "path"),
        [
            ("/api/a%252Fb", "/a%2Fb"),
            ("/api/a%2Fb?q=/x", "/a/b"),
            ("/other/prefix/a%252Fb", "/a%2Fb"),
            ("/api/admin", "/a/b"),
            ("/a%2Fb/admin", "/a/b"),
            ("a%252Fb", "/a/b"),
            ("/api%252Fa%252Fb", "/a/b"),
            ("%FF", "/a/b"),
            ("", "/a/b"),
        ],
    )
    def test_what_the_client_wrote_decides_of_escaped_slashes_alone(self, sent: str, path: str) -> None:
        assert http("https://x/api/a%2Fb", {"portable_path": "a%2Fb"}, x_waws_unencoded_url=sent).path == path


class TestHeaders:
    @pytest.mark.parametrize("name", ["x-functions-key", "x-ms-token-aad-access-token", "x-ms-token-google-id-token"])
    def test_credentials_of_the_platform_reach_the_native_request_alone(self, name: str) -> None:
        request = http("https://x/api/", None, CONTEXT, **{name: "a secret", "accept": "text/plain"})

        assert request.headers.multi_items() == [("accept", "text/plain")]
        assert request.native.headers[name] == "a secret"

    @pytest.mark.parametrize(
        ("value", "cookies"),
        [
            ("a=1,b=2", {"a": "1", "b": "2"}),
            ("a=1; b=2, c=3", {"a": "1", "b": "2", "c": "3"}),
            ("a=1,2", {"a": "1,2"}),
            ("", {}),
        ],
    )
    def test_commas_between_cookies_are_no_part_of_them(self, value: str, cookies: dict[str, str]) -> None:
        assert dict(http("https://x/api/", cookie=value).cookies) == cookies


class TestAnswers:
    @staticmethod
    def encoded(*headers: tuple[str, str]) -> Any:
        return FunctionsRequest().encode(Response("ok", headers=headers), http("https://x/api/"))

    @pytest.mark.parametrize("value", ["YQ==", "a/b", "a+b", "%41", "a b", '"a"', "a:b"])
    def test_a_cookie_that_the_host_would_encode_is_refused(self, value: str) -> None:
        with pytest.raises(InvalidArgument, match="percent-encodes the value of cookie 'session'"):
            self.encoded(("set-cookie", f"session={value}; Path=/"))

    @pytest.mark.parametrize(
        "line",
        [
            "a=1; Expires=Wed, 21-Oct-2015 07:28:00 GMT",
            "a=1; Max-Age=soon",
            "a=1; Priority=High",
            "path=1",
            "a(b)=1",
            "=1",
        ],
    )
    def test_a_cookie_that_the_worker_cannot_read_is_refused(self, line: str) -> None:
        with pytest.raises(InvalidArgument, match=r"cannot read the cookie .*: use set_cookie"):
            self.encoded(("set-cookie", line))

    @pytest.mark.parametrize("name", ["x-name", "content-type"])
    def test_a_header_that_is_not_ascii_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidArgument, match=f"ASCII alone in header {name}"):
            self.encoded((name, "grüße"))

    def test_what_the_front_cannot_carry_is_500_and_no_loss(self, harness: AzureHarness) -> None:
        app = App("refused")

        @app.get("/")
        def root(request: Request) -> Response:
            return Response("ok", headers={"set-cookie": "a=YQ=="})

        call = HttpCall("GET", "/", [("host", "example.com")], front="azure.http")

        assert harness.send(runner(app, "azure"), call).status == 500

    def test_a_cookie_keeps_its_attributes(self, harness: AzureHarness) -> None:
        app = App("cookies")
        response = Response("ok")
        response.set_cookie(
            "a",
            "1",
            max_age=timedelta(hours=1),
            expires=THEN,
            path="/x",
            domain="example.com",
            secure=True,
            http_only=True,
            same_site="None",
        )
        app.get("/")(lambda request: response)
        call = HttpCall("GET", "/", [("host", "example.com")], front="azure.http")
        received = harness.send(runner(app, "azure"), call)

        assert cookie(received.headers["set-cookie"]) == cookie(response.headers["set-cookie"])


class TestContexts:
    @pytest.mark.parametrize(("told", "seconds"), [(None, 300), ("", 300), ("60", 60), ("599.5", 599.5)])
    def test_the_deadline_is_the_deployments(
        self, monkeypatch: pytest.MonkeyPatch, told: str | None, seconds: float
    ) -> None:
        monkeypatch.setenv("PORTABLE_TIMEOUT", told or "")

        assert context_of(None).remaining().total_seconds() == pytest.approx(seconds, abs=5)

    @pytest.mark.parametrize(("told", "seconds"), [("600", 230), ("60", 60)])
    def test_http_ends_when_the_front_stops_waiting(
        self, monkeypatch: pytest.MonkeyPatch, told: str, seconds: float
    ) -> None:
        monkeypatch.setenv("PORTABLE_TIMEOUT", told)

        assert http("https://x/api/").context.remaining().total_seconds() == pytest.approx(seconds, abs=5)

    def test_a_timeout_that_is_no_number_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PORTABLE_TIMEOUT", "5m")

        with pytest.raises(InvalidArgument, match="PORTABLE_TIMEOUT is '5m'"):
            context_of(None)


class TestStorageQueues:
    def test_a_message_without_times_has_none(self) -> None:
        (message,) = decoded(StorageQueue(), "queueTrigger", {"bytes": "hello"}, Id="m-1")

        assert (message.sent, message.attempt, message.id) == (None, 1, "m-1")

    def test_a_time_without_a_zone_is_in_utc(self) -> None:
        (message,) = decoded(
            StorageQueue(), "queueTrigger", {"bytes": "hello"}, Id="m-1", InsertionTime="2026-01-02T03:04:05"
        )

        assert message.sent == THEN

    def test_a_message_without_an_id_has_the_invocations(self) -> None:
        (message,) = decoded(StorageQueue(), "queueTrigger", {"string": "hello"})

        assert (message.id, message.body) == ("r-1", b"hello")

    @given(
        body=st.binary(max_size=64), attributes=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
    )
    def test_attributes_travel_in_front_of_the_body(self, body: bytes, attributes: dict[str, str]) -> None:
        assert unpack(pack(body, attributes)) == (body, attributes)

    def test_a_body_alone_is_as_anybody_sends_it(self) -> None:
        assert pack(b"hello", {}) == b"hello"

    def test_a_body_like_an_envelope_comes_back(self) -> None:
        body = pack(b"hello", {"a": "1"})

        assert unpack(pack(body, {})) == (body, {})

    @pytest.mark.parametrize("broken", [b"", b"\0", b"\0\0\0\5nope!", b"\0\0\0\2[]", b'\0\0\0\7{"a":1}', b"\xff" * 9])
    def test_a_broken_envelope_is_refused(self, broken: bytes) -> None:
        with pytest.raises(InvalidArgument, match="in front of the message's body"):
            unpack(pack(b"", {"a": ""})[:12] + broken)


class TestServiceBus:
    def test_properties_that_are_no_text_become_it(self) -> None:
        (message,) = decoded(
            ServiceBus(), "serviceBusTrigger", {"bytes": "x"}, MessageId="m-1", UserProperties={"n": 1, "b": True}
        )

        assert message.attributes == {"n": "1", "b": "true"}

    @pytest.mark.parametrize(
        "metadata",
        [{}, {"MessageIdArray": [7]}, {"MessageIdArray": ["m"], "DeliveryCountArray": ["two"]}],
    )
    def test_a_batch_of_another_type_is_refused(self, metadata: dict[str, Any]) -> None:
        with pytest.raises(InvalidArgument, match="MessageId"):
            decoded(
                ServiceBus(), "serviceBusTrigger", {"collection_bytes": ["x"]}, UserPropertiesArray=[{}], **metadata
            )


class TestBlobs:
    def test_a_blob_trigger_names_container_and_key(self) -> None:
        with pytest.raises(InvalidArgument, match="expected container/path"):
            decoded(BlobTrigger(), "blobTrigger", {"bytes": ""}, BlobTrigger="photos", Properties={"ETag": "v"})

    def test_a_blob_without_properties_was_written_now(self) -> None:
        before = datetime.now(timezone.utc)
        (event,) = decoded(BlobTrigger(), "blobTrigger", {"bytes": "x"}, BlobTrigger="photos/a")

        assert before <= event.time <= datetime.now(timezone.utc)
        assert (event.id, event.size, event.version) == ("photos/a/r-1", None, None)

    @pytest.mark.parametrize("subject", ["", "/blobServices/default/containers/photos", "/containers/photos/blobs/"])
    def test_a_subject_without_a_key_is_refused(self, subject: str) -> None:
        event = {"eventType": "Microsoft.Storage.BlobCreated", "id": "b-1", "subject": subject, "data": {}}

        with pytest.raises(InvalidArgument, match="subject is"):
            EventGridBlob().decode([event], None)

    def test_other_events_of_a_storage_account_are_cloudevents(self) -> None:
        event: dict[str, Any] = {
            "topic": "/subscriptions/1",
            "subject": "/blobServices/default/containers/photos/blobs/a",
            "eventType": "Microsoft.Storage.BlobTierChanged",
            "eventTime": "2026-01-02T03:04:05.1234567Z",
            "id": "b-1",
            "data": {},
        }

        assert [codec.recognises(event) for codec in (EventGridBlob(), EventGrid())] == [False, True]
        assert EventGrid().decode(event, None)[0] == CloudEvent(
            "b-1",
            "/subscriptions/1",
            "Microsoft.Storage.BlobTierChanged",
            {},
            event["subject"],
            THEN.replace(microsecond=123456),
            "application/json",
        )


class TestTimers:
    @pytest.mark.parametrize("status", [None, {}, {"Next": "2999-01-01T00:00:00+00:00"}])
    def test_a_timer_that_runs_by_hand_is_of_this_minute(self, status: Any) -> None:
        before = datetime.now(timezone.utc)
        (tick,) = decoded(Timer(), "timerTrigger", {"json": {"IsPastDue": False, "ScheduleStatus": status}}, "tick")

        assert timedelta(0) <= before - tick.time < timedelta(minutes=1)
        assert (tick.time.second, tick.time.microsecond) == (0, 0)

    def test_its_json_alone_decodes(self) -> None:
        raw = {"Schedule": {}, "ScheduleStatus": {"Next": "2026-01-01T22:04:05-05:00"}, "IsPastDue": False}
        ticks = Timer().decode(raw, SimpleNamespace(invocation_id="r-1", function_name="tick"))

        assert ticks == [Tick("tick", THEN, "r-1")]

    def test_a_broken_status_is_refused(self) -> None:
        with pytest.raises(InvalidArgument, match="ScheduleStatus"):
            Timer().decode({"ScheduleStatus": [], "IsPastDue": False}, None)


class TestChanges:
    METADATA = {"operationType": "create", "lsn": 42, "crts": 1767323045}

    def test_changes_of_one_transaction_have_ids_of_their_own(self) -> None:
        items = [{"current": {"id": "7", "_etag": etag}, "metadata": self.METADATA} for etag in ('"a"', '"b"')]
        first, second = changed(*items)

        assert first.id != second.id

    def test_a_document_of_anybodys_is_its_id_and_its_own_fields(self) -> None:
        current = {"id": "7", "n": 1, "_etag": "a", "_rid": "r"}
        (change,) = changed({"current": current, "metadata": self.METADATA})

        assert (change.partition, change.sort, change.new) == ("7", "", {"n": 1})

    def test_its_deletion_has_its_id(self) -> None:
        deleted = {**self.METADATA, "operationType": "delete", "id": "7", "partitionKey": {"customer": "c-1"}}
        (change,) = changed({"metadata": deleted})

        assert (change.kind, change.partition, change.sort, change.old) == ("deleted", "7", "", None)

    @pytest.mark.parametrize(
        ("item", "told"),
        [
            ({"metadata": {**METADATA, "operationType": "merge"}}, "operationType is 'merge'"),
            ({"metadata": METADATA}, "id is missing"),
            ({"current": {"id": "7"}, "metadata": {**METADATA, "crts": "soon"}}, "crts"),
            ({"current": "7", "metadata": METADATA}, "current"),
        ],
    )
    def test_a_broken_item_is_refused(self, item: dict[str, Any], told: str) -> None:
        with pytest.raises(InvalidArgument, match=told):
            changed(item)


class TestEntry:
    """What the app's declarations become."""

    @staticmethod
    def triggers(app: App, **resources: str) -> dict[Any, dict[str, Any]]:
        from portable_azure._worker import Functions

        target = Target("cloud", "azure", resources=resources)
        app.bind(target, Configuration(".", None, None, {"cloud": target}), Opening())
        return Functions(entry(runner(app, "azure"))).triggers

    def test_two_schedules_at_one_time_are_two_functions(self) -> None:
        app = App("clock")
        app.schedule("0 0 * * *", name="first")(lambda tick: None)
        app.schedule("0 0 * * *", name="second")(lambda tick: None)

        assert sorted(self.triggers(app)) == ["schedule_first", "schedule_second"]

    @pytest.mark.parametrize("cron", ["*/5 * * * *", "0 0 1 * *", "0 0 * * MON-FRI", "0 0 */2 * 1", "0 0 * * */7"])
    def test_a_schedule_has_its_second_in_front(self, cron: str) -> None:
        app = App("clock")
        app.schedule(cron, name="tick")(lambda tick: None)

        assert self.triggers(app)["schedule_tick"]["schedule"] == f"0 {cron}"

    @pytest.mark.parametrize("cron", ["0 0 1 * 1", "0 0 * * 7", "0 0 * * 1-7", "0 0 * * 1,7"])
    def test_a_schedule_that_would_mean_something_else_is_unsupported(self, cron: str) -> None:
        app = App("clock")
        app.schedule(cron, name="tick")(lambda tick: None)

        with pytest.raises(Unsupported, match=r"test_codecs\.py:\d+: schedule handler tick: "):
            self.triggers(app)

    def test_a_batch_handler_has_a_function_that_takes_many(self) -> None:
        app = App("batch")
        app.on_message(app.queue("thumbs"), batch=True)(lambda messages: None)
        trigger = self.triggers(app, thumbs="servicebus://thumbs")["message_thumbs"]

        assert (trigger["cardinality"], trigger["isSessionsEnabled"]) == ("MANY", False)

    def test_a_queue_that_needs_groups_has_sessions(self) -> None:
        app = App("groups")
        app.on_message(app.queue("thumbs", needs={"groups"}))(lambda message: None)

        assert self.triggers(app, thumbs="servicebus://thumbs")["message_thumbs"]["isSessionsEnabled"] is True

    def test_handlers_of_blobs_and_events_share_a_function(self) -> None:
        app = App("grid")
        app.on_blob(app.bucket("photos"))(lambda event: None)
        app.on_event("com.acme.signed")(lambda event: None)

        assert [trigger["type"] for trigger in self.triggers(app).values()] == ["eventGridTrigger"]

    def test_without_routes_there_is_no_http(self) -> None:
        assert self.triggers(App("empty")) == {}

    @pytest.mark.parametrize("address", ["aztable://entries", "cosmos://database"])
    def test_a_table_without_a_change_feed_is_unsupported(self, address: str) -> None:
        app = App("changes")
        app.on_change(app.table("entries"))(lambda change: None)

        with pytest.raises(Unsupported, match=r"test_codecs\.py:\d+: change handler <lambda>: table entries is at "):
            self.triggers(app, entries=address)

    def test_a_bucket_elsewhere_is_unsupported(self) -> None:
        app = App("blobs")
        app.on_blob(app.bucket("photos"))(lambda event: None)

        with pytest.raises(Unsupported, match="bucket photos is at s3://photos"):
            self.triggers(app, photos="s3://photos")


class TestFronts:
    def test_a_client_that_names_another_address_is_not_believed(self) -> None:
        call = HttpCall("GET", "/", [("x-forwarded-for", "198.51.100.1")])
        raw, context = AzureHarness().rendered("azure.http", call)

        assert FunctionsRequest().decode(raw, context).client == call.client

    def test_the_hosts_route_prefix_is_in_the_address_it_tells(self) -> None:
        call = HttpCall("GET", "/a%20b?q=1", [("host", "example.com")])

        assert _fronts.request("azure.http~prefix", call)["url"] == "https://example.com/guestbook/v1/a%20b?q=1"
