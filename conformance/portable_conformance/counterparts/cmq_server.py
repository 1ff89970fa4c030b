"""A server that speaks the data API of TDMQ for CMQ, as far as queues go: `python -m ...cmq_server PORT`.

It is ours, made from Tencent's public pages, which are named where something follows from them; signatures are checked
as the SDKs make them. What the real service does that no page says, this does not know. Queues are in memory; `cmq.py`
makes them, since the calls that do so at Tencent belong to another API.
"""

from __future__ import annotations

import hmac
import json
import sys
import threading
import time
import uuid
from base64 import b64encode
from urllib.parse import parse_qsl

from portable_conformance.counterparts._tencent_accounts import account_of
from portable_conformance.counterparts._wire import Listener, WireAnswer, WireRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

PATH = "/v2/index.php"
_METHODS = {"HmacSHA1": "sha1", "HmacSHA256": "sha256"}
_SKEW = 300
"""Seconds by which the clock of a client may be off."""
_LARGEST_REQUEST = 1024**2
_MOST_AT_ONCE, _LARGEST_BATCH = 16, 64 * 1024
"""https://www.tencentcloud.com/document/product/1111/46416"""
_LONGEST_DELAY = 3600
_LONGEST_WAIT = 30
"""https://www.tencentcloud.com/document/product/1111/46417"""


class Refusal(Exception):
    """An answer that is an error: its code, that of the module, and the words of
    https://www.tencentcloud.com/document/product/406/5903"""

    def __init__(self, code: int, module: int, message: str, **more: Any) -> None:
        super().__init__(f"({module}){message}")
        self.code = code
        self.more = more


class Message:
    def __init__(self, body: str, due: float, sent: float) -> None:
        self.id = uuid.uuid4().hex
        self.body = body
        self.due = due
        """When it may be received: after its delay, or its lease."""
        self.sent = sent
        self.count = 0
        self.first = 0.0
        self.handle = ""


class Queue:
    """One queue. Whoever reads or changes it holds the server's lock."""

    def __init__(self, lease: float, keep: float, most: int = 0, dead: str = "") -> None:
        self.lease = lease
        """visibilityTimeout: https://www.tencentcloud.com/document/product/1111/42985"""
        self.keep = keep
        """Seconds after which a message goes, acknowledged or not:
        https://www.tencentcloud.com/document/product/1111/42994"""
        self.most = most
        self.dead = dead
        self.messages: dict[str, Message] = {}


