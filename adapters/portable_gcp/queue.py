"""Pub/Sub behind the queue contract: a topic, and one subscription to it.

    pubsub://thumbs?project=acme&subscription=thumbs-worker

Without `subscription` it has the topic's name. A lease is the acknowledgement deadline of a delivery: a message is
pulled for as long as the subscription says, and then given the lease that was asked for.
"""

from __future__ import annotations

import re
import time
from datetime import timezone
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import DeadlineExceeded, PermissionDenied

from portable_contracts.errors import InvalidArgument, NotFound, PortableError
from portable_contracts.queue import QueueDriver, Received
from portable_gcp import _call_errors as errors
from portable_gcp import _pubsub_messages
from portable_gcp._addresses import parameters
from portable_gcp._call_errors import Refused
from portable_gcp._pubsub_service import Project
from portable_gcp.limits import PUBSUB

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from portable_contracts.provider import Address, Opening
    from portable_contracts.queue import Outgoing
    from portable_gcp._pubsub_service import Native

_LONGEST_NAME = 250
"""Bytes of an attribute's name: the service takes 256, and what `_pubsub_messages` adds."""
# https://docs.cloud.google.com/pubsub/docs/pubsub-basics#resource_names
_NAME = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")


class Receipt:
    """One delivery of a message.

    The service may take the acknowledgement of one that is over for that of the next, so we remember when it is over.
    """

    __slots__ = ("ends", "id")

    def __init__(self, id: str, ends: float) -> None:
        self.id = id
        self.ends = ends
        """In seconds since the epoch; 0 when it was settled."""

    def __repr__(self) -> str:
        return f"Receipt({self.id[:12]!r}...)"


class PubSubQueue(QueueDriver):
    """One topic and a subscription to it."""

    scheme = "pubsub"
    capabilities = PUBSUB

    def __init__(self, where: Project, topic: str, subscription: str, clock: Callable[[], float]) -> None:
        self._where = where
        self._topic_name = topic
        self._subscription_name = subscription
        self._clock = clock
        self._own_lease: int | None = None
        """The subscription's, once it was asked for; 0 where that is not allowed."""

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> PubSubQueue:
        given = parameters(address, ("project", "subscription"))
        endpoint = given.get("endpoint")
        subscription = given.get("subscription") or address.name
        for name in (address.name, subscription):
            if not _NAME.fullmatch(name):
                raise InvalidArgument(
                    f"address {address}: {name!r} is no name of a topic or subscription: 3 to 255 letters, digits and "
                    "-._~+%, the first one a letter, not 'goog' at the start"
                )
        where = Project(given.get("project"), endpoint.rstrip("/") if endpoint else None)
        return cls(where, address.name, subscription, opening.clock)

    def classify(self, error: Exception) -> type[PortableError]:
        return errors.classify(error)

    def explain(self, error: Exception) -> str:
        return errors.explain(error) or super().explain(error)

    def retry_after(self, error: Exception) -> float | None:
        return errors.retry_after(error)

    def changed_nothing(self, error: Exception) -> bool:
        return errors.changed_nothing(error)

    def native(self) -> Native:
        return self._where.service().native()

    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[str | Exception]:
        outcomes: list[str | Exception | None] = [_refusal(message) for message in messages]
        accepted = [message for message, outcome in zip(messages, outcomes, strict=True) if outcome is None]
        if accepted:
            sent = iter(self._where.service().publish(self._topic(), [_published(message) for message in accepted]))
            outcomes = [next(sent) if outcome is None else outcome for outcome in outcomes]
        return [outcome for outcome in outcomes if outcome is not None]

    def receive_batch(self, *, limit: int, wait: float, lease: float) -> Sequence[Received]:
        service, subscription = self._where.service(), self._subscription()
        own = self._leased_for()
        over = time.monotonic() + wait
        while True:
            began = self._clock()
            try:
                # It waits for a time of its own, and may then answer with none.
                pulled = service.pull(subscription, limit, max(0.01, over - time.monotonic()) if wait else 0.0)
            except DeadlineExceeded:
                if wait:
                    return []
                raise
            if pulled or time.monotonic() >= over:
                break
        seconds = int(lease)
        if pulled and seconds != own:
            began = self._clock()
            service.modify(subscription, [each.ack_id for each in pulled], seconds)
        return [_received(each, began + seconds) for each in pulled]

    def _leased_for(self) -> int:
        own = self._own_lease
        if own is None:
            try:
                own = self._where.service().lease(self._subscription())
            except PermissionDenied:  # Whoever may consume need not be allowed to look.
                own = 0
            self._own_lease = own
        return own

    def ack_batch(self, receipts: Sequence[Any]) -> Sequence[Exception | None]:
        now = self._clock()
        held = [receipt for receipt in receipts if receipt.ends > now]
        if held:
            self._where.service().acknowledge(self._subscription(), [receipt.id for receipt in held])
        for receipt in held:
            receipt.ends = 0.0
        return [None] * len(receipts)

    def retry(self, receipt: Any, *, delay: float) -> None:
        if receipt.ends > self._clock():
            self._where.service().modify(self._subscription(), [receipt.id], int(delay))
            receipt.ends = 0.0

    def extend(self, receipt: Any, *, lease: float) -> None:
        began = self._clock()
        if receipt.ends <= began:
            raise Refused(NotFound, "the message was settled, or its lease is over")
        self._where.service().modify(self._subscription(), [receipt.id], int(lease))
        receipt.ends = began + int(lease)

    def _topic(self) -> str:
        return f"projects/{self._where.service().project}/topics/{self._topic_name}"

    def _subscription(self) -> str:
        return f"projects/{self._where.service().project}/subscriptions/{self._subscription_name}"


def _refusal(message: Outgoing) -> Exception | None:
    """Return why the service would refuse the message, and with it all that are sent together."""
    for name in message.attributes:
        if len(name) > _LONGEST_NAME:
            return InvalidArgument(f"the attribute {name[:20]!r}... has a name of more than {_LONGEST_NAME} bytes")
        if name.startswith("goog"):
            return InvalidArgument(f"the attribute {name!r}: names that begin with 'goog' are Google's own")
    return None


def _published(message: Outgoing) -> dict[str, Any]:
    attributes = _pubsub_messages.written(message.attributes, message.body)
    return {"data": message.body, "attributes": attributes, "ordering_key": message.group or ""}


def _received(pulled: Any, ends: float) -> Received:
    message = pulled.message
    return Received(
        message.message_id,
        message.data,
        _pubsub_messages.read(message.attributes),
        # Counted where the subscription has a dead-letter policy.
        pulled.delivery_attempt or 1,
        message.publish_time.ToDatetime(timezone.utc),
        message.ordering_key or None,
        Receipt(pulled.ack_id, ends),
    )
