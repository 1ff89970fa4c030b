"""Bucket: objects of bytes under keys.

    photos.write("in/cat.jpg", file, metadata={"by": "ada"})
    with photos.open("in/cat.jpg") as stream:
        for chunk in stream:
            work(chunk)

A write is seen whole or not at all, and a reader that has begun stays with the version that it began with.
"""

from __future__ import annotations

from portable import _blob_grammar as grammar
from portable._blob_body import Source, pieces, whole
from portable._blob_stream import BlobReader
from portable._cursor import seal, unseal
from portable._driving import Resource, call, translate
from portable._nearest import nearest
from portable_contracts.blob import WriteOptions
from portable_contracts.errors import NotFound, PortableError
from portable_contracts.provider import EMPTY, Address, Page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import timedelta
    from typing import overload

    from portable._blob_body import Body
    from portable_contracts.blob import BlobDriver, BlobInfo, Prefix
    from portable_contracts.provider import Opening

SIGNED_SECONDS = 15 * 60
"""How long an address from `sign` is good for where it is told nothing else."""


class Bucket(Resource):
    """A bucket of objects."""

    kind = "bucket"

    @classmethod
    def at(cls, address: str, *, opening: Opening | None = None) -> Bucket:
        """Open the bucket at *address* on its own, without an app. Raises InvalidArgument for a wrong address."""
        from portable.connecting import open_address

        connection = open_address("bucket", address, opening)
        parsed = Address.parse(address)
        return cls(parsed.name or parsed.path, lambda: connection)

    def read(self, key: str) -> bytes:
        """Return the object's bytes. Raises NotFound when there is none."""
        self._check_key(key, "read")
        with BlobReader(self, "read", key, 0, None) as stream:
            return stream.read()

    def open(self, key: str, *, start: int = 0, stop: int | None = None) -> BlobReader:
        """Open the object to read it as a stream, from the byte *start* up to, not with, *stop*.

        A part past the object's end is cut there. Raises NotFound when there is no object, InvalidArgument for a part
        that is negative.
        """
        self._check_key(key, "open")
        if type(start) is not int or start < 0:
            raise self._invalid("open", f"start is {start!r}: it is a whole number of bytes, 0 or more")
        if stop is not None and (type(stop) is not int or stop < start):
            raise self._invalid("open", f"stop is {stop!r}: it is a whole number of bytes, {start} or more, or None")
        return BlobReader(self, "open", key, start, stop)

    def info(self, key: str) -> BlobInfo:
        """Describe the object, without its bytes. Raises NotFound when there is none."""
        self._check_key(key, "info")
        return call(self, "info", repr(key), True, self._driver.info, key)

    def exists(self, key: str) -> bool:
        """Say whether there is an object under *key*."""
        self._check_key(key, "exists")
        try:
            call(self, "exists", repr(key), True, self._driver.info, key)
        except NotFound:
            return False
        return True

    def write(
        self,
        key: str,
        body: Body,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] = EMPTY,
        if_version: str | None = None,
    ) -> BlobInfo:
        """Write the object over what is there, and describe it; with *if_version* only over that version.

        *body* is bytes, text (written as UTF-8), a file opened in binary mode, or an iterable of bytes of any length,
        which is never held as a whole. What it raises while it is read comes out of here, and leaves what was there.
        Without *content_type* text is `text/plain; charset=utf-8`, and anything else is what the key's extension says,
        `application/octet-stream` when that says nothing.

        Raises Conflict when something else than *if_version*, or nothing, is there; Unsupported where the service has
        no guarded writes; InvalidArgument and LimitExceeded for a wrong key, body, content type or metadata.
        """
        if if_version is not None:
            self._require("if_version", "write(if_version=...)")
            self._check_version(if_version, "write")
        return self._write("write", key, body, content_type, metadata, if_version, if_absent=False)

    def create(
        self,
        key: str,
        body: Body,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] = EMPTY,
    ) -> BlobInfo:
        """Write the object where there is none. Raises AlreadyExists where there is one; else as `write`.

        A create whose answer was lost is not tried again: it could not tell its own object from another's.
        """
        self._require("create", "create")
        return self._write("create", key, body, content_type, metadata, None, if_absent=True)

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """Delete the object; a missing one is no error. With *if_version* delete only that version.

        Raises Conflict when something else than *if_version*, or nothing, is there.
        """
        self._check_key(key, "delete")
        if if_version is not None:
            self._require("delete_if_version", "delete(if_version=...)")
            self._check_version(if_version, "delete")
        call(self, "delete", repr(key), if_version is None, self._driver.delete, key, if_version=if_version)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete the objects under *keys*, in as few calls as the service allows; missing ones are no error.

        *keys* may be endless in number: they are read batch by batch, and `bucket.delete_many(entry.key for entry in
        bucket.list("old/"))` needs no more memory than one batch.

        When a key is refused, or an object stays, it raises; keys that came earlier may be deleted by then, and later
        ones are not. Deleting is safe to repeat, so call it again with the same keys.
        """
        if isinstance(keys, (str, bytes)):
            raise self._invalid("delete_many", "keys is a single text: put it in a list, or use delete")
        batch: dict[str, None] = {}
        for key in keys:
            self._check_key(key, "delete_many")
            batch[key] = None
            if len(batch) == self._connection.capabilities.max_delete_batch:
                self._delete_batch(batch)
                batch = {}
        if batch:
            self._delete_batch(batch)

    if TYPE_CHECKING:

        @overload
        def list(self, prefix: str = "", delimiter: None = None) -> Iterator[BlobInfo]: ...
        @overload
        def list(self, prefix: str = "", delimiter: str | None = None) -> Iterator[BlobInfo | Prefix]: ...

    def list(self, prefix: str = "", delimiter: str | None = None) -> Iterator[BlobInfo] | Iterator[BlobInfo | Prefix]:
        """Return an iterator over the objects whose key starts with *prefix*, in the byte order of UTF-8.

        With a *delimiter* the keys that contain it after the prefix come once, as a Prefix, in their place. Pages are
        asked for as they are needed: an object that is there all the while is listed once, whatever comes and goes.
        """
        self._check_listing(prefix, delimiter, "list")
        return self._entries(prefix, delimiter)

    if TYPE_CHECKING:

        @overload
        def page(
            self, prefix: str = "", delimiter: None = None, *, limit: int = 100, cursor: str | None = None
        ) -> Page[BlobInfo]: ...
        @overload
        def page(
            self, prefix: str = "", delimiter: str | None = None, *, limit: int = 100, cursor: str | None = None
        ) -> Page[BlobInfo | Prefix]: ...

    def page(
        self, prefix: str = "", delimiter: str | None = None, *, limit: int = 100, cursor: str | None = None
    ) -> Page[BlobInfo] | Page[BlobInfo | Prefix]:
        """Return up to *limit* entries of what `list` lists, and the cursor of the next page, None at the end.

        *cursor* is that of the page before, from this process or another. Raises InvalidArgument for one that is broken
        or belongs to another prefix or delimiter, LimitExceeded for a larger page than the service gives.
        """
        self._check_listing(prefix, delimiter, "page")
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise self._invalid("page", f"limit is {limit!r}: it is a whole number, 1 or more")
        if limit > self._connection.capabilities.max_list_page:
            raise self._limit("max_list_page", limit, "limit", "page")
        query = (self.kind, self.name, prefix, delimiter)
        position = None if cursor is None else unseal(cursor, query)
        page = self._page("page", prefix, delimiter, position, limit)
        return page.replace(cursor=None if page.cursor is None else seal(page.cursor, query))

    def copy(self, source: str, target: str) -> BlobInfo:
        """Copy an object within the bucket, with content type and metadata, over what is there; describe the copy.

        Raises NotFound when there is no object under *source*.
        """
        self._check_key(source, "copy")
        self._check_key(target, "copy")
        if source == target:
            # Some services refuse it, and none has anything to do.
            return call(self, "copy", repr(source), True, self._driver.info, source)
        return call(self, "copy", f"{source!r} to {target!r}", True, self._driver.copy, source, target)

    def sign(
        self,
        key: str,
        method: str = "GET",
        expires: timedelta | None = None,
        content_type: str | None = None,
    ) -> str:
        """Return an address that lets anyone who has it GET or PUT the object, for 15 minutes or *expires*.

        A PUT may be bound to a *content_type*: the request must then have that very header. Whether there is an object
        is not looked at. Raises Unsupported where the service cannot sign, LimitExceeded for a longer time than it
        allows.
        """
        self._check_key(key, "sign")
        capabilities = self._connection.capabilities
        if method not in ("GET", "PUT"):
            raise self._invalid(
                "sign", f"method is {method!r}{nearest(str(method), ('GET', 'PUT'))}: use 'GET' or 'PUT'"
            )
        if method not in capabilities.sign:
            raise self._unsupported("sign", f"{self._connection.owners['sign']} signs no {method}")
        if content_type is not None:
            if method != "PUT":
                raise self._invalid("sign", "content_type is for a PUT: a GET gives the type that was written")
            self._check_content_type(content_type, "sign")
            self._require("sign_content_type", "sign(content_type=...)")
        from datetime import timedelta

        lasting = timedelta(seconds=SIGNED_SECONDS) if expires is None else expires
        if not isinstance(lasting, timedelta) or lasting <= timedelta():
            raise self._invalid("sign", f"expires is {expires!r}: give a timedelta of more than nothing")
        if lasting > timedelta(seconds=capabilities.max_sign_seconds):
            raise self._limit("max_sign_seconds", -(-lasting // timedelta(seconds=1)), "expires", "sign")
        return call(
            self,
            "sign",
            repr(key),
            True,
            self._driver.sign,
            key,
            method=method,
            expires=lasting,
            content_type=content_type,
        )

    @property
    def _driver(self) -> BlobDriver:
        driver: BlobDriver = self._connection.driver
        return driver

    def _write(
        self,
        operation: str,
        key: str,
        body: Body,
        content_type: str | None,
        metadata: Mapping[str, str],
        if_version: str | None,
        *,
        if_absent: bool,
    ) -> BlobInfo:
        self._check_key(key, operation)
        if content_type is None:
            content_type = grammar.TEXT_TYPE if isinstance(body, str) else grammar.type_of(key)
        else:
            self._check_content_type(content_type, operation)
        options = WriteOptions(content_type, self._checked_metadata(metadata, operation), if_version, if_absent)
        repeatable = if_version is None and not if_absent
        what = repr(key)
        try:
            content = whole(body)
        except UnicodeEncodeError as error:
            raise self._invalid(operation, "the body holds a lone surrogate, which no UTF-8 can carry") from error
        if content is not None:
            if len(content) > self._connection.capabilities.max_bytes:
                raise self._limit("max_bytes", len(content), "body", operation)
            return call(self, operation, what, repeatable, self._driver.write, key, content, options)

        found = pieces(body)
        if found is None:
            raise self._invalid(
                operation,
                f"a body of type {type(body).__name__} cannot be written: give bytes, str, a file opened in binary "
                "mode, or an iterable of bytes",
            )
        start, restartable = found
        source: Source | None = None

        def attempt() -> BlobInfo:
            nonlocal source
            source = Source(self, operation, start())
            return self._driver.write(key, source, options)

        try:
            return call(self, operation, what, repeatable if restartable else None, attempt)
        except PortableError:
            failure = source.failure if source is not None else None
            if failure is None:
                raise
        # Outside of the except block, or the error of the body would seem to come from that of the write.
        raise failure

    def _delete_batch(self, batch: Iterable[str]) -> None:
        left = list(batch)
        size = len(left)

        def attempt() -> None:
            outcomes = self._driver.delete_batch(left)
            failed = [(key, error) for key, error in zip(left, outcomes, strict=True) if error is not None]
            if failed:
                left[:] = [key for key, _ in failed]
                key, error = failed[0]
                what = f"{len(failed)} of {size} keys, the first of them {key!r},"
                translated = translate(self, "delete_many", what, error)
                raise translated from None if translated is error else error

        call(self, "delete_many", f"{size} keys", True, attempt)

    def _entries(self, prefix: str, delimiter: str | None) -> Iterator[BlobInfo | Prefix]:
        position: str | None = None
        while True:
            page = self._page("list", prefix, delimiter, position, self._connection.capabilities.max_list_page)
            yield from page.items
            position = page.cursor
            if position is None:
                return

    def _page(
        self, operation: str, prefix: str, delimiter: str | None, position: str | None, limit: int
    ) -> Page[BlobInfo | Prefix]:
        if grammar.begins_no_key(prefix):
            return Page(())
        return call(
            self,
            operation,
            repr(prefix) if prefix else "",
            True,
            self._driver.list_page,
            prefix=prefix,
            delimiter=delimiter,
            cursor=position,
            limit=limit,
        )

    def _check_key(self, key: str, operation: str) -> None:
        fault = grammar.key_fault(key)
        if fault is not None:
            raise self._invalid(operation, fault)
        size = grammar.utf8_length(key)
        if size > self._connection.capabilities.max_key_bytes:
            raise self._limit("max_key_bytes", size, "key", operation)

    def _check_listing(self, prefix: str, delimiter: str | None, operation: str) -> None:
        fault = grammar.prefix_fault(prefix) or (None if delimiter is None else grammar.delimiter_fault(delimiter))
        if fault is not None:
            raise self._invalid(operation, fault)

    def _check_version(self, version: str, operation: str) -> None:
        if not isinstance(version, str) or not version:
            raise self._invalid(operation, f"if_version is {version!r}: pass the version that info or a write gave")

    def _check_content_type(self, content_type: str, operation: str) -> None:
        fault = grammar.content_type_fault(content_type)
        if fault is not None:
            raise self._invalid(operation, fault)

    def _checked_metadata(self, metadata: Mapping[str, str], operation: str) -> Mapping[str, str]:
        if metadata is EMPTY:
            return EMPTY
        fault = grammar.metadata_fault(metadata)
        if fault is not None:
            raise self._invalid(operation, fault)
        size = sum(grammar.utf8_length(name) + grammar.utf8_length(value) for name, value in metadata.items())
        if size > self._connection.capabilities.max_metadata_bytes:
            raise self._limit("max_metadata_bytes", size, "metadata", operation)
        return dict(metadata)
