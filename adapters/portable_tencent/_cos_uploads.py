"""Objects that take more than one request: parts, a few of them under way at a time, then one request that joins them.

Nobody sees the object before that. Whatever goes wrong earlier, the parts are removed.
"""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from random import uniform
from typing import Any, TypeVar

from portable_tencent._cos_errors import classify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from portable_tencent._clients import CosClient

    T = TypeVar("T")

AT_ONCE = 4
_TRIES = 3


class Upload:
    """One upload in parts. Use it in a `with` block, which removes the parts unless `complete` was reached."""

    def __init__(self, client: CosClient, bucket: str, key: str, options: Mapping[str, Any]) -> None:
        self._client = client
        self._place: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self._place["UploadId"] = client.create_multipart_upload(**self._place, **options)["UploadId"]

    def send(self, parts: Iterable[bytes | memoryview]) -> list[dict[str, Any]]:
        """Send *parts* side by side; return what `complete` is told of them."""
        return self._side_by_side(
            lambda number, part: self._client.upload_part(Body=part, PartNumber=number, **self._place), parts
        )

    def copy(self, source: Mapping[str, str], version: str, ranges: Iterable[str]) -> list[dict[str, Any]]:
        """Likewise with parts of another object, as long as that is at *version*."""
        return self._side_by_side(
            lambda number, span: self._client.upload_part_copy(
                PartNumber=number,
                CopySource=source,
                CopySourceRange=span,
                CopySourceIfMatch=f'"{version}"',
                **self._place,
            ),
            ranges,
        )

    def complete(self, parts: list[dict[str, Any]], options: Mapping[str, Any]) -> Any:
        return self._client.complete_multipart_upload(MultipartUpload={"Part": parts}, **self._place, **options)

    def abort(self) -> None:
        for _ in range(_TRIES):
            try:
                self._client.abort_multipart_upload(**self._place)
                return
            except Exception as error:
                if not classify(error).retryable:
                    return  # Nothing is left of it, or nothing can be done.

    def _side_by_side(self, send: Callable[[int, Any], Any], parts: Iterable[Any]) -> list[dict[str, Any]]:
        sent: list[Future[Any]] = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for number, part in enumerate(parts, 1):
                    # A part that waits is a part in memory.
                    while len(waiting := [future for future in sent if not future.done()]) >= AT_ONCE:
                        wait(waiting, return_when=FIRST_COMPLETED)
                    if any(future.done() and future.exception() for future in sent):
                        break
                    sent.append(pool.submit(_persistently, send, number, part))
                    del part
            finally:
                # A part that arrives after the rest were removed would stay.
                wait(sent)
        return [{"PartNumber": number, "ETag": future.result()["ETag"]} for number, future in enumerate(sent, 1)]


@contextmanager
def upload(client: CosClient, bucket: str, key: str, options: Mapping[str, Any]) -> Iterator[Upload]:
    made = Upload(client, bucket, key, options)
    try:
        yield made
    except BaseException:
        made.abort()
        raise


def _persistently(send: Callable[[int, Any], T], number: int, part: Any) -> T:
    """Send one part, which does no harm twice, again where that may help: the rest may have taken hours."""
    for attempt in range(1, _TRIES):
        try:
            return send(number, part)
        except Exception as error:
            if not classify(error).retryable:
                raise
        time.sleep(uniform(0, 0.1 * 2**attempt))  # noqa: S311  # jitter, not a secret
    return send(number, part)
