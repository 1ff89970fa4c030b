"""A Firestore of ours, in memory, for Google's own client: `python -m ...firestore_server PORT`.

It speaks gRPC in Google's published messages, and is written from the public description of the API; the modules
`_firestore_*` name the pages. It has the database `(default)` of every project, and what tables need:
GetDocument, BatchGetDocuments, ListDocuments without paging, RunQuery, PartitionQuery, Commit, BatchWrite,
BeginTransaction and Rollback. It has no listeners, aggregations, read times, security rules, nor indexes but those that
every database has: a query that would need one is refused.

Beside Firestore's own service there is one that tests use to make calls fail, and to see which were made.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import import_module
from typing import Any, NoReturn

MAX_REQUEST_BYTES = 10 * 1024**2
CONTROL = "portable.conformance.Firestore"


class Fault:
    """What happens to calls whose request holds `match`.

    They fail with `code`, saying `message`, after `delay` seconds; `after` they were done, or else without; `times` of
    them, of the `method`, or of any. `retry_after` is the service's wish, in seconds.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        self.match = told["match"].encode()
        self.method: str | None = told.get("method")
        self.code: str | None = told.get("code", "UNAVAILABLE")
        self.message: str = told.get("message", "injected")
        self.after: bool = told.get("after", False)
        self.delay: float = told.get("delay", 0.0)
        self.times: int = told.get("times", 1)
        self.retry_after: float | None = told.get("retry_after")

    def applies(self, method: str, request: bytes) -> bool:
        return self.times > 0 and self.method in (None, method) and self.match in request


