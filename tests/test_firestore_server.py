"""The suite's Firestore server, by Google's own client: what its pages say of the service."""

from __future__ import annotations

import os
import threading
from datetime import datetime, timezone
from itertools import count
from typing import Any

import pytest

from portable_conformance.counterparts import firestore as counterpart

firestore = pytest.importorskip("google.cloud.firestore")
google_errors = pytest.importorskip("google.api_core.exceptions")

numbers = count(1)


@pytest.fixture(scope="module")
def client() -> Any:
    from google.auth.credentials import AnonymousCredentials

    made = firestore.Client("acme", AnonymousCredentials())
    made._emulator_host = f"127.0.0.1:{counterpart.start().port}"
    return made


@pytest.fixture
def things(client: Any) -> Any:
    return client.collection(f"things-{os.getpid()}-{next(numbers)}")


@pytest.fixture
def cities(things: Any) -> Any:
    for name, country, people, tags in (
        ("BJ", "China", 21.5, ["capital", "hongwu"]),
        ("DC", "USA", 0, ["capital"]),
        ("LA", "USA", 3_900_000, []),
        ("SF", "USA", 860_000, ["fog", "bay"]),
        ("TOK", "Japan", 9_000_000, ["capital", "bay"]),
    ):
        things.document(name).set({"name": name, "country": country, "people": people, "tags": tags})
    return things


