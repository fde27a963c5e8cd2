"""The methods for objects of both clients: signatures, and nothing that decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeward.values import StoreReceipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leeward._routing import FailoverDriver
    from leeward.object_values import ObjectInfo, ObjectPage
    from leeward.operations.downloads import AsyncObjectReader, ObjectReader
    from leeward.operations.operations import Operations


class ObjectMethods:
    """The object methods of `leeward.Client`."""

    _operations: Operations
    _router: FailoverDriver

    def put_object(
        self,
        bucket: str,
        name: str,
        data: bytes,
        *,
        if_absent: bool = False,
        if_revision: str | None = None,
        metadata: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> StoreReceipt:
        """Write a whole object in the bucket's home.

        Args:
            bucket: its logical name.
            name: of the object, such as ``reports/2026/may.csv``.
            data: all of it; one request carries it.
            if_absent: write only if no object has this name.
            if_revision: write only if the object still has this revision.
            metadata: short texts that are stored with it; `head_object` returns them.
            timeout: seconds; by default the bucket's configured ``timeout``, else 60.

        Raises:
            Conflict: the condition did not hold.
            CallError: one class for each other outcome.
        """
        call, seconds, finish = self._operations.objects.put_object(
            bucket,
            name,
            data,
            if_absent=if_absent,
            if_revision=if_revision,
            metadata=metadata,
            timeout=timeout,
        )
        return finish(call, self._router.perform(call, seconds))

    def get_object(
        self,
        bucket: str,
        name: str,
        *,
        start: int = 0,
        length: int | None = None,
        timeout: float | None = None,
    ) -> ObjectReader | None:
        """Read an object, or a range of it, while you iterate; None if there is none.

        Args:
            bucket: its logical name.
            name: of the object.
            start: the first byte.
            length: bytes at most; by default to the end.
            timeout: seconds for each request of 8 MiB; by default the bucket's configured
                ``timeout``, else 60.
        """
        from leeward.operations.downloads import opened

        download = self._operations.objects.get_object(
            bucket, name, start=start, length=length, timeout=timeout
        )
        return opened(download, self._router.perform)

    def head_object(
        self, bucket: str, name: str, *, timeout: float | None = None
    ) -> ObjectInfo | None:
        """Look at an object without reading it; None if there is none."""
        call, seconds, finish = self._operations.objects.head_object(bucket, name, timeout)
        return finish(call, self._router.perform(call, seconds))

    def list_objects(
        self,
        bucket: str,
        prefix: str = "",
        *,
        cursor: str | None = None,
        timeout: float | None = None,
    ) -> ObjectPage:
        """List one page of the objects whose names begin with `prefix`.

        `cursor` is the cursor of the page before. An empty page need not be the last one.
        """
        call, seconds, finish = self._operations.objects.list_objects(
            bucket, prefix, cursor, timeout
        )
        return finish(call, self._router.perform(call, seconds))

    def delete_object(
        self, bucket: str, name: str, *, timeout: float | None = None
    ) -> StoreReceipt:
        """Delete an object. A missing object is not an error."""
        call, seconds, finish = self._operations.objects.delete_object(bucket, name, timeout)
        return finish(call, self._router.perform(call, seconds))


class AsyncObjectMethods:
    """The object methods of `leeward.AsyncClient`."""

    _operations: Operations
    _router: FailoverDriver

    async def put_object(
        self,
        bucket: str,
        name: str,
        data: bytes,
        *,
        if_absent: bool = False,
        if_revision: str | None = None,
        metadata: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> StoreReceipt:
        """Write an object whole; see `leeward.Client.put_object`."""
        call, seconds, finish = self._operations.objects.put_object(
            bucket,
            name,
            data,
            if_absent=if_absent,
            if_revision=if_revision,
            metadata=metadata,
            timeout=timeout,
        )
        return finish(call, await self._router.perform_async(call, seconds))

    async def get_object(
        self,
        bucket: str,
        name: str,
        *,
        start: int = 0,
        length: int | None = None,
        timeout: float | None = None,
    ) -> AsyncObjectReader | None:
        """Read an object while you iterate; see `leeward.Client.get_object`."""
        from leeward.operations.downloads import opened_async

        download = self._operations.objects.get_object(
            bucket, name, start=start, length=length, timeout=timeout
        )
        return await opened_async(download, self._router.perform_async)

    async def head_object(
        self, bucket: str, name: str, *, timeout: float | None = None
    ) -> ObjectInfo | None:
        """Look at an object without reading it; None if there is none."""
        call, seconds, finish = self._operations.objects.head_object(bucket, name, timeout)
        return finish(call, await self._router.perform_async(call, seconds))

    async def list_objects(
        self,
        bucket: str,
        prefix: str = "",
        *,
        cursor: str | None = None,
        timeout: float | None = None,
    ) -> ObjectPage:
        """List one page of objects; see `leeward.Client.list_objects`."""
        call, seconds, finish = self._operations.objects.list_objects(
            bucket, prefix, cursor, timeout
        )
        return finish(call, await self._router.perform_async(call, seconds))

    async def delete_object(
        self, bucket: str, name: str, *, timeout: float | None = None
    ) -> StoreReceipt:
        """Delete an object. A missing object is not an error."""
        call, seconds, finish = self._operations.objects.delete_object(bucket, name, timeout)
        return finish(call, await self._router.perform_async(call, seconds))
