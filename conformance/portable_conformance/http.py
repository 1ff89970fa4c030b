"""The HTTP contract: every provider's own shapes are one portable request, and one response is its own answers.

Whole apps are in `http_app`, broken requests in `events_fuzzing`.
"""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portable_conformance import contract
from portable_conformance._fuzzing import SETTINGS
from portable_conformance._golden import FOLDER, codec_of, codecs, goldens, recognisers
from portable_conformance._requests import calls, cookie, logical, responses
from portable_contracts.http import Headers, HttpCodec, Request, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_conformance._golden import Golden
    from portable_contracts.harness import Harness, HttpCall
    from portable_contracts.provider import Provider

pytestmark = contract("http")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    session = metafunc.config.pluginmanager.get_plugin("portable_conformance_session")
    assert session is not None
    if "golden" in metafunc.fixturenames:
        cases = [golden for golden in goldens(session) if golden.kind == "http"]
        metafunc.parametrize("golden", cases, ids=str)
    if "shape" in metafunc.fixturenames:
        metafunc.parametrize("shape", session.harness.http_shapes())
    if "codec" in metafunc.fixturenames:
        of_http = [codec for codec in codecs(session.provider) if isinstance(codec, HttpCodec)]
        metafunc.parametrize("codec", of_http, ids=[codec.shape for codec in of_http])


