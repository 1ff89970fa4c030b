"""`portable decode`: what a native event is, and what a handler would receive."""

from __future__ import annotations

import json

import click

from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, TextIO

    from portable_contracts.events import EventCodec
    from portable_contracts.http import HttpCodec


@click.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--provider", "insisted", help="Try this provider's shapes only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: provider, shape, trigger and events.")
@click.pass_context
def decode(context: click.Context, file: TextIO, insisted: str | None, as_json: bool) -> None:
    """Say which provider and trigger the native event in FILE (JSON; - for standard input) is, and print the portable
    event."""
    from portable._recognition import unknown

    try:
        raw = json.load(file)
    except ValueError as error:
        raise InvalidArgument(f"{file.name} is not JSON: {error}") from error
    codecs = list(known(insisted))
    found = next(((provider, codec) for provider, codec in codecs if codec.recognises(raw)), None)
    if found is None:
        click.echo(str(unknown(raw, insisted or "portable", [codec for _, codec in codecs])), err=True)
        context.exit(1)
    provider, codec = found
    trigger = getattr(codec, "trigger", "http")
    try:
        decoded: Any = codec.decode(raw, None)
    except InvalidArgument as error:
        click.echo(f"{provider}: {codec.shape} ({trigger}), but broken: {error}", err=True)
        context.exit(1)
    events = [shown(event) for event in (decoded if trigger != "http" else [decoded])]
    if as_json:
        click.echo(json.dumps({"provider": provider, "shape": codec.shape, "trigger": trigger, "events": events}))
        return
    click.echo(f"{provider}: {codec.shape} ({trigger})", err=True)
    for event in events:
        click.echo(json.dumps(event, indent=2, ensure_ascii=False))


def known(insisted: str | None) -> Iterator[tuple[str, HttpCodec | EventCodec]]:
    """Yield every codec of the installed providers, or of the one that is *insisted* on, after its provider's name."""
    from portable import registry

    offered = [registry.provider(insisted)] if insisted else registry.providers().values()
    for provider in offered:
        for reference in (*provider.http_codecs, *provider.event_codecs):
            yield provider.name, registry.load(reference)()


def shown(value: Any) -> Any:
    """Return *value*, an event or a part of one, as what JSON can say."""
    from collections.abc import Mapping
    from datetime import datetime

    from portable_contracts._value import Value
    from portable_contracts.http import MultiMap, Request

    if isinstance(value, Request):
        return _fields(value, ("id", "method", "path", "query", "headers", "body", "client"))
    if isinstance(value, Value):
        return _fields(value, [name for name in value._fields if name not in ("context", "native", "settlement")])
    if isinstance(value, MultiMap):
        return {name: value.getlist(name) for name in value}
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): shown(part) for name, part in value.items()}
    return [shown(part) for part in value] if isinstance(value, (list, tuple)) else value


def _fields(event: Any, names: Sequence[str]) -> dict[str, Any]:
    return {"event": type(event).__name__, **{name: shown(getattr(event, name)) for name in names}}


def _text(body: bytes) -> Any:
    try:
        return body.decode()
    except UnicodeDecodeError:
        from base64 import b64encode

        return {"base64": b64encode(body).decode()}
