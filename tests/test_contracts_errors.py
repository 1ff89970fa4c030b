"""The tree of errors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from portable_contracts import errors
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
    Unsupported,
)

ALL = [
    PortableError,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    AlreadyExists,
    Conflict,
    PermissionDenied,
    Unsupported,
    Unavailable,
    Timeout,
]


def test_these_are_all() -> None:
    found = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]

    assert found == ALL


@pytest.mark.parametrize("kind", ALL)
def test_each_is_a_portable_error_that_says_what_and_where(kind: type[PortableError]) -> None:
    error = kind("lost", operation="read", resource="bucket photos")

    assert isinstance(error, PortableError)
    assert (str(error), error.operation, error.resource) == ("lost", "read", "bucket photos")


@pytest.mark.parametrize("kind", ALL)
def test_each_is_drawn_in_the_module_s_docstring(kind: type[PortableError]) -> None:
    assert errors.__doc__
    assert f" {kind.__name__}" in errors.__doc__


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (InvalidArgument, ValueError),
        (LimitExceeded, ValueError),
        (NotFound, LookupError),
        (Unsupported, NotImplementedError),
        (Timeout, TimeoutError),
    ],
)
def test_each_is_the_builtin_that_one_would_guess(kind: type[PortableError], builtin: type[Exception]) -> None:
    assert issubclass(kind, builtin)


@pytest.mark.parametrize("kind", ALL)
def test_trying_again_helps_where_the_service_was_at_fault(kind: type[PortableError]) -> None:
    assert kind.retryable == (kind in (Unavailable, Timeout))


FULL: list[PortableError] = [
    NotFound("lost", operation="get", resource="table t"),
    LimitExceeded("large", limit="max_bytes", actual=2, allowed=1, owner="the portable profile"),
    Conflict("changed", reasons=[None, AlreadyExists("there")]),
]


@pytest.mark.parametrize("error", FULL, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("copied", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_copies_say_the_same(error: PortableError, copied: Any) -> None:
    again = copied(error)

    assert type(again) is type(error)
    assert again.args == error.args
    assert str(vars(again)) == str(vars(error))
