"""Run every benchmark, one after the other; print their tables and write what they measured to benchmarks/results.json.

Each figure is a ratio against a peer, or against the same work by hand, measured in the same run: milliseconds do not
carry over from one machine to another, ratios do. A script runs alone too: `python benchmarks/kv.py`.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = ("cold_start", "entry_imports", "dispatch", "aws_events", "kv", "queues", "blobs", "server")


def main() -> int:
    chosen = sys.argv[1:] or SCRIPTS
    results: dict[str, object] = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.platform(),
    }
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            print(f"\n== {name}", flush=True)
            out = Path(folder, f"{name}.json")
            if subprocess.run([sys.executable, HERE / f"{name}.py", "--json", out]).returncode:
                failed.append(name)
            elif out.exists():
                results[name] = json.loads(out.read_text())
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten to {HERE / 'results.json'}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
