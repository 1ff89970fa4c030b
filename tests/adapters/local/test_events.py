"""The JSON of local events: what is written is read back equal, and what is broken is said to be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from portable import BlobEvent, Change, CloudEvent, InvalidArgument, Message, Tick
from portable_contracts.events import Context, EventCodec
from portable_local.events import BlobCodec, ChangeCodec, CloudEventCodec, MessageCodec, ScheduleCodec, written

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
CODECS: dict[str, EventCodec] = {
    "message": MessageCodec(),
    "blob": BlobCodec(),
    "change": ChangeCodec(),
    "schedule": ScheduleCodec(),
    "event": CloudEventCodec(),
}
EVENTS: list[Any] = [
    Message("1", "jobs", b""),
    Message("1", "jobs", "é".encode(), {"a": "1"}, 3, NOW, "g"),
    Message("1", "jobs", b"\xff\x00"),
    Message("1", "jobs", b'{"$bytes": "AA=="}'),
    BlobEvent("1", "photos", "in/é.jpg", "created", NOW, 5, "v1"),
    BlobEvent("1", "photos", "in/é.jpg", "created", NOW, 0),
    BlobEvent("1", "photos", "a", "deleted", NOW),
    Change("1", "entries", "p", "s", "created", None, {"n": 1, "f": 1.0, "b": b"\xff", "$bytes": "x", "l": [b""]}, NOW),
    Change("1", "entries", "p", "", "updated", 1, "b", NOW),
    Change("1", "entries", "p", "s", "deleted", [None, True, -0.0], None, NOW),
    Tick("often", NOW),
    Tick("often", NOW, "t-1"),
    CloudEvent("1", "here", "com.acme.signed"),
    CloudEvent("1", "here", "t", {"a": [1, 2.5]}, "about", NOW, "application/json", {"ext": "1"}),
    CloudEvent("1", "here", "t", b"\xff", content_type="application/octet-stream"),
]


def codec_of(raw: Any) -> EventCodec:
    (codec,) = [codec for codec in CODECS.values() if codec.recognises(raw)]
    return codec


def decode(raw: Any, native_context: Any = None) -> Sequence[Any]:
    return codec_of(raw).decode(raw, native_context)


@pytest.mark.parametrize("event", EVENTS, ids=str)
def test_what_is_written_is_read_back_equal(event: Any) -> None:
    raw = json.loads(json.dumps(written([event])))

    assert decode(raw) == [event]


@pytest.mark.parametrize("value", [1, 1.0, -0.0, True, b"", "", [b"\xff", {"$bytes": "AA=="}], 2**63 - 1, 1e300])
def test_a_changed_value_keeps_its_type(value: Any) -> None:
    (change,) = decode(
        json.loads(json.dumps(written([Change("1", "entries", "p", "s", "updated", value, value, NOW)])))
    )

    assert repr((change.old, change.new)) == repr((value, value))


def test_several_events_keep_their_order() -> None:
    events = [Message(str(number), "jobs", b"") for number in range(5)]

    assert decode(written(events)) == events


def test_a_message_is_readable() -> None:
    assert written([Message("1", "jobs", b"hi", {"a": "b"}, 2, NOW)]) == {
        "portable": "message",
        "events": [
            {
                "id": "1",
                "queue": "jobs",
                "body": "hi",
                "attributes": {"a": "b"},
                "attempt": 2,
                "sent": "2026-01-02T03:04:05.678901Z",
            }
        ],
    }


def test_the_least_that_a_message_needs_is_id_queue_and_body() -> None:
    raw = {"portable": "message", "events": [{"id": "1", "queue": "jobs", "body": "hi"}]}

    assert decode(raw) == [Message("1", "jobs", b"hi")]


def test_the_native_object_is_the_event_s_own() -> None:
    raw = written([Tick("often", NOW)])

    assert decode(raw)[0].native is raw["events"][0]


def test_the_context_is_the_one_given() -> None:
    context = Context("i-1", "main", "local", 0.0)

    assert decode(written([Tick("often", NOW)]), context)[0].context is context


def test_a_context_may_be_json() -> None:
    told = {"invocation_id": "i-1", "function": "resize", "expires": "2026-01-02T03:04:05Z"}
    context = decode(written([Tick("often", NOW)]), told)[0].context

    assert (context.invocation_id, context.function, context.provider) == ("i-1", "resize", "local")
    assert context.deadline == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def test_failed_messages_are_answered_by_their_ids() -> None:
    messages = [Message(id, "jobs", b"") for id in "abc"]

    assert MessageCodec().encode(messages, [False, True, True]) == {"failed": ["b", "c"]}


@pytest.mark.parametrize("raw", [None, [], "x", {}, {"portable": "mail"}, {"portable": "message"}, {"events": []}])
def test_other_things_are_not_recognised(raw: Any) -> None:
    assert not any(codec.recognises(raw) for codec in CODECS.values())


@pytest.mark.parametrize(
    ("kind", "field", "value", "said"),
    [
        ("message", "id", 5, "id is of type int; expected text"),
        ("message", "queue", None, "queue is missing"),
        ("message", "body", None, "body is neither text nor"),
        ("message", "body", {"a": 1}, "body is neither text nor"),
        ("message", "body", {"$bytes": "a"}, "body cannot be read"),
        ("message", "body", {"$bytes": 5}, "body cannot be read"),
        ("message", "body", "\ud800", "lone surrogate"),
        ("message", "attributes", {"a": 1}, "a is of type int"),
        ("message", "attempt", "x", "attempt is of type str"),
        ("message", "sent", "yesterday", "sent is 'yesterday'"),
        ("blob", "kind", "written", "kind is 'written'; expected created or deleted"),
        ("blob", "time", None, "time is missing"),
        ("blob", "size", [], "size is of type list"),
        ("change", "kind", "made", "kind is 'made'; expected created or updated or deleted"),
        ("change", "new", {"$bytes": "\u00e9"}, "new cannot be read"),
        ("schedule", "schedule", 5, "schedule is of type int"),
        ("event", "specversion", "0.3", "specversion"),
    ],
)
def test_a_broken_field_is_named(kind: str, field: str, value: Any, said: str) -> None:
    whole: dict[str, Any] = {codec_of(written([event])).trigger: written([event]) for event in EVENTS}
    raw = whole[kind]
    raw["events"][0][field] = value
    with pytest.raises(InvalidArgument, match=said):
        decode(raw)


def test_a_value_that_is_too_deep_is_an_invalid_argument() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    raw = written([Change("1", "entries", "p", "s", "created", None, 1, NOW)])
    raw["events"][0]["new"] = deep
    with pytest.raises(InvalidArgument, match="new cannot be read"):
        decode(raw)


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = some.sampled_from(sorted({name for event in EVENTS for name in written([event])["events"][0]}))


@given(kind=some.sampled_from(sorted(CODECS)), event=some.dictionaries(FIELDS, JSON) | JSON)
def test_whatever_the_json_is_there_is_an_event_or_an_invalid_argument(kind: str, event: Any) -> None:
    raw = {"portable": kind, "events": [event]}
    try:
        events = decode(raw)
    except InvalidArgument:
        return
    assert len(events) == 1
