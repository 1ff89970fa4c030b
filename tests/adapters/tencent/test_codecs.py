"""What the golden cases cannot say: refusals, odd forms, credentials, contexts, and the loop's place in it."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portable import App, Message, Request
from portable.runtime import entrypoint
from portable_conformance._requests import calls, logical
from portable_conformance.counterparts.scf_runtime import Api
from portable_contracts.errors import InvalidArgument, LimitExceeded
from portable_contracts.harness import HttpCall
from portable_contracts.http import Response
from portable_tencent import _fronts
from portable_tencent.events import CKafka, CmqTopic, Cos, Timer
from portable_tencent.http import ApiGateway, FunctionUrl, LoadBalancer
from portable_tencent.web import WebFunction

SECRET = "a secret of the role"
KAFKA = {"topic": "thumbs", "partition": 0, "offset": 7, "msgKey": "None", "msgBody": "one"}
CMQ = {"type": "topic", "topicName": "thumbs", "msgId": "m-1", "msgBody": "one", "msgTag": []}


def cos(**changed: Any) -> dict[str, Any]:
    """Return a notification; *changed* are fields of its object, or `name`, the event's."""
    name = changed.pop("name", "cos:ObjectCreated:Put")
    entry = {"key": "/1250000000/photos/in/a.png", "size": 1, "vid": "", "meta": {}, **changed}
    headers = {"Authorization": "q-signature=" + SECRET, "x-cos-security-token": SECRET}
    return {
        "Records": [
            {
                "cos": {"cosBucket": {"name": "photos", "appid": "1250000000"}, "cosObject": entry},
                "event": {
                    "eventName": name,
                    "eventTime": 1767323045,
                    "requestParameters": {"requestSourceIP": "203.0.113.9", "requestHeaders": headers},
                },
            }
        ]
    }


def clb(payload: Any = "", **headers: str) -> dict[str, Any]:
    return {"headers": {"X-Uri": "/", "X-Method": "POST", **headers}, "payload": payload}


def url(**changed: Any) -> dict[str, Any]:
    return {"httpMethod": "GET", "path": "/", "headers": {}, "queryString": {}, **changed}


