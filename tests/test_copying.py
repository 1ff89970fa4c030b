"""`portable.copying`: what is carried from one bucket or table to another, what is not, and what a second run does."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest

from portable import Bucket, Table, registry
from portable._driving import Call, observe
from portable.copying import Copy, Report
from portable_contracts.blob import BlobInfo, BlobStream, WriteOptions
from portable_contracts.errors import InvalidArgument, PermissionDenied, PortableError, Unavailable
from portable_contracts.provider import Opening, Provider
from portable_local.blob import FileBucket
from portable_local.kv import SqliteTable
from portable_local.limits import FILE, TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_contracts.blob import Source

T = TypeVar("T")
Offer = Callable[[str, type], None]
VALUES: list[Any] = [
    None,
    True,
    1,
    1.0,
    -0.0,
    5e-324,
    -(1 << 63),
    "",
    "ü\x00",
    b"",
    b"\xff",
    [],
    {},
    {"a": [1, {"b": 1.5}]},
    [[]],
]


@pytest.fixture
def opening(tmp_path: Path) -> Opening:
    return Opening(data=str(tmp_path))


@pytest.fixture
def bucket(opening: Opening) -> Callable[[str], Bucket]:
    return lambda address: Bucket.at(address, opening=opening)


@pytest.fixture
def a(bucket: Callable[[str], Bucket]) -> Bucket:
    return bucket("file://a")


@pytest.fixture
def b(bucket: Callable[[str], Bucket]) -> Bucket:
    return bucket("file://b")


@pytest.fixture
def t(opening: Opening) -> Table:
    return Table.at("sqlite://t", opening=opening)


@pytest.fixture
def u(opening: Opening) -> Table:
    return Table.at("sqlite://u", opening=opening)


@pytest.fixture
def copy(opening: Opening) -> Callable[..., Report]:
    return lambda source="file://a", target="file://b", **options: Copy(
        source, target, opening=opening, **options
    ).run()


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Offer a driver, of buckets or tables, at addresses `odd://`."""

    def offer(kind: str, driver: type) -> None:
        module = ModuleType("odd_drivers")
        module.Driver = driver  # type: ignore[attr-defined]  # made here
        monkeypatch.setitem(sys.modules, "odd_drivers", module)
        provider = Provider(name="odd").replace(**{kind: {"odd": "odd_drivers:Driver"}})
        monkeypatch.setitem(registry._providers, "odd", provider)

    return offer


def keys(bucket: Bucket) -> list[str]:
    return [entry.key for entry in bucket.list()]


def calls_of(action: Callable[[], T]) -> list[str]:
    """Return the operations that *action* does on drivers."""
    seen: list[Call] = []
    stop = observe(seen.append)
    try:
        action()
    finally:
        stop()
    return [call.operation for call in seen]


def put_raw(bucket: Bucket, key: str, metadata: dict[str, str] | None = None, type: str = "text/plain") -> None:
    """Write past the checks of the facade, as another program than portable may have."""
    bucket._connection.driver.write(key, b"1", WriteOptions(type, metadata or {}))


# Objects


@pytest.mark.parametrize("body", [b"", b"1", bytes(5_000_000)], ids=["empty", "small", "large"])
def test_an_object_is_carried_with_its_bytes(a: Bucket, b: Bucket, copy: Callable[..., Report], body: bytes) -> None:
    a.write("k", body)
    copy()

    assert b.read("k") == body


def test_an_object_is_carried_with_content_type_and_metadata(a: Bucket, b: Bucket, copy: Callable[..., Report]) -> None:
    a.write("k", b"1", content_type="image/png", metadata={"by": "Ada ü\n"})
    copy()
    info = b.info("k")

    assert (info.content_type, info.metadata) == ("image/png", {"by": "Ada ü\n"})


