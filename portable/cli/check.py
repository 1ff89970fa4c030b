"""`portable check`: what each target cannot do for the app, with file and line."""

from __future__ import annotations

import json

import click

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from portable.checking import Finding


@click.command()
@click.argument("app", required=False)
@click.option("--target", "only", help="Check this target only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: targets to findings.")
@click.pass_context
def check(context: click.Context, app: str | None, only: str | None, as_json: bool) -> None:
    """Say what each target in portable.toml cannot do for the app. Ends with 1 where a target cannot run it.

    APP is like main:app or main.py; without it, the one in portable.toml.
    """
    from portable import config
    from portable.checking import check_app, check_target
    from portable.dev.loading import load_app

    configuration = config.load()
    loaded = load_app(app, configuration)
    targets = [configuration.target(only)] if only else list(configuration.targets.values())
    everywhere = check_app(loaded.spec())
    findings = {target.name: check_target(loaded, target, configuration) for target in targets}
    wrong = bool(everywhere) or any(findings.values())
    if as_json:
        click.echo(json.dumps({"ok": not wrong, "app": _data(everywhere), "targets": _data_of(findings)}))
    else:
        providers = {target.name: target.provider for target in targets}
        if everywhere:
            _print("on any target", everywhere)
        for name, found in findings.items():
            _print(f"target {name} ({providers[name]})", found)
    context.exit(1 if wrong else 0)


def _print(subject: str, found: Sequence[Finding]) -> None:
    from portable.checking import relative

    if not found:
        click.echo(f"{subject}: {click.style('good', fg='green')}")
        return
    click.echo(f"{subject}: {click.style(f'{len(found)} to mend', fg='red')}")
    for finding in found:
        place = relative(finding.place)
        click.echo(f"  {place + ': ' if place else ''}{finding.what}")


def _data(found: Sequence[Finding]) -> list[dict[str, object]]:
    return [{"file": finding.place.file, "line": finding.place.line, "what": finding.what} for finding in found]


def _data_of(findings: Mapping[str, Sequence[Finding]]) -> dict[str, list[dict[str, object]]]:
    return {name: _data(found) for name, found in findings.items()}
