"""What an AWS entry point costs beside Powertools, Mangum and Chalice: `python benchmarks/aws_events.py [--json FILE]`.

Per invocation: a POST of API Gateway among 30 routes, and an SQS batch of ten of which two fail, JSON in and out. All
are called in turns, and the best round of each counts, so that a busy machine slows them alike; requests and batches
have a process each, as functions do. Of a message that fails Powertools logs nothing, so ours is told to do so too; the
line below is with a traceback for each, in both.
Cold start: 30 routes and the first request, as in cold_start.py. Memory: the most that is held of a body of 5 MB,
base64, which the handler sends back, beside the event itself.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cold_start import CHALICE, CONTEXT, EVENT_V2, PASS, PORTABLE, timed

import portable
from portable import App, Message, Request

ROUNDS = 60
CALLS = 200
ROUTES = 30
FAILING = (3, 7)
LARGE = 5_000_000
NEEDED = {"aws_lambda_powertools": "aws-lambda-powertools", "mangum": "mangum", "starlette": "starlette"}
POWERTOOLS = (
    CONTEXT
    + EVENT_V2
    + """
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
app = APIGatewayHttpResolver()
def entry(item):
    return {"id": item, "name": app.current_event.json_body["name"]}
for number in range(30):
    app.post(f"/group{number}/<item>/entries")(entry)
answer = app.resolve(EVENT, Context())
assert answer["statusCode"] == 200, answer
"""
)


class Context:
    """What Lambda's runtime hands over beside the event."""

    aws_request_id = "request-1"
    function_name = "shop"
    memory_limit_in_mb = "256"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop"

    def get_remaining_time_in_millis(self) -> int:
        return 3000


CONTEXT_OBJECT = Context()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the figures and ratios there, too")
    parser.add_argument("--part", choices=PARTS, help="one of them alone")
    arguments = parser.parse_args()
    missing = [package for module, package in {**NEEDED, "chalice": "chalice"}.items() if not found(module)]
    if missing:
        sys.exit(f"aws_events needs {', '.join(missing)} beside it: pip install 'portable-serverless[benchmarks]'")
    os.environ["PORTABLE_TARGET"] = "local"  # So that a portable.toml nearby does not matter.
    results = PARTS[arguments.part]() if arguments.part else [result for part in PARTS for result in alone(part)]
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=2))
    sys.exit(0 if all(result["met"] for result in results) else 1)


