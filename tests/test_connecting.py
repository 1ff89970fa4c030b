"""From a resource's name to its open driver, and what is said when something is amiss on the way."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from portable import config, registry
from portable._driving import Connection
from portable.connecting import address_of, connect, open_address, promises
from portable_contracts.errors import InvalidArgument, Unsupported
from portable_contracts.limits import PROFILE
from portable_contracts.provider import Opening, Provider

PROD = """
[targets.prod]
provider = "aws"
[targets.prod.resources]
photos = "s3://acme-photos"
sessions = "redis://acme"
"""
MIXED = """
[targets.prod]
provider = "aws"
[targets.prod.resources]
thumbs = "sqlite://thumbs"
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PORTABLE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def forgetful_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_providers", dict(registry.providers()))


def configured(folder: Path, toml: str = "") -> config.Configuration:
    (folder / "portable.toml").write_text(toml)
    return config.load(str(folder))


def connected(
    folder: Path, kind: str, name: str, toml: str = "", *, target: str = "local", needs: Iterable[str] = ()
) -> Connection:
    configuration = configured(folder, toml)
    opening = Opening(data=str(folder / "data"))
    return connect(
        kind, name, target=configuration.target(target), configuration=configuration, opening=opening, needs=needs
    )


# Addresses.


def test_a_listed_resource_is_at_its_address(tmp_path: Path) -> None:
    assert address_of("bucket", "photos", configured(tmp_path, PROD).target("prod")) == "s3://acme-photos"


@pytest.mark.parametrize(("kind", "address"), [("bucket", "s3://x"), ("table", "dynamodb://x"), ("queue", "sqs://x")])
def test_a_resource_without_an_address_is_under_its_name_at_the_default_service(
    kind: str, address: str, tmp_path: Path
) -> None:
    assert address_of(kind, "x", configured(tmp_path, PROD).target("prod")) == address


