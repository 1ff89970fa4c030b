"""Tables in Firestore: what the conformance suite cannot say of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

import grpc
import pytest
from google.api_core import exceptions as google_errors
from google.auth import exceptions as auth_errors
from google.cloud.firestore_v1.types import document as document_types

from portable import Create, Put
from portable.kv import Table
from portable_conformance._values import VALUES, exact, nested
from portable_conformance.counterparts import firestore
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
    Unsupported,
)
from portable_contracts.provider import Address, Opening
from portable_gcp._documents import document_id, fill
from portable_gcp._firestore import value_of
from portable_gcp._packing import restored
from portable_gcp.kv import FirestoreTable

driver = FirestoreTable.from_address(Address.parse("firestore://entries?project=acme"), Opening())
numbers = count(1)


@pytest.fixture(scope="module")
def server() -> Any:
    return firestore.start()


@pytest.fixture
def table(server: Any) -> Table:
    return Table.at(f"firestore://t-{os.getpid()}-{next(numbers)}?project=acme&endpoint={server.url}")


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (google_errors.NotFound("The database x does not exist"), NotFound),
            (google_errors.AlreadyExists("x"), AlreadyExists),
            (google_errors.Aborted("Too much contention on these documents."), Unavailable),
            (google_errors.ResourceExhausted("Quota exceeded."), Unavailable),
            (google_errors.ServiceUnavailable("x"), Unavailable),
            (google_errors.InternalServerError("x"), Unavailable),
            (google_errors.Cancelled("x"), Unavailable),
            (google_errors.DeadlineExceeded("x"), Timeout),
            (google_errors.PermissionDenied("Missing or insufficient permissions."), PermissionDenied),
            (google_errors.Unauthenticated("x"), PermissionDenied),
            (google_errors.InvalidArgument("x"), InvalidArgument),
            (google_errors.InvalidArgument("its size exceeds the maximum allowed size of 1,048,576"), LimitExceeded),
            (google_errors.InvalidArgument("The value of property is longer than 1048487 bytes."), LimitExceeded),
            (google_errors.OutOfRange("x"), InvalidArgument),
            (google_errors.MethodNotImplemented("x"), Unsupported),
            (google_errors.FailedPrecondition("The query requires an index."), PortableError),
            (google_errors.Unknown("x"), PortableError),
            (google_errors.DataLoss("x"), PortableError),
            (auth_errors.DefaultCredentialsError("x"), PermissionDenied),
            (auth_errors.RefreshError("x"), PermissionDenied),
            (auth_errors.RefreshError("x", retryable=True), Unavailable),
            (auth_errors.TransportError("x"), Unavailable),
            (ConnectionResetError(), Unavailable),
            (TimeoutError(), Timeout),
        ],
        ids=repr,
    )
    def test_errors_of_the_sdk_are_classified(self, error: Exception, kind: type[PortableError]) -> None:
        assert driver.classify(error) is kind

    def test_errors_of_grpc_itself_are_classified(self) -> None:
        with (
            grpc.insecure_channel("127.0.0.1:1") as channel,
            pytest.raises(grpc.RpcError) as caught,
        ):
            channel.unary_unary("/x/y")(b"", timeout=5)

        assert driver.classify(caught.value) is Unavailable

    def test_an_error_is_explained_by_its_code_and_what_the_service_says(self) -> None:
        assert driver.explain(google_errors.PermissionDenied("Missing permissions.")) == (
            "PERMISSION_DENIED: Missing permissions."
        )

    @pytest.mark.parametrize(
        ("error", "nothing"),
        [
            (google_errors.Aborted("x"), True),
            (google_errors.ResourceExhausted("x"), True),
            (google_errors.ServiceUnavailable("failed to connect to all addresses; last error: x"), True),
            (google_errors.ServiceUnavailable("Stream removed"), False),
            (google_errors.InternalServerError("x"), False),
            (google_errors.DeadlineExceeded("x"), False),
            (ConnectionResetError(), False),
        ],
        ids=repr,
    )
    def test_only_some_errors_prove_that_nothing_was_done(self, error: Exception, nothing: bool) -> None:
        assert driver.changed_nothing(error) is nothing

    def test_a_server_that_is_not_there_is_unavailable(self) -> None:
        table = Table.at("firestore://t?project=acme&endpoint=http://127.0.0.1:1")

        with pytest.raises(Unavailable):
            table.get("p", "s")

    def test_without_credentials_the_error_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        program = (
            "from portable.kv import Table\n"
            "from portable_contracts.errors import PermissionDenied\n"
            "try: Table.at('firestore://t?project=acme').get('p', 's')\n"
            "except PermissionDenied as error: print(error)"
        )
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert "/nowhere/key.json" in done.stdout


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "firestore://",
            "firestore://entries/acme",
            "firestore://entries//acme",
            "firestore://__entries__",
            "firestore://..",
            "firestore://entries?region=x",
            "firestore://entries?endpoint=127.0.0.1:8080",
        ],
    )
    def test_a_wrong_address_is_refused(self, address: str) -> None:
        with pytest.raises(InvalidArgument):
            FirestoreTable.from_address(Address.parse(address), Opening())

    def test_an_unknown_parameter_is_refused_with_the_nearest_one(self) -> None:
        with pytest.raises(InvalidArgument, match="'project'"):
            FirestoreTable.from_address(Address.parse("firestore://entries?projekt=acme"), Opening())

    def test_a_collection_may_be_within_a_document(self, server: Any) -> None:
        table = Table.at(f"firestore://tenants/acme/entries?project=acme&endpoint={server.url}")
        other = Table.at(f"firestore://tenants/other/entries?project=acme&endpoint={server.url}")
        item = table.put("p", "s", 1)

        assert list(table.query("p")) == [item]
        assert list(table.scan()) == [item]
        assert list(other.scan()) == []

    def test_projects_are_apart(self, server: Any) -> None:
        Table.at(f"firestore://entries?project=one&endpoint={server.url}").put("p", "s", 1)
        other = Table.at(f"firestore://entries?project=other&endpoint={server.url}")

        assert other.get("p", "s", default=None) is None

    def test_the_project_may_come_from_the_environment(self, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "of-the-environment")
        Table.at(f"firestore://entries?endpoint={server.url}&database=(default)").put("p", "s", 1)
        named = Table.at(f"firestore://entries?project=of-the-environment&endpoint={server.url}")

        assert named.get("p", "s").value == 1


class TestIds:
    @pytest.mark.parametrize(
        ("keys", "readable"),
        [
            (("welcome", "2026-11-20"), ":welcome:2026-11-20"),
            (("welcome", ""), ":welcome:"),
            (("a/b:c%", "d:e"), ":a%2Fb%3Ac%25:d%3Ae"),
            (("__a__", "__b__"), ":__a__:__b__"),
        ],
        ids=repr,
    )
    def test_an_id_is_the_keys_after_four_digits(self, keys: tuple[str, str], readable: str) -> None:
        found = document_id(*keys)

        assert found[4:] == readable
        assert set(found[:4]) <= set("0123456789abcdef")

    def test_an_id_that_would_be_too_long_is_the_digest(self) -> None:
        assert len(document_id("/" * 700, "/" * 700)) == 64

    def test_digests_spread_ids_over_the_whole_range(self) -> None:
        begins = {document_id("p", f"{number:05}")[0] for number in range(200)}

        assert len(begins) == 16


class TestDocuments:
    def test_a_value_is_a_native_map_for_other_clients(self, table: Table) -> None:
        value = {"name": "Ada", "n": 1, "f": 1.0, "b": b"1", "l": [1, {"a": None}], "t": True}
        table.put("p", "s", value)
        (document,) = table.native().collection(table.name).stream()
        fields = document.to_dict()

        assert (fields["partition"], fields["sort"], exact(fields["value"])) == ("p", "s", exact(value))

    def test_an_expiry_is_a_native_timestamp(self, table: Table) -> None:
        from datetime import datetime, timezone

        moment = datetime(2031, 2, 3, 4, 5, 6, 789012, tzinfo=timezone.utc)
        table.put("p", "s", 1, expires=moment)
        (document,) = table.native().collection(table.name).stream()

        assert document.to_dict()["expires"] == moment
        assert table.get("p", "s").expires == moment

    def test_a_field_may_be_changed_by_another_client(self, table: Table) -> None:
        version = table.put("p", "s", {"n": 1}).version
        table.native().collection(table.name).document(document_id("p", "s")).update({"value.n": 2})

        assert table.get("p", "s").value == {"n": 2}
        assert table.get("p", "s").version != version

    def test_documents_of_others_are_no_items(self, table: Table) -> None:
        item = table.put("p", "s", 1)
        table.native().collection(table.name).document("0000-theirs").set({"value": 1, "key": 5})

        assert list(table.scan()) == [item]
        assert list(table.query("p")) == [item]

    @pytest.mark.parametrize(
        "value",
        [
            *VALUES.values(),
            nested(20, list),
            nested(20, dict),
            {"long": {"n" * 2000: [[1]]}},
            [{}] * 60_000,
            {"~": 1, "~[": 2, "~value": b"3", "~~": 4, "__x__": 5, "": 6},
            [{"~[": [1]}, {"~value": b"x"}],
        ],
        ids=lambda value: repr(value)[:30],
    )
    def test_what_an_event_tells_of_a_document_is_its_value(self, value: Any) -> None:
        document = document_types.Document.pb()()
        fill(document, "p", "s", value, None)

        assert exact(restored(value_of(document.fields["value"].SerializeToString()))) == exact(value)

    @pytest.mark.parametrize(
        "value", [[{}] * 60_000, {"n" * 2000: 1}, nested(20, list)], ids=["many maps", "a long name", "depth"]
    )
    def test_what_no_document_holds_is_kept_all_the_same(self, table: Table, value: Any) -> None:
        table.put("p", "s", value)

        assert table.get("p", "s").value == value

    def test_an_increment_of_a_map_that_no_document_holds_works(self, table: Table) -> None:
        table.put("p", "s", {"n" * 2000: 1, "n": 5})

        assert table.increment("p", "s", "n") == 6
        assert table.get("p", "s").value == {"n" * 2000: 1, "n": 6}

    def test_a_transaction_that_is_larger_than_a_request_is_refused_whole(self, table: Table) -> None:
        with pytest.raises(LimitExceeded):
            table.transact("p", [Put(str(number), "a" * 600_000) for number in range(20)])

        assert list(table.query("p")) == []


CALLS: dict[str, tuple[Callable[[Table], Any], list[str]]] = {
    "get": (lambda table: table.get("p", "s"), ["BatchGetDocuments"]),
    "get of a missing one": (lambda table: table.get("p", "t", default=None), ["BatchGetDocuments"]),
    "get_many": (lambda table: table.get_many([("p", "s"), ("p", "t"), ("q", "s")]), ["BatchGetDocuments"]),
    "put": (lambda table: table.put("p", "s", 2), ["Commit"]),
    "create": (lambda table: table.create("p", "t", 2), ["Commit"]),
    "delete": (lambda table: table.delete("p", "s"), ["Commit"]),
    "query": (lambda table: list(table.query("p")), ["RunQuery"]),
    "scan": (lambda table: list(table.scan()), ["RunQuery"]),
    "transact": (lambda table: table.transact("p", [Create("t", 1), Put("s", 1)]), ["Commit"]),
    "increment": (lambda table: table.increment("p", "t", "n"), ["BatchGetDocuments", "Commit"]),
}


class TestRequests:
    @pytest.mark.parametrize(("call", "methods"), CALLS.values(), ids=CALLS)
    def test_a_call_makes_one_request(
        self, server: Any, table: Table, call: Callable[[Table], Any], methods: list[str]
    ) -> None:
        table.put("p", "s", 1)
        firestore.watch(server, table.name)
        call(table)

        assert firestore.seen(server, table.name) == methods

    def test_a_guard_costs_no_request(self, server: Any, table: Table) -> None:
        version = table.put("p", "s", 1).version
        firestore.watch(server, table.name)
        version = table.put("p", "s", 2, if_version=version).version
        table.delete("p", "s", if_version=version)

        assert firestore.seen(server, table.name) == ["Commit", "Commit"]


class TestFaults:
    @pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED", "ABORTED", "DEADLINE_EXCEEDED"])
    @pytest.mark.parametrize("after", [False, True], ids=["before it is done", "after it is done"])
    def test_reads_and_plain_writes_are_tried_again(self, server: Any, table: Table, code: str, after: bool) -> None:
        for method in ("Commit", "BatchGetDocuments", "RunQuery"):
            firestore.inject(server, table.name, method=method, code=code, after=after)
        table.put("p", "s", 1)

        assert table.get("p", "s").value == 1
        assert [item.value for item in table.query("p")] == [1]

    @pytest.mark.parametrize("code", ["ABORTED", "RESOURCE_EXHAUSTED"])
    @pytest.mark.parametrize(
        "call",
        [
            lambda table, version: table.create("p", "t", 1),
            lambda table, version: table.put("p", "s", 1, if_version=version),
            lambda table, version: table.delete("p", "s", if_version=version),
            lambda table, version: table.increment("p", "t", "n"),
            lambda table, version: table.transact("p", [Create("t", 1)]),
        ],
        ids=["create", "guarded put", "guarded delete", "increment", "transact"],
    )
    def test_what_was_not_begun_is_tried_again_whatever_it_is(
        self, server: Any, table: Table, code: str, call: Callable[[Table, str], Any]
    ) -> None:
        version = table.put("p", "s", 1).version
        firestore.inject(server, table.name, method="Commit", code=code)

        call(table, version)

    @pytest.mark.parametrize(
        "call",
        [
            lambda table, version: table.create("p", "t", 1),
            lambda table, version: table.put("p", "s", 1, if_version=version),
            lambda table, version: table.delete("p", "s", if_version=version),
            lambda table, version: table.increment("p", "t", "n"),
            lambda table, version: table.transact("p", [Create("t", 1)]),
        ],
        ids=["create", "guarded put", "guarded delete", "increment", "transact"],
    )
    def test_a_lost_answer_is_never_told_as_a_refusal(
        self, server: Any, table: Table, call: Callable[[Table, str], Any]
    ) -> None:
        version = table.put("p", "s", 1).version
        firestore.inject(server, table.name, method="Commit", code="UNAVAILABLE", message="Stream removed", after=True)

        with pytest.raises(Unavailable):
            call(table, version)

    def test_a_query_whose_answer_breaks_off_gives_each_item_once(self, server: Any, table: Table) -> None:
        for number in range(20):
            table.put("p", f"{number:02}", number)
        firestore.inject(server, table.name, method="RunQuery", after=True)

        assert [item.value for item in table.query("p")] == list(range(20))

    def test_a_service_that_fails_for_long_is_reported(self, server: Any, table: Table) -> None:
        firestore.inject(server, table.name, times=100)

        with pytest.raises(Unavailable, match="UNAVAILABLE: injected"):
            table.put("p", "s", 1)

    def test_a_refusal_of_permission_is_not_tried_again(self, server: Any, table: Table) -> None:
        firestore.inject(server, table.name, code="PERMISSION_DENIED")

        with pytest.raises(PermissionDenied):
            table.put("p", "s", 1)

    def test_the_wait_that_the_service_asks_for_is_read(self, server: Any, table: Table) -> None:
        firestore.inject(server, table.name, code="RESOURCE_EXHAUSTED", retry_after=2.5)
        reached = FirestoreTable.from_address(
            Address.parse(f"firestore://{table.name}?project=acme&endpoint={server.url}"), Opening()
        )
        with pytest.raises(google_errors.ResourceExhausted) as caught:
            reached.get("p", "s", now=0)

        assert reached.retry_after(caught.value) == 2.5

    def test_a_create_that_meets_an_item_in_a_contended_commit_is_refused_as_such(
        self, server: Any, table: Table
    ) -> None:
        table.create("p", "s", 1)
        firestore.inject(server, table.name, method="Commit", code="ABORTED")

        with pytest.raises(AlreadyExists):
            table.create("p", "s", 2)

    def test_a_guard_that_fails_is_a_conflict_though_the_service_has_two_words_for_it(
        self, server: Any, table: Table
    ) -> None:
        version = table.put("p", "s", 1).version
        firestore.inject(server, table.name, method="Commit", code="NOT_FOUND", message="No document to update: x")

        with pytest.raises(Conflict):
            table.put("p", "s", 2, if_version=version)


FORKING = """
import os, sys
from portable.kv import Table
table = Table.at(sys.argv[1])
table.put("p", "s", {"n": 0})
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        for _ in range(5):
            table.increment("p", "s", "n")
        os._exit(0)
    children.append(child)
print([os.waitpid(child, 0)[1] for child in children], table.get("p", "s").value)
"""


class TestForks:
    @pytest.mark.slow
    def test_children_of_a_process_that_used_a_table_use_it_too(self, server: Any, table: Table) -> None:
        address = f"firestore://{table.name}?project=acme&endpoint={server.url}"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FORKING, address],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )

        assert done.stdout == "[0, 0, 0, 0] {'n': 20}\n"


class TestEmulators:
    @pytest.mark.slow
    def test_an_emulator_that_the_environment_names_is_used(self, server: Any) -> None:
        program = (
            "import json\n"
            "from portable.kv import Table\n"
            "table = Table.at('firestore://by-environment')\n"
            "table.put('p', 's', 1)\n"
            "documents = table.native().collection('by-environment').stream()\n"
            "print(json.dumps([document.to_dict()['value'] for document in documents]))"
        )
        environment = {**os.environ, "FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{server.port}"}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )

        assert json.loads(done.stdout) == [1]
