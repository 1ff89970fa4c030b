"""Which codec an invocation is for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from portable._recognition import Codecs, unknown
from portable_contracts.events import EventCodec
from portable_contracts.provider import Provider

asked: list[str] = []


class Shape(EventCodec):
    trigger = "event"

    def recognises(self, raw: Any) -> bool:
        asked.append(self.shape)
        return bool(raw == self.shape)

    def decode(self, raw: Any, native_context: Any) -> Sequence[Any]:
        return ()


class A(Shape):
    shape = "a"


class B(Shape):
    shape = "b"


class C(Shape):
    shape = "c"


@pytest.fixture
def codecs(monkeypatch: pytest.MonkeyPatch) -> Codecs:
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    asked.clear()
    return Codecs(Provider("acme", event_codecs=tuple(f"{__name__}:{name}" for name in "ABC")))


def shape_of(codecs: Codecs, raw: Any) -> str | None:
    codec = codecs.find(raw)
    return codec.shape if codec else None


@pytest.mark.parametrize("raw", ["a", "b", "c", "d"])
def test_the_one_that_recognises_it_is_found(codecs: Codecs, raw: str) -> None:
    assert [shape_of(codecs, raw) for _ in range(2)] == [raw if raw in "abc" else None] * 2


def test_they_are_loaded_as_far_as_it_takes(codecs: Codecs) -> None:
    codecs.find("b")

    assert {codec.shape for codec in codecs.tried()} == {"a", "b"}


def test_the_last_that_was_right_is_asked_first(codecs: Codecs) -> None:
    for raw in ("a", "c", "a"):
        codecs.find(raw)
    asked.clear()
    codecs.find("a")

    assert asked == ["a"]


def test_threads_that_load_at_once_miss_none(codecs: Codecs) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda raw: shape_of(codecs, raw), "abcd" * 100))

    assert found == ["a", "b", "c", None] * 100


class Queue(Shape):
    shape = "acme.sqs"


class Blob(Shape):
    shape = "acme.blob"
    words = ("bucket",)


def error(raw: Any) -> str:
    return str(unknown(raw, "acme", [Queue(), Blob()]))


@pytest.mark.parametrize(
    ("raw", "nearest"), [({"Records": [{"from": "acme:sqs"}]}, "acme.sqs"), ({"acme": "Bucket/blob"}, "acme.blob")]
)
def test_the_nearest_shape_is_the_one_whose_words_are_there(raw: Any, nearest: str) -> None:
    assert f"; the nearest is {nearest}." in error(raw)


def test_where_nothing_is_near_nothing_is_named() -> None:
    assert error({"x": 1}) == "acme has no shape for an event with the keys x. Known: acme.blob, acme.sqs"


def test_an_event_of_many_keys_names_the_first() -> None:
    assert len(error({f"key{number:03}": None for number in range(1000)})) < 500
