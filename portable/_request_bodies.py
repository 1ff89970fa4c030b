"""The body of a request that a test sends: bytes, text, JSON or a form."""

from __future__ import annotations

import os
from collections.abc import Mapping

from portable_contracts.errors import InvalidArgument
from portable_contracts.forms import Upload
from portable_contracts.http import encode_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeAlias, TypedDict

    from portable_contracts.http import HeadersInit

    # The values are str or Upload: type checkers take a literal with both for a mapping to `object`.
    Form: TypeAlias = Mapping[str, Any] | Iterable[tuple[str, Any]]

    class Content(TypedDict, total=False):
        """What a request carries beside its method and path."""

        headers: HeadersInit
        body: bytes | str
        json: Any
        form: Form


NO_JSON: Any = object()
"""Where no JSON is given: None is JSON's null."""


def encoded(body: bytes | str, json: Any, form: Form | None) -> tuple[bytes, str]:
    """Return the bytes to send, and their content type, "" where there is none to say."""
    if (len(body) > 0) + (json is not NO_JSON) + (form is not None) > 1:
        raise InvalidArgument("a request has one body: give one of body, json and form")
    if json is not NO_JSON:
        return encode_json(json), "application/json"
    if form is not None:
        fields: Iterable[Any] = form.items() if isinstance(form, Mapping) else form
        return _form(list(fields))
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=utf-8" if body else ""
    return bytes(body), ""


def _form(fields: list[tuple[str, str | Upload]]) -> tuple[bytes, str]:
    if not any(isinstance(value, Upload) for _, value in fields):
        from urllib.parse import urlencode

        return urlencode(fields).encode(), "application/x-www-form-urlencoded"
    boundary = os.urandom(12).hex()
    parts = []
    for name, value in fields:
        disposition = f'form-data; name="{name}"'
        if isinstance(value, Upload):
            head = f'{disposition}; filename="{value.name}"\r\ncontent-type: {value.content_type}'
            content = value.body
        else:
            head, content = disposition, value.encode()
        parts.append(f"--{boundary}\r\ncontent-disposition: {head}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
