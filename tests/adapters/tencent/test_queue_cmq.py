"""Queues in TDMQ for CMQ: what the conformance suite cannot say of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlencode

import pytest
import requests

from portable import Send
from portable.queue import Queue
from portable_conformance.counterparts import cmq
from portable_conformance.counterparts.faults import LOST, Proxy
from portable_contracts.errors import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
    Unsupported,
)
from portable_contracts.provider import Address, Opening
from portable_tencent._cmq_envelope import pack, unpack
from portable_tencent.harness import TencentHarness
from portable_tencent.queue import CmqError, CmqQueue

driver = CmqQueue.from_address(Address.parse("cmq://thumbs?region=ap-guangzhou"), Opening())


@pytest.fixture
def harness() -> TencentHarness:
    return TencentHarness()


@pytest.fixture
def address(harness: TencentHarness) -> Iterator[str]:
    address = harness.create("queue", "cmq", {})
    yield address
    harness.destroy(address)


@pytest.fixture
def queue(address: str) -> Queue:
    return Queue.at(address)


@pytest.fixture
def proxy(harness: TencentHarness, address: str) -> Iterator[Proxy]:
    host, port = harness.upstream(address) or ("", 0)
    with Proxy(host, port) as proxy:
        yield proxy


@pytest.fixture
def far(harness: TencentHarness, address: str, proxy: Proxy) -> Queue:
    return Queue.at(harness.through(address, proxy.host, proxy.port))


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "message", "kind"),
        [
            (4000, "(10010)lacked of required parameters", PortableError),
            (4000, "(10100)queue is not existed, or deleted", NotFound),
            (4000, "(10461)no cam authentication", PermissionDenied),
            (4100, "(10030)authentication failed", PermissionDenied),
            (4300, "(10040)charge overdue", PermissionDenied),
            (4420, "(10250)qps throttling", Unavailable),
            (4440, "(10100)queue is not existed, or deleted", NotFound),
            (4480, "(10460)exceed interface frequency limit, please slow down", Unavailable),
            (6000, "(10050)server internal error", Unavailable),
            (403, "", PermissionDenied),
            (429, "", Unavailable),
            (502, "", Unavailable),
            (504, "", Timeout),
        ],
    )
    def test_an_answer_is_classified(self, code: int, message: str, kind: type[PortableError]) -> None:
        assert driver.classify(CmqError(code, message, {})) is kind

    @pytest.mark.parametrize(
        ("error", "kind"),
        [(requests.ConnectionError("refused"), Unavailable), (requests.ReadTimeout("slow"), Timeout)],
        ids=repr,
    )
    def test_what_breaks_on_the_wire_is_classified(self, error: Exception, kind: type[PortableError]) -> None:
        assert driver.classify(error) is kind

    @pytest.mark.parametrize("code", [4420, 4480, 429])
    def test_a_throttled_request_changed_nothing(self, code: int) -> None:
        assert driver.changed_nothing(CmqError(code, "", {}))

    def test_wrong_credentials_are_refused_and_told_nowhere(
        self, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = os.environ["TENCENTCLOUD_SECRETKEY"]
        monkeypatch.setenv("TENCENTCLOUD_SECRETKEY", "the-wrong-key")
        with pytest.raises(PermissionDenied, match="authentication failed") as caught:
            Queue.at(address).send(b"1")

        said = str(caught.value) + repr(caught.value.__cause__)
        assert [secret for secret in (right, "the-wrong-key", "token-of") if secret in said] == []


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "said"),
        [
            ("cmq://1thumbs?region=ap-guangzhou", "begins with a letter"),
            ("cmq://thumbs/in?region=ap-guangzhou", "cmq://thumbs"),
            ("cmq://thumbs?regoin=ap-guangzhou", "did you mean 'region'"),
            ("cmq://thumbs", "region=ap-guangzhou"),
            ("cmq://thumbs?region=ap-nowhere", "API request address"),
            ("cmq://thumbs?endpoint=127.0.0.1:9000", "http://127.0.0.1:9000"),
        ],
    )
    def test_a_wrong_one_is_refused_with_what_to_write(
        self, address: str, said: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("TENCENTCLOUD_REGION", raising=False)
        with pytest.raises(InvalidArgument, match=said):
            CmqQueue.from_address(Address.parse(address), Opening())

    def test_a_region_is_reached_by_its_private_name(self) -> None:
        assert driver._url == "http://gz.mqadapter.cmq.tencentyun.com/v2/index.php"


class TestEnvelopes:
    @pytest.mark.parametrize("body", ["text", "zwei\nZeilen", "日本語 𐐷", '{"a": "b c"}', "a=b&c=%41+d"])
    def test_plain_text_is_sent_as_it_is(self, body: str) -> None:
        assert pack(body.encode(), {}) == body

    @pytest.mark.parametrize(
        "body",
        [b"", b"\x00", b"\xff", b"@text", b"portable-1:", b"a\tb", b"x" * 20_000],
        ids=lambda body: repr(body[:9]),
    )
    def test_what_the_service_would_not_carry_is_wrapped(self, body: bytes) -> None:
        packed = pack(body, {})

        assert packed.startswith("portable-1:")
        assert urlencode({"b": packed})[2:].replace("%3A", ":") == packed
        assert unpack(packed) == (body, {})

    @pytest.mark.parametrize(
        "attributes", [{"a": ""}, {"a": "é", "b.c-d_e": "x" * 8000}, {str(n): "\x00" for n in range(9)}]
    )
    def test_attributes_come_back(self, attributes: dict[str, str]) -> None:
        assert unpack(pack(b"body", attributes)) == (b"body", attributes)

    @pytest.mark.parametrize("text", ["hello", "aGVsbG8=", "portable-1:", "portable-1:é", "portable-1:AAH_"])
    def test_what_others_wrote_is_read(self, text: str) -> None:
        assert unpack(text)[0] in (text.encode(), b"")


class TestRequests:
    def test_messages_with_one_delay_go_together(self, far: Queue, proxy: Proxy) -> None:
        far.send_many([Send(b"%d" % number, delay=timedelta(seconds=number % 2)) for number in range(10)])

        assert len(proxy.seen) == 2

    def test_a_batch_is_no_larger_than_the_service_takes_once_it_is_packed(self, far: Queue, proxy: Proxy) -> None:
        outcomes = far.send_many([bytes([number]) * 9_000 for number in range(6)])

        assert [outcome for outcome in outcomes if not isinstance(outcome, str)] == []
        assert [seen.size > 64 * 1024 for seen in proxy.seen] == [False, False]

    def test_messages_are_received_and_acknowledged_by_one_request_each(self, far: Queue, proxy: Proxy) -> None:
        far.send_many([b"%d" % number for number in range(10)])
        assert far.ack_many(far.receive(10)) == [None] * 10

        assert len(proxy.seen) == 3

    def test_an_acknowledgement_whose_answer_was_lost_is_no_error(self, far: Queue, proxy: Proxy) -> None:
        far.send(b"1")
        (message,) = far.receive()
        proxy.inject(LOST)
        message.ack()

        assert far.receive() == []

    def test_some_stale_ones_among_many_are_no_error(self, harness: TencentHarness, queue: Queue) -> None:
        queue.send_many([b"1", b"2"])
        messages = queue.receive(2)
        harness.pass_time(11)
        again = queue.receive(1)

        assert queue.ack_many([*messages, *again]) == [None] * 3
        harness.pass_time(11)
        assert len(queue.receive(2)) == 1

    def test_a_forked_child_has_connections_of_its_own(self, address: str) -> None:
        program = f"""
