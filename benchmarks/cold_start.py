"""What a cold start costs over an empty program, against Chalice: `python benchmarks/cold_start.py [--json FILE]`.

Each program is a fresh process that declares 30 routes and answers one request of API Gateway; the floor is one handler
and `json`. What counts is the processor time beyond that of `python -c pass`, the least of many starts that take turns:
the clock of the wall would measure what else the machine does. The .pyc files are there, as in a good bundle.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROUNDS = 30
PASS = "pass\n"
CONTEXT = """
class Context:
    aws_request_id, function_name, memory_limit_in_mb = "request-1", "shop", "256"
    def get_remaining_time_in_millis(self):
        return 3000
"""
EVENT_V2 = """
EVENT = {
    "version": "2.0", "routeKey": "$default", "rawPath": "/group7/42/entries", "rawQueryString": "page=2",
    "headers": {"host": "shop.example", "accept": "*/*", "content-type": "application/json"},
    "requestContext": {"stage": "$default", "requestId": "id", "domainName": "shop.example",
        "http": {"method": "POST", "path": "/group7/42/entries", "sourceIp": "203.0.113.9"}},
    "body": '{"name": "Ada"}', "isBase64Encoded": False,
}
"""
EVENT_V1 = """
EVENT = {
    "resource": "/group7/{item}/entries", "path": "/group7/42/entries", "httpMethod": "POST",
    "headers": {"host": "shop.example", "accept": "*/*", "content-type": "application/json"},
    "multiValueHeaders": {"host": ["shop.example"], "accept": ["*/*"], "content-type": ["application/json"]},
    "queryStringParameters": {"page": "2"}, "multiValueQueryStringParameters": {"page": ["2"]},
    "pathParameters": {"item": "42"}, "stageVariables": None,
    "requestContext": {"resourcePath": "/group7/{item}/entries", "httpMethod": "POST", "stage": "api",
        "requestId": "id", "path": "/api/group7/42/entries", "identity": {"sourceIp": "203.0.113.9"}},
    "body": '{"name": "Ada"}', "isBase64Encoded": False,
}
"""
FLOOR = (
    CONTEXT
    + EVENT_V2
    + """
import json
def handler(event, context):
    body = json.loads(event["body"])
    return {"statusCode": 200, "body": json.dumps({"id": "42", "name": body["name"]})}
answer = handler(EVENT, Context())
assert answer["statusCode"] == 200, answer
"""
)
PORTABLE = (
    CONTEXT
    + EVENT_V2
    + """
import portable
from portable import App
app = App("shop")
def entry(request, item):
    return {"id": item, "name": request.json()["name"]}
for number in range(30):
    app.post(f"/group{number}/{{item}}/entries")(entry)
handler = portable.entrypoint(app, "aws")
answer = handler(EVENT, Context())
assert answer["statusCode"] == 200, answer
"""
)
CHALICE = (
    CONTEXT
    + EVENT_V1
    + """
from chalice.app import Chalice
app = Chalice("shop")
def entry(item):
    return {"id": item, "name": app.current_request.json_body["name"]}
for number in range(30):
    app.route(f"/group{number}/{{item}}/entries", methods=["POST"], name=f"entry{number}")(entry)
answer = app(EVENT, Context())
assert answer["statusCode"] == 200, answer
"""
)
BAR = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the figures and ratios there, too")
    arguments = parser.parse_args()
    if importlib.util.find_spec("chalice") is None:
        sys.exit("cold_start needs Chalice beside it: pip install -e '.[benchmarks]'")
    with tempfile.TemporaryDirectory() as folder:
        best = timed({"pass": PASS, "floor": FLOOR, "portable": PORTABLE, "chalice": CHALICE}, Path(folder))
    over = {name: best[name] - best["pass"] for name in ("floor", "portable", "chalice")}
    ratio = over["portable"] / over["chalice"]
    print(f"30 routes and the first request, milliseconds beyond the {best['pass']:.1f} of an empty program")
    for name, milliseconds in over.items():
        print(f"{name:<12} {milliseconds:>6.1f}")
    print(f"portable / chalice = {ratio:.2f} (bar: at most {BAR}) {'met' if ratio <= BAR else 'MISSED'}")
    if arguments.json:
        figures: dict[str, Any] = {"milliseconds": over, "ratio": ratio, "bar": BAR, "met": ratio <= BAR}
        Path(arguments.json).write_text(json.dumps(figures, indent=2))
    sys.exit(0 if ratio <= BAR else 1)


def timed(programs: dict[str, str], folder: Path) -> dict[str, float]:
    """Return the least processor time of each program, in milliseconds."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "pycache")
    for name, source in programs.items():
        (folder / f"{name}_program.py").write_text(source)
    best = dict.fromkeys(programs, float("inf"))
    for turn in range(ROUNDS + 1):
        for name in programs:
            command = [sys.executable, str(folder / f"{name}_program.py")]
            process = os.posix_spawn(command[0], command, environment)
            _, status, used = os.wait4(process, 0)
            if status:
                sys.exit(f"the program of {name} failed")
            if turn:  # The first one writes the .pyc files.
                best[name] = min(best[name], (used.ru_utime + used.ru_stime) * 1000)
    return best


if __name__ == "__main__":
    main()
