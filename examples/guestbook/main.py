"""A guestbook: entries in a table, photos in a bucket, thumbnails made by a queue, counts kept by changes.

It imports `portable` and no vendor: what runs here runs on every provider that portable.toml names.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from page import render
from thumbnail import shrink

from portable import (
    AlreadyExists,
    App,
    BlobEvent,
    Change,
    Conflict,
    Create,
    Item,
    Message,
    NotFound,
    Put,
    Request,
    Response,
    Tick,
    Upload,
)

app = App("guestbook")
entries = app.table("entries")
counters = app.table("counters")
photos = app.bucket("photos")
thumbs = app.queue("thumbs", max_attempts=3, dead_letter="thumbs-dead")
app.queue("thumbs-dead")

THREAD = re.compile(r"[a-z0-9-]{1,40}")
PAGE = 10
SEEN = timedelta(days=2)


@app.get("/")
def front(request: Request) -> Response:
    thread = request.query.get("thread", "welcome")
    if not THREAD.fullmatch(thread):
        return no_thread(thread)
    page = entries.page(thread, reverse=True, limit=PAGE, cursor=request.query.get("cursor"))
    return Response.html(render(thread, count(thread), [shown(item) for item in page.items], page.cursor))


@app.post("/threads/{thread}/entries")
def sign(request: Request, thread: str) -> Response:
    """Take an entry as JSON, answered with 201, or from the page's form, which is sent back to the page."""
    if not THREAD.fullmatch(thread):
        return no_thread(thread)
    from_page = not request.headers.get("content-type", "").startswith("application/json")
    fields = request.form() if from_page else request.json()
    name, text = str(fields.get("name") or "").strip(), str(fields.get("text") or "").strip()
    if not name or not text:
        return problem("an entry needs a name and a text")
    now = datetime.now(timezone.utc)
    entry = {"name": name, "text": text, "signed": now.isoformat(timespec="seconds")}
    sort = f"{now:%Y%m%dT%H%M%S%f}-{request.id}"
    photo = fields.get("photo") if from_page else None
    if isinstance(photo, Upload) and photo.body:
        entry["photo"] = keep_photo(f"{thread}/{sort}", photo.body, photo.content_type)
    item = entries.create(thread, sort, entry)
    if from_page:
        return Response.redirect(f"/?thread={thread}", status=303)
    return Response.json(shown(item), status=201)


@app.get("/threads/{thread}/entries")
def read(request: Request, thread: str) -> Response | dict[str, object]:
    limit = request.query.get("limit", str(PAGE))
    if not THREAD.fullmatch(thread):
        return no_thread(thread)
    if not (limit.isdecimal() and 1 <= int(limit) <= 100):
        return problem("limit is a number from 1 to 100")
    page = entries.page(thread, reverse=True, limit=int(limit), cursor=request.query.get("cursor"))
    return {"count": count(thread), "entries": [shown(item) for item in page.items], "next": page.cursor}


@app.post("/threads/{thread}/photos")
def upload(request: Request, thread: str) -> Response:
    if not THREAD.fullmatch(thread):
        return no_thread(thread)
    key = keep_photo(f"{thread}/{request.id}", request.body, request.headers.get("content-type", ""))
    return Response.json({"photo": f"/photos/{key}", "thumbnail": f"/photos/{thumbnail_of(key)}"}, status=201)


@app.get("/photos/{key:path}")
def photo(request: Request, key: str) -> Response:
    try:
        with photos.open(key) as stream:
            headers = {"content-type": stream.info.content_type, "x-content-type-options": "nosniff"}
            return Response(stream.read(), headers=headers)
    except NotFound:
        return problem(f"there is no photo {key}", status=404)


@app.get("/stats")
def stats(request: Request) -> object:
    item = counters.get("stats", "latest", default=None)
    return item.value if item else {"entries": 0, "photos": 0, "written": None}


@app.on_blob(photos, prefix="in/", events=("created",))
def uploaded(event: BlobEvent) -> None:
    thumbs.send({"key": event.key})


@app.on_message(thumbs)
def make_thumbnail(message: Message) -> None:
    key = message.json()["key"]
    photos.write(thumbnail_of(key), shrink(photos.read(key)), content_type="image/jpeg")


@app.on_change(entries)
def counted(change: Change) -> None:
    """Count each entry once, although a change may arrive twice: the mark and the count are written together."""
    step = {"created": 1, "deleted": -1}.get(change.kind)
    if step is None:
        return
    counter = counters.get(change.partition, "count", default=None)
    total = (counter.value if counter else 0) + step
    write = Put("count", total, if_version=counter.version) if counter else Create("count", total)
    mark = Create(f"seen/{change.id}", None, expires=datetime.now(timezone.utc) + SEEN)
    try:
        counters.transact(change.partition, [mark, write])
    except Conflict as conflict:
        if not isinstance(conflict.reasons[0], AlreadyExists):
            raise  # Somebody else counted meanwhile: the change is delivered again.


@app.schedule("*/5 * * * *")
def statistics(tick: Tick) -> None:
    value = {
        "entries": sum(1 for _ in entries.scan()),
        "photos": sum(1 for _ in photos.list("in/")),
        "written": tick.time.isoformat(),
    }
    counters.put("stats", "latest", value)


def problem(text: str, status: int = 400) -> Response:
    return Response.json({"error": text}, status=status)


def no_thread(thread: str) -> Response:
    return problem(f"{thread!r} is no thread: use up to 40 of a-z, 0-9 and -")


def keep_photo(name: str, body: bytes, content_type: str) -> str:
    if not content_type.startswith("image/") or content_type.startswith("image/svg"):
        content_type = "application/octet-stream"  # Never let an upload become a page of ours.
    return photos.write(f"in/{name}", body, content_type=content_type).key


def thumbnail_of(key: str) -> str:
    return f"thumbs/{key.removeprefix('in/')}.jpg"


def count(thread: str) -> int:
    item = counters.get(thread, "count", default=None)
    return item.value if item else 0


def shown(item: Item) -> dict[str, object]:
    entry = {"id": item.sort, **item.value}
    if "photo" in entry:
        entry |= {"photo": f"/photos/{entry['photo']}", "thumbnail": f"/photos/{thumbnail_of(entry['photo'])}"}
    return entry