class Server:
    """The service's methods, over the databases of all projects."""

    def __init__(self) -> None:
        self.grpc: Any = import_module("grpc")
        documents: Any = import_module(f"{__package__}._firestore_documents")
        self.types: Any = documents.types
        self.refusal: Any = documents.Refusal
        self.masked: Any = documents.masked
        self.check_path: Any = documents.check_path
        self.store: Any = import_module(f"{__package__}._firestore_store")
        self.queries: Any = import_module(f"{__package__}._firestore_queries")
        self.databases: dict[str, Any] = {}
        self.faults: list[Fault] = []
        self.watched: dict[bytes, list[str]] = {}

    def handlers(self) -> Any:
        """Return what a gRPC server is given."""
        unary = {
            "GetDocument": (self.types.GetDocumentRequest, self.get),
            "ListDocuments": (self.types.ListDocumentsRequest, self.list),
            "Commit": (self.types.CommitRequest, self.commit),
            "BatchWrite": (self.types.BatchWriteRequest, self.batch_write),
            "BeginTransaction": (self.types.BeginTransactionRequest, self.begin),
            "Rollback": (self.types.RollbackRequest, self.rollback),
            "PartitionQuery": (self.types.PartitionQueryRequest, self.partition),
        }
        streams = {
            "BatchGetDocuments": (self.types.BatchGetDocumentsRequest, self.batch_get),
            "RunQuery": (self.types.RunQueryRequest, self.query),
        }
        methods = {
            name: self.grpc.unary_unary_rpc_method_handler(self._unary(name, request.pb(), answer))
            for name, (request, answer) in unary.items()
        } | {
            name: self.grpc.unary_stream_rpc_method_handler(self._stream(name, request.pb(), answers))
            for name, (request, answers) in streams.items()
        }
        control = {
            "Inject": lambda told: self.faults.append(Fault(told)),
            "Watch": lambda told: self.watched.setdefault(told["match"].encode(), []) and None,
            "Seen": lambda told: self.watched.get(told["match"].encode(), []),
        }
        return [
            self.grpc.method_handlers_generic_handler("google.firestore.v1.Firestore", methods),
            self.grpc.method_handlers_generic_handler(
                CONTROL,
                {name: self.grpc.unary_unary_rpc_method_handler(_controlled(do)) for name, do in control.items()},
            ),
        ]

    def _unary(self, name: str, kind: Any, answer: Callable[[Any], Any]) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def handle(request: bytes, context: Any) -> bytes:
            fault = await self._arrived(name, request, context)
            try:
                done: bytes = answer(self._parsed(kind, request)).SerializeToString()
            except self.refusal as refusal:
                await self._fail(context, refusal.code, str(refusal))
            if fault is not None:
                await self._break(fault, context)
            return done

        return handle

    def _stream(
        self, name: str, kind: Any, answers: Callable[[Any], list[Any]]
    ) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
        async def handle(request: bytes, context: Any) -> AsyncIterator[bytes]:
            fault = await self._arrived(name, request, context)
            try:
                found = answers(self._parsed(kind, request))
            except self.refusal as refusal:
                await self._fail(context, refusal.code, str(refusal))
            if fault is not None:
                for answer in found[: len(found) // 2]:  # It breaks in the middle.
                    yield answer.SerializeToString()
                await self._break(fault, context)
            for answer in found:
                yield answer.SerializeToString()

        return handle

    def _parsed(self, kind: Any, request: bytes) -> Any:
        if len(request) > MAX_REQUEST_BYTES:
            raise self.refusal(
                "INVALID_ARGUMENT", f"Request payload size exceeds the limit: {MAX_REQUEST_BYTES} bytes."
            )
        return kind.FromString(request)

    async def _arrived(self, name: str, request: bytes, context: Any) -> Fault | None:
        """Note the call; fail it if it has to; return the fault that follows after it is done."""
        for match, names in self.watched.items():
            if match in request:
                names.append(name)
        fault = next((fault for fault in self.faults if fault.applies(name, request)), None)
        if fault is None:
            return None
        fault.times -= 1
        if not fault.after:
            await self._break(fault, context)
            return None
        return fault

    async def _break(self, fault: Fault, context: Any) -> None:
        await asyncio.sleep(fault.delay)
        if fault.code is not None:
            await self._fail(context, fault.code, fault.message, fault.retry_after)

    async def _fail(self, context: Any, code: str, message: str, retry_after: float | None = None) -> NoReturn:
        trailers: tuple[Any, ...] = ()
        if retry_after is not None:
            details: Any = import_module("google.rpc.error_details_pb2")
            status: Any = import_module("google.rpc.status_pb2").Status(
                code=self.grpc.StatusCode[code].value[0], message=message
            )
            wish = details.RetryInfo()
            wish.retry_delay.FromMilliseconds(int(retry_after * 1000))
            status.details.add().Pack(wish)
            trailers = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(self.grpc.StatusCode[code], message, trailers)
        raise AssertionError("abort raises")

    def _database(self, name: str) -> Any:
        """Return the database that *name*, its own or that of something in it, is about."""
        words = name.split("/")
        if len(words) < 4 or words[0] != "projects" or words[2] != "databases":
            raise self.refusal("INVALID_ARGUMENT", f'"{name}" is in no database')
        if words[3] != "(default)":
            raise self.refusal("NOT_FOUND", f"The database {words[3]} does not exist for project {words[1]}")
        root = "/".join(words[:4])
        if root not in self.databases:
            self.databases[root] = self.store.Database(root)
        return self.databases[root]

    def _began(self, database: Any, request: Any) -> tuple[Any, bytes]:
        """Return the transaction that a read is in, and its key if it is a new one."""
        kind = request.WhichOneof("consistency_selector")
        if kind == "read_time":
            raise self.refusal("UNIMPLEMENTED", "this server keeps no past")
        if kind == "new_transaction":
            key = database.begin(request.new_transaction)
            return database.transaction(key), key
        return (database.transaction(request.transaction), b"") if kind == "transaction" else (None, b"")

    def get(self, request: Any) -> Any:
        database = self._database(request.name)
        transaction, _ = self._began(database, request)
        document = database.read(request.name, transaction)
        if document is None:
            raise self.refusal("NOT_FOUND", f'Document "{request.name}" not found.')
        return self.masked(document, request.mask.field_paths) if request.HasField("mask") else document

    def list(self, request: Any) -> Any:
        database = self._database(request.parent)
        query = self.types.StructuredQuery.pb()()
        query.from_.add(collection_id=request.collection_id)
        found, _ = self.queries.run(database, request.parent, query, self._began(database, request)[0])
        return self.types.ListDocumentsResponse.pb()(documents=found)

    def batch_get(self, request: Any) -> Any:
        database = self._database(request.database)
        transaction, key = self._began(database, request)
        answer = self.types.BatchGetDocumentsResponse.pb()
        answers = [answer(transaction=key)] if key else []
        now = database.now()
        for name in dict.fromkeys(request.documents):
            document = database.read(name, transaction)
            if document is None:
                answers.append(answer(missing=name, read_time=now))
            else:
                shown = self.masked(document, request.mask.field_paths) if request.HasField("mask") else document
                answers.append(answer(found=shown, read_time=now))
        return answers

    def query(self, request: Any) -> Any:
        database = self._database(request.parent)
        transaction, key = self._began(database, request)
        found, skipped = self.queries.run(database, request.parent, request.structured_query, transaction)
        now = database.now()
        answer = self.types.RunQueryResponse.pb()
        answers = [answer(transaction=key)] if key else []
        answers += [answer(document=document, read_time=now) for document in found]
        if not found or skipped:
            answers.append(answer(read_time=now, skipped_results=skipped))
        return answers

    def partition(self, request: Any) -> Any:
        database = self._database(request.parent)
        cursors = self.queries.partitions(database, request.parent, request.structured_query, request.partition_count)
        return self.types.PartitionQueryResponse.pb()(partitions=cursors)

    def commit(self, request: Any) -> Any:
        results, moment = self._database(request.database).commit(request.writes, request.transaction)
        return self.types.CommitResponse.pb()(write_results=results, commit_time=moment)

    def batch_write(self, request: Any) -> Any:
        database = self._database(request.database)
        names = [write.delete or write.update.name or write.transform.document for write in request.writes]
        if len(set(names)) != len(names):
            raise self.refusal("INVALID_ARGUMENT", "A batch writes each document once.")
        answer = self.types.BatchWriteResponse.pb()()
        for write in request.writes:
            status = answer.status.add()
            try:
                answer.write_results.append(database.commit([write], b"")[0][0])
            except self.refusal as refusal:
                answer.write_results.add()
                status.code, status.message = self.grpc.StatusCode[refusal.code].value[0], str(refusal)
        return answer

    def begin(self, request: Any) -> Any:
        key = self._database(request.database).begin(request.options)
        return self.types.BeginTransactionResponse.pb()(transaction=key)

    def rollback(self, request: Any) -> Any:
        self._database(request.database).rollback(request.transaction)
        return import_module("google.protobuf.empty_pb2").Empty()


def _controlled(do: Callable[[dict[str, Any]], Any]) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def handle(request: bytes, context: Any) -> bytes:
        return json.dumps(do(json.loads(request))).encode()

    return handle


async def main(port: int) -> None:
    aio: Any = import_module("grpc.aio")
    limits = [("grpc.max_receive_message_length", 64 * 1024**2), ("grpc.max_send_message_length", -1)]
    server = aio.server(options=[*limits, ("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(Server().handlers())
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
