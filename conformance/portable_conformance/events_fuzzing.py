"""Broken events and requests: a portable error or a portable value comes out, never another exception.

PORTABLE_FUZZ_EXAMPLES says how many mutations of the golden cases are tried: a few thousand by default.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given

from portable import App
from portable.runtime import runner
from portable_conformance import contract
from portable_conformance._fuzzing import FUZZ_EXAMPLES, ODD, SETTINGS, deep, json_values, storm
from portable_conformance._golden import EVENTS, all_codecs, codecs, goldens
from portable_contracts.errors import InvalidArgument, PortableError
from portable_contracts.events import BlobEvent, Change, CloudEvent, EventCodec, Message, Tick
from portable_contracts.http import Request, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from portable_conformance._golden import Codec, Golden
    from portable_conformance._session import Session
    from portable_contracts.events import Event
    from portable_contracts.harness import Harness
    from portable_contracts.provider import Provider, Runner

pytestmark = contract("events")

UNKNOWN: list[Any] = [
    {},
    [],
    None,
    "text",
    1,
    True,
    b"bytes",
    {"hello": "world"},
    {"Records": []},
    {"Records": [{}]},
    {"requestContext": {}},
    {"portable": {}},
    {"portable": None},
    [{"Records": [{"eventSource": "aws:unknown"}]}],
    {1: 2, None: 3},
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    session = metafunc.config.pluginmanager.get_plugin("portable_conformance_session")
    assert session is not None
    if "one_message" in metafunc.fixturenames:
        cases = [golden for golden in goldens(session) if golden.case == "message-text"]
        metafunc.parametrize("one_message", cases, ids=str)


@pytest.fixture
def decode(provider: Provider, harness: Harness) -> Callable[[Any, Any], None]:
    """Ask every installed codec for an invocation, let this provider's decode it, and check what comes out."""
    own, everyone = codecs(provider), [codec for _, codec in all_codecs()]

    def check(raw: Any, native_context: Any) -> None:
        said = [(codec.shape, codec.recognises(raw)) for codec in everyone]
        assert [answer for _, answer in said if answer is not True and answer is not False] == []
        recognised = [shape for shape, answer in said if answer]
        assert len(recognised) <= 1, f"more than one codec recognises it: {recognised}"
        for codec in own:
            if codec.shape in recognised:
                check_decoding(codec, raw, native_context)

    return check


def check_decoding(codec: Codec, raw: Any, native_context: Any) -> None:
    try:
        found: Any = codec.decode(raw, native_context)
    except InvalidArgument:
        return
    if isinstance(codec, EventCodec):
        for event in found:
            assert type(event) is EVENTS[codec.trigger]
            check_event(event)
        if found:
            codec.encode(found, [False] * len(found))
    else:
        check_request(found)
        codec.encode(Response("ok"), found)


def check_event(event: Event) -> None:
    assert event.context.provider
    if isinstance(event, Message):
        check_types(event, id=str, queue=str, body=bytes, attempt=int, group=(str, type(None)))
        check_mapping(event.attributes)
        check_time(event.sent, optional=True)
        only_portable_errors(lambda: event.text)
        only_portable_errors(event.json)
    elif isinstance(event, BlobEvent):
        check_types(event, id=str, bucket=str, key=str, size=(int, type(None)), version=(str, type(None)))
        assert event.kind in ("created", "deleted")
        check_time(event.time)
    elif isinstance(event, Change):
        check_types(event, id=str, table=str, partition=str, sort=str)
        assert event.kind in ("created", "updated", "deleted")
        check_time(event.time)
    elif isinstance(event, Tick):
        check_types(event, id=str, schedule=str)
        check_time(event.time)
    else:
        assert isinstance(event, CloudEvent)
        check_types(event, id=str, source=str, type=str, subject=(str, type(None)), content_type=(str, type(None)))
        check_mapping(event.extensions)
        check_time(event.time, optional=True)
        only_portable_errors(event.json)


def check_request(request: Request) -> None:
    assert type(request) is Request
    assert request.context.provider
    assert (type(request.method), type(request.path), type(request.body), type(request.id)) == (str, str, bytes, str)
    assert request.client is None or type(request.client) is str
    check_texts(request.headers.multi_items())
    check_texts(request.query.multi_items())
    check_mapping(request.cookies)
    for use in (lambda: request.text, request.json, request.form):
        only_portable_errors(use)


def check_types(event: Event, **types: type | tuple[type, ...]) -> None:
    wrong = {name: getattr(event, name) for name, kind in types.items() if not isinstance(getattr(event, name), kind)}
    assert not wrong, f"of the wrong type: {wrong!r}"


