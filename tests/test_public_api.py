"""The names that users import; a change here is a change for them."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import portable

NAMES = {
    "App",
    "Request",
    "Response",
    "Headers",
    "MultiMap",
    "Upload",
    "BadRequest",
    "entrypoint",
    "Bucket",
    "BlobInfo",
    "BlobStream",
    "Prefix",
    "Table",
    "Item",
    "Put",
    "Create",
    "Delete",
    "Queue",
    "Send",
    "Call",
    "observe",
    "idempotent",
    "InProgress",
    "Page",
    "Message",
    "BlobEvent",
    "Change",
    "Tick",
    "CloudEvent",
    "Context",
    "PortableError",
    "InvalidArgument",
    "LimitExceeded",
    "NotFound",
    "AlreadyExists",
    "Conflict",
    "PermissionDenied",
    "Unsupported",
    "Unavailable",
    "Timeout",
}

APP = {
    "asgi",
    "bind",
    "bucket",
    "cloudevents",
    "delete",
    "get",
    "handle",
    "handle_async",
    "head",
    "middleware",
    "name",
    "on_blob",
    "on_change",
    "on_event",
    "on_message",
    "options",
    "patch",
    "post",
    "put",
    "queue",
    "resources",
    "route",
    "schedule",
    "spec",
    "table",
    "unbind",
    "wsgi",
}


def test_the_public_names_are_these() -> None:
    assert set(portable.__all__) == NAMES
    assert len(portable.__all__) == len(NAMES)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_can_be_imported_and_is_documented(name: str) -> None:
    value = getattr(portable, name)

    assert value.__name__ == name
    assert inspect.getdoc(value)


def test_each_is_where_the_table_of_contents_says() -> None:
    assert set(portable._MODULES) == NAMES


def test_a_star_import_has_them_all() -> None:
    names: dict[str, object] = {}
    exec("from portable import *", names)

    assert names.keys() >= NAMES


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'portable' has no attribute 'Bukket'"):
        portable.Bukket  # noqa: B018  # the access is what raises


def test_the_names_are_listed() -> None:
    assert set(dir(portable)) == NAMES | {"aio", "locks", "testing"}


@pytest.mark.parametrize("name", ["aio", "locks", "testing"])
def test_a_submodule_can_be_used_without_its_own_import(name: str) -> None:
    source = f"import portable; print(portable.{name}.__name__)"

    assert subprocess.run([sys.executable, "-c", source], capture_output=True, text=True).stdout == f"portable.{name}\n"


def test_an_app_has_these() -> None:
    assert {name for name in dir(portable.App("a")) if not name.startswith("_")} == APP


@pytest.mark.parametrize("name", sorted(APP - {"name"}))
def test_each_of_them_is_documented(name: str) -> None:
    assert inspect.getdoc(getattr(portable.App, name))
