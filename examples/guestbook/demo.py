"""Start the guestbook on this machine and say what to try: what `make demo` runs."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

HERE = Path(__file__).parent


def port() -> int:
    """Return 8000, or a free port where 8000 is taken."""
    for wanted in (8000, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SystemExit("no free port on 127.0.0.1")


def main() -> None:
    url = f"http://127.0.0.1:{port()}"
    photo = HERE / "photo.jpg"
    print(
        f"""
The guestbook starts at {url}/ (Ctrl-C stops it). Open it in a browser, or try:

  curl -s {url}/threads/welcome/entries -H content-type:application/json -d '{{"name": "Ada", "text": "Hello"}}'
  curl -si {url}/threads/welcome/entries -F name=Grace -F text='With a photo' -F photo=@{os.path.relpath(photo)}
  curl -s '{url}/threads/welcome/entries?limit=1'
""",
        flush=True,
    )
    os.chdir(HERE)
    os.execv(sys.executable, [sys.executable, "-m", "portable", "run", "--port", url.rpartition(":")[2]])  # noqa: S606


if __name__ == "__main__":
    main()
