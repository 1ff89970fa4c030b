"""Tables of DynamoDB: what the conformance suite cannot say of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore import exceptions as sdk

from portable import Create, Delete, Put
from portable.kv import Table
from portable_aws._clients import client
from portable_aws.events import DynamoDBStream
from portable_aws.harness import AwsHarness
from portable_aws.kv import DynamoTable
from portable_conformance._threads import together
from portable_conformance._values import VALUES, exact
from portable_conformance.counterparts.faults import LOST, Proxy, cut, refusal
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
from portable_contracts.harness import MissingCounterpart
from portable_contracts.provider import Address, Opening


def opened(address: str, region: str | None = None) -> DynamoTable:
    return DynamoTable.from_address(Address.parse(address), Opening(region=region))


driver = opened("dynamodb://entries")


def answered(code: str, message: str = "It failed.", status: int = 400, **more: Any) -> sdk.ClientError:
    return sdk.ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}, "RequestId": "", "RetryAttempts": 0},
            **more,  # type: ignore[typeddict-item]  # as botocore makes it
        },
        "PutItem",
    )


def canceled(*codes: str) -> sdk.ClientError:
    return answered("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (answered("ConditionalCheckFailedException"), Conflict),
            (answered("ResourceNotFoundException"), NotFound),
            (answered("ValidationException"), InvalidArgument),
            (answered("ValidationException", "Item size has exceeded the maximum allowed size"), LimitExceeded),
            (answered("ItemCollectionSizeLimitExceededException"), LimitExceeded),
            (answered("ProvisionedThroughputExceededException"), Unavailable),
            (answered("ThrottlingException"), Unavailable),
            (answered("RequestLimitExceeded"), Unavailable),
            (answered("TransactionConflictException"), Unavailable),
            (answered("TransactionInProgressException"), Unavailable),
            (answered("InternalServerError", status=500), Unavailable),
            (answered("ServiceUnavailable", status=503), Unavailable),
            (answered("502", status=502), Unavailable),
            (answered("AccessDeniedException"), PermissionDenied),
            (answered("UnrecognizedClientException"), PermissionDenied),
            (answered("ExpiredTokenException"), PermissionDenied),
            (answered("MissingAuthenticationTokenException"), PermissionDenied),
            (answered("InvalidSignatureException"), PermissionDenied),
            (answered("SomethingNew"), PortableError),
            (canceled("None", "ConditionalCheckFailed"), Conflict),
            (canceled("ThrottlingError", "ConditionalCheckFailed"), Conflict),
            (canceled("TransactionConflict", "None"), Unavailable),
            (canceled("ProvisionedThroughputExceeded"), Unavailable),
            (canceled("None", "ValidationError"), InvalidArgument),
            (canceled("SomethingNew"), PortableError),
            (sdk.EndpointConnectionError(endpoint_url="http://x"), Unavailable),
            (sdk.ConnectionClosedError(endpoint_url="http://x"), Unavailable),
            (sdk.SSLError(endpoint_url="https://x", error=Exception("certificate")), Unavailable),
            (sdk.HTTPClientError(error="cut"), Unavailable),
            (sdk.ConnectTimeoutError(endpoint_url="http://x"), Timeout),
            (sdk.ReadTimeoutError(endpoint_url="http://x"), Timeout),
            (sdk.NoCredentialsError(), PermissionDenied),
            (sdk.PartialCredentialsError(provider="env", cred_var="x"), PermissionDenied),
            (sdk.CredentialRetrievalError(provider="p", error_msg="e"), PermissionDenied),
            (sdk.NoRegionError(), InvalidArgument),
            (sdk.BotoCoreError(), PortableError),
        ],
        ids=repr,
    )
    def test_what_the_sdk_raises_is_classified(self, error: Exception, kind: type[PortableError]) -> None:
        assert driver.classify(error) is kind

    @pytest.mark.parametrize(
        "error",
        [
            answered("ThrottlingException"),
            answered("TransactionConflictException"),
            answered("429", status=429),
            canceled("TransactionConflict"),
            sdk.EndpointConnectionError(endpoint_url="http://x"),
            sdk.ConnectTimeoutError(endpoint_url="http://x"),
        ],
        ids=repr,
    )
    def test_what_was_throttled_or_not_sent_changed_nothing(self, error: Exception) -> None:
        assert driver.changed_nothing(error)

    @pytest.mark.parametrize(
        "error",
        [
            answered("InternalServerError", status=500),
            sdk.ConnectionClosedError(endpoint_url="http://x"),
            sdk.ReadTimeoutError(endpoint_url="http://x"),
        ],
        ids=repr,
    )
    def test_what_lost_its_answer_may_have_changed_something(self, error: Exception) -> None:
        assert not driver.changed_nothing(error)

    def test_each_operation_of_a_transaction_has_its_reason(self) -> None:
        error = canceled("None", "ConditionalCheckFailed", "ConditionalCheckFailed", "TransactionConflict")
        error.creates = [False, True, False, False]  # type: ignore[attr-defined]  # as the driver says

        assert list(driver.reasons(error)) == [None, AlreadyExists, Conflict, Unavailable]

    def test_an_error_is_told_in_the_services_words(self) -> None:
        assert driver.explain(answered("ValidationException", "It is wrong.")) == "ValidationException: It is wrong."

    def test_who_is_not_signed_in_is_told_where_credentials_come_from(self) -> None:
        assert "environment, a profile or a role" in driver.explain(sdk.NoCredentialsError())


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "said"),
        [
            ("dynamodb://t", "3 to 255"),
            ("dynamodb://a/b", "has a path"),
            ("dynamodb://entries/x", "has a path"),
            ("dynamodb://en tries", "3 to 255"),
            ("dynamodb://entries?regoin=eu-west-1", "did you mean 'region'"),
            ("dynamodb://entries?endpoint=127.0.0.1:8000", "write it like http://"),
            ("dynamodb://entries?partition=", "cannot be"),
            ("dynamodb://entries?partition=value", "cannot be"),
            ("dynamodb://entries?sort=version", "cannot be"),
            ("dynamodb://entries?partition=sort", "cannot be"),
        ],
    )
    def test_a_wrong_address_is_refused(self, address: str, said: str) -> None:
        with pytest.raises(InvalidArgument, match=said):
            opened(address)

    @pytest.mark.parametrize(
        ("address", "region", "used"),
        [
            ("dynamodb://entries?region=eu-west-1", None, "eu-west-1"),
            ("dynamodb://entries?region=eu-west-1", "us-east-1", "eu-west-1"),
            ("dynamodb://entries", "ap-south-1", "ap-south-1"),
        ],
    )
    def test_the_region_is_the_addresss_else_the_targets(self, address: str, region: str | None, used: str) -> None:
        assert opened(address, region).native().meta.region_name == used

    def test_lambdas_own_region_is_used_where_nothing_else_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_REGION", "sa-east-1")

        assert opened("dynamodb://entries?endpoint=http://127.0.0.1:9").native().meta.region_name == "sa-east-1"


@pytest.fixture
def address() -> Iterator[str]:
    harness = AwsHarness()
    try:
        made = harness.create("table", "dynamodb", {})
    except MissingCounterpart as missing:
        pytest.skip(str(missing))
    yield made
    harness.destroy(made)


@pytest.fixture
def table(address: str) -> Table:
    return Table.at(address)


@pytest.fixture
def raw(address: str) -> Any:
    return client("dynamodb", endpoint=Address.parse(address).parameters["endpoint"], parameter_validation=False)


@pytest.fixture
def stored(address: str, raw: Any) -> Callable[..., Any]:
    """Return what reads an item as DynamoDB has it."""
    return lambda partition, sort: raw.get_item(
        TableName=Address.parse(address).name, Key={"partition": {"S": partition}, "sort": {"S": sort}}
    )["Item"]


@pytest.fixture
def other_table(address: str, raw: Any) -> Iterator[Callable[..., str]]:
    """Return what makes a table with keys of these names, and gives its address with these parameters."""
    names: list[str] = []

    def make(*keys: str, parameters: dict[str, str], **options: Any) -> str:
        names.append(f"{Address.parse(address).name}-other-{len(names)}")
        raw.create_table(
            TableName=names[-1],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
            **options,
        )
        endpoint = Address.parse(address).parameters["endpoint"]
        return str(Address("dynamodb", names[-1], "", {"endpoint": endpoint, **parameters}))

    yield make
    for name in names:
        raw.delete_table(TableName=name)


class TestAttributes:
    def test_a_value_is_native(self, table: Table, stored: Callable[..., Any]) -> None:
        value = {"name": "Ada", "age": 36, "score": 9.5, "tags": ["a", None, True], "key": b"1", "whole": 2.0}
        item = table.put("p", "s", value)

        assert stored("p", "s") == {
            "partition": {"S": "p"},
            "sort": {"S": "s"},
            "version": {"S": item.version},
            "floats": {"BOOL": True},
            "value": {
                "M": {
                    "name": {"S": "Ada"},
                    "age": {"N": "36"},
                    "score": {"N": "9.5"},
                    "tags": {"L": [{"S": "a"}, {"NULL": True}, {"BOOL": True}]},
                    "key": {"B": b"1"},
                    "whole": {"SS": ["2.0"]},
                }
            },
        }

    def test_an_item_expires_in_whole_seconds_for_the_services_sweeper(
        self, table: Table, stored: Callable[..., Any]
    ) -> None:
        moment = datetime(2099, 1, 1, 0, 0, 0, 1, tzinfo=timezone.utc)
        table.put("p", "s", 1, expires=moment)

        assert stored("p", "s")["expires"] == {"N": str(int(moment.timestamp()) + 1)}

    def test_an_empty_sort_key_stands_before_all_others(self, table: Table, stored: Callable[..., Any]) -> None:
        table.put("p", "", 1)

        assert stored("p", "\x01")["value"] == {"N": "1"}

    @pytest.mark.parametrize(("before", "after"), [({"n": 1, "f": 0.5}, 2), ({"f": 0.5, "g": 2.0}, 1)])
    def test_an_int_among_floats_is_incremented(self, table: Table, before: dict[str, Any], after: int) -> None:
        table.put("p", "s", before)

        assert table.increment("p", "s", "n") == after
        assert exact(table.get("p", "s").value) == exact({**before, "n": after})

    @pytest.mark.parametrize("value", [0.5, 1e300, -0.0, 2.0])
    def test_a_float_is_never_incremented(self, table: Table, value: float) -> None:
        item = table.put("p", "s", {"n": value})

        with pytest.raises(InvalidArgument, match="of type float"):
            table.increment("p", "s", "n")
        assert table.get("p", "s") == item

    def test_increments_among_floats_lose_nothing(self, table: Table) -> None:
        table.put("p", "s", {"f": 0.5})
        together(4, lambda number: [table.increment("p", "s", "n") for _ in range(10)])

        assert table.get("p", "s").value == {"f": 0.5, "n": 40}


class TestOtherTables:
    def test_a_tables_keys_may_have_other_names(self, other_table: Callable[..., str], raw: Any) -> None:
        address = other_table("pk", "sk", parameters={"partition": "pk", "sort": "sk"})
        table = Table.at(address)
        table.put("p", "", 0)
        table.create("p", "a", {"n": 1})
        table.increment("p", "a", "n")
        table.transact("p", [Create("b", 2), Delete("c")])

        assert [(item.sort, item.value) for item in table.query("p")] == [("", 0), ("a", {"n": 2}), ("b", 2)]
        assert len(list(table.scan())) == 3
        assert raw.get_item(TableName=Address.parse(address).name, Key={"pk": {"S": "p"}, "sk": {"S": "b"}})["Item"]

    def test_a_table_may_have_no_sort_key(self, other_table: Callable[..., str]) -> None:
        table = Table.at(other_table("id", parameters={"partition": "id", "sort": ""}))
        version = table.create("p", "", 1).version
        table.put("p", "", {"n": 2}, if_version=version)
        table.put("q", "", 3)
        table.increment("p", "", "n")

        assert [item.value for item in table.query("p")] == [{"n": 3}]
        assert list(table.query("p", prefix="a")) == []
        assert sorted(item.partition for item in table.scan()) == ["p", "q"]
        assert [item and item.partition for item in table.get_many([("q", ""), ("r", "")])] == ["q", None]

    @pytest.mark.parametrize(
        "call",
        [
            lambda table: table.get("p", "s"),
            lambda table: table.put("p", "s", 1),
            lambda table: table.transact("p", [Put("", 1), Put("s", 1)]),
        ],
        ids=["get", "put", "transact"],
    )
    def test_a_sort_key_is_refused_where_the_table_has_none(
        self, other_table: Callable[..., str], call: Callable[[Table], object]
    ) -> None:
        table = Table.at(other_table("id", parameters={"partition": "id", "sort": ""}))

        with pytest.raises(InvalidArgument, match="has no sort key"):
            call(table)

    @pytest.fixture
    def foreign(self, address: str, raw: Any) -> None:
        item = {"partition": {"S": "p"}, "sort": {"S": "s"}, "n": {"N": "1"}, "set": {"SS": ["a"]}}
        raw.put_item(TableName=Address.parse(address).name, Item=item)

    def test_what_another_program_wrote_is_read_as_a_map(self, table: Table, foreign: None) -> None:
        assert table.get("p", "s").value == {"n": 1, "set": ["a"]}
        assert [item.value for item in table.query("p")] == [{"n": 1, "set": ["a"]}]

    @pytest.mark.parametrize("expires", ["1", "99999999999"])
    def test_a_create_finds_what_another_program_wrote(
        self, address: str, table: Table, raw: Any, expires: str
    ) -> None:
        item = {"partition": {"S": "p"}, "sort": {"S": "s"}, "expires": {"N": expires}, "version": {"N": "1"}}
        raw.put_item(TableName=Address.parse(address).name, Item={**item, "value": {"S": "theirs"}})

        with pytest.raises(AlreadyExists):
            table.create("p", "s", "ours")
        assert table.get("p", "s").value == {"expires": int(expires), "version": 1, "value": "theirs"}

    def test_what_another_program_wrote_may_be_written_over(self, table: Table, foreign: None) -> None:
        table.put("p", "s", "ours")

        assert table.get("p", "s").value == "ours"

    def test_no_version_guards_what_another_program_wrote(self, table: Table, foreign: None) -> None:
        with pytest.raises(Unsupported, match="another program"):
            table.update("p", "s", lambda value: value)
        with pytest.raises(InvalidArgument, match="another program"):
            table.increment("p", "s", "n")
        assert table.get("p", "s").value == {"n": 1, "set": ["a"]}


@pytest.fixture
def proxy(address: str) -> Iterator[Proxy]:
    where = AwsHarness().upstream(address)
    assert where is not None
    with Proxy(*where) as proxy:
        yield proxy


@pytest.fixture
def far(address: str, proxy: Proxy) -> Table:
    return Table.at(AwsHarness().through(address, proxy.host, proxy.port))


def json_answer(document: Any) -> Any:
    return refusal(200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(document).encode())


class TestRequests:
    @pytest.mark.parametrize(
        "operation",
        [
            pytest.param(lambda table: table.get("p", "s"), id="get"),
            pytest.param(lambda table: table.put("p", "s", 1), id="put"),
            pytest.param(lambda table: table.create("p", "new", 1), id="create"),
            pytest.param(lambda table: table.delete("p", "s"), id="delete"),
            pytest.param(lambda table: table.increment("p", "s", "n"), id="increment"),
            pytest.param(lambda table: table.get_many([("p", str(number)) for number in range(100)]), id="get_many"),
            pytest.param(lambda table: list(table.query("p")), id="query"),
            pytest.param(lambda table: list(table.query("p", prefix="s", limit=10)), id="query-prefix"),
            pytest.param(lambda table: table.transact("p", [Put("a", 1), Delete("b")]), id="transact"),
            pytest.param(lambda table: list(table.scan()), id="scan"),
        ],
    )
    def test_an_operation_is_one_request(
        self, table: Table, far: Table, proxy: Proxy, operation: Callable[[Table], object]
    ) -> None:
        table.put("p", "s", {"n": 1})
        operation(far)

        assert len(proxy.seen) == 1

    def test_keys_that_were_not_processed_are_asked_for_again(
        self, address: str, table: Table, far: Table, proxy: Proxy, stored: Callable[..., Any]
    ) -> None:
        one, other = table.put("p", "a", 1), table.put("p", "b", 2)
        name = Address.parse(address).name
        left = {"Keys": [{"partition": {"S": "p"}, "sort": {"S": "b"}}], "ConsistentRead": True}
        proxy.inject(json_answer({"Responses": {name: [stored("p", "a")]}, "UnprocessedKeys": {name: left}}))

        assert far.get_many([("p", "a"), ("p", "b")]) == [one, other]
        assert len(proxy.seen) == 2

    def test_a_batch_of_which_nothing_is_processed_is_a_throttle(self, address: str, far: Table, proxy: Proxy) -> None:
        left = {"Keys": [{"partition": {"S": "p"}, "sort": {"S": "a"}}], "ConsistentRead": True}
        nothing = {"Responses": {}, "UnprocessedKeys": {Address.parse(address).name: left}}
        proxy.inject(json_answer(nothing), times=None)

        with pytest.raises(Unavailable, match="throttled"):
            far.get_many([("p", "a")])

    @pytest.mark.parametrize("write", ["create", "put"])
    def test_a_guarded_write_whose_answer_was_lost_succeeds(
        self, table: Table, far: Table, proxy: Proxy, write: str
    ) -> None:
        version = table.put("p", "s", 1).version
        proxy.inject(LOST)
        item = far.create("p", "new", 2) if write == "create" else far.put("p", "s", 2, if_version=version)

        assert table.get("p", item.sort) == item

    def test_a_guarded_write_that_was_written_over_meanwhile_is_in_doubt(
        self, table: Table, far: Table, proxy: Proxy
    ) -> None:
        version = table.put("p", "s", 1).version
        proxy.inject(LOST, when=lambda request: table.put("p", "s", "theirs") is not None)

        with pytest.raises((Unavailable, Conflict)):
            far.put("p", "s", "mine", if_version=version)
        assert table.get("p", "s").value == "theirs"

    def test_a_transaction_whose_answer_was_lost_succeeds(self, table: Table, far: Table, proxy: Proxy) -> None:
        proxy.inject(LOST)
        written = far.transact("p", [Create("a", 1), Create("b", 2)])

        assert written == list(table.query("p"))

    def test_no_error_tells_the_credentials(self, far: Table, proxy: Proxy) -> None:
        proxy.inject(LOST, times=None)
        with pytest.raises(Unavailable) as caught:
            far.create("p", "s", 1)
        told = f"{caught.value!r} {caught.value.__cause__!r}"

        assert "Signature" not in told
        assert os.environ["AWS_SECRET_ACCESS_KEY"] not in told.replace("portable_contracts", "").replace(
            "portable-", ""
        )

    def test_half_of_an_answer_is_no_answer(self, table: Table, far: Table, proxy: Proxy) -> None:
        item = table.put("p", "s", "there")
        proxy.inject(cut(5))

        assert far.get("p", "s") == item


class TestForks:
    def test_a_forked_child_has_a_client_of_its_own(self, table: Table) -> None:
        table.put("p", "s", 1)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:  # As gunicorn --preload does.
            told = "failed"
            try:
                table.put("p", "child", 2)
                told = str(table.get("p", "s").value)
            finally:
                os.write(write, told.encode())
                os._exit(0)
        os.close(write)
        with open(read, "rb") as answer:
            said = answer.read()
        os.waitpid(child, 0)

        assert said == b"1"
        assert [item.value for item in table.query("p")] == [2, 1]


def mended(attribute: Any) -> Any:
    """Return the attribute value with its empty maps, which DynamoDB Local's streams leave out, unlike its tables."""
    ((kind, value),) = attribute.items() or [("M", {})]
    if kind == "M":
        return {"M": {name: mended(part) for name, part in value.items()}}
    return {"L": [mended(part) for part in value]} if kind == "L" else attribute


