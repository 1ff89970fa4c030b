"""The blob contract against a plain dict: Hypothesis makes the calls, both must agree after each one."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from portable_conformance import contract
from portable_conformance._buckets import names
from portable_conformance._machines import FAR_SETTINGS, SETTINGS
from portable_contracts.errors import AlreadyExists, Conflict, NotFound, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, ClassVar

    from portable.blob import Bucket
    from portable_contracts.blob import BlobCapabilities

pytestmark = contract("bucket")

# Few keys, so that the rules meet each other; each the neighbour of another in byte order or by prefix.
KEYS = ["a", "a-", "a/b", "a/b/c", "a/𐐷", "a/\uffee", "a0", "b", "é"]
keys = st.sampled_from(KEYS)
bodies = st.one_of(st.binary(max_size=20), st.sampled_from([b"", b"same", b"x" * 70_000]))
metadata = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True), st.text(st.characters(codec="utf-8"), max_size=8), max_size=2
)
types = st.sampled_from([None, "text/plain", "image/png"])
prefixes = st.sampled_from(["", "a", "a/", "a/b", "b", "é", "zz"])
delimiters = st.sampled_from([None, "/", "-", "/b"])


class Stored:
    """One object of the model."""

    def __init__(self, body: bytes, content_type: str | None, metadata: dict[str, str], version: str) -> None:
        self.body = body
        self.content_type = content_type or "application/octet-stream"
        self.metadata = metadata
        self.version = version


class BlobMachine(RuleBasedStateMachine):
    """A bucket and its model. Every example works below a prefix of its own."""

    bucket: ClassVar[Bucket]
    capabilities: ClassVar[BlobCapabilities]
    handles: ClassVar[Iterator[Bucket]]
    runs: ClassVar[Iterator[int]]

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, Stored] = {}
        self.past: dict[str, list[str]] = {}

    @initialize()
    def begin(self) -> None:
        self.root = f"{next(self.runs)}/"

    def store(self, key: str, body: bytes, content_type: str | None, metadata: dict[str, str], version: str) -> None:
        known = self.past.setdefault(key, [])
        if self.capabilities.distinct_versions:
            assert version not in known
        known.append(version)
        self.model[key] = Stored(body, content_type, metadata, version)

    def version_for(self, key: str, pick: int) -> str | None:
        """Return one of the versions that *key* has or had; None where it never was."""
        known = self.past.get(key, [])
        return known[-1 - pick % len(known)] if known else None

    def stands(self, key: str, version: str) -> bool:
        return key in self.model and self.model[key].version == version

    @rule(key=keys, body=bodies, content_type=types, metadata=metadata, in_chunks=st.booleans())
    def write(self, key: str, body: bytes, content_type: str | None, metadata: dict[str, str], in_chunks: bool) -> None:
        sent: Any = (body[start : start + 7] for start in range(0, min(len(body), 700), 7)) if in_chunks else body
        stored = body[:700] if in_chunks else body
        info = self.bucket.write(self.root + key, sent, content_type=content_type, metadata=metadata)
        self.store(key, stored, content_type, metadata, info.version)

    @rule(key=keys, body=bodies)
    def create(self, key: str, body: bytes) -> None:
        if not self.capabilities.create:
            with pytest.raises(Unsupported):
                self.bucket.create(self.root + key, body)
        elif key in self.model:
            with pytest.raises(AlreadyExists):
                self.bucket.create(self.root + key, body)
        else:
            self.store(key, body, None, {}, self.bucket.create(self.root + key, body).version)

    @rule(key=keys, body=bodies, pick=st.integers(0, 3))
    def guarded_write(self, key: str, body: bytes, pick: int) -> None:
        version = self.version_for(key, pick)
        if version is None:
            return
        if not self.capabilities.if_version:
            with pytest.raises(Unsupported):
                self.bucket.write(self.root + key, body, if_version=version)
        elif self.stands(key, version):
            self.store(key, body, None, {}, self.bucket.write(self.root + key, body, if_version=version).version)
        else:
            with pytest.raises(Conflict):
                self.bucket.write(self.root + key, body, if_version=version)

    @rule(key=keys)
    def delete(self, key: str) -> None:
        self.bucket.delete(self.root + key)
        self.model.pop(key, None)

    @rule(key=keys, pick=st.integers(0, 3))
    def guarded_delete(self, key: str, pick: int) -> None:
        version = self.version_for(key, pick)
        if version is None:
            return
        if not self.capabilities.delete_if_version:
            with pytest.raises(Unsupported):
                self.bucket.delete(self.root + key, if_version=version)
        elif self.stands(key, version):
            self.bucket.delete(self.root + key, if_version=version)
            del self.model[key]
        else:
            with pytest.raises(Conflict):
                self.bucket.delete(self.root + key, if_version=version)

    @rule(chosen=st.lists(keys, max_size=5))
    def delete_many(self, chosen: list[str]) -> None:
        self.bucket.delete_many([self.root + key for key in chosen])
        for key in chosen:
            self.model.pop(key, None)

    @rule(source=keys, destination=keys)
    def copy(self, source: str, destination: str) -> None:
        if source not in self.model:
            with pytest.raises(NotFound):
                self.bucket.copy(self.root + source, self.root + destination)
            return
        info = self.bucket.copy(self.root + source, self.root + destination)
        copied = self.model[source]
        if source == destination:
            # Whether a copy onto itself is a write is the service's affair.
            self.past[destination].append(info.version)
            copied.version = info.version
        else:
            self.store(destination, copied.body, copied.content_type, copied.metadata, info.version)

    @rule(key=keys)
    def failing_write(self, key: str) -> None:
        def body() -> Iterator[bytes]:
            yield b"begun"
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            self.bucket.write(self.root + key, body())

    @rule(key=keys, start=st.integers(0, 30), length=st.one_of(st.none(), st.integers(0, 30)))
    def read(self, key: str, start: int, length: int | None) -> None:
        stop = None if length is None else start + length
        if key not in self.model:
            with pytest.raises(NotFound):
                self.bucket.open(self.root + key, start=start, stop=stop)
            return
        with self.bucket.open(self.root + key, start=start, stop=stop) as stream:
            assert b"".join(stream) == self.model[key].body[start:stop]

    @rule(key=keys)
    def info(self, key: str) -> None:
        assert self.bucket.exists(self.root + key) is (key in self.model)
        if key not in self.model:
            with pytest.raises(NotFound):
                self.bucket.info(self.root + key)
            return
        info, stored = self.bucket.info(self.root + key), self.model[key]
        assert (info.key, info.size, info.version) == (self.root + key, len(stored.body), stored.version)
        assert (info.content_type, info.metadata) == (stored.content_type, stored.metadata)

    @rule(prefix=prefixes, delimiter=delimiters, limit=st.integers(1, 5))
    def list_in_pages(self, prefix: str, delimiter: str | None, limit: int) -> None:
        found: list[str] = []
        cursor = None
        while True:
            page = self.bucket.page(self.root + prefix, delimiter, limit=limit, cursor=cursor)
            assert len(page.items) <= limit
            found.extend(names(page.items))
            cursor = page.cursor
            if cursor is None:
                break
        assert found == self.expected(prefix, delimiter)

    @rule()
    def use_another_handle(self) -> None:
        type(self).bucket = next(self.handles)

    @precondition(lambda self: hasattr(self, "root"))
    @invariant()
    def the_listing_is_the_model(self) -> None:
        assert names(self.bucket.list(self.root)) == self.expected("", None)

    def expected(self, prefix: str, delimiter: str | None) -> list[str]:
        entries = set()
        for key in self.model:
            if key.startswith(prefix):
                found = key.find(delimiter, len(prefix)) if delimiter else -1
                entries.add(self.root + (key if found < 0 else key[: found + len(delimiter or "")]))
        return sorted(entries, key=str.encode)


class TestAgainstAModel:
    @pytest.mark.slow
    def test_any_sequence_of_calls_does_what_a_dictionary_would(
        self, bucket: Bucket, capabilities: BlobCapabilities, reopen: Callable[[Bucket], Bucket], far: bool
    ) -> None:
        machine = type(
            "Machine",
            (BlobMachine,),
            {
                "bucket": bucket,
                "capabilities": capabilities,
                "handles": iter(lambda: reopen(bucket), None),
                "runs": count(),
            },
        )
        run_state_machine_as_test(
            machine,
            settings=FAR_SETTINGS if far else SETTINGS,
        )
