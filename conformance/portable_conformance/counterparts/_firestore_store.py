"""What the fake Firestore keeps: documents with their times, and transactions that find out whom they would overtake.

Transactions are optimistic: reads are of the moment when the transaction began, and a commit is ABORTED where a
document that was read, or a collection that was queried, has changed since.
https://docs.cloud.google.com/firestore/docs/transaction-data-contention
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from portable_conformance.counterparts._firestore_documents import (
    Document,
    Refusal,
    check_fields,
    check_path,
    find,
    invalid,
    place_of,
    remove,
    segments,
    transform,
    types,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Timestamp: Any = type(Document().update_time)
WriteResult: Any = types.WriteResult.pb()

IDLE_SECONDS = 60.0
"""After so many without a call a transaction is over: https://docs.cloud.google.com/firestore/quotas"""


class Stored:
    """A document as one commit left it; None is one that was deleted."""

    __slots__ = ("document", "number", "previous")

    def __init__(self, document: Any, number: int, previous: Stored | None) -> None:
        self.document = document
        self.number = number
        self.previous = previous

    def at(self, number: int) -> Any:
        """Return the document as it was after that commit."""
        stored: Stored | None = self
        while stored is not None and stored.number > number:
            stored = stored.previous
        return None if stored is None else stored.document


class Collection:
    """The documents of one collection, by their ids."""

    def __init__(self) -> None:
        self.stored: dict[str, Stored] = {}
        self.changed = 0
        self.indexes: dict[Any, tuple[int, list[Any], list[Any]]] = {}
        """By the orders: the `changed` that they were made at, the keys, the documents."""

    def documents(self, number: int | None) -> list[Any]:
        if number is None:
            found = [stored.document for stored in self.stored.values()]
        else:
            found = [stored.at(number) for stored in self.stored.values()]
        return [document for document in found if document is not None]


class Transaction:
    def __init__(self, number: int, read_only: bool) -> None:
        self.number = number
        self.read_only = read_only
        self.read: dict[str, int] = {}
        """Document names, and the number of the commit that wrote what was read."""
        self.queried: set[str] = set()
        self.used = time.monotonic()