import os
from portable.queue import Queue
queue = Queue.at({address!r})
queue.send(b"parent")
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        for turn in range(10):
            queue.send(b"%d %d" % (number, turn))
        os._exit(0)
    children.append(child)
for turn in range(10):
    queue.send(b"parent")
print([os.waitpid(child, 0)[1] for child in children], len(queue.receive(100)))
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)

        assert (done.stdout, done.stderr) == ("[0, 0, 0, 0] 51\n", "")

    def test_a_lease_cannot_be_chosen(self, queue: Queue) -> None:
        with pytest.raises(Unsupported, match="choose_lease"):
            queue.receive(lease=timedelta(seconds=30))


class TestTheServer:
    """That it would notice: a judge that takes everything proves nothing."""

    def form(self, far: Queue, proxy: Proxy) -> dict[str, str]:
        """Return the form of a request to send, signed."""
        asked: list[bytes] = []
        session = far.native()
        hook = lambda answer, **_: asked.append(answer.request.body)  # noqa: E731  # one line, for one place
        session.hooks["response"].append(hook)
        try:
            far.send(b"1")
        finally:
            session.hooks["response"].remove(hook)
        return {name: value[0] for name, value in parse_qs(asked[0].decode()).items()}

    @pytest.mark.parametrize("field", ["Signature", "Timestamp", "Nonce", "SecretId", "Token", "msgBody", "queueName"])
    def test_a_form_with_a_field_that_was_changed_is_refused(self, far: Queue, proxy: Proxy, field: str) -> None:
        form = self.form(far, proxy)
        form[field] = form[field][:-1] + ("1" if form[field][-1:] != "1" else "2")
        url = cmq.start().url + "/v2/index.php"
        headers = {"Host": f"{proxy.host}:{proxy.port}"}
        with requests.post(url, data=form, headers=headers, timeout=30) as answer:
            assert json.loads(answer.text)["code"] == 4100

    def test_the_same_form_unchanged_is_taken(self, far: Queue, proxy: Proxy) -> None:
        form = self.form(far, proxy)
        url = cmq.start().url + "/v2/index.php"
        headers = {"Host": f"{proxy.host}:{proxy.port}"}
        with requests.post(url, data=form, headers=headers, timeout=30) as answer:
            assert json.loads(answer.text)["code"] == 0

    @pytest.mark.parametrize(
        ("action", "asked", "said"),
        [
            ("SendMessage", {"msgBody": ""}, "10120"),
            ("SendMessage", {"msgBody": "1", "delaySeconds": 3601}, "10692"),
            ("BatchSendMessage", {f"msgBody.{number}": "1" for number in range(17)}, "10370"),
            ("BatchSendMessage", {"msgBody.0": "x" * 40_000, "msgBody.1": "x" * 40_000}, "10350"),
            ("BatchSendMessage", {"msgBody.0": "1", "msgBody.2": "1"}, "10380"),
            ("BatchReceiveMessage", {"numOfMsg": 17}, "10370"),
            ("BatchReceiveMessage", {"numOfMsg": 1, "pollingWaitSeconds": 31}, "10350"),
            ("SendMessage", {"msgBody": "x" * 1024**2}, "10420"),
            ("NoSuchAction", {}, "10430"),
            ("DeleteMessage", {"receiptHandle": "never"}, "10260"),
        ],
    )
    def test_what_the_documentation_refuses_is_refused(
        self, queue: Queue, action: str, asked: dict[str, object], said: str
    ) -> None:
        with pytest.raises(CmqError, match=rf"\({said}\)"):
            queue._connection.driver._ask(action, asked)

    def test_what_is_not_acknowledged_in_time_is_lost(self, harness: TencentHarness, queue: Queue) -> None:
        queue.send(b"1")
        queue.receive()
        harness.pass_time(12 * 3600 + 1)

        assert queue.receive() == []
