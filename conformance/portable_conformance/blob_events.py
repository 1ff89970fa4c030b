"""The blob contract: the events of a bucket, as a poller reads them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from portable import registry
from portable_conformance import contract, needs, without
from portable_conformance._bodies import MIB, BodyFailed, failing, patterned
from portable_conformance._buckets import write_all
from portable_conformance._keys import WEIRD_KEYS
from portable_contracts.errors import AlreadyExists, Conflict, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import Popen

    from portable.blob import Bucket
    from portable_contracts.blob import BlobDriver
    from portable_contracts.events import BlobEvent, Feed
    from portable_contracts.provider import Provider

    DriverOf = Callable[[Bucket], BlobDriver]
    Reopen = Callable[[Bucket], Bucket]
    StartProcess = Callable[..., Popen[str]]

pytestmark = contract("bucket")


@pytest.fixture
def feed(bucket: Bucket, driver_of: DriverOf) -> Feed[BlobEvent]:
    return driver_of(bucket).feed("consumer")


def told(feed: Feed[BlobEvent]) -> list[tuple[str, str]]:
    """Return what waits, and move past it."""
    return [(event.kind, event.key) for event in taken(feed)]


def taken(feed: Feed[BlobEvent]) -> list[BlobEvent]:
    events = feed.read(5000)
    if events:
        feed.commit(events[-1][0])
    return [event for _, event in events]


@needs("feed")
class TestEvents:
    def test_a_new_object_is_told_as_created(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("k", b"1")

        assert told(feed) == [("created", "k")]

    def test_an_object_that_is_written_over_is_told_as_created_again(
        self, bucket: Bucket, feed: Feed[BlobEvent]
    ) -> None:
        bucket.write("k", b"1")
        bucket.write("k", b"1")

        assert told(feed) == [("created", "k"), ("created", "k")]

    @needs("create")
    def test_a_created_object_is_told(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.create("k", b"1")

        assert told(feed) == [("created", "k")]

    def test_a_copy_is_told_as_created(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("source", b"1")
        bucket.copy("source", "target")

        assert told(feed) == [("created", "source"), ("created", "target")]

    def test_a_large_object_is_told_once(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("k", patterned(9 * MIB))

        assert told(feed) == [("created", "k")]

    def test_a_deleted_object_is_told(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("k", b"1")
        bucket.delete("k")

        assert told(feed) == [("created", "k"), ("deleted", "k")]

    def test_many_deleted_objects_are_told_one_by_one(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        write_all(bucket, "abc")
        told(feed)
        bucket.delete_many(["a", "missing", "b", "c"])

        assert sorted(told(feed)) == [("deleted", "a"), ("deleted", "b"), ("deleted", "c")]

    def test_deleting_a_missing_object_is_not_told(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.delete("missing")

        assert told(feed) == []

    def test_a_body_that_raises_is_not_told(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        with pytest.raises(BodyFailed):
            bucket.write("k", failing(9 * MIB))

        assert told(feed) == []

    @needs("create")
    def test_a_create_that_was_refused_is_not_told(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("k", b"1")
        with pytest.raises(AlreadyExists):
            bucket.create("k", b"2")

        assert told(feed) == [("created", "k")]

    @needs("if_version")
    def test_a_guarded_write_that_was_refused_is_not_told(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        past = bucket.write("k", b"1").version
        bucket.write("k", b"2")
        with pytest.raises(Conflict):
            bucket.write("k", b"3", if_version=past)

        assert len(told(feed)) == 2

    @needs("delete_if_version")
    def test_a_guarded_delete_that_was_refused_is_not_told(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        past = bucket.write("k", b"1").version
        bucket.write("k", b"2")
        with pytest.raises(Conflict):
            bucket.delete("k", if_version=past)

        assert len(told(feed)) == 2

    def test_a_copy_of_a_missing_object_is_not_told(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        with pytest.raises(NotFound):
            bucket.copy("missing", "target")

        assert told(feed) == []

    def test_reading_and_listing_are_not_told(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("k", b"1")
        told(feed)
        bucket.read("k")
        bucket.info("k")
        list(bucket.list())

        assert told(feed) == []

    def test_events_of_one_object_come_in_order(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        sizes = [bucket.write("k", b"x" * number).size for number in range(30)]

        assert [event.size for event in taken(feed)] == sizes

    @pytest.mark.parametrize("key", WEIRD_KEYS[::4], ids=ascii)
    def test_a_weird_key_is_told_as_it_was_written(self, bucket: Bucket, feed: Feed[BlobEvent], key: str) -> None:
        bucket.write(key, b"1")

        assert told(feed) == [("created", key)]

    def test_an_event_tells_size_and_version(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        info = bucket.write("k", b"12345")
        (event,) = taken(feed)

        assert (event.size, event.version) == (info.size, info.version)

    def test_an_empty_object_has_a_size(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("k", b"")

        assert [event.size for event in taken(feed)] == [0]

    def test_a_deletion_has_no_size(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("k", b"12345")
        bucket.delete("k")

        assert [event.size for event in taken(feed)] == [5, None]

    def test_an_event_names_the_bucket_of_its_address(
        self, bucket: Bucket, feed: Feed[BlobEvent], address_of: Callable[[Bucket], str]
    ) -> None:
        bucket.write("k", b"1")

        assert taken(feed)[0].bucket in address_of(bucket)

    def test_an_event_tells_when_it_was(
        self, bucket: Bucket, feed: Feed[BlobEvent], pass_time: Callable[[float], None], now: Callable[[], float]
    ) -> None:
        bucket.write("k", b"1")
        pass_time(5)
        bucket.delete("k")
        created, deleted = taken(feed)

        assert timedelta(seconds=3) <= deleted.time - created.time <= timedelta(seconds=60)
        assert abs(deleted.time - datetime.fromtimestamp(now(), timezone.utc)) < timedelta(seconds=60)

    def test_times_are_in_utc(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("k", b"1")

        assert taken(feed)[0].time.utcoffset() == timedelta(0)

    def test_events_have_ids_of_their_own(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        write_all(bucket, "abcdef")

        assert len({event.id for event in taken(feed)}) == 6


@needs("feed")
class TestFeeds:
    def test_a_feed_starts_when_it_is_first_asked_for(self, bucket: Bucket, driver_of: DriverOf) -> None:
        bucket.write("before", b"1")
        feed = driver_of(bucket).feed("late")
        bucket.write("after", b"1")

        assert told(feed) == [("created", "after")]

    def test_what_was_not_committed_is_read_again(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("k", b"1")

        assert feed.read(10) == feed.read(10)

    def test_what_was_committed_is_not_read_again(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("a", b"1")
        told(feed)
        bucket.write("b", b"1")

        assert told(feed) == [("created", "b")]

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_no_more_is_read_than_was_asked(self, bucket: Bucket, feed: Feed[BlobEvent], limit: int) -> None:
        write_all(bucket, "abcde")

        assert len(feed.read(limit)) == limit

    def test_a_commit_in_the_middle_goes_on_there(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        for key in "abc":
            bucket.write(key, b"1")
        feed.commit(feed.read(10)[1][0])

        assert told(feed) == [("created", "c")]

    @pytest.mark.parametrize("place", [0, 1], ids=["back", "to the same place"])
    def test_a_commit_back_does_nothing(self, bucket: Bucket, feed: Feed[BlobEvent], place: int) -> None:
        for key in "abc":
            bucket.write(key, b"1")
        tokens = [token for token, _ in feed.read(10)]
        feed.commit(tokens[1])
        feed.commit(tokens[place])

        assert told(feed) == [("created", "c")]

    def test_each_consumer_reads_everything(self, bucket: Bucket, driver_of: DriverOf) -> None:
        one, other = driver_of(bucket).feed("one"), driver_of(bucket).feed("other")
        bucket.write("k", b"1")

        assert (told(one), told(other)) == ([("created", "k")], [("created", "k")])

    def test_a_consumer_that_is_behind_loses_nothing(self, bucket: Bucket, driver_of: DriverOf) -> None:
        quick, slow = driver_of(bucket).feed("quick"), driver_of(bucket).feed("slow")
        for key in "abc":
            bucket.write(key, b"1")
            told(quick)

        assert told(slow) == [("created", "a"), ("created", "b"), ("created", "c")]

    def test_a_feed_goes_on_where_it_stopped_in_another_handle(
        self, bucket: Bucket, feed: Feed[BlobEvent], driver_of: DriverOf, reopen: Reopen
    ) -> None:
        bucket.write("a", b"1")
        told(feed)
        bucket.write("b", b"1")

        assert told(driver_of(reopen(bucket)).feed("consumer")) == [("created", "b")]

    def test_what_another_process_does_is_told(
        self, bucket: Bucket, feed: Feed[BlobEvent], start_process: StartProcess
    ) -> None:
        start_process(bucket, "resource.write('k', b'1'); resource.delete('k')").communicate(timeout=60)

        assert told(feed) == [("created", "k"), ("deleted", "k")]

    def test_a_writer_that_is_killed_is_told_of_when_its_object_is_there(
        self, bucket: Bucket, feed: Feed[BlobEvent], start_process: StartProcess
    ) -> None:
        program = """
