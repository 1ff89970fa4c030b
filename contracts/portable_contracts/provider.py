"""What an adapter package exports: a `Provider`, the table of contents of one cloud, and the base of its drivers."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from types import MappingProxyType

from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, ClassVar, Generic, Self, TypeVar

    from portable_contracts.deploy import AppSpec
    from portable_contracts.errors import PortableError
    from portable_contracts.events import Event
    from portable_contracts.http import HttpCapabilities

    T = TypeVar("T", covariant=True)
else:
    from portable_contracts._value import Generic

    T = None

EMPTY: Mapping[str, str] = MappingProxyType({})


class Page(Value, Generic[T]):
    """One page of a listing: *items*, and the *cursor* of the next page, None at the end."""

    items: Sequence[T]
    cursor: str | None = None


class Address(Value):
    """Where a resource is: `scheme://name/path?parameters`. It identifies; it never holds a secret."""

    scheme: str
    name: str
    path: str = ""
    parameters: Mapping[str, str] = EMPTY

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address. Raises InvalidArgument for one without a scheme, or with a password in it."""
        from urllib.parse import parse_qsl, unquote, urlsplit

        try:
            parts = urlsplit(text)
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError as error:
            raise InvalidArgument(f"address {text!r} cannot be read: {error}") from error
        if not parts.scheme or "://" not in text:
            raise InvalidArgument(f"address {text!r} has no scheme: write it like s3://bucket-name")
        if "@" in parts.netloc:
            shown = text.replace(parts.netloc, "...@" + parts.netloc.rpartition("@")[2])
            raise InvalidArgument(
                f"address {shown!r} holds a user name or password: credentials come from the environment"
            )
        if parts.fragment:
            raise InvalidArgument(f"address {text!r} has a '#' part: write it without, or escape '#' as %23")
        return cls(parts.scheme, unquote(parts.netloc), unquote(parts.path), dict(pairs))

    def __str__(self) -> str:
        from urllib.parse import quote, urlencode

        query = "?" + urlencode(self.parameters) if self.parameters else ""
        return f"{self.scheme}://{quote(self.name, safe=':[]')}{quote(self.path)}{query}"


class Opening(Value):
    """What a driver is told when it is opened, beside its address."""

    data: str = ".portable"
    """The folder for data that lives on this machine; only local drivers use it."""
    clock: Callable[[], float] = time.time
    """Seconds since the epoch; tests pass their own. Only local drivers use it: a cloud has its own clock."""
    region: str | None = None
    options: Mapping[str, Any] = EMPTY
    """The resource's own options: `max_attempts` and `dead_letter` (an address) of a queue."""


class Driver(ABC):
    """One service behind one contract. Blocking, and safe to call from several threads."""

    scheme: ClassVar[str]

    @classmethod
    @abstractmethod
    def from_address(cls, address: Address, opening: Opening) -> Self:
        """Make the driver. No I/O happens here. Raises InvalidArgument for an address it cannot serve."""

    @abstractmethod
    def classify(self, error: Exception) -> type[PortableError]:
        """Say which portable error *error* is. Total and pure: an unknown error is PortableError itself."""

    def explain(self, error: Exception) -> str:
        """Say what *error* says, for the message of the portable error; a driver may add what to do about it."""
        return str(error) or type(error).__name__

    def retry_after(self, error: Exception) -> float | None:
        """Return the seconds that the service asked to wait after *error*, or None where it named none."""
        return None

    def changed_nothing(self, error: Exception) -> bool:
        """Say whether *error* proves that the service did nothing: throttled, or not reached.

        Then a call is tried again even where doing it twice would do harm.
        """
        return False

    @abstractmethod
    def native(self) -> Any:
        """Return the SDK's own client: the documented way out."""

    def close(self) -> None:  # noqa: B027  # most drivers hold nothing
        """Free what the driver holds; a later call may open it again."""


class Runner(ABC):
    """What an adapter's entry point drives: one invocation in the platform's shape in, its answer out."""

    @property
    @abstractmethod
    def spec(self) -> AppSpec:
        """What the app declares."""

    @property
    @abstractmethod
    def limits(self) -> HttpCapabilities:
        """How much the HTTP front carries: on this machine as much as all of the app's targets do."""

    @abstractmethod
    def address(self, kind: str, name: str) -> Address:
        """Return where the app's resource is on the target that this process runs in."""

    @abstractmethod
    def __call__(self, raw: Any, native_context: Any) -> Any:
        """Recognise, decode, handle and encode one invocation, on this thread."""

    @abstractmethod
    async def run_async(self, raw: Any, native_context: Any) -> Any:
        """Likewise on the running event loop; plain handlers run in a thread."""

    @abstractmethod
    def handle(self, event: Event) -> Any:
        """Handle one portable event that was decoded elsewhere; return what the handler gave, raise what it raised."""

    async def start(self) -> None:  # noqa: B027  # most apps mount nothing that has to be started
        """Start the applications that the app mounts, on the running event loop; else their first request does."""

    async def stop(self) -> None:  # noqa: B027  # likewise
        """Let the mounted applications that were started on this event loop end."""


class Provider(Value):
    """An adapter's table of contents. Values are `"module:Name"` strings, imported on first use."""

    name: str
    """`"aws"`: the word in portable.toml."""
    buckets: Mapping[str, str] = EMPTY
    """Scheme to BlobDriver: `{"s3": "portable_aws.blob:S3Bucket"}`."""
    tables: Mapping[str, str] = EMPTY
    queues: Mapping[str, str] = EMPTY
    defaults: Mapping[str, str] = EMPTY
    """The scheme of a resource without an address: `{"bucket": "s3", "table": "dynamodb", "queue": "sqs"}`."""
    capabilities: str = ""
    """`"portable_aws.limits:CAPABILITIES"`: capability records by `"bucket:s3"` (kind and scheme) or `"http"`."""
    http_codecs: Sequence[str] = ()
    """HttpCodec classes, tried in this order before the event codecs."""
    event_codecs: Sequence[str] = ()
    """EventCodec classes, in this order."""
    entry: str = ""
    """A function that takes a Runner and returns what the platform's handler setting names."""
    deployer: str = ""
    harness: str = ""
    """The Harness class of the conformance suite."""
