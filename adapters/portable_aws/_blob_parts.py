"""Uploads in parts: several at once, flat in memory, and aborted where they fail, so that no part stays behind."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from random import uniform
from typing import TYPE_CHECKING, Any, TypeVar

from portable_aws import _errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from portable_contracts.errors import PortableError

T = TypeVar("T")

AT_ONCE = 4
"""Parts on their way side by side; one more is held in memory, and one is being read."""
TRIES = 4
"""How often a part is sent, and an abort: what the portable type cannot repeat where a body cannot start again."""
FIRST_WAIT = 0.1


class Parts:
    """Makes an object of parts by *client*; *where* is its bucket and key, *classify* the driver's."""

    def __init__(self, client: Any, where: Mapping[str, str], classify: Callable[[Exception], type[PortableError]]):
        self._client = client
        self._where = where
        self._classify = classify

    def upload(self, head: Mapping[str, Any], bodies: Iterable[bytes], guard: Mapping[str, str]) -> Any:
        """Make the object of *bodies*, each one part; return S3's answer. *head* describes it, *guard* is a condition.

        What *bodies* raises comes out of here.
        """
        return self._make(
            head,
            guard,
            bodies,
            lambda upload, number, body: self._client.upload_part(
                **self._where, UploadId=upload, PartNumber=number, Body=body
            )["ETag"],
        )

    def copy(self, head: Mapping[str, Any], source: Mapping[str, Any], ranges: Iterable[str]) -> Any:
        """Make the object of *ranges* of *source*, within S3; return S3's answer."""
        return self._make(
            head,
            {},
            ranges,
            lambda upload, number, part: self._client.upload_part_copy(
                **self._where, **source, UploadId=upload, PartNumber=number, CopySourceRange=part
            )["CopyPartResult"]["ETag"],
        )

    def _make(
        self,
        head: Mapping[str, Any],
        guard: Mapping[str, str],
        parts: Iterable[T],
        send: Callable[[str, int, T], str],
    ) -> Any:
        upload = self._client.create_multipart_upload(**self._where, **head)["UploadId"]
        try:
            etags = self._send_all(parts, lambda number, part: send(upload, number, part))
            return self._insist(
                # Only what S3 did not begin is asked for again: after a lost answer the upload is gone.
                _errors.changed_nothing,
                lambda: self._client.complete_multipart_upload(
                    **self._where,
                    **guard,
                    UploadId=upload,
                    MultipartUpload={"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]},
                ),
            )
        except BaseException:
            self._abort(upload)
            raise

    def _send_all(self, parts: Iterable[T], send: Callable[[int, T], str]) -> list[str]:
        """Return what *send* gives for each part, in order. When it raises, no part is on its way any more."""
        etags: list[str] = []
        waiting: deque[Future[str]] = deque()
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            for number, part in enumerate(parts, 1):
                waiting.append(pool.submit(self._insist, self._may_pass, send, number, part))
                if len(waiting) > AT_ONCE:
                    etags.append(waiting.popleft().result())
            etags.extend(future.result() for future in waiting)
        finally:
            pool.shutdown(cancel_futures=True)
        return etags

    def _abort(self, upload: str) -> None:
        try:
            self._insist(self._may_pass, lambda: self._client.abort_multipart_upload(**self._where, UploadId=upload))
        except Exception:  # noqa: S110  # Why the upload failed counts; a lifecycle rule clears what stays.
            pass

    def _may_pass(self, error: Exception) -> bool:
        return self._classify(error).retryable

    @staticmethod
    def _insist(again: Callable[[Exception], bool], call: Callable[..., T], *args: Any) -> T:
        """Return what *call* gives, tried again after errors of which *again* holds."""
        for number in range(1, TRIES):
            try:
                return call(*args)
            except Exception as error:
                if not again(error):
                    raise
            time.sleep(uniform(0, FIRST_WAIT * 2 ** (number - 1)))  # noqa: S311  # jitter, not a secret
        return call(*args)
