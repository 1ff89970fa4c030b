"""How many examples fuzzing takes, and JSON that went wrong: mutations of golden cases, made by the million."""

from __future__ import annotations

import copy
import os
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

FUZZ_EXAMPLES = int(os.environ.get("PORTABLE_FUZZ_EXAMPLES", "2000"))
"""How many mutations each provider's codecs are given."""

SETTINGS = settings(
    # Hypothesis remembers each of its examples, so they cannot be millions.
    max_examples=max(20, min(5000, FUZZ_EXAMPLES // 50)),
    derandomize="PORTABLE_FUZZ_EXAMPLES" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)

ODD: list[Any] = [
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, float("nan"), float("inf"), 2**63, 2**64, -(2**63), 10**400,
    "", " ", "0", "-1", "1e999", "NaN", "null", "\x00", "\ud800", "ü", "𐐷", "x" * 5000, "9" * 5000,
    "=", "====", "aGk", "aGk=", "aaaaa=", "%", "%zz", "%FF", "{}", "[]", "{", "1767323045", "99999999999999999999",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "2026-13-01T00:00:00Z",
    [], [None], [[]], [{}], {}, {"": ""}, {"a": None}, [0] * 100, b"", b"\xff",
]  # fmt: skip
"""What no platform sends, and some do: in place of any value."""

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from([v for v in ODD if not isinstance(v, (list, dict))]),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
"""Values of any shape, JSON's and a little beyond."""


def deep(levels: int = 200) -> Any:
    """Return a list in a list in a list."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def mutated(document: Any, random: Random) -> Any:
    """Return a copy of *document* with one to three changes somewhere in it."""
    changed = copy.deepcopy(document)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = list(_places(changed))
        if not places:
            return random.choice(ODD)
        holder, name = random.choice(places)
        _change(holder, name, random)
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each list and map with each of its indices and names."""
    holders = [value]
    while holders:
        holder = holders.pop()
        names = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for name in names:
            yield holder, name
            holders.append(holder[name])


def _change(holder: Any, name: Any, random: Random) -> None:
    kind = random.randrange(8)
    if kind == 0:
        del holder[name]
    elif kind == 1 and isinstance(holder, dict):
        holder[random.choice(("", "x", str(name).upper(), str(name) + "s"))] = holder.pop(name)
    elif kind == 2:
        holder[name] = [holder[name]]
    elif kind == 3:
        holder[name] = {"value": holder[name]}
    elif kind == 4:
        holder[name] = str(holder[name])
    elif kind == 5 and isinstance(holder[name], str) and holder[name]:
        text = holder[name]
        at = random.randrange(len(text))
        holder[name] = text[:at] + random.choice(("", "\x00", "%", "é", "=", " ", "-", text[at] * 2)) + text[at + 1 :]
    elif kind == 6 and isinstance(holder, list):
        holder.append(copy.deepcopy(random.choice(holder)))
    else:
        holder[name] = copy.deepcopy(random.choice(ODD)) if random.randrange(50) else deep()


class Failure(AssertionError):
    """A mutation that was not answered as it must be."""


def storm(documents: dict[str, Any], examples: int, check: Callable[[str, Any], None], seed: str = "storm") -> int:
    """Give *check* that many mutations of *documents*, always the same ones; return how many there were.

    Raises Failure, which names the document and holds the mutation, at the first that *check* does not like.
    """
    names = sorted(documents)
    for number in range(examples):
        name = names[number % len(names)]
        changed = mutated(documents[name], Random(f"{seed}-{number}"))
        try:
            check(name, changed)
        except Exception as error:
            raise Failure(f"mutation {number} of {name}: {error!r}\n{changed!r}"[:5000]) from error
    return examples