def test_the_environment_moves_a_resource(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_PHOTOS", "gs://elsewhere")

    assert address_of("bucket", "photos", configured(tmp_path, PROD).target("prod")) == "gs://elsewhere"


def test_without_a_default_service_the_missing_entry_is_named(tmp_path: Path) -> None:
    registry.register(Provider("acme", defaults={"bucket": "acme"}))
    target = configured(tmp_path, '[targets.prod]\nprovider = "acme"\n').target("prod")

    with pytest.raises(InvalidArgument) as caught:
        address_of("queue", "thumbs", target)

    assert str(caught.value) == (
        "target prod (acme) does not say where queue thumbs is: "
        'add thumbs = "scheme://name" under [targets.prod.resources]'
    )


def test_a_provider_that_no_adapter_offers_is_refused_with_the_target(tmp_path: Path) -> None:
    target = configured(tmp_path, '[targets.prod]\nprovider = "awz"\n').target("prod")

    with pytest.raises(
        InvalidArgument, match=r"^target prod: no installed adapter offers the provider 'awz' \(did you mean 'aws'"
    ):
        address_of("queue", "thumbs", target)


# Promises.


def test_a_targets_promises_come_with_the_words_that_errors_name_it_by(tmp_path: Path) -> None:
    found = promises("bucket", "photos", configured(tmp_path, PROD).target("prod"))

    assert found == ("target prod (aws)", registry.capabilities(registry.provider("aws"), "bucket:s3"))


def test_the_address_picks_whose_promises(tmp_path: Path) -> None:
    found = promises("table", "sessions", configured(tmp_path, PROD).target("prod"))

    assert found == ("target prod (aws)", registry.capabilities(registry.provider("tencent"), "table:redis"))


def test_a_service_that_nobody_declares_promises_nothing_known(tmp_path: Path) -> None:
    target = configured(tmp_path, PROD + 'entries = "acme://x"\n').target("prod")

    assert promises("table", "entries", target) is None


# Connections.


def test_on_a_local_target_the_default_driver_is_opened(tmp_path: Path) -> None:
    assert connected(tmp_path, "table", "entries").driver.scheme == "sqlite"


def test_a_connection_knows_its_target(tmp_path: Path) -> None:
    assert connected(tmp_path, "table", "entries").target == "local"


def test_opening_a_resource_touches_nothing(tmp_path: Path) -> None:
    connected(tmp_path, "table", "entries")

    assert not (tmp_path / "data").exists()


def test_with_targets_their_promises_hold_together(tmp_path: Path) -> None:
    connection = connected(tmp_path, "table", "entries", PROD + '[targets.asia]\nprovider = "tencent"\n')

    assert (connection.capabilities.changes, connection.owners["changes"]) == (False, "target asia (tencent)")


def test_another_target_on_this_machine_narrows_nothing(tmp_path: Path) -> None:
    connection = connected(tmp_path, "queue", "thumbs", '[targets.desk]\nprovider = "local"\n')

    assert connection.owners["max_body_bytes"] == PROFILE


def test_targets_whose_promises_are_unknown_leave_the_profile(tmp_path: Path) -> None:
    toml = '[targets.prod]\nprovider = "aws"\n[targets.prod.resources]\nthumbs = "acme://x"\n'

    assert connected(tmp_path, "queue", "thumbs", toml).owners["max_body_bytes"] == PROFILE


def test_a_local_target_by_another_name_narrows_too(tmp_path: Path) -> None:
    connection = connected(tmp_path, "queue", "thumbs", PROD + '[targets.desk]\nprovider = "local"\n', target="desk")

    assert connection.owners["max_attributes"] == "target prod (aws)"


def test_a_target_that_is_not_local_has_the_drivers_own_promises(tmp_path: Path) -> None:
    connection = connected(tmp_path, "queue", "thumbs", MIXED + '[targets.eu]\nprovider = "gcp"\n', target="prod")

    assert connection.capabilities == connection.driver.capabilities


def test_a_target_that_is_not_local_owns_its_promises(tmp_path: Path) -> None:
    connection = connected(tmp_path, "queue", "thumbs", MIXED, target="prod")

    assert set(connection.owners.values()) == {"target prod (aws)"}


def test_a_driver_that_is_not_installed_is_refused_with_what_to_install(tmp_path: Path) -> None:
    registry.register(Provider("redis"))

    with pytest.raises(InvalidArgument, match=r"install portable-serverless\[redis\]"):
        connected(tmp_path, "table", "sessions", PROD, target="prod")


# What an app needs.


def test_what_is_promised_may_be_needed(tmp_path: Path) -> None:
    assert connected(tmp_path, "queue", "thumbs", needs=["delay", "groups"]).capabilities.delay


def test_what_a_target_lacks_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"^queue thumbs needs 'groups', which target prod \(aws\) does not have$"):
        connected(tmp_path, "queue", "thumbs", PROD, needs=["groups"])


def test_a_need_that_nobody_knows_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument) as caught:
        connected(tmp_path, "queue", "thumbs", needs=["delays"])

    assert str(caught.value) == "queue thumbs needs 'delays', which no queue has (did you mean 'delay'?)"


# An address on its own.


def test_an_address_on_its_own_has_the_drivers_own_promises(tmp_path: Path) -> None:
    connection = open_address("queue", "sqlite://thumbs", Opening(data=str(tmp_path)))

    assert connection.capabilities == connection.driver.capabilities


def test_an_address_on_its_own_owns_its_promises(tmp_path: Path) -> None:
    connection = open_address("queue", "sqlite://thumbs?synchronous=off", Opening(data=str(tmp_path)))

    assert set(connection.owners.values()) == {"sqlite://thumbs"}


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("thumbs", "address 'thumbs' has no scheme: write it like s3://bucket-name"),
        ("", "address '' has no scheme: write it like s3://bucket-name"),
        ("sqs://thumbs#1", "has a '#' part"),
        ("sqs://[thumbs", "cannot be read"),
        ("ftp://thumbs", "no installed adapter serves a queue at ftp://"),
    ],
)
def test_a_wrong_address_is_refused(address: str, said: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        open_address("queue", address)

    assert said in str(caught.value)


def test_a_secret_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidArgument, match=r"'sqs://\.\.\.@host' holds a user name or password") as caught:
        open_address("queue", "sqs://me:hunter2@host")

    assert "hunter2" not in str(caught.value)