class TestStreams:
    """What DynamoDB Streams tell of this driver's writes is what was written."""

    @pytest.fixture
    def streamed(self, other_table: Callable[..., str], raw: Any) -> tuple[Table, Callable[[], list[Any]]]:
        address = other_table(
            "partition",
            "sort",
            parameters={},
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        parsed = Address.parse(address)
        arn = raw.describe_table(TableName=parsed.name)["Table"]["LatestStreamArn"]
        streams = client("dynamodbstreams", endpoint=parsed.parameters["endpoint"])

        def changes() -> list[Any]:
            found = []
            for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
                place = streams.get_shard_iterator(
                    StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
                )["ShardIterator"]
                found += streams.get_records(ShardIterator=place)["Records"]
            for record in found:
                record["eventSourceARN"] = arn
                when = record["dynamodb"]["ApproximateCreationDateTime"]
                record["dynamodb"]["ApproximateCreationDateTime"] = when.timestamp()
                if "NewImage" in record["dynamodb"]:
                    record["dynamodb"]["NewImage"]["value"] = mended(record["dynamodb"]["NewImage"]["value"])
            return list(DynamoDBStream().decode({"Records": found}, None))

        return Table.at(address), changes

    def test_every_write_is_told_with_both_values(
        self, streamed: tuple[Table, Callable[[], list[Any]]], address: str
    ) -> None:
        table, changes = streamed
        table.create("p", "", {"n": 1, "f": 1.0})
        table.put("p", "", {"n": 2, "f": 0.5}, expires=timedelta(hours=1))
        table.increment("p", "", "n")
        table.transact("p", [Create("t", b"1")])
        table.delete("p", "")

        assert [(change.kind, change.sort, exact(change.old), exact(change.new)) for change in changes()] == [
            ("created", "", exact(None), exact({"n": 1, "f": 1.0})),
            ("updated", "", exact({"n": 1, "f": 1.0}), exact({"n": 2, "f": 0.5})),
            ("updated", "", exact({"n": 2, "f": 0.5}), exact({"n": 3, "f": 0.5})),
            ("created", "t", exact(None), exact(b"1")),
            ("deleted", "", exact({"n": 3, "f": 0.5}), exact(None)),
        ]

    def test_every_value_is_told_exactly(self, streamed: tuple[Table, Callable[[], list[Any]]]) -> None:
        table, changes = streamed
        for sort, value in VALUES.items():
            table.put("p", sort, value)

        assert {change.sort: exact(change.new) for change in changes()} == {
            sort: exact(value) for sort, value in VALUES.items()
        }
