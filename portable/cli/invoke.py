"""`portable invoke`: one request or event to the app, in a provider's own shape, on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from portable_contracts.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portable_contracts.events import Event
    from portable_contracts.http import Response


@click.command()
@click.argument("method")
@click.argument("path")
@click.option(
    "--as", "provider", default="local", show_default=True, help="Whose shape: aws, gcp, azure, tencent, local."
)
@click.option("--shape", help="Which of the provider's shapes; by default its first.")
@click.option("--app", help="The app, like main:app; by default the one in portable.toml.")
@click.option(
    "-H", "--header", "headers", multiple=True, help="A header, or a message's attribute, like 'kind: photo'."
)
@click.option("-d", "--data", default="", help="The body, or the event's data in JSON; @FILE takes it from a file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: shape, and what came of it.")
@click.pass_context
def invoke(
    context: click.Context,
    method: str,
    path: str,
    provider: str,
    shape: str | None,
    app: str | None,
    headers: Sequence[str],
    data: str,
    as_json: bool,
) -> None:
    """Send METHOD PATH to the app as the provider's front would, decoded and answered by its codec, on this machine.

    Events go the same way: `message QUEUE`, `blob BUCKET/KEY`, `schedule NAME`, `event TYPE` in place of METHOD PATH.

    Resources are those of the target `local`, or of the one PORTABLE_TARGET names. Ends with 1 for a status from 500,
    and for an event that was not handled.
    """
    import os

    from portable import config, registry
    from portable.dev.loading import load_app
    from portable.runtime import runner
    from portable_contracts.harness import HttpCall

    os.environ.setdefault("PORTABLE_TARGET", "local")
    offered = registry.provider(provider)
    if not offered.harness:
        raise InvalidArgument(f"the provider {provider} cannot make invocations here: its adapter has no harness")
    pairs, body = [_header(header) for header in headers], _body(data)
    with registry.load(offered.harness)() as harness:

        def run(raw: Any, native_context: Any) -> Any:
            return runner(load_app(app, config.load()), offered)(raw, native_context)

        make = _EVENTS.get(method.lower())
        if make is None:
            call = HttpCall(method.upper(), path, [("host", "localhost"), *pairs], body, "127.0.0.1")
            chosen = _shape(provider, "HTTP", harness.http_shapes(), shape)
            response = harness.received(chosen, run(*harness.rendered(chosen, call)), call)
            _print(chosen, response, as_json)
            context.exit(1 if response.status >= 500 else 0)
        chosen = _shape(provider, method.lower(), harness.event_shapes(method.lower()), shape)
        document = harness.told(chosen, make(path, pairs, body))
        if document is None:
            raise InvalidArgument(f"{chosen} cannot carry this {method.lower()}: choose another --shape")
        try:
            answer = harness.described(chosen, run(*harness.invocation(chosen, document)))
        except Exception as error:
            _print_failure(chosen, error, as_json)
            context.exit(1)
        _print_answer(chosen, answer, as_json)


def _print_failure(shape: str, error: Exception, as_json: bool) -> None:
    what = f"{type(error).__name__}: {error}"
    if as_json:
        click.echo(json.dumps({"shape": shape, "error": what}))
    else:
        click.echo(f"{shape}: failed: {what}", err=True)


def _print_answer(shape: str, answer: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"shape": shape, "answer": answer}))
        return
    click.echo(f"{shape}: handled", err=True)
    if answer is not None:
        click.echo(json.dumps(answer))


def _message(queue: str, attributes: Sequence[tuple[str, str]], body: bytes) -> Event:
    from portable_contracts.events import Message

    return Message(_id(), queue, body, dict(attributes), sent=_now())


def _blob(path: str, attributes: Sequence[tuple[str, str]], body: bytes) -> Event:
    from portable_contracts.events import BlobEvent

    bucket, slash, key = path.partition("/")
    if not slash or not key:
        raise InvalidArgument(f"{path!r} names no object: write it like photos/in/a.png")
    return BlobEvent(_id(), bucket, key, "created", _now(), len(body), "1")


def _schedule(name: str, attributes: Sequence[tuple[str, str]], body: bytes) -> Event:
    from portable_contracts.events import Tick

    return Tick(name, _now(), _id())


def _event(kind: str, extensions: Sequence[tuple[str, str]], body: bytes) -> Event:
    from portable_contracts.events import CloudEvent

    try:
        data = json.loads(body or b"{}")
    except ValueError as error:
        raise InvalidArgument(f"--data is not JSON, which an event's data is here: {error}") from error
    return CloudEvent(_id(), "portable-invoke", kind, data, kind, _now(), "application/json", dict(extensions))


_EVENTS = {"message": _message, "blob": _blob, "schedule": _schedule, "event": _event}


def _id() -> str:
    from os import urandom

    return f"{urandom(8).hex()}-1"


def _now() -> Any:
    from datetime import datetime, timezone

    return datetime.now(timezone.utc).replace(microsecond=0)


def _shape(provider: str, what: str, shapes: Sequence[str], asked: str | None) -> str:
    from portable._nearest import nearest

    if not shapes:
        raise InvalidArgument(f"{provider} has no shape for {what}")
    if asked is None or asked in shapes:
        return asked or shapes[0]
    raise InvalidArgument(
        f"{provider} has no shape {asked!r} for {what}{nearest(asked, shapes)}; it has {', '.join(shapes)}"
    )


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise InvalidArgument(f"header {text!r} has no colon: write it like 'content-type: application/json'")
    return name.strip(), value.strip()


def _body(data: str) -> bytes:
    if not data.startswith("@"):
        return data.encode()
    try:
        with open(data[1:], "rb") as file:
            return file.read()
    except OSError as error:
        raise InvalidArgument(f"--data {data}: {data[1:]} cannot be read: {error.strerror}") from error


def _print(shape: str, response: Response, as_json: bool) -> None:
    text = response.body.decode(errors="replace")
    pairs = response.headers.multi_items()
    if as_json:
        click.echo(json.dumps({"shape": shape, "status": response.status, "headers": pairs, "body": text}))
        return
    click.echo(f"{shape}: {response.status}", err=True)
    for name, value in pairs:
        click.echo(f"{name}: {value}", err=True)
    click.echo(text)