class Cmq:
    """All queues, and by how much the clock is ahead for each access key."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queues: dict[str, Queue] = {}
        self._ahead: dict[str, float] = {}

    def handle(self, request: WireRequest) -> WireAnswer:
        if request.path != PATH:
            return self._steer(request)
        identity = uuid.uuid4().hex
        try:
            told = {"code": 0, "message": "", **self._answer(request)}
        except Refusal as refusal:
            told = {"code": refusal.code, "message": str(refusal), **refusal.more}
        body = json.dumps({**told, "requestId": identity}).encode()
        return WireAnswer(headers=[("Content-Type", "application/json")], body=body)

    def _answer(self, request: WireRequest) -> Mapping[str, Any]:
        if request.method not in ("GET", "POST"):
            raise Refusal(4000, 10410, "unexpected http, only GET or POST is supported")
        text = request.query if request.method == "GET" else request.body.decode()
        if len(text) > _LARGEST_REQUEST:
            raise Refusal(4000, 10420, "cannot parse, or request size is more than 1MB")
        asked = dict(parse_qsl(text, keep_blank_values=True))
        _check_signature(request, asked)
        action = _ACTIONS.get(asked.get("Action", ""))
        if action is None:
            raise Refusal(4000, 10430, "action name is not existed")
        with self._changed:
            return action(self, asked)

    def _now(self, asked: Mapping[str, str]) -> float:
        return time.time() + self._ahead.get(asked["SecretId"], 0.0)

    def _queue(self, asked: Mapping[str, str]) -> Queue:
        found = self._queues.get(asked.get("queueName", ""))
        if found is None:
            raise Refusal(4440, 10100, "queue is not existed, or deleted")
        return found

    def send(self, asked: Mapping[str, str]) -> Mapping[str, Any]:
        """https://www.tencentcloud.com/document/product/1111/46415"""
        return {"msgId": self._put(asked, [asked.get("msgBody", "")])[0]}

    def send_batch(self, asked: Mapping[str, str]) -> Mapping[str, Any]:
        """https://www.tencentcloud.com/document/product/1111/46416"""
        bodies = _several(asked, "msgBody")
        if sum(len(body.encode()) for body in bodies) > _LARGEST_BATCH:
            raise Refusal(4000, 10350, "parameter msgBody value or length is out of range")
        return {"msgList": [{"msgId": identity} for identity in self._put(asked, bodies)]}

    def _put(self, asked: Mapping[str, str], bodies: Sequence[str]) -> list[str]:
        queue, now = self._queue(asked), self._now(asked)
        if "" in bodies:
            raise Refusal(4000, 10120, "message body can't be empty")
        delay = int(asked.get("delaySeconds") or 0)
        if not 0 <= delay <= _LONGEST_DELAY:
            raise Refusal(4000, 10692, "delay seconds is out of range")
        made = [Message(body, now + delay, now) for body in bodies]
        queue.messages.update((message.id, message) for message in made)
        self._changed.notify_all()
        return [message.id for message in made]

    def receive(self, asked: Mapping[str, str]) -> Mapping[str, Any]:
        """https://www.tencentcloud.com/document/product/1111/46417"""
        return self._taken(asked, 1)[0]

    def receive_batch(self, asked: Mapping[str, str]) -> Mapping[str, Any]:
        """https://www.tencentcloud.com/document/product/1111/46418"""
        count = int(asked.get("numOfMsg") or 0)
        if not 1 <= count <= _MOST_AT_ONCE:
            raise Refusal(4000, 10370, "numOfMsg parameter batch size is out of range")
        return {"msgInfoList": self._taken(asked, count)}

    def _taken(self, asked: Mapping[str, str], count: int) -> list[dict[str, Any]]:
        wait = int(asked.get("pollingWaitSeconds") or 0)
        if not 0 <= wait <= _LONGEST_WAIT:
            raise Refusal(4000, 10350, "parameter pollingWaitSeconds value or length is out of range")
        end = time.monotonic() + wait
        while True:
            taken = self._take(asked, count)
            left = end - time.monotonic()
            if taken or left <= 0:
                break
            self._changed.wait(min(left, 0.2))  # A lease or a delay may end meanwhile.
        if not taken:
            raise Refusal(7000, 10200, "no message")
        return taken

    def _take(self, asked: Mapping[str, str], count: int) -> list[dict[str, Any]]:
        queue, now = self._queue(asked), self._now(asked)
        taken: list[dict[str, Any]] = []
        for message in list(queue.messages.values()):
            if message.sent + queue.keep < now:
                del queue.messages[message.id]
            elif message.due > now:
                continue
            elif queue.most and message.count >= queue.most:
                del queue.messages[message.id]
                self._bury(message, queue.dead, now)
            elif len(taken) < count:
                taken.append(_delivered(message, now, queue.lease))
        return taken

    def _bury(self, message: Message, dead: str, now: float) -> None:
        letter = Message(message.body, now, now)
        if dead in self._queues:
            self._queues[dead].messages[letter.id] = letter
            self._changed.notify_all()

    def delete(self, asked: Mapping[str, str]) -> Mapping[str, Any]:
        """https://www.tencentcloud.com/document/product/1111/46419"""
        if not self._deleted(self._queue(asked), asked.get("receiptHandle", ""), self._now(asked)):
            raise Refusal(4430, 10260, "receipt handle is invalid")
        return {}

    def delete_batch(self, asked: Mapping[str, str]) -> Mapping[str, Any]:
        """https://www.tencentcloud.com/document/product/1111/46420"""
        queue, now = self._queue(asked), self._now(asked)
        handles = _several(asked, "receiptHandle")
        failed = [handle for handle in handles if not self._deleted(queue, handle, now)]
        told = [
            {"code": 4430, "message": "(10260)receipt handle is invalid", "receiptHandle": handle} for handle in failed
        ]
        if len(failed) == len(handles):
            raise Refusal(6020, 10290, "batch delete message failed", errorList=told)
        if failed:
            raise Refusal(6010, 10150, "delete message partially failed", errorList=told)
        return {}

    def _deleted(self, queue: Queue, handle: str, now: float) -> bool:
        for message in queue.messages.values():
            if message.handle == handle != "" and now < message.due:
                del queue.messages[message.id]
                return True
        return False

    def _steer(self, request: WireRequest) -> WireAnswer:
        """Do what `cmq.steer` asks for."""
        asked = dict(parse_qsl(request.query))
        with self._changed:
            if request.path == "/clock":
                self._ahead[asked["key"]] = float(asked["ahead"])
            elif request.path == "/create":
                self._queues[asked["queue"]] = Queue(
                    float(asked["lease"]), float(asked["keep"]), int(asked.get("most", "0")), asked.get("dead", "")
                )
            elif request.path == "/drop":
                self._queues.pop(asked["queue"], None)
            else:
                return WireAnswer(404)
            self._changed.notify_all()
        return WireAnswer()


