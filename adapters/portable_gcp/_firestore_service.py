"""The calls of Firestore that a table makes, on one channel a process and database, in Google's own messages.

They go through gRPC without the SDK's layers above it: those copy each message into a wrapper, and try again on their
own. `google.cloud.firestore.Client` is what `native()` gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from google.api_core.exceptions import from_grpc_error
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.cloud.firestore_v1.types import firestore as types

from portable_contracts._value import Value
from portable_contracts.clients import Clients
from portable_gcp import _channels, _clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Message = Any

CommitRequest: Any = types.CommitRequest.pb()
BatchGetDocumentsRequest: Any = types.BatchGetDocumentsRequest.pb()
RunQueryRequest: Any = types.RunQueryRequest.pb()
_CommitResponse: Any = types.CommitResponse.pb()
_BatchGetDocumentsResponse: Any = types.BatchGetDocumentsResponse.pb()
_RunQueryResponse: Any = types.RunQueryResponse.pb()

SECONDS = 30.0
"""How long a call may take."""
_METHODS = "/google.firestore.v1.Firestore/"
_EMULATOR_PROJECT = "google-cloud-firestore-emulator"
"""What the SDK calls the project of an emulator where nothing names one."""

_services: Clients[Service] = Clients()
_clients_of_users: Clients[Any] = Clients()


class Database(Value):
    """Which database an address names; None is what the environment says."""

    project: str | None
    database: str
    endpoint: str | None
    """`http://host:port` of an emulator, which takes no credentials, or `https://host`."""

    def service(self) -> Service:
        return _services.get((self.project, self.database, self.endpoint), lambda: Service(self))

    def client(self) -> Any:
        """Return the SDK's own client."""
        return _clients_of_users.get((self.project, self.database, self.endpoint), self._client)

    def _client(self) -> Any:
        emulator = self.emulator()
        project = self.project_name()
        if emulator is None:
            options = {} if self.endpoint is None else {"api_endpoint": self.endpoint.removeprefix("https://")}
            credentials, _ = _clients.credentials()
            return firestore.Client(project, credentials, self.database, client_options=options)
        client = firestore.Client(project, AnonymousCredentials(), self.database)
        client._emulator_host = emulator  # What it reads from FIRESTORE_EMULATOR_HOST alone, for the whole process.
        return client

    def emulator(self) -> str | None:
        """Return host and port of the emulator in use."""
        return _channels.emulator(self.endpoint, "FIRESTORE_EMULATOR_HOST")

    def project_name(self) -> str:
        """Return the project. Raises InvalidArgument where neither the address nor the environment names one."""
        return _channels.project_name(self.project, emulated=_EMULATOR_PROJECT if self.emulator() else None)

    def channel(self) -> grpc.Channel:
        return _channels.channel(self.endpoint, self.emulator(), FirestoreGrpcTransport)


class Service:
    """Commits, reads and queries of one database; safe from several threads."""

    def __init__(self, database: Database) -> None:
        self.root = f"projects/{database.project_name()}/databases/{database.database}"
        metadata = [
            ("google-cloud-resource-prefix", self.root),
            ("x-goog-request-params", f"database={self.root}"),
        ]
        if database.emulator() is not None:
            metadata.append(("authorization", "Bearer owner"))  # Past the rules that an emulator may enforce.
        self._metadata = tuple(metadata)
        channel = database.channel()
        self._commit = channel.unary_unary(
            f"{_METHODS}Commit", CommitRequest.SerializeToString, _CommitResponse.FromString
        )
        self._batch_get = channel.unary_stream(
            f"{_METHODS}BatchGetDocuments",
            BatchGetDocumentsRequest.SerializeToString,
            _BatchGetDocumentsResponse.FromString,
        )
        self._run_query = channel.unary_stream(
            f"{_METHODS}RunQuery", RunQueryRequest.SerializeToString, _RunQueryResponse.FromString
        )

    def commit(self, request: Message) -> Message:
        """Do all writes of *request* or none, and return the answer."""
        try:
            return self._commit(request, timeout=SECONDS, metadata=self._metadata)
        except grpc.RpcError as error:
            raise from_grpc_error(error) from error

    def documents(self, names: Sequence[str]) -> dict[str, Message]:
        """Return the documents that are there, by their names."""
        request = BatchGetDocumentsRequest(database=self.root, documents=names)
        answers = self._stream(self._batch_get, request)
        return {answer.found.name: answer.found for answer in answers if answer.WhichOneof("result") == "found"}

    def query(self, request: Message, most_bytes: int) -> tuple[list[Message], bool]:
        """Return what a query finds, and whether that was cut off after *most_bytes*."""
        found: list[Message] = []
        size = 0
        call = self._run_query(request, timeout=SECONDS, metadata=self._metadata)
        try:
            for answer in call:
                if not answer.HasField("document"):
                    continue
                found.append(answer.document)
                size += answer.ByteSize()
                if size > most_bytes:
                    call.cancel()
                    return found, True
        except grpc.RpcError as error:
            raise _of_reading(error) from error
        return found, False

    def _stream(self, method: Callable[..., Any], request: Message) -> Iterator[Message]:
        try:
            yield from method(request, timeout=SECONDS, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _of_reading(error) from error


def _of_reading(error: grpc.RpcError) -> Any:
    """Return the SDK's error, with a mark that a read failed: an operation that ends in it has changed nothing."""
    failure: Any = from_grpc_error(error)
    failure.of_reading = True
    return failure