class TestFunctionUrls:
    def test_an_event_without_a_query_is_known_by_the_clients_address(self) -> None:
        raw = {"httpMethod": "GET", "path": "/", "headers": {"x-scf-remote-addr": "203.0.113.9"}}

        assert FunctionUrl().recognises(raw)
        assert FunctionUrl().decode(raw, None).query.multi_items() == []

    @pytest.mark.parametrize(
        ("told", "client"),
        [
            ("203.0.113.9:51234", "203.0.113.9"),
            ("[2001:db8::7]:51234", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            ("", None),
        ],
    )
    def test_the_clients_address_is_without_its_port(self, told: str, client: str | None) -> None:
        assert FunctionUrl().decode(url(headers={"X-Scf-Remote-Addr": told}), None).client == client

    def test_an_address_in_the_request_context_goes_first(self) -> None:
        raw = url(headers={"x-scf-remote-addr": "198.51.100.1"}, requestContext={"sourceIp": "203.0.113.9"})

        assert FunctionUrl().decode(raw, None).client == "203.0.113.9"

    def test_a_header_may_be_a_list(self) -> None:
        request = FunctionUrl().decode(url(headers={"x-tag": ["one", "two"]}), None)

        assert request.headers.getlist("x-tag") == ["one", "two"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [("path", None), ("path", 1), ("httpMethod", None), ("headers", []), ("queryString", "a=1"), ("body", 7)],
    )
    def test_a_field_of_another_type_is_refused_by_its_name(self, field: str, value: object) -> None:
        with pytest.raises(InvalidArgument, match=field):
            FunctionUrl().decode(url(**{field: value}), None)

    def test_a_body_that_is_no_base64_is_refused(self) -> None:
        with pytest.raises(InvalidArgument, match="body"):
            FunctionUrl().decode(url(body="a", isBase64Encoded=True), None)


class TestApiGateway:
    def test_the_id_is_the_gateways_and_the_invocation_is_the_functions(self) -> None:
        raw = url(requestContext={"serviceId": "service-1", "requestId": "r-1", "stage": "release"})
        request = ApiGateway().decode(raw, {"request_id": "i-1"})

        assert (request.id, request.context.invocation_id) == ("r-1", "i-1")

    def test_a_path_that_begins_like_the_stage_is_left_alone(self) -> None:
        raw = url(path="/release/notes", requestContext={"serviceId": "service-1", "stage": "release"})

        assert ApiGateway().decode(raw, None).path == "/release/notes"


class TestLoadBalancers:
    @pytest.mark.parametrize("missing", ["X-Uri", "X-Method"])
    def test_without_method_or_path_the_error_says_what_to_switch_on(self, missing: str) -> None:
        raw = clb()
        del raw["headers"][missing]

        with pytest.raises(InvalidArgument, match="X-Uri or no X-Method: let its listener"):
            LoadBalancer().decode(raw, None)

    def test_a_payload_that_was_parsed_is_json_again(self) -> None:
        raw = clb({"text": "grüße"}, **{"Content-Type": "application/json"})

        assert LoadBalancer().decode(raw, None).json() == {"text": "grüße"}

    def test_a_body_without_a_content_type_is_base64(self) -> None:
        assert LoadBalancer().decode(clb("aGVsbG8="), None).body == b"hello"

    def test_the_client_is_the_last_that_the_balancer_added(self) -> None:
        raw = clb(**{"X-Forwarded-For": "198.51.100.1, 203.0.113.9"})

        assert LoadBalancer().decode(raw, None).client == "203.0.113.9"

    @settings(max_examples=100, deadline=None, database=None, derandomize=True)
    @given(call=calls(st.sampled_from(["GET", "DELETE", "OPTIONS", "HEAD"])))
    def test_what_a_client_sends_arrives(self, call: HttpCall) -> None:
        request, sent = LoadBalancer().decode(_fronts.event(_fronts.BALANCER, call), None), logical(call)

        assert (request.method, request.path, request.client) == (sent.method, sent.path, sent.client)
        assert (request.query, request.cookies) == (sent.query, sent.cookies)
        assert {name: request.headers.getlist(name) for name in sent.headers} == {
            name: sent.headers.getlist(name) for name in sent.headers
        }


def web(*headers: tuple[str, str]) -> dict[str, Any]:
    return _fronts.web_request("GET", "/", headers, b"")


class TestWebFunctions:
    @pytest.mark.parametrize(("told", "seconds"), [("30", 30), ("30000", 30), ("900", 900), ("1000", 1), ("soon", 900)])
    def test_the_limit_may_be_in_seconds_or_milliseconds(self, told: str, seconds: float) -> None:
        context = WebFunction().decode(web(("X-Scf-Timeout", told)), None).context

        assert context.remaining().total_seconds() == pytest.approx(seconds, abs=0.9)

    @pytest.mark.parametrize(
        ("headers", "client"),
        [
            ([("X-Scf-Remote-Addr", "203.0.113.9:443"), ("X-Forwarded-For", "198.51.100.1")], "203.0.113.9"),
            ([("X-Forwarded-For", "198.51.100.1, 203.0.113.9")], "203.0.113.9"),
            ([], None),
        ],
    )
    def test_the_client_is_who_the_platform_says(self, headers: list[tuple[str, str]], client: str | None) -> None:
        assert WebFunction().decode(web(*headers), None).client == client

    @pytest.mark.parametrize(
        "response",
        [Response(bytes(6_291_457)), Response("ok", headers=[("x-long", "x" * 4096)])],
        ids=["body", "headers"],
    )
    def test_an_answer_that_the_platform_cannot_carry_is_refused(self, response: Response) -> None:
        with pytest.raises(LimitExceeded, match="a web function of SCF carries"):
            WebFunction().encode(response, Request("GET", "/"))

    @pytest.mark.parametrize("scope", [{"type": "http"}, {"type": "http", "headers": None, "path": "/"}])
    def test_what_is_no_scope_is_refused(self, scope: dict[str, Any]) -> None:
        with pytest.raises(InvalidArgument, match="scope"):
            WebFunction().decode({"web": scope, "body": b""}, None)


class TestCos:
    @pytest.mark.parametrize("name", ["cos:ObjectRestore:Completed", "", "s3:ObjectCreated:Put"])
    def test_another_event_is_refused_by_its_name(self, name: str) -> None:
        with pytest.raises(InvalidArgument, match="eventName"):
            Cos().decode(cos(name=name), None)

    def test_a_key_that_only_begins_like_account_and_bucket_is_left_alone(self) -> None:
        (event,) = Cos().decode(cos(key="/1250000000/photos2/a"), None)

        assert event.key == "1250000000/photos2/a"

    def test_the_id_is_the_requests_that_wrote_the_object(self) -> None:
        (event,) = Cos().decode(cos(meta={"x-cos-request-id": "b-1"}), {"request_id": "i-1"})

        assert event.id == "b-1"

    def test_without_one_it_is_the_invocations(self) -> None:
        (event,) = Cos().decode(cos(), {"request_id": "i-1"})

        assert event.id == "i-1"

    def test_each_record_is_an_event(self) -> None:
        both = cos()["Records"] + cos(name="cos:ObjectRemove:DeleteMarkerCreated")["Records"]

        assert [event.kind for event in Cos().decode({"Records": both}, None)] == ["created", "deleted"]


class TestMessages:
    @pytest.mark.parametrize(("tags", "expected"), [("a,b", "a, b"), ("a, b", "a, b"), (["a", "b"], "a, b")])
    def test_tags_are_the_same_however_they_are_written(self, tags: object, expected: str) -> None:
        (message,) = CmqTopic().decode({"Records": [{"CMQ": {**CMQ, "msgTag": tags}}]}, None)

        assert message.attributes == {"tags": expected}

    @pytest.mark.parametrize("tags", ["", [], None])
    def test_no_tags_are_no_attribute(self, tags: object) -> None:
        (message,) = CmqTopic().decode({"Records": [{"CMQ": {**CMQ, "msgTag": tags}}]}, None)

        assert message.attributes == {}

    def test_records_have_a_place_where_the_sample_leaves_the_partition_empty(self) -> None:
        (message,) = CKafka().decode({"Records": [{"Ckafka": {**KAFKA, "partition": ""}}]}, None)

        assert message.id == "thumbs//7"


class TestContexts:
    def test_the_deadline_counts_from_now(self) -> None:
        (tick,) = Timer().decode(
            {"Type": "Timer", "TriggerName": "t", "Time": "2026-01-02T03:05:00Z"}, _fronts.context()
        )

        assert tick.context.remaining().total_seconds() == pytest.approx(30, abs=2)

    @pytest.mark.parametrize("told", [None, {}, {"time_limit_in_ms": 0}, {"time_limit_in_ms": "3000"}])
    def test_without_a_limit_it_is_the_longest_that_scf_has(self, told: object) -> None:
        context = FunctionUrl().decode(url(), told).context

        assert 899 < context.remaining().total_seconds() <= 900

    def test_it_names_the_invocation_and_the_function(self) -> None:
        context = FunctionUrl().decode(url(), _fronts.context("i-1")).context

        assert (context.invocation_id, context.function, context.provider) == ("i-1", "main", "tencent")


def everything(value: Any, seen: set[int] | None = None) -> str:
    """Return all text within *value*, its attributes' too."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return ""
    seen.add(id(value))
    if isinstance(value, dict):
        return "".join(everything(part, seen) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple)):
        return "".join(everything(part, seen) for part in value)
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return repr(value) + "".join(everything(getattr(value, name, None), seen) for name in names)


class TestCredentials:
    """What SCF adds never reaches the handler: not in `native`, not in a repr, not in the log."""

    @pytest.mark.parametrize(
        "raw",
        [
            pytest.param(_fronts.event(form, HttpCall("GET", "/", [("x-tag", "kept")])), id=form)
            for form in _fronts.FORMS
        ],
    )
    @pytest.mark.parametrize("name", ["x-scf-secret-key", "X-Scf-Session-Token", "X-SCF-ANYTHING"])
    def test_of_a_request(self, raw: dict[str, Any], name: str, caplog: pytest.LogCaptureFixture) -> None:
        seen: list[Any] = []
        app = App("test")

        @app.get("/")
        def failing(request: Request) -> None:
            seen.append(request)
            raise ValueError

        sent = copy.deepcopy(raw)
        sent["headers"][name] = SECRET
        entrypoint(app, "tencent")(sent, _fronts.context())

        assert "kept" in everything(seen)
        assert SECRET not in everything(seen)
        assert SECRET not in caplog.text
        assert sent["headers"][name] == SECRET

    @pytest.mark.parametrize("name", ["x-scf-secret-key", "X-Scf-Session-Token", "X-SCF-ANYTHING"])
    def test_of_a_web_functions_request(self, name: str) -> None:
        request = WebFunction().decode(web(("x-tag", "kept"), (name, SECRET)), None)

        assert "kept" in everything(request)
        assert SECRET not in everything(request)

    def test_of_a_buckets_event(self, caplog: pytest.LogCaptureFixture) -> None:
        seen: list[Any] = []
        app = App("test")

        @app.on_blob(app.bucket("photos-1250000000"))
        def failing(event: Any) -> None:
            seen.append(event)
            logging.getLogger("test").warning("%r %s", event, event.native)
            raise ValueError(repr(event))

        with pytest.raises(ValueError, match="BlobEvent"):
            entrypoint(app, "tencent")(cos(), _fronts.context())

        assert seen[0].native["event"]["requestParameters"] == {"requestSourceIP": "203.0.113.9"}
        assert SECRET not in everything(seen)
        assert SECRET not in caplog.text

    @pytest.mark.parametrize("told", [None, "text", [], SECRET])
    def test_of_a_buckets_event_of_another_form(self, told: object) -> None:
        raw = cos()
        raw["Records"][0]["event"]["requestParameters"] = told
        (event,) = Cos().decode(raw, None)

        assert SECRET not in everything(event)

    @pytest.mark.parametrize("event", [{"hello": SECRET}, {"Records": [{"Ckafka": KAFKA}]}], ids=["unknown", "failing"])
    def test_of_the_context(self, event: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
        seen: list[Any] = []
        app = App("test")

        @app.on_message(app.queue("thumbs"))
        def failing(message: Message) -> None:
            seen.append(message)
            raise ValueError(repr(message))

        with pytest.raises(Exception) as caught:
            entrypoint(app, "tencent")(event, _fronts.context())

        assert SECRET not in str(caught.value) + everything(seen) + caplog.text


class TestTheCallingConvention:
    def test_an_event_function_gets_maps_and_gives_what_json_can_say(self) -> None:
        app = App("test")

        @app.get("/")
        async def root(request: Request) -> Response:
            return Response(b"\xff", 200, [("x-tag", "one"), ("x-tag", "two")])

        answer = entrypoint(app, "tencent")(url(), _fronts.context())

        assert json.loads(json.dumps(answer)) == {
            "isBase64Encoded": True,
            "statusCode": 200,
            "headers": {"x-tag": ["one", "two"]},
            "body": "/w==",
        }


@contextmanager
def stopped_after(api: Api) -> Iterator[None]:
    try:
        yield
    finally:
        api.stop()


class TestTheRuntimesServer:
    """The wire fake itself, where a fault in it would hide one of the loop."""

    def test_the_next_invocation_is_the_same_until_it_is_answered(self) -> None:
        api = Api()
        with stopped_after(api), ThreadPoolExecutor(1) as caller:
            invoked = caller.submit(api.invoke, {"n": 1})
            first, second = api.next(), api.next()
            api.finish(b'"done"', failed=False)

            assert first is second
            assert invoked.result().payload == "done"

    def test_an_answer_to_nothing_is_refused(self) -> None:
        api = Api()
        with stopped_after(api):
            assert api.finish(b"{}", failed=False) == 400

    def test_there_is_no_next_invocation_at_the_end(self) -> None:
        api = Api()
        api.stop()

        assert api.next() is None
