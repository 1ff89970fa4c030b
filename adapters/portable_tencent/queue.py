"""Queues of TDMQ for CMQ, by its documented data API: a signed form over HTTP, answered in JSON.

    cmq://thumbs?region=ap-guangzhou

A lease is as long as the queue's visibility timeout. What is not acknowledged within the queue's own limit, 30 seconds
to 12 hours after it was sent, CMQ drops.
"""

from __future__ import annotations

import hmac
import json
import math
import os
import re
import secrets
import time
from base64 import b64encode
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import requests

from portable_contracts.errors import InvalidArgument, NotFound, PermissionDenied, PortableError, Unavailable
from portable_contracts.queue import QueueDriver, Received
from portable_tencent import _clients, _cos_errors
from portable_tencent._cmq_envelope import pack, unpack
from portable_tencent.limits import CMQ

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from portable_contracts.provider import Address, Opening
    from portable_contracts.queue import Outgoing

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_PARAMETERS = ("endpoint", "region")
_PATH = "/v2/index.php"
_BATCH_BYTES = 64 * 1024
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# The words of the private names: https://www.tencentcloud.com/document/product/1111/46417
_REGIONS = {
    "ap-guangzhou": "gz", "ap-shanghai": "sh", "ap-beijing": "bj", "ap-hongkong": "hk", "ap-chengdu": "cd",
    "ap-singapore": "sg", "na-siliconvalley": "usw",
}  # fmt: skip

NO_MESSAGE, STALE = 7000, 4430
"""https://www.tencentcloud.com/document/product/406/5903"""
_PARTLY = (6010, 6020)
_CODES: Mapping[int, type[PortableError]] = {
    4100: PermissionDenied,
    4300: PermissionDenied,  # The account is overdrawn.
    4420: Unavailable,
    4440: NotFound,
    4480: Unavailable,
    6000: Unavailable,
    6200: Unavailable,
}
_THROTTLES = (4420, 4480, 429)
_DENIED = ("(10440)", "(10450)", "(10461)")
"""Codes of modules, in messages whose code is that of a wrong argument."""


class CmqError(Exception):
    """What CMQ answered: its own *code*, or, where there is none, the status of HTTP."""

    def __init__(self, code: int, message: str, answer: Mapping[str, Any], retry_after: str | None = None) -> None:
        super().__init__(f"{code}: {message}" if message else f"CMQ answered {code}")
        self.code = code
        self.message = message
        self.answer = answer
        self.retry_after = retry_after


