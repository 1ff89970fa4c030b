"""`python -m portable` is the command line."""

from __future__ import annotations

from portable.cli import main

if __name__ == "__main__":
    main()