class TestGoldenCases:
    def test_exactly_one_codec_of_exactly_one_provider_recognises_it(
        self, provider: Provider, harness: Harness, golden: Golden
    ) -> None:
        raw, _ = harness.invocation(golden.shape, golden.native)

        assert recognisers(raw) == [(provider.name, golden.shape)]

    def test_it_is_the_portable_request(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        request = codec_of(provider, golden.shape).decode(*harness.invocation(golden.shape, golden.native))

        assert request_fields(request) == request_fields(golden.request)
        assert request == golden.request

    def test_decoding_changes_nothing_in_it(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        before = copy.deepcopy(golden.native)
        codec_of(provider, golden.shape).decode(*harness.invocation(golden.shape, golden.native))

        assert golden.native == before

    def test_the_request_names_provider_and_invocation(
        self, provider: Provider, harness: Harness, golden: Golden
    ) -> None:
        request = codec_of(provider, golden.shape).decode(*harness.invocation(golden.shape, golden.native))

        assert request.context.provider == provider.name
        assert request.id
        assert request.native is not None

    def test_the_context_is_the_invocations(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        request = codec_of(provider, golden.shape).decode(*harness.invocation(golden.shape, golden.native))
        expected = golden.native.get("invocation", {})

        assert {name: getattr(request.context, name) for name in expected} == expected

    def test_the_answer_is_what_the_platform_expects(
        self, provider: Provider, harness: Harness, golden: Golden
    ) -> None:
        codec = codec_of(provider, golden.shape)
        request = codec.decode(*harness.invocation(golden.shape, golden.native))
        answer = codec.encode(golden.response, request)

        assert harness.described(golden.shape, answer) == golden.answer

    def test_each_shape_has_golden_cases(self, codec: HttpCodec) -> None:
        assert sorted(FOLDER.glob(f"*/{codec.shape}*.json"))

    def test_golden_files_belong_to_a_shape(self, provider: Provider, golden: Golden) -> None:
        assert golden.shape in [codec.shape for codec in codecs(provider)]


def request_fields(request: Request) -> dict[str, object]:
    """Return what is compared of a request, for a failing test to print."""
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query.multi_items(),
        "headers": {name: Headers.received(request.headers.multi_items()).getlist(name) for name in request.headers},
        "cookies": dict(request.cookies),
        "body": request.body,
        "client": request.client,
    }


class TestRequestsOfAnyContent:
    """Requests that Hypothesis makes up, in the provider's shape: what a client sent is what the handler gets."""

    @SETTINGS
    @given(call=calls())
    def test_one_codec_recognises_it(self, provider: Provider, harness: Harness, shape: str, call: HttpCall) -> None:
        raw, _ = harness.rendered(shape, call)

        assert recognisers(raw) == [(provider.name, shape.partition("~")[0])]

    @SETTINGS
    @given(call=calls())
    def test_method_path_and_client_arrive(
        self, provider: Provider, harness: Harness, shape: str, call: HttpCall
    ) -> None:
        request = codec_of(provider, shape).decode(*harness.rendered(shape, call))
        expected = logical(call)

        assert (request.method, request.path) == (expected.method, expected.path)
        assert request.client in (expected.client, None)

    @SETTINGS
    @given(call=calls())
    def test_the_query_arrives(self, provider: Provider, harness: Harness, shape: str, call: HttpCall) -> None:
        request = codec_of(provider, shape).decode(*harness.rendered(shape, call))

        assert request.query == logical(call).query

    @SETTINGS
    @given(call=calls())
    def test_the_body_arrives(self, provider: Provider, harness: Harness, shape: str, call: HttpCall) -> None:
        request = codec_of(provider, shape).decode(*harness.rendered(shape, call))

        assert request.body == call.body

    @SETTINGS
    @given(call=calls())
    def test_the_headers_arrive(self, provider: Provider, harness: Harness, shape: str, call: HttpCall) -> None:
        request = codec_of(provider, shape).decode(*harness.rendered(shape, call))
        sent = Headers.received(call.headers)

        assert {name: request.headers.getlist(name) for name in sent} == {name: sent.getlist(name) for name in sent}

    @SETTINGS
    @given(call=calls())
    def test_the_cookies_arrive(self, provider: Provider, harness: Harness, shape: str, call: HttpCall) -> None:
        request = codec_of(provider, shape).decode(*harness.rendered(shape, call))

        assert request.cookies == logical(call).cookies

    @SETTINGS
    @given(call=calls())
    def test_decoding_twice_gives_the_same(
        self, provider: Provider, harness: Harness, shape: str, call: HttpCall
    ) -> None:
        codec = codec_of(provider, shape)
        raw, context = harness.rendered(shape, call)

        assert codec.decode(raw, context) == codec.decode(raw, context)


class TestResponsesOfAnyContent:
    """Responses that Hypothesis makes up: what a handler returned is what the client gets."""

    @SETTINGS
    @given(call=calls(), response=responses())
    def test_the_status_is_received(
        self, provider: Provider, harness: Harness, shape: str, call: HttpCall, response: Response
    ) -> None:
        assert exchanged(provider, harness, shape, call, response).status == response.status

    @SETTINGS
    @given(call=calls(methods=st.sampled_from(["GET", "POST"])), response=responses())
    def test_the_body_is_received(
        self, provider: Provider, harness: Harness, shape: str, call: HttpCall, response: Response
    ) -> None:
        assert exchanged(provider, harness, shape, call, response).body == response.body

    @SETTINGS
    @given(call=calls(), response=responses())
    def test_the_headers_are_received(
        self, provider: Provider, harness: Harness, shape: str, call: HttpCall, response: Response
    ) -> None:
        received = Headers.received(exchanged(provider, harness, shape, call, response).headers.multi_items())
        sent = Headers.received(pair for pair in response.headers.multi_items() if pair[0] != "set-cookie")

        assert {name: received.getlist(name) for name in sent} == {name: sent.getlist(name) for name in sent}

    @SETTINGS
    @given(call=calls(), response=responses())
    def test_each_cookie_is_received_on_its_own(
        self, provider: Provider, harness: Harness, shape: str, call: HttpCall, response: Response
    ) -> None:
        received = exchanged(provider, harness, shape, call, response).headers.getlist("set-cookie")

        assert list(map(cookie, received)) == list(map(cookie, response.headers.getlist("set-cookie")))


def exchanged(provider: Provider, harness: Harness, shape: str, call: HttpCall, response: Response) -> Response:
    """Return what the client of *call* is sent for *response*."""
    codec = codec_of(provider, shape)
    request = codec.decode(*harness.rendered(shape, call))
    return harness.received(shape, codec.encode(response, request), call)


class TestWhatIsNoRequest:
    @pytest.mark.parametrize(
        "raw", [None, {}, [], "", 0, b"", object(), {"version": "9"}], ids=lambda raw: ascii(raw)[:16]
    )
    def test_what_is_no_request_is_not_recognised(self, codec: HttpCodec, raw: object) -> None:
        assert codec.recognises(raw) is False