_ACTIONS: Mapping[str, Callable[[Cmq, Mapping[str, str]], Mapping[str, Any]]] = {
    "SendMessage": Cmq.send,
    "BatchSendMessage": Cmq.send_batch,
    "ReceiveMessage": Cmq.receive,
    "BatchReceiveMessage": Cmq.receive_batch,
    "DeleteMessage": Cmq.delete,
    "BatchDeleteMessage": Cmq.delete_batch,
}


def _delivered(message: Message, now: float, lease: float) -> dict[str, Any]:
    message.count += 1
    message.first = message.first or now
    message.due = now + lease
    message.handle = uuid.uuid4().hex
    return {
        "msgId": message.id,
        "msgBody": message.body,
        "receiptHandle": message.handle,
        "enqueueTime": int(message.sent),
        "firstDequeueTime": int(message.first),
        "nextVisibleTime": int(message.due),
        "dequeueCount": message.count,
    }


def _several(asked: Mapping[str, str], name: str) -> list[str]:
    """Return the values of NAME.0, NAME.1, ... or of those from 1 on."""
    first = 0 if f"{name}.0" in asked else 1
    found: list[str] = []
    while (value := asked.get(f"{name}.{first + len(found)}")) is not None:
        found.append(value)
    if not 1 <= len(found) <= _MOST_AT_ONCE:
        raise Refusal(4000, 10370, f"{name} parameter batch size is out of range")
    if len(found) != sum(key.startswith(f"{name}.") for key in asked):
        raise Refusal(4000, 10380, f"{name} parameter is not consequent")
    return found


def _check_signature(request: WireRequest, asked: Mapping[str, str]) -> None:
    """https://www.tencentcloud.com/document/product/406/5906, as Tencent's own SDKs read it."""
    identity = asked.get("SecretId", "")
    if not identity.startswith("AKID"):
        raise Refusal(4000, 10450, "secret id dosen't begin with AKID")
    account = account_of(identity)
    if account is None:
        raise Refusal(4100, 10270, "secret id is not existed")
    if account.token and asked.get("Token") != account.token:
        raise Refusal(4100, 10030, "authentication failed")
    told = {name: value for name, value in asked.items() if name != "Signature"}
    if request.method == "POST":
        told = {name: value for name, value in told.items() if not value.startswith("@")}
    pairs = "&".join(f"{name.replace('_', '.')}={told[name]}" for name in sorted(told))
    text = f"{request.method}{request.headers.get('host', '')}{request.path}?{pairs}"
    algorithm = _METHODS.get(asked.get("SignatureMethod", "HmacSHA1"), "")
    if not algorithm:
        raise Refusal(4100, 10030, "authentication failed")
    expected = b64encode(hmac.new(account.key.encode(), text.encode(), algorithm).digest()).decode()
    if not hmac.compare_digest(expected, asked.get("Signature", "")):
        raise Refusal(4100, 10030, "authentication failed")
    if not asked.get("Nonce", "").isdigit() or abs(time.time() - int(asked.get("Timestamp") or 0)) > _SKEW:
        raise Refusal(4100, 10030, "authentication failed")


def main(arguments: Sequence[str]) -> None:
    Listener(int(arguments[0]), Cmq().handle).accepting.join()


if __name__ == "__main__":
    main(sys.argv[1:])
