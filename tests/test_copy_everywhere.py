"""`portable copy` on every driver there is: from this machine to the service and back, whole and unchanged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from portable import Bucket, Table, registry
from portable.copying import Copy
from portable_conformance._values import exact
from portable_contracts.harness import Harness, MissingCounterpart

KEYS = ["a", "a/b", "folder/ü 日本+%2F", "folder/z", "large", "nothing"]
VALUES: dict[str, Any] = {
    "float": 1.0,
    "zero": -0.0,
    "int": (1 << 63) - 1,
    "text": "ü 日本 \U0001f600",
    "empty": ["", b"", [], {}, None, True],
    "bytes": bytes(range(256)),
    "nested": {"a.b": {"$c": [1, {"d": 2.5}]}},
}


def services(kind: str) -> list[Any]:
    """Return the schemes of *kind* that some adapter's harness can make resources of."""
    found = []
    for name, provider in registry.providers().items():
        schemes = getattr(provider, kind + "s")
        if name != "local" and provider.harness and schemes:
            found += [pytest.param(name, scheme, id=scheme) for scheme in schemes]
    return found


class Place:
    """A fresh resource of a service, and how it is opened."""

    def __init__(self, harness: Harness, kind: str, scheme: str, folder: Path) -> None:
        if scheme not in harness.schemes(kind):
            pytest.skip(f"the harness makes no {scheme}://")
        try:
            self.address = harness.create(kind, scheme, {})
        except MissingCounterpart as missing:
            pytest.skip(str(missing))
        self.opening = harness.opening({}).replace(data=str(folder))

    def copy(self, source: str, target: str, **options: Any) -> Any:
        return Copy(source, target, opening=self.opening, **options).run()


@pytest.fixture
def place(request: pytest.FixtureRequest, kind: str, provider: str, scheme: str, tmp_path: Path) -> Iterator[Place]:
    with registry.load(registry.provider(provider).harness)() as harness:
        place = Place(harness, kind, scheme, tmp_path)
        yield place
        harness.destroy(place.address)


def below(address: str, prefix: str) -> str:
    """Return the address of what is below *prefix* in the bucket at *address*."""
    return f"{address}{'&' if '?' in address else '?'}prefix={prefix}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bucket"])
@pytest.mark.parametrize(("provider", "scheme"), services("bucket"))
def test_objects_come_back_from_a_service_as_they_were(place: Place) -> None:
    here = Bucket.at("file://here", opening=place.opening)
    for number, key in enumerate(KEYS):
        here.write(key, b"%d" % number, content_type="text/html; charset=utf-8", metadata={"by": "Ada ü\n"})
    here.write("large", bytes(range(256)) * 50_000)
    here.write("nothing", b"")
    there = place.copy("file://here", below(place.address, "kept"))
    again = place.copy("file://here", below(place.address, "kept"))
    back = place.copy(below(place.address, "kept"), "file://back")
    copied = Bucket.at("file://back", opening=place.opening)

    assert (there.copied, there.failures, there.losses) == (len(KEYS), [], [])
    assert (again.copied, again.unchanged) == (0, len(KEYS))
    assert (back.copied, back.failures, back.losses) == (len(KEYS), [], [])
    assert [_whole(copied, key) for key in KEYS] == [_whole(here, key) for key in KEYS]


def _whole(bucket: Bucket, key: str) -> tuple[bytes, str, dict[str, str]]:
    info = bucket.info(key)
    return bucket.read(key), info.content_type, dict(info.metadata)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["table"])
@pytest.mark.parametrize(("provider", "scheme"), services("table"))
def test_items_come_back_from_a_service_as_they_were(place: Place) -> None:
    here = Table.at("sqlite://here", opening=place.opening)
    for number in range(150):
        here.put("many", f"{number:03}", {"n": number, "half": number / 2})
    for name, value in VALUES.items():
        here.put("p/ü#?%", name, value)
    here.put("expiring", "", 1, expires=datetime(2999, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
    count = 150 + len(VALUES) + 1
    there = place.copy("sqlite://here", place.address)
    again = place.copy("sqlite://here", place.address)
    back = place.copy(place.address, "sqlite://back")
    copied = Table.at("sqlite://back", opening=place.opening)

    assert (there.copied, there.failures, there.losses) == (count, [], [])
    assert (again.copied, again.unchanged, again.checksums) == (0, count, there.checksums)
    assert (back.copied, back.checksums) == (count, there.checksums)
    assert _items(copied) == _items(here)
    assert math.copysign(1, copied.get("p/ü#?%", "zero").value) == -1


def _items(table: Table) -> dict[tuple[str, str], tuple[str, datetime | None]]:
    return {(item.partition, item.sort): (exact(item.value), item.expires) for item in table.scan()}
