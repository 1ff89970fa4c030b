"""How providers and drivers are found, and what is said when they are not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portable import registry
from portable_contracts.errors import InvalidArgument
from portable_contracts.kv import KVCapabilities
from portable_contracts.provider import Opening, Provider


@pytest.fixture(autouse=True)
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_providers", {})
    monkeypatch.setattr(registry, "_scanned", False)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder that packages are imported from, and whose distributions are seen."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write_adapter(folder: Path, name: str, provider: str, **modules: str) -> None:
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text(f"from portable_contracts.provider import Provider\nprovider = {provider}\n")
    for module, text in modules.items():
        (package / f"{module}.py").write_text(text)


def write_distribution(folder: Path, entry_point: str) -> None:
    information = folder / "acme-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[portable.providers]\n{entry_point}\n")


# Providers.


def test_a_provider_is_found_by_its_name() -> None:
    assert registry.provider("aws").name == "aws"


def test_a_provider_is_found_by_its_packages_name_without_reading_entry_points() -> None:
    code = "import sys, portable.registry as r; r.provider('aws'); print('importlib.metadata' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_strangers_adapter_is_found_by_its_entry_point(installed: Path) -> None:
    write_adapter(installed, "elsewhere", "Provider('acme')")
    write_distribution(installed, "acme = elsewhere:provider")

    assert registry.provider("acme") == Provider("acme")


def test_a_registered_provider_is_found() -> None:
    mine = registry.register(Provider("mine"))

    assert registry.provider("mine") is mine


def test_a_registered_provider_is_found_before_an_installed_one() -> None:
    mine = registry.register(Provider("aws"))

    assert registry.provider("aws") is mine


def test_all_installed_providers_are_found_beside_the_registered() -> None:
    registry.register(Provider("mine"))

    assert registry.providers().keys() >= {"aws", "azure", "gcp", "local", "mine", "tencent"}


def test_providers_come_by_name() -> None:
    registry.register(Provider("zeta"))
    registry.register(Provider("alpha"))

    assert list(registry.providers()) == sorted(registry.providers())


def test_an_unknown_provider_is_refused_with_the_nearest_and_all_of_them() -> None:
    with pytest.raises(InvalidArgument) as caught:
        registry.provider("azur")

    assert str(caught.value) == (
        "no installed adapter offers the provider 'azur' (did you mean 'azure'?); "
        f"installed: {', '.join(registry.providers())}"
    )


@pytest.mark.parametrize("name", ["conformance", "contracts", "", "../aws", "aws.limits"])
def test_what_is_no_adapter_is_no_provider(name: str) -> None:
    with pytest.raises(InvalidArgument, match="no installed adapter offers the provider"):
        registry.provider(name)


def test_a_broken_adapter_is_not_taken_for_a_missing_one(installed: Path) -> None:
    write_adapter(installed, "portable_acme", "__import__('no_such_sdk')")

    with pytest.raises(ModuleNotFoundError, match="no_such_sdk"):
        registry.provider("acme")


def test_an_installed_adapter_that_cannot_be_imported_is_named(installed: Path) -> None:
    write_distribution(installed, "acme = no_such_package:provider")

    with pytest.raises(InvalidArgument, match=r"the adapter acme \(no_such_package:provider\) is installed but cannot"):
        registry.providers()


# Drivers.


def test_a_driver_is_found_by_its_scheme() -> None:
    assert registry.driver_class("queue", "sqlite").scheme == "sqlite"


def test_a_scheme_may_serve_two_contracts() -> None:
    assert registry.driver_class("queue", "sqlite") is not registry.driver_class("table", "sqlite")


def test_a_strangers_driver_is_found_by_its_scheme(installed: Path) -> None:
    write_adapter(
        installed,
        "elsewhere",
        "Provider('acme', tables={'acme': 'elsewhere.kv:AcmeTable'})",
        kv="class AcmeTable: pass",
    )
    write_distribution(installed, "acme = elsewhere:provider")

    assert registry.driver_class("table", "acme").__name__ == "AcmeTable"


def test_a_scheme_that_no_adapter_serves_is_refused_with_what_to_install() -> None:
    registry.register(Provider("aws"))

    with pytest.raises(InvalidArgument) as caught:
        registry.driver_class("bucket", "s3")

    assert str(caught.value).startswith(
        "no installed adapter serves a bucket at s3://; install portable-serverless[aws]; a bucket can be at: "
    )


def test_a_scheme_that_nobody_knows_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        InvalidArgument, match=r"no installed adapter serves a table at ftp://; a table can be at: .*sqlite://"
    ):
        registry.driver_class("table", "ftp")


def test_a_scheme_of_another_contract_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="no installed adapter serves a bucket at sqlite://"):
        registry.driver_class("bucket", "sqlite")


def test_a_driver_whose_sdk_is_missing_is_refused_with_what_to_install(installed: Path) -> None:
    write_adapter(installed, "elsewhere", "None", blob="import no_such_sdk")
    registry.register(Provider("aws", buckets={"s3": "elsewhere.blob:S3Bucket"}))

    with pytest.raises(InvalidArgument) as caught:
        registry.driver_class("bucket", "s3")

    assert str(caught.value) == (
        "the adapter aws cannot serve s3://: No module named 'no_such_sdk'; install portable-serverless[aws]"
    )


def test_a_strangers_driver_whose_sdk_is_missing_names_the_package(installed: Path) -> None:
    write_adapter(installed, "elsewhere", "None", blob="import no_such_sdk")
    registry.register(Provider("acme", buckets={"acme": "elsewhere.blob:AcmeBucket"}))

    with pytest.raises(InvalidArgument, match=r"cannot serve acme://: .*; install no_such_sdk$"):
        registry.driver_class("bucket", "acme")


def test_an_opened_driver_has_its_address(tmp_path: Path) -> None:
    driver = registry.open_driver("table", "sqlite://entries", Opening(data=str(tmp_path)))

    assert driver.scheme == "sqlite"


# Capabilities.


def test_capabilities_are_found_at_the_provider() -> None:
    found = registry.capabilities(registry.provider("aws"), "table:dynamodb")

    assert isinstance(found, KVCapabilities)


def test_capabilities_of_another_adapters_service_are_found_there() -> None:
    assert registry.capabilities(registry.provider("aws"), "table:redis") is not None


def test_capabilities_that_nobody_declares_are_none() -> None:
    assert registry.capabilities(registry.provider("aws"), "table:ftp") is None


def test_a_provider_may_declare_none() -> None:
    assert registry.capabilities(Provider("acme"), "table:ftp") is None
