"""HTML forms: urlencoded and multipart (RFC 7578), and header values with parameters."""

from __future__ import annotations

from portable_contracts._percent import parse_query, unquote
from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument


class Upload(Value):
    """A file of a form."""

    name: str
    """The file's name as the client gave it: never use it as a path."""
    content_type: str
    body: bytes


def header_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Split `text/html; charset="utf-8"` into its lower-case word and its parameters."""
    word, *rest = _split(value)
    parameters: dict[str, str] = {}
    for part in rest:
        name, found, text = part.partition("=")
        if not found:
            continue
        name, text = name.strip().lower(), text.strip()
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1].replace('\\"', '"').replace("%22", '"')
        parameters.setdefault(name, text)
    return word.strip().lower(), parameters


def _split(value: str) -> list[str]:
    parts, start, quoted = [], 0, False
    for index, char in enumerate(value):
        if char == '"' and (index == 0 or value[index - 1] != "\\"):
            quoted = not quoted
        elif char == ";" and not quoted:
            parts.append(value[start:index])
            start = index + 1
    return [*parts, value[start:]]


def parse_form(content_type: str, body: bytes) -> list[tuple[str, str | Upload]]:
    """Return the fields of a form, in order. Raises InvalidArgument for another content type or a broken body."""
    kind, parameters = header_parameters(content_type)
    if kind == "application/x-www-form-urlencoded":
        try:
            return list(parse_query(body.decode()))
        except UnicodeDecodeError as error:
            raise InvalidArgument(f"the form is not UTF-8 text: {error}") from error
    if kind == "multipart/form-data":
        if not parameters.get("boundary"):
            raise InvalidArgument("the form's content type names no boundary")
        return _multipart(parameters["boundary"].encode("latin-1", "replace"), body)
    raise InvalidArgument(
        f"the body is {kind or 'of no content type'}, not a form: expected application/x-www-form-urlencoded "
        "or multipart/form-data"
    )


def _multipart(boundary: bytes, body: bytes) -> list[tuple[str, str | Upload]]:
    sections = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(sections) < 2 or not sections[-1].startswith(b"--"):
        raise InvalidArgument("the multipart form is cut off: its closing boundary is missing")
    fields: list[tuple[str, str | Upload]] = []
    for section in sections[1:-1]:
        head, found, content = section.lstrip(b" \t").partition(b"\r\n\r\n")
        if not found:
            raise InvalidArgument("a part of the multipart form has no headers")
        headers: dict[str, str] = {}
        for line in head.decode(errors="replace").split("\r\n"):
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        disposition = header_parameters(headers.get("content-disposition", ""))[1]
        if "name" not in disposition:
            raise InvalidArgument("a part of the multipart form has no name")
        filename = disposition.get("filename")
        if "filename*" in disposition:
            filename = unquote(disposition["filename*"].rpartition("'")[2])
        if filename is None:
            try:
                fields.append((disposition["name"], content.decode()))
            except UnicodeDecodeError as error:
                raise InvalidArgument(
                    f"field {disposition['name']!r} of the form is not UTF-8 text: {error}"
                ) from error
        else:
            upload = Upload(filename, headers.get("content-type", "application/octet-stream"), content)
            fields.append((disposition["name"], upload))
    return fields
