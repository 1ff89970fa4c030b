"""What our entry point adds to the import of the vendor's own: `python benchmarks/entry_imports.py [--json FILE]`.

functions-framework and azure-functions are in every process there, whatever it runs. After that import each fresh
process makes an app of 30 routes and its entry point, and tells the processor time of both; the least of many starts
counts. (The difference of whole processes would drown in what the vendor's import itself varies by.)
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

VENDORS = {"gcp": ("functions_framework", "functions-framework"), "azure": ("azure.functions", "azure-functions")}
ROUNDS = 30
ENTRY = """
import time
began = time.process_time()
import {module}
vendor = time.process_time()
import portable
from portable import App
app = App("shop")
def entry(request, item):
    return {{"id": item, "name": request.json()["name"]}}
for number in range(30):
    app.post(f"/group{{number}}/{{{{item}}}}/entries")(entry)
function = portable.entrypoint(app, "{provider}")
print(vendor - began, time.process_time() - vendor)
"""
BAR = 15.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    for provider, (module, package) in VENDORS.items():
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            sys.exit(f"entry_imports needs {package} beside it: pip install {package}")
        alone, added = least(ENTRY.format(module=module, provider=provider))
        figures[provider] = {"alone": alone, "added": added, "bar": BAR, "met": added <= BAR}
        print(f"{package:<20} alone {alone:6.1f} ms, our entry point {added:5.1f} ms more")
    met = all(figure["met"] for figure in figures.values())
    print(f"at most {BAR:g} ms more: {'met' if met else 'MISSED'}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2))
    sys.exit(0 if met else 1)


def least(program: str) -> list[float]:
    """Return the least of each of the two times that *program* prints, in milliseconds."""
    environment = {**os.environ, "PORTABLE_TARGET": "local"}
    said = [
        subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
        for _ in range(ROUNDS)
    ]
    return [min(times) * 1e3 for times in zip(*(map(float, run.stdout.split()) for run in said), strict=True)]


if __name__ == "__main__":
    main()
