"""Logical events for property tests: what every service can hold, and every platform tells of."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st

from portable_conformance._keys import WEIRD_KEYS
from portable_conformance._table_keys import KEYS
from portable_conformance._values import VALUES
from portable_contracts.events import BlobEvent, Change, CloudEvent, Message, Tick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from portable_contracts.events import Event

_ASCII = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
# In the past, as what happened is; in whole seconds, which is how exactly all platforms tell it.
times = st.integers(0, 800_000_000).map(lambda second: datetime(2000, 1, 1, tzinfo=timezone.utc) + timedelta(0, second))
ids = st.tuples(st.text(_ASCII, min_size=1, max_size=20), st.text("0123456789ABCDEF", min_size=1, max_size=16)).map(
    "-".join
)
names = st.text(_ASCII + "_.-", min_size=1, max_size=20)
texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=30)
blob_keys = st.sampled_from(WEIRD_KEYS) | st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\\/"), min_size=1, max_size=30
).filter(lambda key: key not in (".", ".."))
item_keys = st.sampled_from(sorted(KEYS.values())) | texts
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.binary(max_size=20)
)
values = st.sampled_from([value for name, value in VALUES.items() if "long" not in name and "300" not in name]) | (
    st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def blob_events(draw: st.DrawFn) -> BlobEvent:
    created = draw(st.booleans())
    return BlobEvent(
        draw(ids),
        "photos",
        draw(blob_keys),
        "created" if created else "deleted",
        draw(times),
        draw(st.integers(0, 2**40)) if created else None,
        draw(st.text(_ASCII, min_size=1, max_size=20)) if created else None,
    )


@st.composite
def changes(draw: st.DrawFn) -> Change:
    kind = draw(st.sampled_from(["created", "updated", "deleted"]))
    old = None if kind == "created" else draw(values)
    new = None if kind == "deleted" else draw(values)
    return Change(draw(ids), "entries", draw(item_keys), draw(st.just("") | item_keys), kind, old, new, draw(times))


@st.composite
def cloudevents(draw: st.DrawFn) -> CloudEvent:
    content_type, data = draw(
        st.tuples(st.just("application/json"), json_values.filter(lambda value: value is not None))
        | st.tuples(st.just("application/json"), st.dictionaries(texts, json_values, max_size=3))
        | st.tuples(st.just("text/plain"), texts)
        | st.tuples(st.just("application/octet-stream"), st.binary(min_size=1, max_size=30))
        | st.just((None, None))
    )
    extensions = draw(st.dictionaries(st.sampled_from(["traceparent", "sequence", "acmekey"]), texts, max_size=2))
    # The platforms' own prefixes stand for events of theirs.
    kind = draw(names.map("com.acme.".__add__))
    subject, time = draw(st.none() | texts), draw(st.none() | times)
    return CloudEvent(draw(ids), draw(names), kind, data, subject, time, content_type, extensions)


EVENTS: Mapping[str, st.SearchStrategy[Event]] = {
    "message": st.builds(
        Message,
        ids,
        st.just("thumbs"),
        st.binary(max_size=50) | texts.map(str.encode),
        st.dictionaries(names, texts, max_size=4),
        st.integers(1, 1000),
        times,
        st.none() | st.text(_ASCII, min_size=1, max_size=20).filter(lambda group: group != "None"),
    ),
    "blob": blob_events(),
    "change": changes(),
    "schedule": st.builds(Tick, names, times, ids),
    "event": cloudevents(),
}
"""By trigger. What a platform's own names cannot be is left out."""


def fields(event: Any) -> dict[str, Any]:
    """Return what counts when events are compared, by name."""
    found = {name: getattr(event, name) for name in event._fields if name not in event._uncompared}
    return {name: dict(value) if name in ("attributes", "extensions") else value for name, value in found.items()}
