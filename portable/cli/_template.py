"""The files that `portable new` writes; NAME stands for the app's name."""

from __future__ import annotations

FILES = {
    "main.py": '''\
"""NAME: short links, and a count of their visits."""

from portable import App, Message, Request, Response

app = App("NAME")
links = app.table("links")
visits = app.queue("visits", max_attempts=5, dead_letter="visits-dead")
app.queue("visits-dead")


@app.put("/{name}")
def shorten(request: Request, name: str) -> Response:
    to = request.json().get("to")
    if not to:
        return Response.json({"error": 'say where to, like {"to": "https://example.com/"}'}, status=400)
    links.put(name, "", {"to": to, "visits": 0})
    return Response.json({"name": name, "to": to}, status=201)


@app.get("/{name}")
def follow(request: Request, name: str) -> Response:
    link = links.get(name, default=None)
    if link is None:
        return Response.text(f"there is no link {name}", status=404)
    visits.send({"name": name})
    return Response.redirect(link.value["to"])


@app.get("/{name}/visits")
def count(request: Request, name: str) -> dict[str, int]:
    return {"visits": links.get(name).value["visits"]}


@app.on_message(visits)
def visited(message: Message) -> None:
    links.increment(message.json()["name"], "", "visits")
''',
    "test_main.py": """\
from main import app

from portable.testing import client


def test_a_link_leads_to_its_address_and_its_visits_are_counted():
    with client(app) as http:
        http.put("/docs", json={"to": "https://example.com/"})

        answer = http.get("/docs")

        assert answer.status == 302
        assert answer.headers["location"] == "https://example.com/"
        assert http.get("/docs/visits").json() == {"visits": 1}


def test_an_unknown_link_is_not_found():
    with client(app) as http:
        assert http.get("/nowhere").status == 404
""",
    "portable.toml": """\
app = "main:app"

# What portable.toml does not list is under its own name at the provider's default service. A target in a cloud:
#
# [targets.prod]
# provider = "aws"
# region = "eu-west-1"
#
# [targets.prod.resources]
# links = "dynamodb://NAME-links"
""",
    ".gitignore": """\
.portable/
.venv/
__pycache__/
""",
    "README.md": """\
# NAME

    pip install 'portable-serverless[cli]' pytest
    portable run          # http://127.0.0.1:8000, with its data in .portable/
    pytest                # the tests, on a fake clock and a temporary folder
    portable check        # what the targets in portable.toml cannot do for this app

Try it:

    curl -X PUT http://127.0.0.1:8000/docs -d '{"to": "https://example.com/"}'
    curl -i http://127.0.0.1:8000/docs
    curl http://127.0.0.1:8000/docs/visits
""",
}