def test_every_object_is_carried_and_counted(a: Bucket, b: Bucket, copy: Callable[..., Report]) -> None:
    for number in range(1500):
        a.write(f"{number:04}", b"12")
    report = copy()

    assert (keys(b), report.found, report.copied, report.bytes, report.ok) == (keys(a), 1500, 1500, 3000, True)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("file://a", "file://b", ["in", "in/x", "in/y/z", "inside"]),
        ("file://a/in", "file://b", ["x", "y/z"]),
        ("file://a/in/", "file://b/", ["x", "y/z"]),
        ("file://a/in", "file://b/out/here", ["out/here/x", "out/here/y/z"]),
        ("file://a?prefix=in", "file://b?prefix=out/", ["out/x", "out/y/z"]),
        ("file://a/in?prefix=y", "file://b", ["z"]),
        ("file://a/none", "file://b", []),
    ],
)
def test_a_path_is_the_prefix_of_keys(
    a: Bucket, b: Bucket, copy: Callable[..., Report], source: str, target: str, expected: list[str]
) -> None:
    for key in ("in", "in/x", "in/y/z", "inside"):
        a.write(key, b"1")
    copy(source, target)

    assert keys(b) == expected


def test_the_path_of_a_folder_is_the_folder(
    a: Bucket, bucket: Callable[[str], Bucket], copy: Callable[..., Report], tmp_path: Path
) -> None:
    a.write("k", b"1")
    copy("file://a", f"file://{tmp_path}/elsewhere/photos?prefix=in")

    assert keys(bucket(f"file://{tmp_path}/elsewhere/photos")) == ["in/k"]


def test_a_copy_within_one_bucket_goes_from_prefix_to_prefix(a: Bucket, copy: Callable[..., Report]) -> None:
    a.write("in/k", b"1")
    copy("file://a/in", "file://a/out")

    assert keys(a) == ["in/k", "out/k"]


def test_what_else_is_in_the_target_stays(a: Bucket, b: Bucket, copy: Callable[..., Report]) -> None:
    a.write("k", b"1")
    b.write("aa", b"kept")
    b.write("z", b"kept")
    copy()

    assert keys(b) == ["aa", "k", "z"]


@pytest.mark.parametrize("there", [b"old", b"a longer old one"], ids=["of equal size", "of another size"])
def test_another_object_in_its_place_is_written_over(
    a: Bucket, b: Bucket, copy: Callable[..., Report], there: bytes
) -> None:
    a.write("k", b"new")
    b.write("k", there)
    report = copy()

    assert (b.read("k"), report.copied) == (b"new", 1)


def test_equal_bytes_with_other_metadata_are_written_over(a: Bucket, b: Bucket, copy: Callable[..., Report]) -> None:
    a.write("k", b"1", metadata={"a": "new"})
    b.write("k", b"1", metadata={"a": "old"})
    copy()

    assert b.info("k").metadata == {"a": "new"}


# Objects, again


def test_a_second_run_opens_no_object(a: Bucket, copy: Callable[..., Report]) -> None:
    for key in "abc":
        a.write(key, b"1")
    copy()

    assert set(calls_of(copy)) == {"list"}


def test_without_its_journal_a_run_writes_nothing_that_is_equal(
    a: Bucket, b: Bucket, copy: Callable[..., Report], tmp_path: Path
) -> None:
    a.write("k", b"1", metadata={"a": "1"})
    copy()
    version = b.info("k").version
    report = copy(journal=str(tmp_path / "another"))

    assert (b.info("k").version, report.copied, report.unchanged) == (version, 0, 1)


@pytest.mark.parametrize("changed", ["a", "b"])
def test_an_object_that_changed_at_either_end_is_copied_again(
    bucket: Callable[[str], Bucket], a: Bucket, b: Bucket, copy: Callable[..., Report], changed: str
) -> None:
    a.write("k", b"1")
    a.write("other", b"1")
    copy()
    bucket(f"file://{changed}").write("k", b"2")
    report = copy()

    assert (b.read("k"), report.copied, report.unchanged) == (a.read("k"), 1, 1)


def test_an_object_that_was_deleted_from_the_target_is_copied_again(
    a: Bucket, b: Bucket, copy: Callable[..., Report]
) -> None:
    a.write("k", b"1")
    copy()
    b.delete("k")
    copy()

    assert keys(b) == ["k"]


