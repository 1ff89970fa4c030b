"""ministack with a clock that is ahead by the seconds in the file `ahead` of its home; run by ministack's Python."""

from __future__ import annotations

import os
import time

FILE = os.path.join(os.environ["HOME"], "ahead")
_time = time.time


def ahead() -> float:
    try:
        with open(FILE) as file:
            return float(file.read())
    except FileNotFoundError:
        return 0.0


def moved() -> float:
    return _time() + ahead()


if __name__ == "__main__":
    time.time = moved
    from ministack.app import main  # type: ignore[import-not-found]  # the counterpart's own, after its clock

    main()
