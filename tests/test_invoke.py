"""`portable invoke`: one request to the app, in a provider's own shape."""

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
        (["GET", "/", "--as", "aws", "--shape", "aws.http.v3"], "aws has no HTTP shape 'aws.http.v3' (did you mean"),
        (["GET", "/", "-H", "nothing"], "header 'nothing' has no colon"),
        (["GET", "/", "-d", "@missing"], "missing cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_call_says_how_to_mend_it(arguments: list[str], message: str) -> None:
    result = invoke(*arguments)

    assert result.exit_code == 2
    assert message in result.stderr
