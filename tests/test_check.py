"""`portable check`: what targets cannot do for an app, with file and line, from its declarations and its source."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from portable.cli.commands import commands

TARGETS = """
app = "shop:app"
[targets.amazon]
provider = "aws"
[targets.google]
provider = "gcp"
[targets.azure]
provider = "azure"
[targets.tencent]
provider = "tencent"
"""
HEAD = """
from datetime import timedelta
from portable import App, Put, aio
app = App("shop")
"""


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Write an app and its portable.toml into a folder, and check it there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)

    def check(source: str, *arguments: str, toml: str = TARGETS, **files: str) -> Result:
        tmp_path.joinpath("portable.toml").write_text(toml)
        tmp_path.joinpath("shop.py").write_text(HEAD + source)
        for name, text in files.items():
            tmp_path.joinpath(f"{name}.py").write_text(text)
        return CliRunner().invoke(commands, ["check", *arguments])

    yield check
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def found(result: Result, target: str) -> list[str]:
    """Return what a text answer says about one target, line by line."""
    lines = result.output.splitlines()
    starts = [index for index, line in enumerate(lines) if not line.startswith(" ")]
    begin = next(index for index in starts if lines[index].startswith(f"target {target} "))
    end = next((index for index in starts if index > begin), len(lines))
    return [line.strip() for line in lines[begin + 1 : end]]


def test_an_app_that_every_target_can_run_is_good(check: Callable[..., Result]) -> None:
    result = check('table = app.table("entries")\ntable.get', toml=TARGETS)

    assert (result.exit_code, found(result, "amazon")) == (0, [])


def test_one_target_that_cannot_is_enough_to_fail(check: Callable[..., Result]) -> None:
    assert check('app.on_change(app.table("entries"))(lambda change: None)').exit_code == 1


@pytest.mark.parametrize(
    ("source", "target", "finding"),
    [
        (
            'app.queue("jobs", needs=["groups"])',
            "amazon",
            "shop.py:5: queue jobs needs 'groups': sqs:// does not have 'groups'",
        ),
        (
            'entries = app.table("entries")\n@app.on_change(entries)\ndef changed(change): ...',
            "azure",
            "shop.py:6: changed is called by table entries: aztable:// does not have 'changes'",
        ),
        (
            'jobs = app.queue("jobs")\n@app.on_message(jobs)\ndef work(message): ...',
            "tencent",
            "shop.py:6: work is called by queue jobs: cmq:// does not have 'push'",
        ),
        (
            'jobs = app.queue("jobs")\njobs and (lambda: jobs.send("x", delay=timedelta(minutes=1)))',
            "google",
            "shop.py:6: send(delay=...) on queue jobs: pubsub:// does not have 'delay'",
        ),
        (
            'jobs = app.queue("jobs")\ndef send(): jobs.send("x", group="g", dedup=None)',
            "amazon",
            "shop.py:6: send(group=...) on queue jobs: sqs:// does not have 'groups'",
        ),
        (
            'jobs = app.queue("jobs")\n@app.on_message(jobs)\ndef work(message):\n    message.extend(timedelta(1))',
            "tencent",
            "shop.py:8: message.extend(...) on queue jobs: cmq:// does not have 'extend'",
        ),
        (
            'jobs = app.queue("jobs")\n@app.on_message(jobs)\nasync def work(job):\n    job.retry(timedelta(1))',
            "google",
            "shop.py:8: message.retry(delay=...) on queue jobs: pubsub:// does not have 'retry_delay'",
        ),
        (
            'photos = app.bucket("photos")\ndef write():\n    photos.write("k", b"", if_version="1")',
            "tencent",
            "shop.py:7: write(if_version=...) on bucket photos: cos:// does not have 'if_version'",
        ),
        (
            'photos = app.bucket("photos")\ndef sign():\n    return photos.sign("k", "PUT", content_type="image/png")',
            "azure",
            "shop.py:7: sign(content_type=...) on bucket photos: azblob:// does not have 'sign_content_type'",
        ),
        (
            'entries = aio.table(app.table("entries"))\nasync def read():\n    entries.scan(segment=0, segments=2)',
            "azure",
            "shop.py:7: scan(segments=...) on table entries: aztable:// does not have 'scan_segments'",
        ),
        (
            '@app.get("/", function="slow", timeout=60)\ndef slow(request): ...',
            "amazon",
            "shop.py:5: function slow answers HTTP with timeout=60: aws ends a request after 30 seconds",
        ),
    ],
    ids=[
        "needs",
        "on_change",
        "on_message",
        "delay",
        "group",
        "extend",
        "retry",
        "if_version",
        "sign",
        "scan",
        "timeout",
    ],
)
def test_what_a_target_cannot_do_is_found_with_its_place(
    check: Callable[..., Result], source: str, target: str, finding: str
) -> None:
    result = check(source)

    assert finding in found(result, target)
    assert result.exit_code == 1


@pytest.mark.parametrize(
    "source",
    [
        'jobs = app.queue("jobs")\ndef send(): jobs.send("x", delay=None)',
        'jobs = app.queue("jobs")\ndef send(jobs): jobs.send("x", delay=timedelta(1))',
        'jobs = app.queue("jobs")\ndef send():\n    jobs = print\n    jobs.send("x", delay=timedelta(1))',
        'jobs = app.queue("jobs")\n@app.on_message(jobs)\ndef work(message):\n    message.retry()',
        'photos = app.bucket("photos")\ndef write(): photos.write("k", b"", if_version=None)',
        'photos = app.bucket("photos")\ndef sign(): photos.sign("k")',
    ],
)
def test_what_needs_nothing_is_not_found(check: Callable[..., Result], source: str) -> None:
    assert found(check(source), "google") == []


def test_calls_in_other_modules_of_the_app_are_found(check: Callable[..., Result]) -> None:
    result = check(
        'jobs = app.queue("jobs")\nimport sending',
        sending='from shop import jobs as later\ndef send():\n    later.send("x", delay=1)\n',
    )

    assert found(result, "google") == ["sending.py:3: send(delay=...) on queue jobs: pubsub:// does not have 'delay'"]


def test_calls_through_a_module_are_found(check: Callable[..., Result]) -> None:
    result = check(
        'jobs = app.queue("jobs")\nimport sending',
        sending='import shop\ndef send():\n    shop.jobs.send("x", delay=1)\n',
    )

    assert found(result, "google") == ["sending.py:3: send(delay=...) on queue jobs: pubsub:// does not have 'delay'"]


def test_the_engine_of_this_machine_can_do_without_push(check: Callable[..., Result]) -> None:
    result = check('jobs = app.queue("jobs")\n@app.on_message(jobs)\ndef work(message): ...')

    assert found(result, "local") == []


def test_an_unknown_capability_names_the_nearest(check: Callable[..., Result]) -> None:
    result = check('app.queue("jobs", needs=["group"])')

    assert result.exit_code == 2
    assert "shop.py:5: queue jobs needs 'group', which is no capability (did you mean 'groups'?)" in result.output


def test_on_this_machine_a_service_that_cannot_be_followed_is_found(check: Callable[..., Result]) -> None:
    toml = '[targets.local]\nprovider = "local"\n[targets.local.resources]\nentries = "redis://127.0.0.1"\n'
    result = check(
        'entries = app.table("entries")\n@app.on_change(entries)\ndef changed(change): ...', "shop:app", toml=toml
    )

    assert found(result, "local") == ["shop.py:6: changed follows table entries: redis:// does not have 'feed'"]


def test_a_schedule_that_is_never_due_is_found_on_any_target(check: Callable[..., Result]) -> None:
    # The app itself takes it: it is day 31 or a Monday, and February has Mondays.
    result = check('@app.schedule("0 0 31 2 */8")\ndef tick(tick): ...')

    assert (result.exit_code, "on any target" in result.output) == (1, True)


def test_a_resource_that_the_app_does_not_have_names_the_nearest(check: Callable[..., Result]) -> None:
    toml = '[targets.prod]\nprovider = "aws"\n[targets.prod.resources]\nphoto = "s3://acme"\n'
    result = check('app.bucket("photos")', "shop:app", toml=toml)

    (finding,) = found(result, "prod")
    assert finding == ("portable.toml: targets.prod.resources.photo: the app has no 'photo' (did you mean 'photos'?)")


def test_an_address_whose_scheme_nobody_serves_is_found(check: Callable[..., Result]) -> None:
    toml = '[targets.prod]\nprovider = "aws"\n[targets.prod.resources]\nphotos = "s4://acme"\n'
    (finding,) = found(check('app.bucket("photos")', "shop:app", toml=toml), "prod")

    assert finding.startswith("shop.py:5: bucket photos: no installed adapter serves a bucket at s4://")


def test_a_target_without_an_adapter_says_what_to_install(check: Callable[..., Result]) -> None:
    (finding,) = found(check("", "shop:app", toml='[targets.prod]\nprovider = "acme"\n'), "prod")

    assert finding.startswith("portable.toml: no installed adapter offers the provider 'acme'")
    assert "install" in finding


def test_one_target_can_be_checked_alone(check: Callable[..., Result]) -> None:
    result = check("", "--target", "azure")

    assert result.output.splitlines() == ["target azure (azure): good"]


def test_an_unknown_target_is_a_wrong_call(check: Callable[..., Result]) -> None:
    result = check("", "--target", "azur")

    assert (result.exit_code, "did you mean 'azure'" in result.output) == (2, True)


def test_the_answer_can_be_json(check: Callable[..., Result], tmp_path: Path) -> None:
    result = check('app.queue("jobs", needs=["groups"])', "--target", "amazon", "--json")

    assert json.loads(result.output) == {
        "ok": False,
        "app": [],
        "targets": {
            "amazon": [
                {
                    "file": str(tmp_path / "shop.py"),
                    "line": 5,
                    "what": "queue jobs needs 'groups': sqs:// does not have 'groups'",
                }
            ]
        },
    }


def test_a_typo_in_the_file_is_a_wrong_call(check: Callable[..., Result]) -> None:
    result = check("", toml='[targets.prod]\nprovder = "aws"\n')

    assert result.exit_code == 2
    assert "unknown key targets.prod.provder (did you mean 'provider'?)" in result.output