def alone(part: str) -> list[dict[str, Any]]:
    """Measure *part* in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "results.json")
        subprocess.run([sys.executable, __file__, "--part", part, "--json", out])
        if not out.exists():
            sys.exit(f"the part {part} failed")
        results: list[dict[str, Any]] = json.loads(out.read_text())
    for result in results:
        print(
            f"{result['name']:<54} {result['ours']:>7.1f} / {result['theirs']:>6.1f} {result['unit']} = "
            f"{result['ratio']:.2f}" + (f" (bar: at most {result['bar']}) {met(result)}" if result["bar"] else ""),
            flush=True,
        )
    return results


def found(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def met(result: dict[str, Any]) -> str:
    return "met" if result["met"] else "MISSED"


def ratio(name: str, unit: str, ours: float, theirs: float, bar: float | None) -> dict[str, Any]:
    value = ours / theirs
    return {
        "name": name, "unit": unit, "ours": ours, "theirs": theirs, "ratio": value, "bar": bar,
        "met": bar is None or value <= bar,
    }  # fmt: skip


def best(*contestants: Callable[[], Any]) -> list[float]:
    """Return the best time of each for one call, in microseconds."""
    least = [float("inf")] * len(contestants)
    for _ in range(ROUNDS):
        for index, contestant in enumerate(contestants):
            began = time.perf_counter()
            for _ in range(CALLS):
                contestant()
            least[index] = min(least[index], (time.perf_counter() - began) / CALLS * 1e6)
    return least


# A POST among 30 routes


def http_event() -> dict[str, Any]:
    headers = {
        "accept": "application/json", "content-length": "46", "content-type": "application/json",
        "host": "abc123.execute-api.eu-west-1.amazonaws.com", "user-agent": "benchmark/1.0",
        "x-amzn-trace-id": "Root=1-67891233-abcdef012345678912345678", "x-forwarded-for": "203.0.113.9",
        "x-forwarded-port": "443", "x-forwarded-proto": "https",
    }  # fmt: skip
    http = {"method": "POST", "path": "/group7/42/entries", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9"}
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": "/group7/42/entries", "rawQueryString": "page=2",
        "cookies": ["session=abc"], "headers": headers, "queryStringParameters": {"page": "2"},
        "requestContext": {
            "accountId": "123456789012", "apiId": "abc123", "domainName": headers["host"], "domainPrefix": "abc123",
            "http": {**http, "userAgent": "benchmark/1.0"}, "requestId": "JKJaXmPLvHcESHA=", "routeKey": "$default",
            "stage": "$default", "time": "02/Jan/2026:03:04:05 +0000", "timeEpoch": 1767323045000,
        },
        "body": json.dumps({"name": "Ada", "text": "Hello", "tags": ["a"]}), "isBase64Encoded": False,
    }  # fmt: skip


def requests() -> list[dict[str, Any]]:
    event = http_event()
    contestants = [make(event) for make in (portable_http, powertools_http, mangum_http)]
    for contestant in contestants:
        answer = contestant()
        assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"id": "42", "name": "Ada"}), answer
    ours, powertools, mangum = best(*contestants)
    return [
        ratio("POST: portable / Powertools", "us", ours, powertools, 0.75),
        ratio("POST: portable / Mangum + Starlette", "us", ours, mangum, 0.3),
    ]


def portable_http(event: dict[str, Any]) -> Callable[[], Any]:
    app = App("shop")

    def entry(request: Request, item: str) -> dict[str, Any]:
        return {"id": item, "name": request.json()["name"]}

    for number in range(ROUTES):
        app.post(f"/group{number}/{{item}}/entries")(entry)
    handler = portable.entrypoint(app, "aws")
    return lambda: handler(event, CONTEXT_OBJECT)


def powertools_http(event: dict[str, Any]) -> Callable[[], Any]:
    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

    app = APIGatewayHttpResolver()

    def entry(item: str) -> dict[str, Any]:
        return {"id": item, "name": app.current_event.json_body["name"]}

    for number in range(ROUTES):
        app.post(f"/group{number}/<item>/entries")(entry)
    return lambda: app.resolve(event, CONTEXT_OBJECT)


def mangum_http(event: dict[str, Any]) -> Callable[[], Any]:
    from mangum import Mangum
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def entry(request: Any) -> Any:
        return JSONResponse({"id": request.path_params["item"], "name": (await request.json())["name"]})

    routes = [Route(f"/group{number}/{{item}}/entries", entry, methods=["POST"]) for number in range(ROUTES)]
    handler = Mangum(Starlette(routes=routes), lifespan="off")
    return lambda: handler(event, CONTEXT_OBJECT)


# A batch of ten messages


def sqs_event() -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"059f36b4-87a3-44ab-83d2-6619757250{number:02}", "receiptHandle": "AQEBwJnKyrHigUMZj6rY",
                "body": json.dumps({"number": number, "key": f"in/{number}.png"}), "messageAttributes": {},
                "attributes": {
                    "ApproximateReceiveCount": "1", "SentTimestamp": str(1767323045000 + number),
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO", "ApproximateFirstReceiveTimestamp": "1767323045010",
                },
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3", "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:thumbs", "awsRegion": "eu-west-1",
            }
            for number in range(10)
        ]
    }  # fmt: skip


def batches() -> list[dict[str, Any]]:
    event = sqs_event()
    logger, sink = logging.getLogger("portable"), open(os.devnull, "w")  # noqa: SIM115  # as long as the process
    logger.addHandler(logging.StreamHandler(sink))
    logger.propagate = False
    names = [event["Records"][number]["messageId"] for number in FAILING]
    results = []
    for name, logs, bar in (("", False, 0.7), (", with tracebacks", True, None)):
        logger.setLevel(logging.ERROR if logs else logging.CRITICAL + 1)
        contestants = [portable_batch(event), powertools_batch(event, logger if logs else None)]
        for contestant in contestants:
            assert [each["itemIdentifier"] for each in contestant()["batchItemFailures"]] == names
        ours, powertools = best(*contestants)
        results.append(ratio(f"SQS batch of 10{name}: portable / Powertools", "us", ours, powertools, bar))
    return results


def portable_batch(event: dict[str, Any]) -> Callable[[], Any]:
    app = App("shop")

    @app.on_message(app.queue("thumbs"))
    def entry(message: Message) -> None:
        if message.json()["number"] in FAILING:
            raise ValueError("no such picture")

    handler = portable.entrypoint(app, "aws", partial_batch=True)
    return lambda: handler(event, CONTEXT_OBJECT)


def powertools_batch(event: dict[str, Any], logger: logging.Logger | None) -> Callable[[], Any]:
    from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

    processor = BatchProcessor(event_type=EventType.SQS)

    def entry(record: Any) -> None:
        if record.json_body["number"] in FAILING:
            raise ValueError("no such picture")

    def logged(record: Any) -> None:
        try:
            entry(record)
        except ValueError:
            logger.exception("message %s failed", record.message_id)  # type: ignore[union-attr]  # given with this one
            raise

    chosen = logged if logger else entry
    return lambda: process_partial_response(event, chosen, processor, CONTEXT_OBJECT)


# Cold starts


def cold_starts() -> list[dict[str, Any]]:
    programs = {"pass": PASS, "portable": PORTABLE, "chalice": CHALICE, "powertools": POWERTOOLS}
    with tempfile.TemporaryDirectory() as folder:
        least = timed(programs, Path(folder))
    ours, chalice, powertools = (least[name] - least["pass"] for name in ("portable", "chalice", "powertools"))
    return [
        ratio("cold start: portable / Chalice", "ms", ours, chalice, 0.8),
        ratio("cold start: portable / Powertools", "ms", ours, powertools, 0.3),
    ]


# Memory


def memory() -> list[dict[str, Any]]:
    app = App("shop")

    @app.post("/")
    def echo(request: Request) -> bytes:
        return request.body

    handler = portable.entrypoint(app, "aws")
    event = {**http_event(), "rawPath": "/", "isBase64Encoded": True, "body": "/w=="}
    handler(event, CONTEXT_OBJECT)
    event["body"] = b64encode(b"\xff" * (LARGE * 3 // 4)).decode()
    tracemalloc.start()
    answer = handler(event, CONTEXT_OBJECT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer["body"] == event["body"]
    return [ratio("a body of 5 MB there and back: held / body", "MB", peak / 1e6, LARGE / 1e6, 2.0)]


PARTS = {"requests": requests, "batches": batches, "cold_starts": cold_starts, "memory": memory}


if __name__ == "__main__":
    main()