class CmqQueue(QueueDriver):
    """A queue of CMQ."""

    scheme = "cmq"
    capabilities = CMQ

    def __init__(self, name: str, endpoint: str) -> None:
        self._name = name
        self._url = endpoint.rstrip("/") + _PATH
        self._host = urlsplit(endpoint).netloc

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> CmqQueue:
        parameters = address.parameters
        for unknown in parameters.keys() - set(_PARAMETERS):
            from difflib import get_close_matches

            meant = "".join(f" (did you mean {word!r}?)" for word in get_close_matches(unknown, _PARAMETERS, n=1))
            raise InvalidArgument(
                f"address {address}: unknown parameter {unknown!r}{meant}; known: {', '.join(_PARAMETERS)}"
            )
        if address.path.strip("/") or not _NAME.fullmatch(address.name):
            raise InvalidArgument(
                f"address {address}: write it like cmq://thumbs: a name is up to 64 letters, digits and '-', and "
                "begins with a letter"
            )
        endpoint = parameters.get("endpoint")
        if endpoint is None:
            region = parameters.get("region") or opening.region or os.environ.get("TENCENTCLOUD_REGION") or ""
            if region not in _REGIONS:
                raise InvalidArgument(
                    f"address {address}: add &endpoint= with the queue's API request address, which the console shows"
                    if region
                    else f"address {address}: add ?region=ap-guangzhou, or region to the target"
                )
            endpoint = f"http://{_REGIONS[region]}.mqadapter.cmq.tencentyun.com"
        elif not endpoint.startswith(("http://", "https://")):
            raise InvalidArgument(f"address {address}: endpoint={endpoint!r}: write it like http://127.0.0.1:9000")
        return cls(address.name, endpoint)

    def classify(self, error: Exception) -> type[PortableError]:
        if not isinstance(error, CmqError):
            return _cos_errors.classify(error)
        if any(error.message.startswith(module) for module in _DENIED):
            return PermissionDenied
        if error.message.startswith("(10100)"):
            return NotFound
        if error.code < 1000:
            return _cos_errors.of_status(error.code)
        return _CODES.get(error.code, PortableError)

    def explain(self, error: Exception) -> str:
        if isinstance(error, requests.RequestException):
            reason = error.args[0] if error.args else error
            return f"CMQ is out of reach: {getattr(reason, 'reason', None) or type(error).__name__}"
        return super().explain(error)

    def retry_after(self, error: Exception) -> float | None:
        return _cos_errors.retry_after(error)

    def changed_nothing(self, error: Exception) -> bool:
        return isinstance(error, requests.ConnectTimeout) or (isinstance(error, CmqError) and error.code in _THROTTLES)

    def native(self) -> requests.Session:
        return _clients.session()

    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[str | Exception]:
        outcomes: dict[int, str | Exception] = {}
        for delay, batch in _batches(messages):
            asked: dict[str, Any] = {"delaySeconds": delay} if delay else {}
            try:
                if len(batch) == 1:
                    ids = [self._ask("SendMessage", {**asked, "msgBody": batch[0][1]})["msgId"]]
                else:
                    asked.update((f"msgBody.{number}", text) for number, (_, text) in enumerate(batch, 1))
                    ids = [told["msgId"] for told in self._ask("BatchSendMessage", asked)["msgList"]]
                outcomes.update(zip((place for place, _ in batch), ids, strict=True))
            except Exception as error:
                outcomes.update((place, error) for place, _ in batch)
        return [outcomes[place] for place in range(len(messages))]

    def receive_batch(self, *, limit: int, wait: float, lease: float) -> Sequence[Received]:
        seconds = math.ceil(wait)
        try:
            answer = self._ask("BatchReceiveMessage", {"numOfMsg": limit, "pollingWaitSeconds": seconds}, seconds)
        except CmqError as error:
            if error.code == NO_MESSAGE:
                return ()
            raise
        return [_received(told) for told in answer["msgInfoList"]]

    def ack_batch(self, receipts: Sequence[Any]) -> Sequence[Exception | None]:
        failed: dict[str, Exception] = {}
        try:
            if len(receipts) == 1:
                self._ask("DeleteMessage", {"receiptHandle": receipts[0]})
            else:
                asked = {f"receiptHandle.{number}": handle for number, handle in enumerate(receipts, 1)}
                self._ask("BatchDeleteMessage", asked)
        except CmqError as error:
            if error.code in _PARTLY:
                failed = {
                    told["receiptHandle"]: CmqError(told["code"], told.get("message", ""), told)
                    for told in error.answer.get("errorList", ())
                    if told["code"] != STALE
                }
            elif error.code != STALE:
                raise
        return [failed.get(handle) for handle in receipts]

    def retry(self, receipt: Any, *, delay: float) -> None:
        """Do nothing: no call ends a lease, and the message comes again when it ends by itself."""

    def _ask(self, action: str, asked: Mapping[str, Any], wait: float = 0.0) -> Any:
        """Return CMQ's answer. Raises CmqError, and what requests raises where there is none."""
        who = _clients.credentials()
        told = {
            "Action": action,
            "Nonce": secrets.randbelow(1 << 31),
            "SecretId": who.identity,
            "SignatureMethod": "HmacSHA256",
            "Timestamp": int(time.time()),
            "queueName": self._name,
            **asked,
        }
        if who.token is not None:
            told["Token"] = who.token
        # https://www.tencentcloud.com/document/product/406/5906
        text = f"POST{self._host}{_PATH}?" + "&".join(f"{name}={told[name]}" for name in sorted(told))
        told["Signature"] = b64encode(hmac.new(who.key.encode(), text.encode(), "sha256").digest()).decode()
        answer = _clients.session().post(
            self._url,
            data=urlencode(told).encode(),
            headers=_FORM,
            timeout=(_clients.CONNECT_SECONDS, _clients.READ_SECONDS + wait),
            proxies=_clients.proxies(self._url),
            allow_redirects=False,
        )
        try:
            found = json.loads(answer.content)
            code, message = int(found["code"]), str(found.get("message", ""))
        except (ValueError, TypeError, KeyError):
            # Half of an answer, or one of something in between.
            code, message, found = (answer.status_code if answer.status_code >= 400 else 502), "", {}
        if code:
            raise CmqError(code, message, found, answer.headers.get("Retry-After"))
        return found


def _batches(messages: Sequence[Outgoing]) -> Iterator[tuple[int, list[tuple[int, str]]]]:
    """Yield what one call takes: a delay, and the places and texts of the messages that have it."""
    open_batches: dict[int, tuple[list[tuple[int, str]], int]] = {}
    for place, message in enumerate(messages):
        delay = math.ceil(message.delay)
        text = pack(message.body, message.attributes)
        batch, size = open_batches.get(delay, ([], 0))
        weight = len(text.encode())
        if batch and (size + weight > _BATCH_BYTES or len(batch) == CMQ.max_send_batch):
            yield delay, batch
            batch, size = [], 0
        open_batches[delay] = ([*batch, (place, text)], size + weight)
    for delay, (batch, _) in open_batches.items():
        yield delay, batch


def _received(told: Mapping[str, Any]) -> Received:
    body, attributes = unpack(told["msgBody"])
    return Received(
        told["msgId"],
        body,
        attributes,
        int(told["dequeueCount"]),
        datetime.fromtimestamp(int(told["enqueueTime"]), timezone.utc),
        None,
        told["receiptHandle"],
    )
