"""`portable conformance`: the suite on one provider's drivers and codecs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import click

from portable_contracts.errors import InvalidArgument


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("provider")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def conformance(context: click.Context, provider: str, pytest_arguments: tuple[str, ...]) -> None:
    """Run the conformance suite on PROVIDER; what follows goes to pytest (-k NAME, -x, --portable-report FILE)."""
    from portable import registry

    for package in ("pytest", "hypothesis"):
        if importlib.util.find_spec(package) is None:
            raise InvalidArgument(f"the suite needs {package}: pip install 'portable-serverless[conformance]'")
    offered = registry.provider(provider)
    if not offered.harness:
        raise InvalidArgument(f"the adapter of {provider} has no harness yet, so the suite cannot run on it")
    command = [sys.executable, "-m", "pytest", "--pyargs", "portable_conformance", "--provider", provider]
    ended = subprocess.call([*command, "-p", "no:cacheprovider", *pytest_arguments])  # noqa: S603
    # Of pytest's codes 4 is a wrong call; 5, nothing was tested, proves nothing.
    context.exit({0: 0, 4: 2}.get(ended, 1))
