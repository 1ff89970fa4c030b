"""The Functions worker's part that azure-functions publishes: its types, converters and decorators.

Golden files hold what the host sends, a TypedData each: `{"bytes": ...}`, `{"string": ...}`, `{"json": ...}`,
`{"collection_bytes": ...}` or `{"http": ...}`, with bytes as text or as `{"base64": ...}`.
https://github.com/Azure/azure-functions-language-worker-protobuf/blob/dev/src/proto/FunctionRpc.proto
"""

from __future__ import annotations

import json
from base64 import b64decode
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import azure.functions as func
from azure.functions import meta

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONVERTERS: Any = meta.get_binding_registry()  # type: ignore[no-untyped-call]  # the vendor's


class InvocationFailed(Exception):
    """What the worker tells the host of a function, or of a start, that failed."""


class Data:
    """A TypedData: one value, and the name of its field."""

    def __init__(self, **field: Any) -> None:
        vars(self).update(field)

    def WhichOneof(self, _: str) -> str | None:  # noqa: N802  # protobuf's name
        return next(iter(vars(self)), None)

    def datum(self) -> meta.Datum:
        """Return what the worker hands to a converter."""
        kind = self.WhichOneof("data")
        value: Any = getattr(self, kind) if kind else None
        if kind == "http":
            texts = {name: meta.Datum(getattr(value, name), "string") for name in ("method", "url")}
            maps = {
                name: {key: meta.Datum(text, "string") for key, text in getattr(value, name).items()}
                for name in ("headers", "query", "params")
            }
            value = {**texts, **maps, "body": value.body.datum() if vars(value.body) else meta.Datum(b"", "bytes")}
        return meta.Datum(value, kind)


def data_of(described: Mapping[str, Any]) -> Data:
    """Return the TypedData that a golden file describes."""
    ((kind, value),) = described.items()
    if kind == "bytes":
        return Data(bytes=as_bytes(value))
    if kind == "string":
        return Data(string=_text(value))
    if kind == "json":
        return Data(json=json.dumps(value, allow_nan=False))
    if kind == "collection_bytes":
        return Data(collection_bytes=SimpleNamespace(bytes=[as_bytes(element) for element in value]))
    if kind == "http":
        texts = {name: _text(value[name]) for name in ("method", "url")}
        maps = {
            name: {key: _text(text) for key, text in value[name].items()} for name in ("headers", "query", "params")
        }
        body = as_bytes(value["body"])
        return Data(http=SimpleNamespace(**texts, **maps, body=Data(bytes=body) if body else Data()))
    raise LookupError(f"a TypedData has no field {kind!r}")


def metadata_of(values: Mapping[str, Any]) -> dict[str, Data]:
    """Return a trigger's metadata as the host sends it: text as text, all else as JSON."""
    return {name: data_of({"string" if type(value) is str else "json": value}) for name, value in values.items()}


def as_bytes(written: Any) -> bytes:
    """Return bytes that are given, or that a golden file writes."""
    if type(written) is bytes:
        return written
    return b64decode(written["base64"]) if type(written) is dict else _text(written).encode()


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("protobuf has text here")
    return value


def converted(binding: str, data: Data, metadata: Mapping[str, Data]) -> Any:
    """Return the object that the worker makes for a parameter with this type of *binding*."""
    converter = _CONVERTERS.get(binding)
    if converter is None:
        raise LookupError(f"the worker has no converter for {binding!r}")
    return converter.decode(data.datum(), trigger_metadata={name: value.datum() for name, value in metadata.items()})


def answer_of(response: Any) -> dict[str, Any]:
    """Return the RpcHttp that the worker makes of an HttpResponse: cookies by their attributes' names."""
    told = _CONVERTERS.get("http").encode(response, expected_type=None).value
    cookies = [(name, morsel) for cookie in told["cookies"] or () for name, morsel in cookie.items()]
    return {
        "status_code": told["status_code"].value,
        "headers": {name: value.value for name, value in told["headers"].items()},
        "cookies": [
            {"name": name, "value": morsel.value, **{attribute: value for attribute, value in morsel.items() if value}}
            for name, morsel in cookies
        ],
        "body": told["body"].value,
    }


class Functions:
    """The functions of an app, called as they are, between the converters: where the runtime is not installed."""

    def __init__(self, application: func.FunctionApp) -> None:
        found = {function.get_function_name(): function for function in application.get_functions()}
        self._user = {name: function.get_user_function() for name, function in found.items()}
        self.triggers = {name: trigger_of(function.get_raw_bindings()) for name, function in found.items()}
        """Each function's trigger, as the host reads it."""

    def invoke(self, name: str, data: Data, metadata: Mapping[str, Data], invocation_id: str) -> Any:
        """Run a function; return its RpcHttp, or None. Raises InvocationFailed."""
        trigger = self.triggers[name]
        context = SimpleNamespace(invocation_id=invocation_id, function_name=name)
        # The worker hands a parameter that is annotated as str the text itself.
        is_text = self._user[name].__annotations__[trigger["name"]] == "str"
        try:
            payload = data.datum().value if is_text else converted(trigger["type"], data, metadata)
            answer = self._user[name](**{trigger["name"]: payload}, context=context)
            return None if answer is None else answer_of(answer)
        except Exception as error:
            raise InvocationFailed(f"{type(error).__name__}: {error}") from error


def trigger_of(bindings: list[str]) -> dict[str, Any]:
    """Return the trigger among a function's bindings."""
    found: list[dict[str, Any]] = [json.loads(binding) for binding in bindings]
    return next(binding for binding in found if binding["type"].endswith("Trigger"))
