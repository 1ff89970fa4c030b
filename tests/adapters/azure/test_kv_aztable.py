"""Tables in Azure Table Storage: what the conformance suite cannot say of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.data.tables import EdmType, EntityProperty, TableEntity
from hypothesis import example, given
from hypothesis import strategies as st
from requests.exceptions import ChunkedEncodingError, ReadTimeout

from portable.kv import Table
from portable_azure import _entities, _keys
from portable_azure.harness import AzureHarness
from portable_azure.kv import AzureTable
from portable_azure.limits import AZTABLE
from portable_conformance.counterparts.faults import Proxy
from portable_contracts.errors import Conflict, NotFound, PortableError, Unavailable
from portable_contracts.harness import MissingCounterpart
from portable_contracts.kv import Create, Delete, Put, measure
from portable_contracts.provider import Address, Opening

driver = AzureTable.from_address(Address.parse("aztable://entries?account=acme"), Opening())

ALPHABET = st.one_of(
    st.sampled_from(list('#%/?\\"$.>[ a~\xa0éひ日\ud7ff\ue000\uffff\U00010000\U0010ffff')),
    st.characters(min_codepoint=0x20, exclude_categories=("Cs", "Cc")),
)


def _cut(text: str) -> str:
    return text.encode()[: _keys.LONGEST].decode(errors="ignore")


SHORT = st.text(ALPHABET, max_size=12)
LONG = st.builds(
    lambda filling, missing, end: _cut((filling * 600).encode()[: 512 - missing].decode(errors="ignore") + end),
    st.sampled_from(["#", "a", '"', "é", "#é", "日", "\ue000", "😀", "#a", "a#", "#😀"]),
    st.integers(0, 5),
    st.text(ALPHABET, max_size=4),
)
KEYS = st.one_of(SHORT, LONG)


class TestKeys:
    @given(KEYS, KEYS)
    @example("#" * 512, "#" * 511)
    @example("#" * 511 + "a", "#" * 511 + "#")
    @example('"' * 512, "#" * 512)
    @example("#" * 509 + "/\xa0", "#" * 509 + "/0")
    def test_a_key_is_stored_reversibly_in_order_in_characters_and_in_room_that_the_service_allows(
        self, one: str, other: str
    ) -> None:
        stored = _keys.stored(one)

        assert _keys.restored(stored) == one
        assert not set(stored) & set("/\\#?%")
        assert len(stored.encode("utf-16-be")) <= 1024
        order = stored.encode("utf-16-be") < _keys.stored(other).encode("utf-16-be")
        assert order == (one.encode() < other.encode())

    @pytest.mark.parametrize("key", ["welcome", "2026-11-20T10:00", "a b", "日本", "it's", ""])
    def test_most_keys_are_stored_as_they_are(self, key: str) -> None:
        assert _keys.stored(key) == key

    @given(st.text(max_size=8))
    def test_a_key_of_somebody_else_s_is_read_all_the_same(self, text: str) -> None:
        assert isinstance(_keys.restored(text), str)


class TestEntities:
    @pytest.mark.parametrize(
        ("value", "properties"),
        [
            ("text", {"value": "text"}),
            (7, {"value": EntityProperty(7, EdmType.INT64)}),
            (2.0, {"value": 2.0}),
            (True, {"value": True}),
            (b"\x00", {"value": b"\x00"}),
            (None, {"json": "null"}),
            (-0.0, {"json": "-0.0"}),
            ("a\x00", {"json": '"a\\u0000"'}),
            ({"a": [1, b"1"]}, {"json": '{"a":[1,{"$bytes":"MQ=="}]}'}),
        ],
        ids=repr,
    )
    def test_a_value_is_kept_as_the_service_has_it_or_as_json(self, value: Any, properties: dict[str, Any]) -> None:
        assert _entities.properties(value) == properties

    @pytest.mark.parametrize(
        "value",
        [
            "é" * 345_000,
            "\x00" * 690_000,
            b"\xff" * 690_000,
            [-(2**63)] * 53_000,
            [5e-324] * 53_000,
            [""] * 600_000,
            ["a"] * 340_000,
            [[]] * 170_000,
            {f"{number:x}": "" for number in range(120_000)},
            {"a": {"b": [None, True, b"", b"x" * 70_000, "y" * 70_000]}},
        ],
        ids=lambda value: f"{type(value).__name__}-{str(value)[:12]!r}",
    )
    def test_the_largest_values_fit_into_an_entity_and_come_back(self, value: Any) -> None:
        assert measure(value) <= AZTABLE.max_item_bytes
        properties = _entities.properties(value)

        assert sum(len(part) + 2 * len(name) for name, part in properties.items()) < 1024**2 - 4096
        assert all(len(part) <= 1 << 16 for part in properties.values())
        assert _entities.value_of(properties) == value

    def test_an_entity_of_somebody_else_s_is_a_map_of_its_properties(self) -> None:
        entity = TableEntity(
            PartitionKey="p",
            RowKey="s",
            name="Ada",
            big=EntityProperty(1, EdmType.INT64),
            at=datetime(2026, 1, 2, tzinfo=timezone.utc),
        )

        assert _entities.value_of(entity) == {"name": "Ada", "big": 1, "at": "2026-01-02T00:00:00+00:00"}


class TestErrors:
    @pytest.mark.parametrize(
        "error",
        [HttpResponseError(error=ChunkedEncodingError("cut")), HttpResponseError(error=ReadTimeout("slow"))],
        ids=repr,
    )
    def test_an_answer_that_broke_off_is_unavailable(self, error: Exception) -> None:
        assert issubclass(driver.classify(error), PortableError)
        assert driver.classify(error).retryable


@pytest.fixture
def address() -> Iterator[str]:
    harness = AzureHarness()
    try:
        made = harness.create("table", "aztable", {})
    except MissingCounterpart as missing:
        pytest.skip(str(missing))
    yield made
    harness.destroy(made)


@pytest.fixture
def table(address: str) -> Table:
    return Table.at(address)


@pytest.fixture
def proxy(address: str) -> Iterator[Proxy]:
    where = AzureHarness().upstream(address)
    assert where is not None
    with Proxy(*where) as proxy:
        yield proxy


@pytest.fixture
def far(address: str, proxy: Proxy) -> Table:
    return Table.at(AzureHarness().through(address, proxy.host, proxy.port))


class TestRequests:
    @pytest.mark.parametrize(
        "operation",
        [
            pytest.param(lambda table: table.get("p", "s"), id="get"),
            pytest.param(lambda table: table.get("p", "none", default=None), id="get-missing"),
            pytest.param(lambda table: table.put("p", "s", 2), id="put"),
            pytest.param(lambda table: table.create("p", "new", 1), id="create"),
            pytest.param(lambda table: table.delete("p", "s"), id="delete"),
            pytest.param(lambda table: list(table.query("p")), id="query"),
            pytest.param(lambda table: table.transact("p", [Put("a", 1), Create("b", 1), Delete("s")]), id="transact"),
        ],
    )
    def test_an_operation_is_one_request(self, table: Table, far: Table, proxy: Proxy, operation: Any) -> None:
        table.put("p", "s", 1)
        operation(far)

        assert len(proxy.seen) == 1

    def test_a_guard_on_a_version_that_cannot_be_is_refused_here(self, far: Table, proxy: Proxy) -> None:
        with pytest.raises(Conflict):
            far.put("p", "s", 1, if_version="no version")

        assert proxy.seen == []


class TestTransactions:
    def test_a_deleted_item_that_was_missing_leaves_nothing(self, table: Table) -> None:
        table.transact("p", [Delete("missing"), Put("a", 1)])

        assert [entity["RowKey"] for entity in table.native().list_entities()] == ["a"]


def test_a_delete_in_a_missing_table_is_not_found(address: str) -> None:
    with pytest.raises(NotFound):
        Table.at(address.replace("aztable://", "aztable://no")).delete("p", "s")


def test_an_item_that_others_win_again_and_again_is_unavailable(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portable_azure.kv.ATTEMPTS", 0)
    with pytest.raises(Unavailable):
        table.increment("p", "s", "n")
