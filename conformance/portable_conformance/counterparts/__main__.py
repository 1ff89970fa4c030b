"""`python -m portable_conformance.counterparts install [NAME...]`: install what the suite's emulators need."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from portable_conformance.counterparts._programs import Program
from portable_contracts.harness import MissingCounterpart


def programs() -> dict[str, Program]:
    """Return every program that a module of this package names as its `PROGRAM`."""
    modules = sorted(file.stem for file in Path(__file__).parent.glob("[a-z]*.py"))
    found = (getattr(import_module(f"{__package__}.{module}"), "PROGRAM", None) for module in modules)
    return {program.name: program for program in found if isinstance(program, Program)}


def main(arguments: list[str]) -> int:
    known = programs()
    names = arguments[1:] or sorted(known)
    unknown = [name for name in names if name not in known]
    if arguments[:1] != ["install"] or unknown:
        print(f"say: python -m {__package__} install [{' | '.join(sorted(known))}]", file=sys.stderr)  # noqa: T201
        return 2
    failed = False
    for name in names:
        try:
            known[name].install()
        except MissingCounterpart as missing:
            print(f"{name}: {missing}", file=sys.stderr)  # noqa: T201
            failed = True
        else:
            print(f"{name} {known[name].version}: {known[name].folder}")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
