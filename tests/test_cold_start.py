"""What a function's first request does not load."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HEAVY = {
    "asyncio", "concurrent.futures", "dataclasses", "email", "enum", "http.client", "importlib.metadata", "inspect",
    "logging", "pathlib", "queue", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "tomllib",
    "typing", "typing_extensions", "urllib.parse", "urllib.request", "uuid",
}  # fmt: skip
SDKS = {
    "boto3", "botocore", "google", "azure", "qcloud_cos", "tencentcloud", "flask", "redis", "libcloud", "click",
    "uvicorn",
}  # fmt: skip


def loaded(source: str, folder: Path) -> set[str]:
    """Return the modules that are loaded when *source* has run."""
    program = textwrap.dedent(source) + "\nimport sys\nprint(*sys.modules)"
    # Without site: an editable installation's hooks load modules of their own.
    command = [sys.executable, "-S", "-c", program]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


APP = """
    from portable import App, Request, Response
    app = App("a")
    @app.get("/hello/{name}")
    def hello(request, name):
        return Response.text("hi " + name + request.query["a"])
"""

LAMBDA = """
    import portable
    handler = portable.entrypoint(app, "aws")
    class Native:
        aws_request_id, function_name = "r-1", "f"
        def get_remaining_time_in_millis(self):
            return 1000
    answer = handler({"version": "2.0", "rawPath": "/hello/ada", "rawQueryString": "a=1", "headers": {"a": "b"},
        "isBase64Encoded": False, "requestContext": {"stage": "$default",
        "http": {"method": "GET", "path": "/hello/ada", "sourceIp": "203.0.113.9"}}}, Native())
    assert answer["statusCode"] == 200, answer
"""

ASGI = """
    from portable.runtime import runner
    scope = {"type": "http", "method": "GET", "path": "/hello/ada", "query_string": b"a=1", "headers": [(b"a", b"b")]}
    start, end = runner(app, "local")({"scope": scope, "body": b""}, None)
    assert end["body"] == b"hi ada1"
"""


@pytest.mark.parametrize("source", ["import portable", APP, APP + LAMBDA], ids=["import", "app", "first request"])
def test_it_loads_nothing_that_costs(source: str, tmp_path: Path) -> None:
    modules = loaded(source, tmp_path)

    assert modules & HEAVY == set()
    assert {module.partition(".")[0] for module in modules} & SDKS == set()


def test_importing_portable_loads_none_of_its_modules(tmp_path: Path) -> None:
    assert {module for module in loaded("import portable", tmp_path) if module.startswith("portable")} == {"portable"}


def test_a_request_loads_no_adapter_but_its_own(tmp_path: Path) -> None:
    roots = {module.partition(".")[0] for module in loaded(APP + LAMBDA, tmp_path)}

    assert {root for root in roots if root.startswith("portable")} == {"portable", "portable_contracts", "portable_aws"}


def test_a_local_request_loads_no_event_loop(tmp_path: Path) -> None:
    assert loaded(APP + ASGI, tmp_path) & {"asyncio", "http.client", "ssl", "sqlite3", "dataclasses"} == set()


def test_resources_that_are_not_used_load_no_driver(tmp_path: Path) -> None:
    declared = """
    app.table("entries"), app.bucket("photos"), app.queue("thumbs", dead_letter="dead")
    """

    assert loaded(APP + declared, tmp_path) & {"sqlite3", "portable_local", "ssl", "asyncio", "threading"} == set()


def test_a_request_without_json_does_not_load_it(tmp_path: Path) -> None:
    request = """
    app.handle(Request("GET", "/hello/ada", query="a=1"))
    """

    assert loaded(APP + request, tmp_path) & {"json", "re"} == set()