def test_what_was_not_read_back_is_read_by_a_run_that_verifies(a: Bucket, copy: Callable[..., Report]) -> None:
    a.write("k", b"1")
    copy(verify=False)

    assert "open" in calls_of(copy)


def test_a_run_that_does_not_verify_reads_nothing_back(a: Bucket, copy: Callable[..., Report]) -> None:
    a.write("k", b"1")

    assert sorted(calls_of(lambda: copy(verify=False))) == ["list", "list", "open", "write"]


def test_a_file_that_is_no_journal_is_refused_and_left(a: Bucket, copy: Callable[..., Report], tmp_path: Path) -> None:
    a.write("k", b"1")
    copy()
    (tmp_path / "letter").write_text("Dear Ada, " * 1000)
    with pytest.raises(InvalidArgument, match="letter"):
        copy(journal=str(tmp_path / "letter"))

    assert (tmp_path / "letter").read_text().startswith("Dear Ada")


# What cannot be carried


def test_a_metadata_name_that_portable_has_not_is_reported_and_the_rest_is_carried(
    a: Bucket, b: Bucket, copy: Callable[..., Report]
) -> None:
    put_raw(a, "k", {"My-Name": "x", "kept": "y"})
    report = copy()

    assert b.info("k").metadata == {"kept": "y"}
    assert ([note.key for note in report.losses], report.ok) == (["k"], False)
    assert "My-Name" in report.losses[0].why


def test_a_second_run_reports_again_what_could_not_be_carried(a: Bucket, copy: Callable[..., Report]) -> None:
    put_raw(a, "k", {"My-Name": "x"})
    first = copy()
    second = copy()

    assert (second.copied, second.losses) == (0, first.losses)


def test_a_content_type_that_is_none_is_reported_and_replaced(
    a: Bucket, b: Bucket, copy: Callable[..., Report]
) -> None:
    put_raw(a, "k.png", type="picture")
    report = copy()

    assert (b.info("k.png").content_type, "picture" in report.losses[0].why) == ("image/png", True)


def test_metadata_that_the_target_has_no_room_for_is_reported(
    a: Bucket, b: Bucket, copy: Callable[..., Report]
) -> None:
    put_raw(a, "k", {"big": "x" * 9000, "small": "y"})
    report = copy()

    assert (b.info("k").metadata, "'big'" in report.losses[0].why) == ({"small": "y"}, True)


@pytest.mark.parametrize("key", ["a//b", "folder/", "con\ntrol"])
def test_a_key_that_portable_has_not_is_reported_and_the_rest_goes_on(
    a: Bucket, b: Bucket, copy: Callable[..., Report], key: str
) -> None:
    put_raw(a, key)
    a.write("other", b"1")
    report = copy()

    assert (keys(b), [note.key for note in report.failures], report.ok) == (["other"], [key], False)


def test_a_key_that_becomes_too_long_is_reported_with_the_limit(a: Bucket, copy: Callable[..., Report]) -> None:
    a.write("k" * 1020, b"1")
    report = copy(target="file://b/below")

    assert "1,024" in report.failures[0].why


class Small(FileBucket):
    scheme = "odd"
    capabilities = FILE.replace(max_bytes=3)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_body_that_is_too_large_is_reported_and_not_read(
    a: Bucket, copy: Callable[..., Report], offer: Offer, dry_run: bool
) -> None:
    a.write("k", b"1234")
    a.write("small", b"123")
    offer("buckets", Small)
    report = copy(target="odd://b", dry_run=dry_run)

    assert ([note.key for note in report.failures], report.copied) == (["k"], 1)


# What goes wrong


class Corrupting(FileBucket):
    """Loses the last byte of what is written."""

    scheme = "odd"

    def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
        given = body if isinstance(body, bytes) else body.read(100)
        return super().write(key, given[:-1] if key == "k" else given, options)


def test_bytes_that_are_not_there_when_read_back_fail_their_key(
    a: Bucket, copy: Callable[..., Report], offer: Offer
) -> None:
    a.write("k", b"1234")
    a.write("other", b"1")
    offer("buckets", Corrupting)
    report = copy(target="odd://b")

    assert ([note.key for note in report.failures], report.copied) == (["k"], 1)