class Database:
    """One database; its methods are called from one thread."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.collections: dict[str, Collection] = {}
        self.number = 0
        self._transactions: dict[bytes, Transaction] = {}
        self._micros = 0

    def path(self, name: str) -> str:
        """Return the part of a document's name after `documents/`. Raises Refusal for one of another database."""
        prefix = f"{self.root}/documents/"
        if not name.startswith(prefix):
            raise invalid(f'Document name "{name}" is not of the database {self.root}')
        path = name[len(prefix) :]
        check_path(path, document=True)
        return path

    def stored(self, path: str) -> Stored | None:
        collection, _, document_id = path.rpartition("/")
        found = self.collections.get(collection)
        return None if found is None else found.stored.get(document_id)

    def read(self, name: str, transaction: Transaction | None) -> Any:
        """Return the document, or None."""
        path = self.path(name)
        stored = self.stored(path)
        if transaction is None:
            return None if stored is None else stored.document
        transaction.read.setdefault(path, 0 if stored is None else stored.number)
        return None if stored is None else stored.at(transaction.number)

    def within(self, parent: str, collection_id: str, all_descendants: bool) -> Iterator[tuple[str, Collection]]:
        """Give the collections, by their paths, that a query from *parent* (a path, or empty) is about."""
        direct = f"{parent}/{collection_id}" if parent else collection_id
        if not all_descendants:
            if direct in self.collections:
                yield direct, self.collections[direct]
            return
        for path, collection in self.collections.items():
            if path == direct or (path.endswith(f"/{collection_id}") and (not parent or path.startswith(f"{parent}/"))):
                yield path, collection

    def now(self) -> Any:
        moment = Timestamp()
        moment.FromMicroseconds(max(time.time_ns() // 1000, self._micros))
        return moment

    def begin(self, options: Any) -> bytes:
        self._forget_idle()
        key = os.urandom(16)
        self._transactions[key] = Transaction(self.number, options.WhichOneof("mode") == "read_only")
        return key

    def transaction(self, key: bytes) -> Transaction:
        self._forget_idle()
        transaction = self._transactions.get(key)
        if transaction is None:
            raise invalid("The referenced transaction has expired or is no longer valid.")
        transaction.used = time.monotonic()
        return transaction

    def rollback(self, key: bytes) -> None:
        self.transaction(key)
        self._end(key)

    def commit(self, writes: Any, key: bytes) -> tuple[list[Any], Any]:
        """Do all *writes* or none; return their results and the time."""
        if key:
            transaction = self.transaction(key)
            self._end(key)  # Whatever comes of it.
            if transaction.read_only and writes:
                raise invalid("Cannot modify entities in a read-only transaction.")
            if writes:
                self._check_conflicts(transaction)
        self._micros = max(time.time_ns() // 1000, self._micros + 1)
        moment = self.now()
        after: dict[str, Any] = {}
        results = [self._write(write, after, moment) for write in writes]
        self.number += 1
        for path, document in after.items():
            self._store(path, document)
        return results, moment

    def _check_conflicts(self, transaction: Transaction) -> None:
        for path, number in transaction.read.items():
            stored = self.stored(path)
            if (0 if stored is None else stored.number) != number or number > transaction.number:
                raise Refusal("ABORTED", "Too much contention on these documents. Please try again.")
        for path in transaction.queried:
            if path in self.collections and self.collections[path].changed > transaction.number:
                raise Refusal("ABORTED", "Transaction lock timeout: a query's documents have changed.")

    def _write(self, write: Any, after: dict[str, Any], moment: Any) -> Any:
        operation = write.WhichOneof("operation")
        if operation not in ("update", "delete", "transform"):
            raise invalid("A write has no operation.")
        names = {"update": write.update.name, "delete": write.delete, "transform": write.transform.document}
        name = names[operation]
        path = self.path(name)
        stored = self.stored(path)
        before = after.get(path, None if stored is None else stored.document)
        _check_precondition(write.current_document, name, before)
        if operation == "delete":
            after[path] = None
            return WriteResult()
        document = Document(name=name)
        if operation == "transform" or write.HasField("update_mask"):
            if before is not None:
                document.CopyFrom(before)
            for field_path in write.update_mask.field_paths:
                _merge(document, write.update, segments(field_path))
        else:
            document.CopyFrom(write.update)
        transforms = write.transform.field_transforms if operation == "transform" else write.update_transforms
        values = transform(document.fields, transforms, moment)
        document.create_time.CopyFrom(moment if before is None else before.create_time)
        # "If the write did not actually change the document, this will be the previous update_time."
        document.update_time.CopyFrom(moment if before is None else before.update_time)
        if before is not None and document != before:
            document.update_time.CopyFrom(moment)
        check_fields(document)
        after[path] = document
        return WriteResult(update_time=document.update_time, transform_results=values)

    def _store(self, path: str, document: Any) -> None:
        place, _, document_id = path.rpartition("/")
        collection = self.collections.setdefault(place, Collection())
        before = collection.stored.get(document_id)
        if document == (None if before is None else before.document):
            return
        collection.changed = self.number
        if document is None and not self._transactions:
            collection.stored.pop(document_id, None)
        else:
            collection.stored[document_id] = Stored(document, self.number, before if self._transactions else None)

    def _end(self, key: bytes) -> None:
        del self._transactions[key]
        if self._transactions:
            return
        for collection in self.collections.values():  # Nobody looks back any more.
            for document_id, stored in list(collection.stored.items()):
                stored.previous = None
                if stored.document is None:
                    del collection.stored[document_id]

    def _forget_idle(self) -> None:
        limit = time.monotonic() - IDLE_SECONDS
        for key in [key for key, transaction in self._transactions.items() if transaction.used < limit]:
            self._end(key)


def _check_precondition(precondition: Any, name: str, document: Any) -> None:
    kind = precondition.WhichOneof("condition_type")
    if kind == "exists":
        if precondition.exists and document is None:
            raise Refusal("NOT_FOUND", f"No document to update: {name}")
        if not precondition.exists and document is not None:
            raise Refusal("ALREADY_EXISTS", f"Document already exists: {name}")
    elif kind == "update_time" and (document is None or document.update_time != precondition.update_time):
        is_at = "none" if document is None else document.update_time.ToJsonString()
        raise Refusal(
            "FAILED_PRECONDITION",
            f"the stored version ({is_at}) does not match the required base version "
            f"({precondition.update_time.ToJsonString()})",
        )


def _merge(document: Any, update: Any, names: list[str]) -> None:
    value = find(update.fields, names)
    if value is None:
        remove(document.fields, names)
    else:
        place_of(document.fields, names).CopyFrom(value)
