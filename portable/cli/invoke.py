"""`portable invoke`: one request to the app, in a provider's own shape, on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from portable_contracts.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portable_contracts.harness import Harness
    from portable_contracts.http import Response


@click.command()
@click.argument("method")
@click.argument("path")
@click.option(
    "--as", "provider", default="local", show_default=True, help="Whose shape: aws, gcp, azure, tencent, local."
)
@click.option("--shape", help="Which of the provider's shapes; by default its first.")
@click.option("--app", help="The app, like main:app; by default the one in portable.toml.")
@click.option("-H", "--header", "headers", multiple=True, help="A header, like 'content-type: application/json'.")
@click.option("-d", "--data", default="", help="The body; @FILE takes it from a file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: shape, status, headers and body.")
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

    Resources are those of the target `local`, or of the one PORTABLE_TARGET names. Ends with 1 for a status from 500.
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
    with registry.load(offered.harness)() as harness:
        chosen = _shape(harness, provider, shape)
        pairs = [_header(header) for header in headers]
        call = HttpCall(method.upper(), path, [("host", "localhost"), *pairs], _body(data), "127.0.0.1")
        raw, native_context = harness.rendered(chosen, call)
        answer = runner(load_app(app, config.load()), offered)(raw, native_context)
        response = harness.received(chosen, answer, call)
    _print(chosen, response, as_json)
    context.exit(1 if response.status >= 500 else 0)


def _shape(harness: Harness, provider: str, asked: str | None) -> str:
    from portable._nearest import nearest

    shapes = harness.http_shapes()
    if asked is None and shapes:
        return shapes[0]
    if asked is not None and asked in shapes:
        return asked
    raise InvalidArgument(
        f"{provider} has no HTTP shape {asked!r}{nearest(asked or '', shapes)}; its shapes are {', '.join(shapes)}"
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