class Forgetful(FileBucket):
    """Keeps neither content types nor metadata."""

    scheme = "odd"

    def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
        return super().write(key, body, WriteOptions("application/octet-stream"))


def test_what_the_target_does_not_keep_is_reported(a: Bucket, copy: Callable[..., Report], offer: Offer) -> None:
    a.write("k", b"1", content_type="text/html", metadata={"a": "1"})
    offer("buckets", Forgetful)
    report = copy(target="odd://b")

    assert sorted(note.why.split()[1] for note in report.losses) == ["content", "metadata"]


class Unreadable(FileBucket):
    """One of its objects may not be read."""

    scheme = "odd"

    def open(self, key: str, *, start: int, stop: int | None, if_version: str | None) -> BlobStream:
        if key == "secret":
            raise PermissionDenied("read 'secret': not for you")
        return super().open(key, start=start, stop=stop, if_version=if_version)


def test_an_object_that_cannot_be_read_is_reported_with_the_reason_and_the_rest_goes_on(
    a: Bucket, b: Bucket, copy: Callable[..., Report], offer: Offer
) -> None:
    a.write("k", b"1")
    a.write("secret", b"1")
    offer("buckets", Unreadable)
    report = copy(source="odd://a")

    assert keys(b) == ["k"]
    assert [(note.key, "not for you" in note.why) for note in report.failures] == [("secret", True)]


class Locked(FileBucket):
    """Nothing may be written."""

    scheme = "odd"

    def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
        raise PermissionDenied("not for you")


def test_a_target_that_takes_nothing_ends_the_copy(a: Bucket, opening: Opening, offer: Offer) -> None:
    for number in range(500):
        a.write(f"{number}", b"1")
    offer("buckets", Locked)
    prepared = Copy("file://a", "odd://b", opening=opening)

    with pytest.raises(PermissionDenied):
        prepared.run()
    assert prepared.report.failed < 100


def test_a_write_that_is_tried_again_carries_the_whole_object(
    a: Bucket, b: Bucket, copy: Callable[..., Report], offer: Offer
) -> None:
    class Flaky(FileBucket):
        """Fails once, when the body is read."""

        scheme = "odd"
        failed = False

        def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
            if not Flaky.failed:
                Flaky.failed = True
                assert not isinstance(body, bytes)
                body.read(1_500_000)
                raise Unavailable("come again")
            return super().write(key, body, options)

    a.write("k", bytes(range(250)) * 10_000)
    offer("buckets", Flaky)
    report = copy(target="odd://b")

    assert (b.read("k") == a.read("k"), report.ok) == (True, True)


def test_an_object_that_changes_while_it_is_copied_is_copied_as_it_became(
    a: Bucket, b: Bucket, copy: Callable[..., Report], offer: Offer
) -> None:
    class Slow(FileBucket):
        """Fails once, after the source was written over."""

        scheme = "odd"
        failed = False

        def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
            if not Slow.failed:
                Slow.failed = True
                assert not isinstance(body, bytes)
                body.read(10)
                a.write("k", b"2" * 100, metadata={"is": "new"})
                raise Unavailable("come again")
            return super().write(key, body, options)

    a.write("k", b"1" * 100)
    offer("buckets", Slow)
    report = copy(target="odd://b")

    assert (b.read("k"), b.info("k").metadata, report.ok) == (b"2" * 100, {"is": "new"}, True)


def test_objects_are_carried_side_by_side(a: Bucket, copy: Callable[..., Report], offer: Offer) -> None:
    together = threading.Barrier(4, timeout=20)

    class Meeting(FileBucket):
        scheme = "odd"

        def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
            together.wait()
            return super().write(key, body, options)

    for key in "abcd":
        a.write(key, b"1")
    offer("buckets", Meeting)

    assert copy(target="odd://b", parallel=4).copied == 4


# Dry runs and wrong calls


