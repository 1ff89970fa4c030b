"""Which codec an invocation is for; each is imported when those before it did not recognise it."""

from __future__ import annotations

from _thread import allocate_lock  # threading's own, without its import

from portable import registry
from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from portable_contracts.events import EventCodec
    from portable_contracts.http import HttpCodec
    from portable_contracts.provider import Provider

    Codec: TypeAlias = "HttpCodec | EventCodec"


class Codecs:
    """One provider's codecs. No two recognise the same, so the one that was right last time is asked first."""

    def __init__(self, provider: Provider) -> None:
        self._references = [*provider.http_codecs, *provider.event_codecs]
        self._loaded: tuple[Codec, ...] = ()
        self._lock = allocate_lock()

    def find(self, raw: Any) -> Codec | None:
        """Return the codec that recognises *raw*, if any."""
        for codec in self._loaded:
            if codec.recognises(raw):
                if codec is not self._loaded[0]:
                    with self._lock:
                        self._loaded = (codec, *(other for other in self._loaded if other is not codec))
                return codec
        with self._lock:
            return self._load_until(raw)

    def _load_until(self, raw: Any) -> Codec | None:
        for codec in self._loaded:  # Another thread may have been here first.
            if codec.recognises(raw):
                return codec
        while self._references:
            loaded: Codec = registry.load(self._references[0])()
            self._loaded = (loaded, *self._loaded)
            del self._references[0]
            if loaded.recognises(raw):
                return loaded
        return None

    def tried(self) -> Sequence[Codec]:
        """Return the codecs that were asked: all, when none was right."""
        return self._loaded


def unknown(raw: Any, whose: str, codecs: Sequence[Codec]) -> InvalidArgument:
    """Return the error for an invocation that none of *codecs* knows: what it has, and which shape it is nearest to."""
    if isinstance(raw, dict):
        keys = ", ".join(sorted(map(str, raw))[:20])
        what = f"an event with the keys {keys}" if keys else "an empty event"
    else:
        what = f"an event of type {type(raw).__name__}"
    text = repr(raw)[:100_000].lower()
    matches: dict[str, float] = {}
    for codec in codecs:
        words = [*codec.shape.split("."), *getattr(codec, "words", ())]
        matches[codec.shape] = sum(word in text for word in words) / len(words)
    best = max(matches, key=lambda shape: matches[shape], default="")
    near = f"; the nearest is {best}" if best and matches[best] else ""
    return InvalidArgument(f"{whose} has no shape for {what}{near}. Known: {', '.join(sorted(matches))}")
