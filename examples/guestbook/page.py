"""The guestbook's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from string import Template
from urllib.parse import quote, urlencode

PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Guestbook: $thread</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
  h1 { font-size: 1.6rem } h1 small { color: #777; font-weight: normal; font-size: 1rem }
  form { display: grid; gap: .5rem; padding: 1rem; background: #f4f4f0; border-radius: .5rem }
  input, textarea, button { font: inherit; padding: .4rem .6rem; border: 1px solid #bbb; border-radius: .3rem }
  button { background: #204a87; color: white; border: 0; cursor: pointer }
  article { display: grid; grid-template-columns: 1fr auto; gap: 0 1rem; padding: 1rem 0 }
  article { border-bottom: 1px solid #ddd }
  article p { margin: 0; white-space: pre-wrap } article footer { color: #777; font-size: .85rem; grid-column: 1 }
  article a { grid-column: 2; grid-row: 1 / 3 }
  article img { max-width: 8rem; max-height: 8rem; border-radius: .3rem }
</style>
<h1>$thread <small>$count</small></h1>
<form method="post" action="/threads/$path/entries" enctype="multipart/form-data">
  <input name="name" placeholder="Your name" aria-label="Your name" required maxlength="80">
  <textarea name="text" rows="3" placeholder="Say something" aria-label="Say something" required></textarea>
  <input name="photo" type="file" accept="image/*" aria-label="A photo">
  <button>Sign</button>
</form>
$entries
$more
</html>
""")

ENTRY = Template("""<article>
  <p>$text</p>
  <footer>$name, $signed</footer>
  $photo
</article>""")


def render(thread: str, count: int, entries: Sequence[Mapping[str, object]], cursor: str | None) -> str:
    """Return the page of *thread*: its newest entries, and a link to older ones where *cursor* says there are."""
    older = urlencode({"thread": thread, "cursor": cursor or ""})
    return PAGE.substitute(
        thread=escape(thread),
        path=escape(quote(thread, safe="")),
        count="one entry" if count == 1 else f"{count} entries",
        entries="\n".join(entry(fields) for fields in entries) or "<p>Nobody has signed yet.</p>",
        more=f'<p><a href="/?{escape(older)}">Older entries</a></p>' if cursor else "",
    )


def entry(fields: Mapping[str, object]) -> str:
    """Return one entry, its photo's thumbnail linked to the photo."""
    text = {name: escape(str(value)) for name, value in fields.items()}
    signed = f"{datetime.fromisoformat(str(fields['signed'])):%d %B %Y, %H:%M} UTC"
    photo = (
        '<a href="{photo}"><img src="{thumbnail}" alt="Photo by {name}"></a>'.format(**text) if "photo" in text else ""
    )
    return ENTRY.substitute(text=text["text"], name=text["name"], signed=signed, photo=photo)
