"""The proxy that breaks the wire does just what it is told, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from portable_conformance.counterparts.faults import LOST, RESET, RESET_EARLY, Fault, Proxy, cut, refusal, slow

BODY = b"0123456789"


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[str]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append(self.headers["host"])
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def service() -> Iterator[ThreadingHTTPServer]:
    handler = type("Requests", (Echo,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def served(service: ThreadingHTTPServer) -> list[str]:
    """The Host header of every request that the service answered."""
    hosts: list[str] = service.RequestHandlerClass.seen  # type: ignore[attr-defined]  # of an Echo
    return hosts


@pytest.fixture
def proxy(service: ThreadingHTTPServer) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", service.server_port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[HTTPConnection]:
    with closing(HTTPConnection(proxy.host, proxy.port, timeout=10)) as client:
        yield client


def put(client: HTTPConnection) -> tuple[int, bytes]:
    client.request("PUT", "/k?a=1", BODY)
    with client.getresponse() as answer:
        return answer.status, answer.read()


class TestPassing:
    def test_a_request_is_passed_on_with_the_clients_host(
        self, client: HTTPConnection, proxy: Proxy, served: list[str]
    ) -> None:
        assert put(client) == (200, BODY)
        assert served == [f"{proxy.host}:{proxy.port}"]

    def test_a_connection_serves_many_requests(self, client: HTTPConnection) -> None:
        assert [put(client) for _ in range(3)] == [(200, BODY)] * 3

    def test_a_request_is_taken_down(self, client: HTTPConnection, proxy: Proxy) -> None:
        put(client)
        (request,) = proxy.seen

        assert (request.method, request.target, request.size, request.fault) == ("PUT", "/k?a=1", 10, "")


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "reached"), [(RESET, 0), (RESET_EARLY, 0), (LOST, 1)], ids=lambda value: str(value)[:30]
    )
    def test_a_connection_is_reset(
        self, client: HTTPConnection, proxy: Proxy, served: list[str], fault: Fault, reached: int
    ) -> None:
        proxy.inject(fault)
        with pytest.raises((ConnectionError, HTTPException)):
            put(client)

        assert len(served) == reached

    @pytest.mark.parametrize(("forward", "reached"), [(False, 0), (True, 1)])
    def test_a_refusal_stands_in_for_the_answer(
        self, client: HTTPConnection, proxy: Proxy, served: list[str], forward: bool, reached: int
    ) -> None:
        proxy.inject(refusal(503, {"Retry-After": "1"}, b"busy", forward=forward))

        assert put(client) == (503, b"busy")
        assert len(served) == reached

    @pytest.mark.parametrize("reset", [False, True])
    def test_a_body_is_cut(self, client: HTTPConnection, proxy: Proxy, reset: bool) -> None:
        proxy.inject(cut(4, reset=reset))

        with pytest.raises((ConnectionError, HTTPException)):
            put(client)

    def test_a_slow_body_comes_whole(self, client: HTTPConnection, proxy: Proxy) -> None:
        proxy.inject(slow(0.01))

        assert put(client) == (200, BODY)

    def test_a_fault_is_over_after_its_times(self, client: HTTPConnection, proxy: Proxy) -> None:
        proxy.inject(refusal(503), times=2)

        assert [put(client)[0] for _ in range(3)] == [503, 503, 200]

    def test_a_fault_meets_the_requests_that_it_is_for(self, client: HTTPConnection, proxy: Proxy) -> None:
        proxy.inject(refusal(503), when=lambda request: request.target == "/other")

        assert put(client) == (200, BODY)

    def test_faults_are_forgotten(self, client: HTTPConnection, proxy: Proxy) -> None:
        proxy.inject(refusal(503), times=None)
        proxy.clear()

        assert put(client) == (200, BODY)

    def test_connections_that_wait_are_closed(self, client: HTTPConnection, proxy: Proxy) -> None:
        put(client)
        proxy.drop()

        with pytest.raises((ConnectionError, HTTPException)):
            put(client)