def test_a_dry_run_writes_nothing(a: Bucket, b: Bucket, copy: Callable[..., Report], tmp_path: Path) -> None:
    a.write("k", b"12")
    report = copy(dry_run=True)

    assert (keys(b), report.copied, report.bytes, (tmp_path / "copies").exists()) == ([], 1, 2, False)


def test_a_dry_run_reports_what_could_not_be_carried(a: Bucket, copy: Callable[..., Report]) -> None:
    put_raw(a, "k", {"My-Name": "x"})
    put_raw(a, "a//b")
    report = copy(dry_run=True)

    assert (len(report.losses), len(report.failures)) == (1, 1)


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("file://a", "sqlite://t", "a table"),
        ("file://a", "file://a", "overlap"),
        ("file://a", "file://a/below", "overlap"),
        ("file://a/below", "file://a", "overlap"),
        ("file://a/in", "file://a/in/deeper", "overlap"),
        ("sqlite://t", "sqlite://t", "overlap"),
        ("nonsense://a", "file://b", "nonsense"),
        ("sqs://a", "sqs://b", "sqs"),
        ("a", "file://b", "scheme"),
        ("file://a?no-such=1", "file://b", "no-such"),
        ("file://a/../b", "file://b", "begins no key"),
    ],
)
def test_addresses_that_cannot_be_copied_are_refused(
    copy: Callable[..., Report], source: str, target: str, why: str
) -> None:
    with pytest.raises(InvalidArgument, match=why):
        copy(source, target)


@pytest.mark.parametrize("parallel", [0, -1, 1000, True, "8"])
def test_a_wrong_number_of_threads_is_refused(copy: Callable[..., Report], parallel: object) -> None:
    with pytest.raises(InvalidArgument, match="parallel"):
        copy(parallel=parallel)


# Items


@pytest.fixture
def copy_table(copy: Callable[..., Report]) -> Callable[..., Report]:
    return lambda source="sqlite://t", target="sqlite://u", **options: copy(source, target, **options)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_an_item_is_carried_with_a_value_of_the_same_types(
    t: Table, u: Table, copy_table: Callable[..., Report], value: Any
) -> None:
    t.put("p", "s", value)
    report = copy_table()

    assert (repr(u.get("p", "s").value), report.ok) == (repr(value), True)


