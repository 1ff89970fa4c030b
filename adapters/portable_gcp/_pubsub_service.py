"""The calls of Pub/Sub that a queue makes, on one channel a process and endpoint, in Google's own messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from google.api_core.exceptions import from_grpc_error
from google.cloud import pubsub_v1  # type: ignore[attr-defined]  # a namespace of several packages
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import pubsub as types

from portable_contracts._value import Value
from portable_contracts.clients import Clients
from portable_gcp import _channels

if TYPE_CHECKING:
    from collections.abc import Callable

    Message = Any

PublishRequest: Any = types.PublishRequest.pb()
PullRequest: Any = types.PullRequest.pb()
AcknowledgeRequest: Any = types.AcknowledgeRequest.pb()
ModifyAckDeadlineRequest: Any = types.ModifyAckDeadlineRequest.pb()
GetSubscriptionRequest: Any = types.GetSubscriptionRequest.pb()

SECONDS = 30.0
"""How long a call may take, beside what it waits for messages."""
_PUBLISHER = "/google.pubsub.v1.Publisher/"
_SUBSCRIBER = "/google.pubsub.v1.Subscriber/"
_EMULATOR_PROJECT = "emulator"

_services: Clients[Service] = Clients()


class Native(Value):
    """The SDK's own clients."""

    publisher: Any
    subscriber: Any


class Project(Value):
    """Where topics and subscriptions are; None is what the environment says."""

    project: str | None
    endpoint: str | None
    """`http://host:port` of an emulator, which takes no credentials, or `https://host`."""

    def service(self) -> Service:
        return _services.get((self.project, self.endpoint), lambda: Service(self))


class Service:
    """Calls for one project; safe from several threads."""

    def __init__(self, where: Project) -> None:
        emulator = _channels.emulator(where.endpoint, "PUBSUB_EMULATOR_HOST")
        self.project = _channels.project_name(where.project, emulated=_EMULATOR_PROJECT if emulator else None)
        self._channel = _channels.channel(where.endpoint, emulator, SubscriberGrpcTransport)
        nothing: Any = bytes
        self._publish = self._call(_PUBLISHER + "Publish", PublishRequest, types.PublishResponse.pb().FromString)
        self._pull = self._call(_SUBSCRIBER + "Pull", PullRequest, types.PullResponse.pb().FromString)
        self._acknowledge = self._call(_SUBSCRIBER + "Acknowledge", AcknowledgeRequest, nothing)
        self._modify = self._call(_SUBSCRIBER + "ModifyAckDeadline", ModifyAckDeadlineRequest, nothing)
        self._get = self._call(
            _SUBSCRIBER + "GetSubscription", GetSubscriptionRequest, types.Subscription.pb().FromString
        )

    def _call(self, method: str, request: Any, read: Callable[[bytes], Any]) -> Callable[..., Any]:
        call = self._channel.unary_unary(method, request.SerializeToString, read)

        def answer(message: Message, subject: str, seconds: float = SECONDS) -> Any:
            kind = "topic" if method.startswith(_PUBLISHER) else "subscription"
            try:
                return call(message, timeout=seconds, metadata=(("x-goog-request-params", f"{kind}={subject}"),))
            except grpc.RpcError as error:
                raise from_grpc_error(error) from error

        return answer

    def publish(self, topic: str, messages: Any) -> list[str]:
        return list(self._publish(PublishRequest(topic=topic, messages=messages), topic).message_ids)

    def pull(self, subscription: str, most: int, wait: float) -> list[Message]:
        """Return messages that are there, or that come within *wait* seconds. Raises DeadlineExceeded for none."""
        request = PullRequest(subscription=subscription, max_messages=most, return_immediately=wait <= 0)
        answer = self._pull(request, subscription, wait if wait > 0 else SECONDS)
        return list(answer.received_messages)

    def acknowledge(self, subscription: str, ids: list[str]) -> None:
        self._acknowledge(AcknowledgeRequest(subscription=subscription, ack_ids=ids), subscription)

    def modify(self, subscription: str, ids: list[str], seconds: int) -> None:
        """Let the leases of deliveries end after *seconds* from now."""
        request = ModifyAckDeadlineRequest(subscription=subscription, ack_ids=ids, ack_deadline_seconds=seconds)
        self._modify(request, subscription)

    def lease(self, subscription: str) -> int:
        """Return how long the subscription leases what is pulled from it."""
        seconds: int = self._get(GetSubscriptionRequest(subscription=subscription), subscription).ack_deadline_seconds
        return seconds

    def native(self) -> Native:
        return Native(
            pubsub_v1.PublisherClient(transport=PublisherGrpcTransport(channel=self._channel)),
            pubsub_v1.SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel)),
        )
