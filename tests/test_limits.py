"""The numbers of clouds and of Redis, the profile that holds on all of them, and how this machine narrows to them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import portable_aws.limits
import portable_azure.limits
import portable_gcp.limits
import portable_libcloud.limits
import portable_redis.limits
import portable_tencent.limits
from portable import config, registry
from portable.connecting import connect
from portable.queue import Queue
from portable_contracts.blob import BlobCapabilities
from portable_contracts.errors import LimitExceeded, Unsupported
from portable_contracts.limits import PROFILE, Capabilities, Figure
from portable_contracts.provider import Opening
from portable_contracts.queue import QueueCapabilities

RECORDS = {
    "aws": portable_aws.limits.CAPABILITIES,
    "gcp": portable_gcp.limits.CAPABILITIES,
    "azure": portable_azure.limits.CAPABILITIES,
    "tencent": portable_tencent.limits.CAPABILITIES,
    "redis": portable_redis.limits.CAPABILITIES,
    "libcloud": portable_libcloud.limits.CAPABILITIES,
}
VENDORS = {
    "aws": {"docs.aws.amazon.com"},
    "gcp": {"docs.cloud.google.com"},
    "azure": {"learn.microsoft.com"},
    "tencent": {"www.tencentcloud.com"},
    "redis": {"redis.io"},
    "libcloud": {"docs.aws.amazon.com"},
}
BELONGS_TO = {
    "max_delay_seconds": ("delay", "retry_delay"),
    "dedup_seconds": ("dedup",),
    "max_sign_seconds": ("sign",),
}
"""Numbers that say nothing where none of these capabilities is promised."""
SPLIT = {
    "max_list_page", "max_delete_batch", "max_get_batch", "max_page",
    "max_send_batch", "max_send_batch_bytes", "max_receive_batch",
}  # fmt: skip
"""Numbers that no user meets: the portable type makes more calls."""


def is_promised(record: Capabilities, field: str) -> bool:
    return any(getattr(record, capability) for capability in BELONGS_TO.get(field, ())) or field not in BELONGS_TO


def numbers(record: Capabilities) -> list[str]:
    return [field for field in record._fields if type(getattr(record, field)) in (int, Figure)]


NUMBERS = [
    pytest.param(provider, record, field, id=f"{provider}-{word}-{field}")
    for provider, records in RECORDS.items()
    for word, record in records.items()
    for field in numbers(record)
]
PROMISED = [number for number in NUMBERS if is_promised(*number.values[1:])]  # type: ignore[arg-type]  # as built above
UNPROMISED = [number for number in NUMBERS if number not in PROMISED]


@pytest.mark.parametrize(("provider", "record", "field"), PROMISED)
def test_every_number_has_a_page_of_its_vendor(provider: str, record: Capabilities, field: str) -> None:
    page = urlsplit(getattr(record, field).source)

    assert (page.scheme, page.hostname in VENDORS[provider]) == ("https", True)


@pytest.mark.parametrize(("provider", "record", "field"), PROMISED)
def test_every_number_has_the_day_it_was_read(provider: str, record: Capabilities, field: str) -> None:
    assert date.fromisoformat(getattr(record, field).read) >= date(2026, 11, 20)


@pytest.mark.parametrize(("provider", "record", "field"), UNPROMISED)
def test_a_number_of_what_is_not_promised_is_the_profiles(provider: str, record: Capabilities, field: str) -> None:
    assert getattr(record, field) == getattr(type(record)(), field)


# The profile, on the service that each provider gives a resource without an address.

FALLS_SHORT = {
    # 6 MB of base64 hold 4.5 MB of bytes.
    "aws http": {"max_request_bytes", "max_response_bytes"},
    "tencent http": {"max_request_bytes", "max_response_bytes"},
}
LACKS = {
    "aws bucket": {"distinct_versions"},
    "azure bucket": {"sign_content_type"},
    "azure queue": {"attributes_apart"},
    "tencent bucket": {"if_version", "delete_if_version", "distinct_versions"},
    "azure table": {"changes", "sweeps", "scan_segments"},
    "tencent table": {"changes"},
    "redis table": {"changes"},
    "tencent queue": {"choose_lease", "push"},
}
CLOUDS = ("aws", "gcp", "azure", "tencent")
DEFAULTS = [
    pytest.param(name, registry.capabilities(registry.provider(provider), word), id=name)
    for provider in RECORDS
    for kind, word in [
        *((kind, f"{kind}:{scheme}") for kind, scheme in registry.provider(provider).defaults.items()),
        *([("http", "http")] if provider in CLOUDS else []),
    ]
    for name in [f"{provider} {kind}"]
]


def short_numbers(record: Capabilities) -> set[str]:
    profile = type(record)()
    return {
        field
        for field in set(numbers(record)) - SPLIT
        if (getattr(record, field) > getattr(profile, field)) == (field in record._smaller_is_more)
        and getattr(record, field) != getattr(profile, field)
    }


@pytest.mark.parametrize(("name", "record"), DEFAULTS)
def test_the_numbers_of_the_profile_hold_on_the_default_services(name: str, record: Capabilities) -> None:
    assert short_numbers(record) == FALLS_SHORT.get(name, set())


@pytest.mark.parametrize(("name", "record"), DEFAULTS)
def test_what_a_default_service_lacks_of_the_profile_is_known(name: str, record: Capabilities) -> None:
    profile = type(record)()
    lacking = {field for field in record._fields if getattr(profile, field) is True and not getattr(record, field)}

    assert lacking == LACKS.get(name, set())


def test_a_shortfall_of_a_number_would_be_seen() -> None:
    assert short_numbers(QueueCapabilities(max_attributes=8, min_lease_seconds=11)) == {
        "max_attributes",
        "min_lease_seconds",
    }


@pytest.mark.parametrize("provider", CLOUDS)
def test_every_service_that_a_cloud_gives_by_default_is_declared(provider: str) -> None:
    defaults = registry.provider(provider).defaults
    declared = {word for records in RECORDS.values() for word in records}

    assert defaults.keys() == {"bucket", "table", "queue"}
    assert {f"{kind}:{scheme}" for kind, scheme in defaults.items()} | {"http"} <= declared


# Promises together.


def test_the_smaller_number_is_promised_and_its_owner_named() -> None:
    wide, narrow = QueueCapabilities(max_body_bytes=9), QueueCapabilities(max_body_bytes=5)

    together, owners = wide.narrowed([("target prod (azure)", narrow)], "this machine")

    assert (together.max_body_bytes, owners["max_body_bytes"]) == (5, "target prod (azure)")


def test_the_longer_shortest_lease_is_promised() -> None:
    together, owners = QueueCapabilities(min_lease_seconds=1).narrowed([("b", QueueCapabilities(min_lease_seconds=10))])

    assert (together.min_lease_seconds, owners["min_lease_seconds"]) == (10, "b")


def test_what_one_lacks_is_not_promised() -> None:
    together, owners = QueueCapabilities(delay=True).narrowed([("b", QueueCapabilities(delay=False))])

    assert (together.delay, owners["delay"]) == (False, "b")


def test_only_words_of_all_are_promised() -> None:
    get = BlobCapabilities(sign=frozenset({"GET"}))

    together, owners = BlobCapabilities().narrowed([("b", get)])

    assert (together.sign, owners["sign"]) == (frozenset({"GET"}), "b")


def test_of_equal_promises_the_first_owner_is_named() -> None:
    _, owners = QueueCapabilities(max_body_bytes=9).narrowed(
        [("b", QueueCapabilities(max_body_bytes=5)), ("c", QueueCapabilities(max_body_bytes=5))]
    )

    assert owners["max_body_bytes"] == "b"


def test_alone_a_record_promises_all_it_has() -> None:
    together, owners = QueueCapabilities(delay=True).narrowed((), "a")

    assert (together, set(owners.values())) == (QueueCapabilities(delay=True), {"a"})


def test_a_narrowed_number_still_knows_its_page() -> None:
    together, _ = QueueCapabilities(max_receive_batch=11).narrowed([("aws", portable_aws.limits.SQS)])

    assert "API_ReceiveMessage" in together.max_receive_batch.source  # type: ignore[attr-defined]  # a Figure, as here


# On this machine, with targets.

AZURE = '[targets.prod]\nprovider = "azure"\n'
BUS = '[targets.prod.resources]\nthumbs = "servicebus://acme/thumbs"\n'
GCP = '[targets.europe]\nprovider = "gcp"\n'
AWS = '[targets.world]\nprovider = "aws"\n'


def queue_with(tmp_path: Path, toml: str) -> Queue:
    """Return the queue `thumbs` of the target `local` beside the targets of *toml*."""
    (tmp_path / "portable.toml").write_text(toml)
    configuration = config.load(str(tmp_path))
    opening = Opening(data=str(tmp_path / "data"))
    target = configuration.target("local")
    return Queue(
        "thumbs", lambda: connect("queue", "thumbs", target=target, configuration=configuration, opening=opening)
    )


def test_a_body_too_large_for_a_target_is_refused_in_its_name(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded) as caught:
        queue_with(tmp_path, AZURE).send(b"x" * 52_000)

    assert str(caught.value) == "body is 52,000 bytes; queue thumbs on target prod (azure) allows 49,152"


def test_the_refusal_has_the_numbers_and_the_owner_apart(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded) as caught:
        queue_with(tmp_path, AZURE).send(b"x" * 52_000)

    error = caught.value
    assert (error.limit, error.actual, error.allowed, error.owner) == (
        "max_body_bytes", 52_000, 49_152, "target prod (azure)",
    )  # fmt: skip


def test_the_largest_body_that_the_target_takes_is_sent(tmp_path: Path) -> None:
    assert queue_with(tmp_path, AZURE).send(b"x" * 49_152)


def test_of_several_targets_the_strictest_is_named(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded, match=r"queue thumbs on target prod \(azure\) allows 49,152"):
        queue_with(tmp_path, AWS + AZURE + GCP).send(b"x" * 49_153)


def test_past_the_profile_is_allowed_where_every_target_allows_it(tmp_path: Path) -> None:
    assert queue_with(tmp_path, AWS + GCP).send(b"x" * 300_000)


def test_without_targets_the_profile_is_what_holds(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded) as caught:
        queue_with(tmp_path, "").send(b"x" * 49_153)

    assert str(caught.value) == "body is 49,153 bytes; the portable profile for queue thumbs allows 49,152"


def test_what_this_machine_cannot_do_either_is_refused_in_its_name(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded, match="queue thumbs on this machine allows 60"):
        queue_with(tmp_path, AZURE + BUS).receive(wait=timedelta(seconds=61))


def test_the_address_picks_the_service_whose_limits_hold(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded, match=r"target prod \(azure\) allows 240,000"):
        queue_with(tmp_path, AZURE + BUS).send(b"x" * 240_001)


def test_what_a_target_lacks_is_unsupported_in_its_name(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"target europe \(gcp\) does not have 'delay'"):
        queue_with(tmp_path, GCP).send("hello", delay=timedelta(seconds=5))


def test_groups_are_for_a_fifo_queue(tmp_path: Path) -> None:
    fifo = AWS + '[targets.world.resources]\nthumbs = "sqs+fifo://thumbs"\n'

    assert queue_with(tmp_path, fifo).send("hello", group="a", dedup="1")


def test_a_standard_queue_has_no_groups(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"target world \(aws\) does not have 'groups'"):
        queue_with(tmp_path, AWS).send("hello", group="a")


def test_a_service_of_another_adapter_narrows_too(tmp_path: Path) -> None:
    (tmp_path / "portable.toml").write_text(AWS + '[targets.world.resources]\nentries = "redis://acme"\n')
    configuration = config.load(str(tmp_path))
    connection = connect(
        "table", "entries", target=configuration.target("local"), configuration=configuration, opening=Opening()
    )

    assert (connection.capabilities.changes, connection.owners["changes"]) == (False, "target world (aws)")


def test_without_targets_this_machine_keeps_its_own_abilities(tmp_path: Path) -> None:
    assert queue_with(tmp_path, "").send("hello", delay=timedelta(seconds=5), group="a", dedup="1")


def test_the_profile_owns_what_it_narrows(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded) as caught:
        queue_with(tmp_path, "").send("hello", delay=timedelta(seconds=901))

    assert caught.value.owner == PROFILE