def test_an_item_is_carried_with_its_expiry(t: Table, u: Table, copy_table: Callable[..., Report]) -> None:
    moment = datetime(2999, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    t.put("p", "s", 1, expires=moment)
    copy_table()

    assert u.get("p", "s").expires == moment


def test_every_item_is_carried_and_counted(t: Table, u: Table, copy_table: Callable[..., Report]) -> None:
    for number in range(700):
        t.put(f"p{number % 3}", f"{number}", number)
    report = copy_table()

    assert (len(list(u.scan())), report.found, report.copied, report.unchanged) == (700, 700, 700, 0)


def test_batches_of_large_items_are_small(t: Table, copy_table: Callable[..., Report]) -> None:
    for number in range(20):
        t.put("p", f"{number:02}", b"x" * 400_000)

    assert calls_of(copy_table).count("get_many") == 2 * 7


def test_the_checksums_of_source_and_target_are_equal(t: Table, copy_table: Callable[..., Report]) -> None:
    for number, value in enumerate(VALUES):
        t.put("p", f"{number}", value)
    checksums = copy_table().checksums

    assert checksums is not None
    assert checksums[0] == checksums[1] != 0


def test_a_second_run_writes_no_item(t: Table, copy_table: Callable[..., Report]) -> None:
    for number, value in enumerate(VALUES):
        t.put("p", f"{number}", value, expires=timedelta(hours=1))
    first = copy_table()
    second = copy_table()

    assert (second.copied, second.unchanged, second.checksums) == (0, len(VALUES), first.checksums)


@pytest.mark.parametrize("other", [1, True, 1.5, "1", None, {"a": 1}], ids=repr)
def test_an_item_of_another_value_or_type_is_written_over(
    t: Table, u: Table, copy_table: Callable[..., Report], other: Any
) -> None:
    t.put("p", "s", 1.0)
    u.put("p", "s", other)
    copy_table()

    assert repr(u.get("p", "s").value) == "1.0"


def test_an_item_of_another_expiry_is_written_over(t: Table, u: Table, copy_table: Callable[..., Report]) -> None:
    t.put("p", "s", 1)
    u.put("p", "s", 1, expires=timedelta(hours=1))
    copy_table()

    assert u.get("p", "s").expires is None


def test_a_dry_run_writes_no_item(t: Table, u: Table, copy_table: Callable[..., Report]) -> None:
    t.put("p", "s", 1)
    report = copy_table(dry_run=True)

    assert (list(u.scan()), report.copied) == ([], 1)


class SmallTable(SqliteTable):
    scheme = "odd"
    capabilities = TABLE.replace(max_item_bytes=10)


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_item_that_is_too_large_is_reported_with_the_limit_and_the_rest_goes_on(
    t: Table, copy_table: Callable[..., Report], offer: Offer, dry_run: bool
) -> None:
    t.put("p", "large", "x" * 11)
    t.put("p", "small", "x" * 10)
    offer("tables", SmallTable)
    report = copy_table(target="odd://u", dry_run=dry_run)

    assert ([note.key for note in report.failures], report.copied) == (["'p', 'large'"], 1)
    assert "allows 10" in report.failures[0].why


class Rounding(SqliteTable):
    """Keeps whole numbers alone, and whole hours."""

    scheme = "odd"

    def put(self, partition: str, sort: str, value: Any, *, expires: float | None, **options: Any) -> str:
        value = int(value) if isinstance(value, float) else value
        return super().put(
            partition, sort, value, expires=None if expires is None else expires // 3600 * 3600, **options
        )


def test_a_value_that_is_read_back_as_another_fails_its_item(
    t: Table, copy_table: Callable[..., Report], offer: Offer
) -> None:
    t.put("p", "float", 1.0)
    t.put("p", "int", 1)
    offer("tables", Rounding)
    report = copy_table(target="odd://u")

    assert ([note.key for note in report.failures], report.copied) == (["'p', 'float'"], 1)
    assert report.checksums is not None
    assert report.checksums[0] != report.checksums[1]


def test_an_expiry_that_the_target_does_not_keep_is_reported(
    t: Table, copy_table: Callable[..., Report], offer: Offer
) -> None:
    t.put("p", "s", 1, expires=datetime(2999, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
    offer("tables", Rounding)
    report = copy_table(target="odd://u")

    assert (report.copied, "03:04:05" in report.losses[0].why) == (1, True)


class OneRefused(SqliteTable):
    scheme = "odd"

    def put(self, partition: str, sort: str, value: Any, **options: Any) -> str:
        if sort == "bad":
            raise PortableError("the service does not like it")
        return super().put(partition, sort, value, **options)


def test_an_item_that_cannot_be_written_is_reported_with_the_reason(
    t: Table, copy_table: Callable[..., Report], offer: Offer
) -> None:
    for sort in ("bad", "good", "too"):
        t.put("p", sort, 1)
    offer("tables", OneRefused)
    report = copy_table(target="odd://u")

    assert [(note.key, note.why) for note in report.failures] == [("'p', 'bad'", "the service does not like it")]
    assert report.copied == 2


def test_many_notes_are_counted_though_not_all_are_kept(
    t: Table, copy_table: Callable[..., Report], offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portable.copying._report.MOST_NOTES", 5)
    for number in range(20):
        t.put("p", f"{number}", "x" * 100)
    offer("tables", SmallTable)
    report = copy_table(target="odd://u")

    assert (report.failed, len(report.failures)) == (20, 5)


# Every driver


def bucket_schemes() -> Sequence[str]:
    return sorted({scheme for provider in registry.providers().values() for scheme in provider.buckets})


@pytest.mark.parametrize("scheme", bucket_schemes())
def test_every_driver_of_buckets_leaves_the_path_of_an_address_to_be_a_prefix(scheme: str) -> None:
    # A driver that ignored the path would let the whole bucket be copied.
    with pytest.raises(InvalidArgument):
        Bucket.at(f"{scheme}://name/one/two/three")