def check_texts(pairs: list[tuple[Any, Any]]) -> None:
    wrong = [pair for pair in pairs if type(pair[0]) is not str or type(pair[1]) is not str]
    assert not wrong, f"not text: {wrong!r}"


def check_mapping(mapping: Mapping[str, str]) -> None:
    check_texts(list(mapping.items()))


def check_time(time: datetime | None, optional: bool = False) -> None:
    if time is None and optional:
        return
    assert isinstance(time, datetime)
    assert time.utcoffset() == timedelta(0), f"not in UTC: {time!r}"


def only_portable_errors(use: Callable[[], object]) -> None:
    try:
        use()
    except PortableError:
        pass


class TestMutations:
    @pytest.mark.slow
    def test_mutations_of_golden_cases_give_values_or_invalid_arguments(
        self, portable_session: Session, harness: Harness, decode: Callable[[Any, Any], None]
    ) -> None:
        cases = {str(golden): golden for golden in goldens(portable_session)}

        def check(name: str, raw: Any) -> None:
            document = {**cases[name].native, "raw": raw}
            try:
                invocation = harness.invocation(cases[name].shape, document)
            except (LookupError, TypeError, ValueError, AttributeError):
                return  # No platform could have handed this over: the harness cannot even make it.
            decode(*invocation)

        documents = {name: golden.native["raw"] for name, golden in cases.items()}

        assert storm(documents, FUZZ_EXAMPLES, check) == FUZZ_EXAMPLES


class TestAnyValue:
    @SETTINGS
    @given(raw=json_values)
    def test_any_value_is_recognised_by_one_codec_at_most_and_decodes_or_is_an_invalid_argument(
        self, decode: Callable[[Any, Any], None], raw: Any
    ) -> None:
        decode(raw, None)

    @pytest.mark.parametrize("raw", [*UNKNOWN, *ODD, deep(900), object()], ids=lambda raw: ascii(raw)[:16])
    def test_no_codec_raises_when_it_is_asked(self, decode: Callable[[Any, Any], None], raw: Any) -> None:
        decode(raw, None)


@pytest.fixture
def entry(provider: Provider) -> Runner:
    app = App("conformance")

    @app.on_message(app.queue("thumbs"))
    def on_message(message: Message) -> None: ...

    return runner(app, provider.name)


class TestUnknownEvents:
    @pytest.mark.parametrize("raw", UNKNOWN, ids=lambda raw: ascii(raw)[:30])
    def test_an_unknown_event_is_an_invalid_argument_that_names_the_provider(
        self, entry: Runner, provider: Provider, raw: object
    ) -> None:
        with pytest.raises(InvalidArgument, match=provider.name):
            entry(raw, None)

    def test_the_error_names_the_keys_of_the_event(self, entry: Runner) -> None:
        with pytest.raises(InvalidArgument) as caught:
            entry({"hello": 1, "world": 2}, None)

        assert [name for name in ("hello", "world") if name not in str(caught.value)] == []

    def test_the_error_names_the_shapes_that_are_known(self, entry: Runner, provider: Provider) -> None:
        with pytest.raises(InvalidArgument) as caught:
            entry({"hello": 1}, None)

        assert [codec.shape for codec in codecs(provider) if codec.shape not in str(caught.value)] == []

    def test_the_error_of_a_broken_event_names_a_shape_that_is_near_to_it(
        self, entry: Runner, provider: Provider, harness: Harness, one_message: Golden
    ) -> None:
        raw, native_context = harness.invocation(one_message.shape, one_message.native)
        if not isinstance(raw, dict):
            pytest.skip("the platform hands over an object: there is no other that is near to it")
        with pytest.raises(InvalidArgument, match=rf"nearest is {provider.name}\."):
            entry({name + "x": value for name, value in raw.items()}, native_context)

    def test_the_error_does_not_repeat_what_the_event_holds(self, entry: Runner) -> None:
        with pytest.raises(InvalidArgument) as caught:
            entry({"hello": "a secret of the sender"}, None)

        assert "a secret of the sender" not in str(caught.value)

    def test_the_error_is_short_however_large_the_event_is(self, entry: Runner) -> None:
        with pytest.raises(InvalidArgument) as caught:
            entry({f"key{number}": number for number in range(10_000)}, None)

        assert len(str(caught.value)) < 2000

    @SETTINGS
    @given(raw=json_values)
    def test_any_value_is_handled_or_refused(self, entry: Runner, raw: Any) -> None:
        only_portable_errors(lambda: entry(raw, None))
