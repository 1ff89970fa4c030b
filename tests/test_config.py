"""portable.toml and the environment: what they say, and what is said of what is wrong in them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from portable import config
from portable.config import Configuration, Target
from portable_contracts.errors import InvalidArgument

WHOLE = """
app = "main:app"
[targets.local]
provider = "local"
[targets.prod]
provider = "aws"
region = "eu-west-1"
[targets.prod.resources]
photos = "s3://acme-photos"
[targets.prod.settings]
memory = 512
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PORTABLE_")]:
        monkeypatch.delenv(name)


def write(folder: Path, text: str) -> Path:
    path = folder / "portable.toml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    """Return what is said of *text* as portable.toml, after the file's path, which comes first."""
    path = write(folder, text)
    with pytest.raises(InvalidArgument) as caught:
        config.load(str(folder))
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(str(path))


# What is read.


def test_the_app_is_read(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)

    assert config.load(str(tmp_path)).app == "main:app"


def test_a_target_is_read_whole(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)

    assert config.load(str(tmp_path)).targets["prod"] == Target(
        "prod", "aws", "eu-west-1", {"photos": "s3://acme-photos"}, {"memory": 512}
    )


def test_targets_keep_the_order_of_the_file_after_local(tmp_path: Path) -> None:
    write(tmp_path, '[targets.z]\nprovider = "aws"\n[targets.a]\nprovider = "gcp"\n')

    assert list(config.load(str(tmp_path)).targets) == ["local", "z", "a"]


def test_an_empty_file_has_the_target_local(tmp_path: Path) -> None:
    write(tmp_path, "")

    assert config.load(str(tmp_path)).targets == {"local": Target("local", "local")}


def test_the_target_local_needs_no_provider(tmp_path: Path) -> None:
    write(tmp_path, '[targets.local.resources]\nphotos = "file://pictures"\n')

    assert config.load(str(tmp_path)).targets["local"].address("photos") == "file://pictures"


def test_without_a_file_there_is_the_target_local_alone(tmp_path: Path) -> None:
    assert config.load(str(tmp_path)) == Configuration(str(tmp_path), None, None, {"local": Target("local", "local")})


def test_local_data_lives_beside_the_file(tmp_path: Path) -> None:
    write(tmp_path, "")
    below = tmp_path / "a"
    below.mkdir()

    assert config.load(str(below)).data == str(tmp_path / ".portable")


def test_without_a_file_local_data_lives_in_the_folder(tmp_path: Path) -> None:
    assert config.load(str(tmp_path)).data == str(tmp_path / ".portable")


# Where the file is.


def test_a_file_two_folders_up_is_found(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    assert config.find(str(below)) == str(path)


def test_the_nearest_file_is_found(tmp_path: Path) -> None:
    write(tmp_path, "")
    below = tmp_path / "a"
    below.mkdir()
    path = write(below, "")

    assert config.find(str(below)) == str(path)


def test_the_search_starts_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "")
    monkeypatch.chdir(tmp_path)

    assert config.find() == str(path)


def test_no_file_anywhere_is_none(tmp_path: Path) -> None:
    assert config.find(str(tmp_path)) is None


def test_the_environment_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "")
    other = tmp_path / "staging.toml"
    other.write_text('app = "staging:app"')
    monkeypatch.setenv("PORTABLE_CONFIG", str(other))

    assert config.load(str(tmp_path)).app == "staging:app"


def test_a_named_file_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "staging.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTABLE_CONFIG", "staging.toml")

    assert config.load().folder == str(tmp_path)


def test_a_named_file_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_CONFIG", "/nowhere/portable.toml")

    with pytest.raises(InvalidArgument, match=r"^PORTABLE_CONFIG names /nowhere/portable\.toml, which is not there$"):
        config.load(str(tmp_path))


# Which target.


def test_the_target_is_local_unless_told(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)

    assert config.load(str(tmp_path)).target().name == "local"


def test_the_environment_picks_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, WHOLE)
    monkeypatch.setenv("PORTABLE_TARGET", "prod")

    assert config.load(str(tmp_path)).target().name == "prod"


def test_a_target_named_in_the_call_is_picked_before_the_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, WHOLE)
    monkeypatch.setenv("PORTABLE_TARGET", "local")

    assert config.load(str(tmp_path)).target("prod").name == "prod"


def test_an_unknown_target_is_refused_with_the_nearest_and_all_of_them(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE)

    with pytest.raises(InvalidArgument) as caught:
        config.load(str(tmp_path)).target("prd")

    assert str(caught.value) == (
        f"no target 'prd' in {path} (did you mean 'prod'?): its targets are local, prod; add [targets.prd]"
    )


def test_an_unknown_target_of_the_environment_is_refused_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, WHOLE)
    monkeypatch.setenv("PORTABLE_TARGET", "live")

    with pytest.raises(InvalidArgument, match=r"^no target 'live' \(named by PORTABLE_TARGET\) in "):
        config.load(str(tmp_path)).target()


def test_a_target_without_a_file_is_refused_with_what_to_make(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument) as caught:
        config.load(str(tmp_path)).target("prod")

    assert str(caught.value) == (
        f"no target 'prod': there is no portable.toml in {tmp_path} or above it, so only 'local'; "
        "make one with [targets.prod]"
    )


# Where resources are.


def test_a_resource_that_is_not_listed_has_no_address() -> None:
    assert Target("prod", "aws").address("photos") is None


def test_the_environment_overrides_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_PHOTOS", "s3://other")

    assert Target("prod", "aws", resources={"photos": "s3://acme"}).address("photos") == "s3://other"


