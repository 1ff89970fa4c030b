"""`portable new`: a small app with a test that passes."""

from __future__ import annotations

import os
import re

import click

from portable_contracts.errors import AlreadyExists, InvalidArgument

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


@click.command()
@click.argument("name")
def new(name: str) -> None:
    """Write a small app, with a test that passes, into the folder NAME."""
    create(name)
    click.echo(f"{name}/ holds a small app. Now:\n\n  cd {name}\n  portable run\n  pytest    # pip install pytest")


def create(folder: str) -> None:
    """Write the app into *folder*, made where it is missing.

    Raises InvalidArgument for a name that no app may have; AlreadyExists, with nothing written, where the folder holds
    anything.
    """
    from portable.cli._template import FILES

    name = os.path.basename(os.path.abspath(folder))
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f"{name!r} cannot be an app's name: use up to 40 lower-case letters, digits and -, beginning with a letter"
        )
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise AlreadyExists(f"{folder} is a file: choose another name")
    if os.path.isdir(folder) and os.listdir(folder):
        raise AlreadyExists(f"the folder {folder} is not empty: choose another name")
    os.makedirs(folder, exist_ok=True)
    for file, text in FILES.items():
        with open(os.path.join(folder, file), "x", encoding="utf-8") as written:
            written.write(text.replace("NAME", name))
