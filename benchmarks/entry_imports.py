"""What our entry point adds to the import of the vendor's own: `python benchmarks/entry_imports.py [--json FILE]`.

functions-framework and azure-functions are in every process there, whatever it runs. Beside the import alone stands one
that makes an app of 30 routes and its entry point too. Processor time, least of many starts, as in cold_start.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from cold_start import timed

VENDORS = {"gcp": ("functions_framework", "functions-framework"), "azure": ("azure.functions", "azure-functions")}
ENTRY = """
import {module}
import portable
from portable import App
app = App("shop")
def entry(request, item):
    return {{"id": item, "name": request.json()["name"]}}
for number in range(30):
    app.post(f"/group{{number}}/{{{{item}}}}/entries")(entry)
function = portable.entrypoint(app, "{provider}")
"""
BAR = 15.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args()
    programs = {}
    for provider, (module, package) in VENDORS.items():
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            sys.exit(f"entry_imports needs {package} beside it: pip install {package}")
        programs[f"{provider}_alone"] = f"import {module}\n"
        programs[f"{provider}_entry"] = ENTRY.format(module=module, provider=provider)
    with tempfile.TemporaryDirectory() as folder:
        best = timed(programs, Path(folder))
    figures: dict[str, Any] = {}
    for provider, (_, package) in VENDORS.items():
        alone, entry = best[f"{provider}_alone"], best[f"{provider}_entry"]
        added = entry - alone
        figures[provider] = {"alone": alone, "entry": entry, "added": added, "bar": BAR, "met": added <= BAR}
        print(f"{package:<20} alone {alone:6.1f} ms, with our entry point {entry:6.1f} ms: {added:5.1f} ms more")
    met = all(figure["met"] for figure in figures.values())
    print(f"at most {BAR:g} ms more: {'met' if met else 'MISSED'}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
