"""What the proxy of faults puts between a client and a service that speak gRPC: calls, in place of bytes.

A fault made for HTTP is told in gRPC's words: a lost connection as UNAVAILABLE, a status by the code that
https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto gives for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, NoReturn

PREFACE = b"PRI"
"""The first bytes of HTTP/2: no method of HTTP/1.1 begins with them."""
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_OWN = ("user-agent", "te", "content-type", "grpc-accept-encoding")
"""Metadata that a client of gRPC makes itself."""


class GrpcFront:
    """A server on a port of its own that passes calls on, except those that *arrived*, told of each, has a fault for.

    *arrived* takes the method, the metadata and the size of the request.
    """

    def __init__(self, host: str, port: int, arrived: Callable[[str, dict[str, str], int], Any]) -> None:
        self._grpc: Any = import_module("grpc")
        self._arrived = arrived
        limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._channel = self._grpc.insecure_channel(
            f"{host}:{port}", options=[*limits, ("grpc.use_local_subchannel_pool", 1)]
        )
        self._server = self._grpc.server(ThreadPoolExecutor(40), options=[*limits, ("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers([_Everything(self._grpc, self._serve)])
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self) -> None:
        self._server.stop(0).wait()
        self._channel.close()

    def _serve(self, method: str, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        messages = list(requests)
        metadata = {name: value for name, value in context.invocation_metadata() if name not in _OWN}
        fault = self._arrived(method, metadata, sum(map(len, messages)))
        if fault is not None and not fault.forward:
            self._fail(context, fault)
        call = self._channel.stream_stream(method)(
            iter(messages), timeout=context.time_remaining(), metadata=tuple(metadata.items())
        )
        context.add_callback(call.cancel)
        left = None if fault is None else fault.body_bytes
        try:
            for answer in call:
                if left is not None and left < len(answer):
                    break
                if fault is not None:
                    time.sleep(fault.pause)
                if fault is None or fault.answer is None:
                    yield answer
                left = None if left is None else left - len(answer)
        except self._grpc.RpcError as error:
            context.set_trailing_metadata(error.trailing_metadata() or ())
            context.abort(error.code(), error.details())
        if left is not None:
            context.abort(self._grpc.StatusCode.UNAVAILABLE, "Stream removed")
        if fault is not None and fault.answer is not None:
            self._fail(context, fault)

    def _fail(self, context: Any, fault: Any) -> NoReturn:
        head, _, body = fault.answer.partition(b"\r\n\r\n")
        if not head:
            context.abort(self._grpc.StatusCode.UNAVAILABLE, "Connection reset by peer")
        first, *headers = head.decode("latin-1").split("\r\n")
        code = self._grpc.StatusCode[_CODES[int(first.split(" ")[1])]]
        message = body.decode() or "refused"
        wanted = next((line for line in headers if line.lower().startswith("retry-after:")), None)
        if wanted is not None:
            details: Any = import_module("google.rpc.error_details_pb2")
            status: Any = import_module("google.rpc.status_pb2").Status(code=code.value[0], message=message)
            wish = details.RetryInfo()
            wish.retry_delay.FromSeconds(int(wanted.partition(":")[2]))
            status.details.add().Pack(wish)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, message)
        raise AssertionError("abort raises")


class _Everything:
    """Serves every method; on the wire a call of one message is a stream of one."""

    def __init__(self, grpc: Any, serve: Callable[[str, Iterator[bytes], Any], Iterator[bytes]]) -> None:
        self._grpc = grpc
        self._serve = serve

    def service(self, details: Any) -> Any:
        method: str = details.method
        return self._grpc.stream_stream_rpc_method_handler(
            lambda requests, context: self._serve(method, requests, context)
        )