def nested(levels: int) -> Any:
    """Return a document whose one field holds maps, each in the next."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return {"value": value}


def ids(query: Any) -> list[str]:
    return [document.id for document in query.stream()]


class TestDocuments:
    def test_every_type_comes_back(self, client: Any, things: Any) -> None:
        document = things.document("a")
        value = {
            "none": None,
            "bool": True,
            "int": 2**63 - 1,
            "float": 1.0,
            "text": "é😀",
            "bytes": b"\xff",
            "list": [1, {"a": []}],
            "map": {"a.b": 1},
            "time": datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc),
            "point": firestore.GeoPoint(1.5, -2.5),
            "reference": things.document("b"),
        }
        document.set(value)

        assert document.get().to_dict() == value

    def test_a_missing_document_is_none(self, things: Any) -> None:
        assert not things.document("a").get().exists

    def test_create_refuses_what_is_there(self, things: Any) -> None:
        things.document("a").create({"n": 1})

        with pytest.raises(google_errors.AlreadyExists):
            things.document("a").create({"n": 2})

    def test_update_refuses_what_is_missing(self, things: Any) -> None:
        with pytest.raises(google_errors.NotFound):
            things.document("a").update({"n": 2})

    def test_update_changes_the_named_fields_alone(self, things: Any) -> None:
        things.document("a").set({"m": {"x": 1, "y": 2}, "n": 1, "o": 1})
        things.document("a").update({"m.x": 3, "`a.b`": 4, "n": firestore.DELETE_FIELD})

        assert things.document("a").get().to_dict() == {"m": {"x": 3, "y": 2}, "a.b": 4, "o": 1}

    def test_set_with_merge_keeps_the_rest(self, things: Any) -> None:
        things.document("a").set({"m": {"x": 1, "y": 2}})
        things.document("a").set({"m": {"x": 3}}, merge=True)

        assert things.document("a").get().to_dict() == {"m": {"x": 3, "y": 2}}

    def test_a_guard_on_the_update_time_holds_once(self, client: Any, things: Any) -> None:
        document = things.document("a")
        written = document.set({"n": 1})
        guard = client.write_option(last_update_time=written.update_time)
        document.update({"n": 2}, option=guard)

        with pytest.raises(google_errors.FailedPrecondition):
            document.update({"n": 3}, option=guard)
        with pytest.raises(google_errors.FailedPrecondition):
            document.delete(option=guard)
        assert document.get().to_dict() == {"n": 2}

    def test_a_write_that_changes_nothing_keeps_the_update_time(self, things: Any) -> None:
        first = things.document("a").set({"n": 1})
        second = things.document("a").set({"n": 1})
        third = things.document("a").set({"n": 2})

        assert second.update_time == first.update_time
        assert third.update_time > first.update_time
        assert things.document("a").get().create_time == first.update_time

    def test_transforms_are_done_by_the_server(self, things: Any) -> None:
        things.document("a").set({"n": 1, "f": 1, "tags": [1, 2], "text": "x"})
        things.document("a").update(
            {
                "n": firestore.Increment(2),
                "f": firestore.Increment(0.5),
                "text": firestore.Increment(1),
                "missing": firestore.Increment(7),
                "tags": firestore.ArrayUnion([2, 3]),
                "when": firestore.SERVER_TIMESTAMP,
                "largest": firestore.Maximum(5),
            }
        )
        found = things.document("a").get().to_dict()

        assert abs((found.pop("when") - datetime.now(timezone.utc)).total_seconds()) < 60
        assert found == {"n": 3, "f": 1.5, "text": 1, "missing": 7, "tags": [1, 2, 3], "largest": 5}

    def test_an_increment_stops_at_the_largest_int(self, things: Any) -> None:
        things.document("a").set({"n": 2**63 - 2})
        things.document("a").update({"n": firestore.Increment(5)})

        assert things.document("a").get().to_dict() == {"n": 2**63 - 1}

    def test_entries_are_taken_out_of_an_array(self, things: Any) -> None:
        things.document("a").set({"tags": [1, 2, 1, 3]})
        things.document("a").update({"tags": firestore.ArrayRemove([1])})

        assert things.document("a").get().to_dict() == {"tags": [2, 3]}

    def test_several_are_read_at_once_with_some_fields(self, client: Any, cities: Any) -> None:
        wanted = [cities.document(name) for name in ("SF", "none", "LA")]
        found = {each.id: each.to_dict() for each in client.get_all(wanted, field_paths=["name"])}

        assert found == {"SF": {"name": "SF"}, "LA": {"name": "LA"}, "none": None}


class TestLimits:
    @pytest.mark.parametrize(
        "value",
        [{"a": [[1]]}, {"a": [{"": 1}]}, {"a": {"__b__": 1}}, {"a": {"n" * 1501: 1}}, {"a": "x" * 1_048_488}],
        ids=["a list in a list", "an empty name", "a reserved name", "a long name", "a long text"],
    )
    def test_what_no_document_holds_is_refused(self, things: Any, value: Any) -> None:
        with pytest.raises(google_errors.InvalidArgument):
            things.document("a").set(value)

        assert not things.document("a").get().exists

    def test_values_nest_20_levels(self, things: Any) -> None:
        things.document("a").set(nested(20))

        with pytest.raises(google_errors.InvalidArgument):
            things.document("a").set({"value": nested(20)})
        assert things.document("a").get().to_dict() == nested(20)

    @pytest.mark.parametrize("document_id", ["..", "__a__", "a" * 1501])
    def test_some_ids_are_refused(self, things: Any, document_id: str) -> None:
        with pytest.raises(google_errors.InvalidArgument):
            things.document(document_id).set({})

    def test_a_document_has_at_most_a_mebibyte_with_its_name(self, things: Any) -> None:
        name = len(things.id) + 1 + len("a") + 1 + 16
        room = 1_048_576 - name - 32 - 2 * (len("x") + 1 + 1)
        things.document("a").set({"x": "x" * (room - 1000), "y": "y" * 1000})

        with pytest.raises(google_errors.InvalidArgument, match="exceeds the maximum"):
            things.document("a").set({"x": "x" * (room - 1000), "y": "y" * 1001})

    def test_a_request_has_at_most_ten_mebibytes(self, client: Any, things: Any) -> None:
        batch = client.batch()
        for number in range(11):
            batch.set(things.document(str(number)), {"x": "x" * 1_000_000})

        with pytest.raises(google_errors.InvalidArgument):
            batch.commit()
        assert ids(things) == []

    def test_a_database_that_does_not_exist_is_not_found(self, client: Any) -> None:
        other = firestore.Client("acme", client._credentials, "other")
        other._emulator_host = client._emulator_host

        with pytest.raises(google_errors.NotFound):
            other.collection("a").document("b").get()


class TestQueries:
    @pytest.mark.parametrize(
        ("field", "operator", "value", "expected"),
        [
            ("country", "==", "USA", ["DC", "LA", "SF"]),
            ("country", "in", ["China", "Japan"], ["BJ", "TOK"]),
            ("tags", "array_contains", "bay", ["SF", "TOK"]),
            ("tags", "array_contains_any", ["fog", "hongwu"], ["BJ", "SF"]),
            ("people", ">", 860_000, ["LA", "TOK"]),
            ("people", ">=", 860_000, ["SF", "LA", "TOK"]),
            ("people", "<", 21.5, ["DC"]),
            ("people", "<=", 21.5, ["DC", "BJ"]),
            ("country", "!=", "USA", ["BJ", "TOK"]),
            ("country", "not-in", ["USA", "Japan"], ["BJ"]),
            ("name", ">", 5, []),
        ],
        ids=str,
    )
    def test_filters_choose_documents(
        self, cities: Any, field: str, operator: str, value: Any, expected: list[str]
    ) -> None:
        assert ids(cities.where(filter=firestore.FieldFilter(field, operator, value))) == expected

    def test_an_or_takes_either(self, cities: Any) -> None:
        either = firestore.Or(
            [firestore.FieldFilter("name", "==", "SF"), firestore.FieldFilter("country", "==", "Japan")]
        )

        assert ids(cities.where(filter=either)) == ["SF", "TOK"]

    def test_documents_stand_in_the_order_of_their_names(self, things: Any) -> None:
        names = ["a", "B", "é", "\uffee", "😀", "Z", "a!"]
        for name in names:
            things.document(name).set({})

        assert ids(things) == sorted(names, key=str.encode)

    def test_values_of_all_types_have_an_order(self, things: Any) -> None:
        values = [
            *(None, False, True, float("nan"), -1, 0.5, 1, 2**62, datetime(2030, 1, 1, tzinfo=timezone.utc)),
            *("", "a", "é", "😀", b"", b"a", things.document("x"), firestore.GeoPoint(1, 2), [], [1], {}, {"a": 1}),
        ]
        for number, value in enumerate(reversed(values)):
            things.document(f"{len(values) - 1 - number:02}").set({"value": value})

        assert ids(things.order_by("value")) == [f"{number:02}" for number in range(len(values))]

    @pytest.mark.parametrize(
        ("bound", "expected"),
        [
            (lambda query: query.start_at({"people": 860_000}), ["SF", "LA", "TOK"]),
            (lambda query: query.start_after({"people": 860_000}), ["LA", "TOK"]),
            (lambda query: query.end_at({"people": 860_000}), ["DC", "BJ", "SF"]),
            (lambda query: query.end_before({"people": 860_000}), ["DC", "BJ"]),
            (lambda query: query.limit(2), ["DC", "BJ"]),
            (lambda query: query.offset(3).limit(1), ["LA"]),
            (lambda query: query.limit_to_last(2), ["LA", "TOK"]),
        ],
        ids=["start_at", "start_after", "end_at", "end_before", "limit", "offset", "limit_to_last"],
    )
    def test_cursors_and_limits_cut_a_query(self, cities: Any, bound: Any, expected: list[str]) -> None:
        assert [document.id for document in bound(cities.order_by("people")).get()] == expected

    @pytest.mark.parametrize("direction", ["ASCENDING", "DESCENDING"])
    def test_a_query_goes_on_after_a_document(self, cities: Any, direction: str) -> None:
        query = cities.order_by("people", direction=direction)
        whole = list(query.stream())

        assert ids(query.start_after(whole[1])) == [document.id for document in whole[2:]]

    def test_documents_without_the_field_are_not_in_its_order(self, cities: Any) -> None:
        cities.document("none").set({"name": "none"})

        assert "none" not in ids(cities.order_by("people"))

    def test_only_the_chosen_fields_come(self, cities: Any) -> None:
        (found,) = cities.where(filter=firestore.FieldFilter("name", "==", "SF")).select(["country"]).stream()

        assert found.to_dict() == {"country": "USA"}

    @pytest.mark.parametrize(
        "query",
        [
            lambda cities: cities.where(filter=firestore.FieldFilter("country", "==", "USA")).order_by("people"),
            lambda cities: cities.order_by("country").order_by("people"),
            lambda cities: cities.order_by("__name__", direction="DESCENDING"),
        ],
        ids=["a filter and another's order", "two orders", "names descending"],
    )
    def test_a_query_that_needs_an_index_of_its_own_is_refused(self, cities: Any, query: Any) -> None:
        with pytest.raises(google_errors.FailedPrecondition, match="index"):
            ids(query(cities))

    def test_a_collection_group_is_over_all_parents(self, client: Any, things: Any) -> None:
        for parent in ("a", "b"):
            things.document(parent).collection(f"of-{things.id}").document("x").set({"n": 1})

        assert [document.reference.path for document in client.collection_group(f"of-{things.id}").stream()] == [
            f"{things.id}/{parent}/of-{things.id}/x" for parent in ("a", "b")
        ]

    def test_partitions_of_a_group_are_disjoint_and_whole(self, client: Any, things: Any) -> None:
        batch = client.batch()
        for number in range(450):
            batch.set(things.document(f"{number:03}"), {})
        batch.commit()
        parts = [ids(partition.query()) for partition in client.collection_group(things.id).get_partitions(3)]

        assert len(parts) > 1
        assert [each for part in parts for each in part] == [f"{number:03}" for number in range(450)]


class TestBatches:
    def test_a_batch_is_done_whole_or_not_at_all(self, client: Any, things: Any) -> None:
        things.document("there").set({"n": 1})
        batch = client.batch()
        batch.set(things.document("new"), {"n": 1})
        batch.create(things.document("there"), {"n": 2})

        with pytest.raises(google_errors.AlreadyExists):
            batch.commit()
        assert ids(things) == ["there"]

    def test_a_bulk_write_does_what_it_can(self, client: Any, things: Any) -> None:
        from google.cloud.firestore_v1.types import firestore as messages

        things.document("there").set({"n": 1})
        root = client._database_string
        name = f"{root}/documents/{things.id}"
        answer = client._firestore_api.batch_write(
            messages.BatchWriteRequest(
                database=root,
                writes=[
                    {"update": {"name": f"{name}/there"}, "current_document": {"exists": False}},
                    {"update": {"name": f"{name}/new"}, "current_document": {"exists": False}},
                ],
            )
        )

        assert [status.code for status in answer.status] == [6, 0]
        assert ids(things) == ["new", "there"]


class TestTransactions:
    def test_increments_of_eight_threads_lose_nothing(self, client: Any, things: Any) -> None:
        document = things.document("a")
        document.set({"n": 0})

        @firestore.transactional
        def add(transaction: Any) -> None:
            n = document.get(transaction=transaction).to_dict()["n"]
            transaction.update(document, {"n": n + 1})

        def work() -> None:
            for _ in range(5):
                add(client.transaction(max_attempts=100))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert document.get().to_dict() == {"n": 40}

    @pytest.mark.parametrize(
        "read",
        [
            lambda things, transaction: things.document("a").get(transaction=transaction),
            lambda things, transaction: things.document("missing").get(transaction=transaction),
            lambda things, transaction: list(things.stream(transaction=transaction)),
        ],
        ids=["a document", "a missing document", "a query"],
    )
    def test_a_commit_after_somebody_changed_what_was_read_is_aborted(
        self, client: Any, things: Any, read: Any
    ) -> None:
        things.document("a").set({"n": 0})
        transaction = client.transaction()
        transaction._begin()
        read(things, transaction)
        things.document("a").set({"n": 1})
        things.document("missing").set({"n": 1})
        transaction.set(things.document("b"), {"n": 1})

        with pytest.raises(google_errors.Aborted):
            transaction._commit()
        assert not things.document("b").get().exists

    def test_a_commit_after_somebody_changed_something_else_is_done(self, client: Any, things: Any) -> None:
        transaction = client.transaction()
        transaction._begin()
        things.document("a").get(transaction=transaction)
        things.document("other").set({"n": 1})
        transaction.set(things.document("b"), {"n": 1})
        transaction._commit()

        assert things.document("b").get().exists

    def test_a_transaction_reads_one_moment(self, client: Any, things: Any) -> None:
        things.document("a").set({"n": 0})
        transaction = client.transaction(read_only=True)
        transaction._begin()
        things.document("a").set({"n": 1})
        things.document("b").set({"n": 1})
        things.document("c").set({"n": 1})
        things.document("c").delete()

        assert things.document("a").get(transaction=transaction).to_dict() == {"n": 0}
        assert [document.to_dict() for document in things.stream(transaction=transaction)] == [{"n": 0}]
        transaction._rollback()
        assert ids(things) == ["a", "b"]

    def test_a_transaction_that_was_given_up_cannot_be_committed(self, client: Any, things: Any) -> None:
        transaction = client.transaction()
        transaction._begin()
        key = transaction.id
        transaction._rollback()
        transaction._id = key

        with pytest.raises(google_errors.InvalidArgument):
            transaction._commit()
