"""`portable invoke`: one request or event to the app, in a provider's own shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from portable.cli.commands import commands

if TYPE_CHECKING:
    from click.testing import Result

APP = """
from portable import App, Response

app = App("shop")

@app.post("/orders/{number}")
def order(request, number):
    headers = [("x-seen", request.headers["x-mark"]), ("set-cookie", "a=1"), ("set-cookie", "b=2")]
    return Response.json({"number": number, "got": request.json(), "provider": request.context.provider}, 201, headers)

orders, photos = app.queue("orders"), app.bucket("photos")

def note(*words):
    with open("done", "a") as done:
        print(*words, file=done)

@app.on_message(orders)
def ordered(message):
    note("message", message.json(), dict(message.attributes), message.context.provider)
    if message.json() is None:
        raise ValueError("no order")

@app.on_blob(photos)
def uploaded(event):
    note("blob", event.key, event.kind)

@app.schedule("0 * * * *")
def hourly(tick):
    note("schedule", tick.schedule)

@app.on_event("com.acme.signed")
def signed(event):
    note("event", event.data)

@app.get("/broken")
def broken():
    raise RuntimeError("no")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "shop.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTABLE_TARGET", "local")
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["invoke", *arguments, "--app", "shop:app"])


@pytest.mark.parametrize("provider", ["local", "aws", "gcp", "azure", "tencent"])
def test_the_app_answers_in_every_providers_shape(provider: str) -> None:
    if provider == "azure":
        pytest.importorskip("azure.functions", reason="the azure-functions package is missing")
    body = ["-H", "content-type: application/json", "-H", "x-mark: 7", "-d", '{"a": 1}']
    result = invoke("post", "/orders/a%20b?c=d", "--as", provider, "--json", *body)

    printed = json.loads(result.stdout)
    assert printed["status"] == 201
    assert json.loads(printed["body"]) == {"number": "a b", "got": {"a": 1}, "provider": provider}
    headers = [tuple(pair) for pair in printed["headers"]]
    assert ("x-seen", "7") in headers
    cookies = [value.partition(";")[0] for name, value in headers if name == "set-cookie"]
    assert cookies == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("provider", "attributes"),
    [
        ("local", {"kind": "a"}),
        ("aws", {"kind": "a"}),
        ("gcp", {"kind": "a"}),
        ("azure", {"kind": "a"}),
        ("tencent", {}),
    ],
)
def test_a_message_arrives_in_every_providers_shape(folder: Path, provider: str, attributes: dict[str, str]) -> None:
    if provider == "azure":
        pytest.importorskip("azure.functions", reason="the azure-functions package is missing")
    result = invoke("message", "orders", "--as", provider, "-d", '{"number": 7}', "-H", "kind: a")

    assert result.exit_code == 0, result.output
    # A topic of CMQ carries no attributes.
    assert (folder / "done").read_text() == f"message {{'number': 7}} {attributes} {provider}\n"


@pytest.mark.parametrize(
    ("arguments", "noted"),
    [
        (["blob", "photos/in/a.png", "--as", "aws", "--shape", "aws.s3.eventbridge"], "blob in/a.png created"),
        (["schedule", "hourly", "--as", "gcp"], "schedule hourly"),
        (["schedule", "hourly", "--as", "tencent"], "schedule hourly"),
        (["event", "com.acme.signed", "-d", '{"by": "Ada"}', "--as", "aws"], "event {'by': 'Ada'}"),
    ],
)
def test_other_events_arrive_too(folder: Path, arguments: list[str], noted: str) -> None:
    result = invoke(*arguments)

    assert result.exit_code == 0, result.output
    assert (folder / "done").read_text() == noted + "\n"


@pytest.mark.parametrize("provider", ["local", "aws", "tencent"])
def test_a_message_that_fails_ends_with_1_and_says_why(provider: str) -> None:
    result = invoke("message", "orders", "--as", provider, "-d", "null", "--json")

    assert result.exit_code == 1
    assert "no order" in json.loads(result.stdout)["error"]


def test_a_body_can_come_from_a_file(folder: Path) -> None:
    (folder / "order.json").write_text('{"from": "a file"}')
    result = invoke("POST", "/orders/1", "-H", "x-mark: 1", "-d", "@order.json", "--json")

    assert json.loads(json.loads(result.stdout)["body"])["got"] == {"from": "a file"}


def test_a_failure_of_the_app_ends_with_1() -> None:
    assert invoke("GET", "/broken").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["GET", "/", "--as", "awz"], "no installed adapter offers the provider 'awz' (did you mean 'aws'?)"),
        (
            ["GET", "/", "--as", "aws", "--shape", "aws.http.v3"],
            "aws has no shape 'aws.http.v3' for HTTP (did you mean",
        ),
        (["message", "orders", "--as", "aws", "--shape", "aws.sms"], "aws has no shape 'aws.sms' for message (did you"),
        (["event", "a", "--as", "tencent"], "tencent has no shape for event"),
        (["event", "a", "-d", "{"], "--data is not JSON"),
        (["blob", "photos"], "'photos' names no object: write it like photos/in/a.png"),
        (["GET", "/", "-H", "nothing"], "header 'nothing' has no colon"),
        (["GET", "/", "-d", "@missing"], "missing cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_call_says_how_to_mend_it(arguments: list[str], message: str) -> None:
    result = invoke(*arguments)

    assert result.exit_code == 2
    assert message in result.stderr