def test_an_empty_variable_overrides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_PHOTOS", "")

    assert Target("prod", "aws", resources={"photos": "s3://acme"}).address("photos") == "s3://acme"


def test_dashes_of_a_name_are_underscores_of_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_THUMBS_DEAD", "sqs://dead")

    assert Target("prod", "aws").address("thumbs-dead") == "sqs://dead"


@pytest.mark.parametrize("name", ["target", "config"])
def test_a_resource_called_as_a_variable_of_ours_is_not_overridden(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"PORTABLE_{name.upper()}", "prod")

    assert Target("prod", "aws", resources={name: "s3://acme"}).address(name) == "s3://acme"


def test_a_variable_that_holds_no_address_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_PHOTOS", "acme-photos")

    with pytest.raises(
        InvalidArgument, match=r"^PORTABLE_PHOTOS: address 'acme-photos' has no scheme: write it like s3://"
    ):
        Target("prod", "aws").address("photos")


def test_a_secret_in_a_variable_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_PHOTOS", "s3://AKIA:hunter2@acme")

    with pytest.raises(InvalidArgument, match=r"^PORTABLE_PHOTOS: .*credentials come from the environment") as caught:
        Target("prod", "aws").address("photos")

    assert "hunter2" not in str(caught.value)


# What is wrong in the file.


def test_bad_toml_is_refused_with_its_place(tmp_path: Path) -> None:
    assert re.fullmatch(r" is not valid TOML: .*line 2, column \d+.*", refusal(tmp_path, "app = 1\napp = 2\n[a]"))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "portable.toml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(InvalidArgument, match=r"portable\.toml is not valid TOML"):
        config.load(str(tmp_path))


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that fails to be read, as Linux has")
def test_a_file_that_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_CONFIG", "/proc/self/mem")

    with pytest.raises(InvalidArgument, match=r"^/proc/self/mem cannot be read: Input/output error$"):
        config.load()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ap = 1", ": unknown key ap (did you mean 'app'?): the file takes app, targets"),
        ("[target.prod]", ": unknown key target (did you mean 'targets'?): the file takes app, targets"),
        (
            '[targets.prod]\nprovder = "aws"',
            ": unknown key targets.prod.provder (did you mean 'provider'?): "
            "[targets.prod] takes provider, region, resources, settings",
        ),
        (
            '[targets.prod]\nprovider = "aws"\nzone = "a"',
            ": unknown key targets.prod.zone: [targets.prod] takes provider, region, resources, settings",
        ),
        ('[targets.prod]\nregion = "eu"', ': targets.prod names no provider: add provider = "aws", or another'),
        ('[targets.prod]\nprovider = ""', ': targets.prod names no provider: add provider = "aws", or another'),
        ("[targets.prod]\nprovider = 1", ': targets.prod names no provider: add provider = "aws", or another'),
        ('[targets.prod]\nprovider = "aws"\nregion = 1', ": targets.prod.region is 1: it must be text"),
        ("targets = 1", ": targets is not a table: write [targets.NAME]"),
        ('[targets]\nprod = "aws"', ": targets.prod is not a table: write [targets.prod]"),
        (
            '[targets.prod]\nprovider = "aws"\nresources = "s3://a"',
            ": targets.prod.resources is not a table: write [targets.prod.resources]",
        ),
        (
            '[targets.prod]\nprovider = "aws"\nsettings = 1',
            ": targets.prod.settings is not a table: write [targets.prod.settings]",
        ),
        (
            '[targets.prod]\nprovider = "aws"\n[targets.prod.resources]\nphotos = 1',
            ": targets.prod.resources.photos = 1 is not an address: write it like scheme://name",
        ),
        (
            '[targets.prod]\nprovider = "aws"\n[targets.prod.resources]\nphotos = "acme"',
            ": targets.prod.resources.photos: address 'acme' has no scheme: write it like s3://bucket-name",
        ),
        ("app = 1", ': app = 1 names no app: write it like app = "main:app"'),
        ('app = "main"', ": app = 'main' names no app: write it like app = \"main:app\""),
        ('app = ":app"', ": app = ':app' names no app: write it like app = \"main:app\""),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key_and_the_fix(text: str, said: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text) == said


def test_a_secret_in_an_address_is_refused_with_its_key_and_not_shown(tmp_path: Path) -> None:
    said = refusal(
        tmp_path, '[targets.prod]\nprovider = "aws"\n[targets.prod.resources]\nsessions = "redis://me:hunter2@host/0"'
    )

    assert said == (
        ": targets.prod.resources.sessions: address 'redis://...@host/0' holds a user name or password: "
        "credentials come from the environment"
    )


class TestTheTargetOnAProvider:
    """`target_on`: what an entry point uses where nobody says which target."""

    def test_it_is_the_only_target_there(self, tmp_path: Path) -> None:
        configuration = config.parse({"targets": {"prod": {"provider": "aws"}}}, str(tmp_path / "portable.toml"))

        assert configuration.target_on("aws").name == "prod"

    def test_without_any_it_has_the_providers_name(self, tmp_path: Path) -> None:
        configuration = config.parse({}, str(tmp_path / "portable.toml"))

        assert configuration.target_on("aws") == Target("aws", "aws")

    def test_of_several_the_environment_must_name_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        two = {"targets": {"prod": {"provider": "aws"}, "stage": {"provider": "aws"}}}
        configuration = config.parse(two, str(tmp_path / "portable.toml"))

        with pytest.raises(InvalidArgument, match="PORTABLE_TARGET to one of prod, stage"):
            configuration.target_on("aws")
        monkeypatch.setenv("PORTABLE_TARGET", "stage")
        assert configuration.target_on("aws").name == "stage"
