"""CloudEvents that are posted to a path of the app: the same on every provider, since every provider has HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portable import App, CloudEvent
from portable.testing import Client, client

EVENT = {"specversion": "1.0", "id": "e-1", "source": "/acme", "type": "com.acme.signed"}
BINARY = {f"ce-{name}": value for name, value in EVENT.items()}
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}


@pytest.fixture
def seen() -> list[CloudEvent]:
    return []


@pytest.fixture
def sender(seen: list[CloudEvent]) -> Client:
    app = App("contracts")

    @app.on_event("com.acme.signed")
    def signed(event: CloudEvent) -> None:
        seen.append(event)
        if event.data == "broken":
            raise RuntimeError("a secret of the server")

    @app.on_event("com.acme.later")
    async def later(event: CloudEvent) -> None:
        seen.append(event)

    app.cloudevents("/events")
    return client(app)


def structured(**more: Any) -> dict[str, Any]:
    return {**EVENT, "datacontenttype": "application/json", **more}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({**BINARY, "content-type": "application/json"}, b'{"n": 1}'),
        (STRUCTURED, json.dumps(structured(data={"n": 1})).encode()),
        (BATCHED, json.dumps([structured(data={"n": 1})]).encode()),
    ],
    ids=["binary", "structured", "batched"],
)
def test_an_event_is_the_same_in_every_mode(
    sender: Client, seen: list[CloudEvent], headers: dict[str, str], body: bytes
) -> None:
    answer = sender.post("/events", headers=headers, body=body)

    assert answer.status == 204
    assert seen == [CloudEvent("e-1", "/acme", "com.acme.signed", {"n": 1}, content_type="application/json")]


def test_a_headers_escapes_are_decoded_once(sender: Client, seen: list[CloudEvent]) -> None:
    sender.post("/events", headers={**BINARY, "ce-subject": "50%25%20of%20Euro%20%E2%82%AC"})

    assert seen[0].subject == "50% of Euro €"


def test_an_async_handler_takes_them_too(sender: Client, seen: list[CloudEvent]) -> None:
    assert sender.post("/events", headers={**BINARY, "ce-type": "com.acme.later"}).status == 204
    assert len(seen) == 1


def test_a_failure_is_answered_so_that_it_is_sent_again(sender: Client) -> None:
    answer = sender.post("/events", headers={**BINARY, "content-type": "text/plain"}, body=b"broken")

    assert answer.status == 500
    assert "a secret" not in answer.text


def test_of_a_batch_the_others_are_handled_though_one_fails(sender: Client, seen: list[CloudEvent]) -> None:
    batch = [structured(id=number, data=data) for number, data in (("1", "a"), ("2", "broken"), ("3", "c"))]
    answer = sender.post("/events", headers=BATCHED, body=json.dumps(batch).encode())

    assert answer.status == 500
    assert [event.id for event in seen] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ({}, b"{}", "this path takes CloudEvents"),
        ({**BINARY, "ce-id": ""}, b"", "attribute id is missing"),
        ({**BINARY, "ce-specversion": "0.3"}, b"", "only 1.0 is known"),
        ({**BINARY, "ce-type": "com.acme.sined"}, b"", "did you mean 'com.acme.signed'?"),
        (STRUCTURED, b"{", "JSON"),
        (BATCHED, b"{}", "a batch of CloudEvents is a JSON list"),
    ],
)
def test_what_cannot_be_taken_is_400_and_handles_nothing(
    sender: Client, seen: list[CloudEvent], headers: dict[str, str], body: bytes, said: str
) -> None:
    answer = sender.post("/events", headers=headers, body=body)

    assert answer.status == 400
    assert said in answer.json()["error"]
    assert seen == []


def test_a_sender_that_asks_is_told_that_it_may_send(sender: Client) -> None:
    asked = {"webhook-request-origin": "eventemitter.example.com", "webhook-request-rate": "120"}
    answer = sender.request("OPTIONS", "/events", headers=asked)

    assert answer.status == 200
    assert answer.headers["webhook-allowed-origin"] == "eventemitter.example.com"
    assert answer.headers["webhook-allowed-rate"] == "120"
    assert answer.headers["allow"] == "POST"
