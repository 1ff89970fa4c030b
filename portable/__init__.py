"""Write a serverless handler once; run it on any provider.

This is the table of contents. A name is imported when it is first used, so that a cold start pays for nothing else.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable._driving import Call as Call
    from portable._driving import observe as observe
    from portable._idempotency import InProgress as InProgress
    from portable._idempotency import idempotent as idempotent
    from portable.app import App as App
    from portable.blob import Bucket as Bucket
    from portable.kv import Table as Table
    from portable.queue import Queue as Queue
    from portable.queue import Send as Send
    from portable.runtime import entrypoint as entrypoint
    from portable_contracts.blob import BlobInfo as BlobInfo
    from portable_contracts.blob import BlobStream as BlobStream
    from portable_contracts.blob import Prefix as Prefix
    from portable_contracts.errors import AlreadyExists as AlreadyExists
    from portable_contracts.errors import Conflict as Conflict
    from portable_contracts.errors import InvalidArgument as InvalidArgument
    from portable_contracts.errors import LimitExceeded as LimitExceeded
    from portable_contracts.errors import NotFound as NotFound
    from portable_contracts.errors import PermissionDenied as PermissionDenied
    from portable_contracts.errors import PortableError as PortableError
    from portable_contracts.errors import Timeout as Timeout
    from portable_contracts.errors import Unavailable as Unavailable
    from portable_contracts.errors import Unsupported as Unsupported
    from portable_contracts.events import BlobEvent as BlobEvent
    from portable_contracts.events import Change as Change
    from portable_contracts.events import CloudEvent as CloudEvent
    from portable_contracts.events import Context as Context
    from portable_contracts.events import Message as Message
    from portable_contracts.events import Tick as Tick
    from portable_contracts.forms import Upload as Upload
    from portable_contracts.http import BadRequest as BadRequest
    from portable_contracts.http import Headers as Headers
    from portable_contracts.http import MultiMap as MultiMap
    from portable_contracts.http import Request as Request
    from portable_contracts.http import Response as Response
    from portable_contracts.kv import Create as Create
    from portable_contracts.kv import Delete as Delete
    from portable_contracts.kv import Item as Item
    from portable_contracts.kv import Put as Put
    from portable_contracts.provider import Page as Page

_CONTENTS = {
    "portable.app": ("App",),
    "portable.runtime": ("entrypoint",),
    "portable.blob": ("Bucket",),
    "portable.kv": ("Table",),
    "portable.queue": ("Queue", "Send"),
    "portable._driving": ("Call", "observe"),
    "portable._idempotency": ("idempotent", "InProgress"),
    "portable_contracts.http": ("Request", "Response", "Headers", "MultiMap", "BadRequest"),
    "portable_contracts.forms": ("Upload",),
    "portable_contracts.events": ("Message", "BlobEvent", "Change", "Tick", "CloudEvent", "Context"),
    "portable_contracts.kv": ("Item", "Put", "Create", "Delete"),
    "portable_contracts.blob": ("BlobInfo", "BlobStream", "Prefix"),
    "portable_contracts.provider": ("Page",),
    "portable_contracts.errors": (
        "PortableError", "InvalidArgument", "LimitExceeded", "NotFound", "AlreadyExists", "Conflict",
        "PermissionDenied", "Unsupported", "Unavailable", "Timeout",
    ),
}  # fmt: skip
_MODULES = {name: module for module, names in _CONTENTS.items() for name in names}
_SUBMODULES = ("aio", "locks", "testing")

__all__ = [
    "App", "Request", "Response", "Headers", "MultiMap", "Upload", "BadRequest", "entrypoint",
    "Bucket", "BlobInfo", "BlobStream", "Prefix",
    "Table", "Item", "Put", "Create", "Delete",
    "Queue", "Send", "Page",
    "Call", "observe", "idempotent", "InProgress",
    "Message", "BlobEvent", "Change", "Tick", "CloudEvent", "Context",
    "PortableError", "InvalidArgument", "LimitExceeded", "NotFound", "AlreadyExists", "Conflict",
    "PermissionDenied", "Unsupported", "Unavailable", "Timeout",
]  # fmt: skip


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _MODULES:
        value = globals()[name] = getattr(import_module(_MODULES[name]), name)
        return value
    if name in _SUBMODULES:
        return import_module(f"portable.{name}")
    raise AttributeError(f"module 'portable' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*__all__, *_SUBMODULES))