turn = 0
while True:
    turn += 1
    resource.write(f"k{turn:04}", b"1")
    if turn == 20:
        print("killed soon", flush=True)
"""
        process = start_process(bucket, program)
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.wait(timeout=60)

        assert told(feed) == [("created", entry.key) for entry in bucket.list()]

    def test_an_empty_feed_gives_nothing(self, feed: Feed[BlobEvent]) -> None:
        assert list(feed.read(10)) == []

    @pytest.mark.slow
    def test_2500_events_are_read_in_pieces(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        write_all(bucket, [f"k{number:04}" for number in range(2500)])
        seen = []
        while events := feed.read(100):
            seen += [event.key for _, event in events]
            feed.commit(events[-1][0])

        assert sorted(seen) == [f"k{number:04}" for number in range(2500)]


class TestHandlers:
    @needs("events:created")
    def test_writes_that_reach_a_handler_have_a_codec(self, provider: Provider) -> None:
        assert "blob" in {registry.load(codec).trigger for codec in provider.event_codecs}

    @needs("events:deleted")
    def test_deletions_that_reach_a_handler_have_a_codec(self, provider: Provider) -> None:
        assert "blob" in {registry.load(codec).trigger for codec in provider.event_codecs}

    @without("events:created")
    def test_where_no_writes_reach_a_handler_there_is_no_feed(self, bucket: Bucket, driver_of: DriverOf) -> None:
        with pytest.raises(NotImplementedError):
            driver_of(bucket).feed("consumer")

    @needs("feed")
    @without("events:deleted")
    def test_where_no_deletions_reach_a_handler_a_feed_tells_of_none(self, bucket: Bucket, driver_of: DriverOf) -> None:
        feed = driver_of(bucket).feed("consumer")
        bucket.write("k", b"1")
        bucket.delete("k")

        assert told(feed) == [("created", "k")]


@without("feed")
class TestWithoutFeeds:
    def test_there_is_no_feed_to_ask_for(self, bucket: Bucket, driver_of: DriverOf) -> None:
        with pytest.raises(NotImplementedError):
            driver_of(bucket).feed("consumer")
