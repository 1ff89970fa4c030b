"""Golden cases: one logical event or request, and what each provider makes of it.

    golden/<case>/portable.json               the portable value: the same for all
    golden/<case>/<shape>.json                an invocation as the platform hands it over
    golden/<case>/<shape>.answer.json         the answers that the platform expects

The files of another provider are in folders of its harness's, `Harness.goldens`, under the names of these cases.

A shape's name begins with its provider's: `aws.sqs`. Each form of a shape has a file of its own: `aws.sqs~fifo.json`.

portable.json        {"about": a sentence, "kind": "http", "request": {...}, "response": {...}}
                     {"about": a sentence, "kind": "message", "events": [{...}, ...]}
                     Kinds beside http are those of EventCodec.trigger. Fields are those of the contracts, left out
                     where they have their default. Bytes are text, or {"base64": ...}; a time "2026-01-02T03:04:05Z".
<shape>.json         {"source": where the platform documents the shape, "raw": ..., "context": ...}
                     "differs" names each field that this shape cannot carry, what is there instead, and why:
                     {"client": {"value": null, "why": "the front does not tell"}}
                     Of several events each may have its own: {"id": {"values": ["0", "1"], "why": ...}}
                     "invocation" holds what must be in the event's context: {"invocation_id": "r-1"}
<shape>.answer.json  http: the platform's form of the response
                     else: [{"failed": [false, true], "answer": ...}, ...], without failures first
"""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import datetime
from functools import cache
from pathlib import Path

from portable import registry
from portable_contracts._value import Value
from portable_contracts.events import BlobEvent, Change, CloudEvent, Message, Tick
from portable_contracts.http import Headers, Request, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, TypeAlias

    from portable_conformance._session import Session
    from portable_contracts.events import Event, EventCodec
    from portable_contracts.http import HttpCodec
    from portable_contracts.provider import Provider

    Codec: TypeAlias = "HttpCodec | EventCodec"

FOLDER = Path(__file__).parent / "golden"
EVENTS = {"message": Message, "blob": BlobEvent, "change": Change, "schedule": Tick, "event": CloudEvent}
TIMES = ("time", "sent")
BYTES = ("body",)


class Golden(Value):
    """One logical case, in one provider's shape."""

    case: str
    shape: str
    form: str
    """What tells several forms of one shape apart; mostly empty."""
    portable: Mapping[str, Any]
    native: Mapping[str, Any]
    answer: Any
    """None where there is no answer file."""

    def __str__(self) -> str:
        return f"{self.case}-{self.shape}" + (f"~{self.form}" if self.form else "")

    @property
    def kind(self) -> str:
        kind: str = self.portable["kind"]
        return kind

    @property
    def request(self) -> Request:
        """The request that must come out."""
        fields = {**self.portable["request"], **self._instead()}
        return Request(
            fields["method"],
            fields["path"],
            query=[(name, value) for name, value in fields.get("query", ())],
            headers=Headers.received((name, value) for name, value in fields.get("headers", ())),
            body=as_bytes(fields.get("body", "")),
            client=fields.get("client"),
        )

    @property
    def response(self) -> Response:
        """The response that the answer was made of."""
        fields = self.portable["response"]
        headers = [(name, value) for name, value in fields.get("headers", ())]
        return Response(as_bytes(fields.get("body", "")), fields["status"], headers)

    @property
    def events(self) -> Sequence[Event]:
        """The events that must come out."""
        kind = EVENTS[self.kind]
        return [
            kind(**_fields({**event, **self._instead(index)})) for index, event in enumerate(self.portable["events"])
        ]

    def _instead(self, index: int = 0) -> Mapping[str, Any]:
        """Return what stands in place of the case's own fields; *index* is the event's."""
        differs = self.native.get("differs", {})
        return {name: told["values"][index] if "values" in told else told["value"] for name, told in differs.items()}


def _fields(event: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: _value(value) for name, value in event.items()}
    for name in TIMES:
        if fields.get(name) is not None:
            fields[name] = datetime.fromisoformat(fields[name].replace("Z", "+00:00"))
    for name in BYTES:
        if name in fields:
            fields[name] = as_bytes(fields[name])
    return fields


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [_value(element) for element in value]
    if isinstance(value, dict):
        if value.keys() == {"base64"}:
            return b64decode(value["base64"])
        return {name: _value(element) for name, element in value.items()}
    return value


def as_bytes(written: Any) -> bytes:
    """Return the bytes that a golden file writes as text or as {"base64": ...}."""
    value = _value(written)
    return value if isinstance(value, bytes) else str(value).encode()


def typed(value: Any) -> Any:
    """Return *value* with the type of each of its parts, for comparing what `==` takes for the same: 1, 1.0, True."""
    if isinstance(value, dict):
        return {name: typed(element) for name, element in value.items()}
    if isinstance(value, list):
        return [typed(element) for element in value]
    return type(value), value


def goldens(session: Session) -> list[Golden]:
    """Return every golden case in the shapes of the provider under test: the suite's own files, and the harness's."""
    folders = [FOLDER, *map(Path, session.harness.goldens())]
    cases = sorted(case.name for case in FOLDER.iterdir())
    return [golden for case in cases for folder in folders for golden in _in(folder, case, session.provider.name)]


def _in(folder: Path, case: str, provider: str) -> Iterator[Golden]:
    portable = _read(FOLDER / case / "portable.json")
    for path in sorted((folder / case).glob(f"{provider}.*.json")):
        name = path.name.removesuffix(".json")
        if name.endswith(".answer"):
            continue
        shape, _, form = name.partition("~")
        answer = path.with_name(f"{name}.answer.json")
        yield Golden(case, shape, form, portable, _read(path), _read(answer) if answer.exists() else None)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def codecs(provider: Provider) -> list[Codec]:
    """Return the provider's codecs, those of HTTP first: the order in which they are tried."""
    return [registry.load(name)() for name in (*provider.http_codecs, *provider.event_codecs)]


@cache
def all_codecs() -> Sequence[tuple[str, Codec]]:
    """Return the codecs of every installed provider, with its name; those whose SDK is not installed are left out."""
    found: list[tuple[str, Codec]] = []
    for name, provider in registry.providers().items():
        try:
            found += [(name, codec) for codec in codecs(provider)]
        except ModuleNotFoundError:
            continue  # Nothing runs here for that provider.
    return found


def recognisers(raw: Any) -> list[tuple[str, str]]:
    """Return provider and shape of every codec, of all installed providers, that says *raw* is its own."""
    return [(name, codec.shape) for name, codec in all_codecs() if codec.recognises(raw)]


def codec_of(provider: Provider, shape: str) -> Any:
    """Return the provider's codec of *shape*, which may name one of its forms: `aws.http.v2~url`."""
    return next(codec for codec in codecs(provider) if codec.shape == shape.partition("~")[0])
