"""The guestbook does on this machine what its README line says: entries, photos, thumbnails, counts, statistics."""

from __future__ import annotations

import importlib
import sys
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portable.testing import client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portable.testing import Client

FOLDER = Path(__file__).parents[2] / "examples" / "guestbook"
PHOTO = (FOLDER / "photo.jpg").read_bytes()
MODULES = ("main", "page", "thumbnail")


@pytest.fixture
def guestbook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.syspath_prepend(str(FOLDER))
    with client(importlib.import_module("main").app) as running:
        yield running
    for module in MODULES:
        sys.modules.pop(module, None)


def sign(guestbook: Client, text: str, thread: str = "welcome") -> dict[str, object]:
    entry: dict[str, object] = guestbook.post(f"/threads/{thread}/entries", json={"name": "Ada", "text": text}).json()
    return entry


def test_an_entry_in_json_is_answered_with_201(guestbook: Client) -> None:
    answer = guestbook.post("/threads/welcome/entries", json={"name": "Ada", "text": "Hello"})

    assert (answer.status, answer.json()["text"]) == (201, "Hello")


def test_an_entry_from_the_form_leads_back_to_the_page(guestbook: Client) -> None:
    answer = guestbook.post("/threads/welcome/entries", form={"name": "Ada", "text": "Hello"})

    assert (answer.status, answer.headers["location"]) == (303, "/?thread=welcome")
    assert "Hello" in guestbook.get("/").text


def test_an_entry_without_a_text_is_refused(guestbook: Client) -> None:
    answer = guestbook.post("/threads/welcome/entries", json={"name": "Ada"})

    assert (answer.status, answer.json()) == (400, {"error": "an entry needs a name and a text"})


@pytest.mark.parametrize("thread", ["a.b", "A", "x" * 41, "%00", "%E2%82%AC"])
def test_a_thread_with_other_characters_is_refused(guestbook: Client, thread: str) -> None:
    assert guestbook.get(f"/threads/{thread}/entries").status == 400


def test_pages_lead_through_all_entries_newest_first(guestbook: Client) -> None:
    for number in range(5):
        sign(guestbook, f"entry {number}")

    first = guestbook.get("/threads/welcome/entries?limit=3").json()
    second = guestbook.get(f"/threads/welcome/entries?limit=3&cursor={first['next']}").json()
    texts = [entry["text"] for entry in first["entries"] + second["entries"]]
    assert texts == [f"entry {number}" for number in (4, 3, 2, 1, 0)]
    assert second["next"] is None


def test_changes_keep_the_count_of_each_thread(guestbook: Client) -> None:
    sign(guestbook, "one")
    sign(guestbook, "two")
    sign(guestbook, "elsewhere", thread="other")

    assert guestbook.get("/threads/welcome/entries").json()["count"] == 2
    assert guestbook.get("/threads/other/entries").json()["count"] == 1


def test_a_photo_in_the_form_gets_a_thumbnail(guestbook: Client) -> None:
    from PIL import Image

    boundary = "portable"
    parts = [
        b'Content-Disposition: form-data; name="name"\r\n\r\nGrace',
        b'Content-Disposition: form-data; name="text"\r\n\r\nLook',
        b'Content-Disposition: form-data; name="photo"; filename="p.jpg"\r\nContent-Type: image/jpeg\r\n\r\n' + PHOTO,
    ]
    body = b"".join(b"--portable\r\n" + part + b"\r\n" for part in parts) + b"--portable--\r\n"
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}

    assert guestbook.post("/threads/welcome/entries", body=body, headers=headers).status == 303
    (entry,) = guestbook.get("/threads/welcome/entries").json()["entries"]
    assert guestbook.get(entry["photo"]).body == PHOTO
    thumbnail = guestbook.get(entry["thumbnail"])
    assert thumbnail.headers["content-type"] == "image/jpeg"
    assert max(Image.open(BytesIO(thumbnail.body)).size) == 240


def test_a_photo_that_is_none_ends_as_a_dead_letter(guestbook: Client) -> None:
    upload = guestbook.post("/threads/welcome/photos", body=b"no photo", headers={"content-type": "image/png"})

    assert guestbook.get(upload.json()["thumbnail"]).status == 404
    dead = guestbook.app.queue("thumbs-dead").receive(wait=None)
    assert [message.json() for message in dead] == [{"key": upload.json()["photo"].removeprefix("/photos/")}]


def test_an_upload_never_becomes_a_page_of_ours(guestbook: Client) -> None:
    upload = guestbook.post("/threads/welcome/photos", body=b"<script>", headers={"content-type": "text/html"})
    answer = guestbook.get(upload.json()["photo"])

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_people_write_is_escaped_on_the_page(guestbook: Client) -> None:
    sign(guestbook, "<script>alert(1)</script>")

    assert "<script>" not in guestbook.get("/").text


def test_the_schedule_writes_statistics_every_five_minutes(guestbook: Client) -> None:
    sign(guestbook, "one")
    guestbook.advance(timedelta(minutes=5))

    assert guestbook.get("/stats").json()["entries"] == 1
