"""The writer of an environment: one thread, which turns what waits into one commit at a time.

Guards: a write is reported done only after it is durable; writes become durable in the order in
which they were submitted; after the first commit that failed nothing is written any more, and
whoever waits or comes later is told. While the disk is busy with one commit, what arrives waits
and goes into the next one together (group commit): the disk is waited for once for all of it.
While the disk is nearly full, writes are refused and the writer goes on: nothing was touched. What
waits is refused with them, since it may build on them.
"""

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Self

from node.storage.batch import WriteBatch
from node.storage.environment import Environment
from node.storage.errors import (
    DiskReserveError,
    StorageClosedError,
    WriterBusyError,
    WriterStoppedError,
)
from primitives.errors import StorageError


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """How much may wait for the disk, and how much goes into one commit.

    Args:
        commit_bytes_max: what is beyond waits for the next commit, unless it is one batch.
    """

    writes_max: int = 1_024
    bytes_max: int = 256 << 20
    commit_bytes_max: int = 64 << 20


DEFAULT_LIMITS: Final = QueueLimits()

Group = list[tuple[WriteBatch, "Future[None]"]]


class Writer:
    """Makes batches durable; leave it to write out what waits and end its thread."""

    def __init__(self, environment: Environment, limits: QueueLimits) -> None:
        self.environment: Final = environment
        self._limits = limits
        self._changed = threading.Condition()
        self._waiting: deque[tuple[WriteBatch, Future[None]]] = deque()
        self._waiting_bytes = 0
        self._failure: StorageError | None = None
        self._is_closing = False
        self._thread = threading.Thread(
            target=self._run, name=f"writer of {environment.path.name}", daemon=True
        )
        self.commit_count = 0
        self.write_count = 0

    @classmethod
    def start(cls, environment: Environment, *, limits: QueueLimits = DEFAULT_LIMITS) -> Self:
        """Start the thread; an environment has one writer."""
        writer = cls(environment, limits)
        writer._thread.start()
        return writer

    def submit(self, batch: WriteBatch) -> "Future[None]":
        """Queue a batch; never waits. The future is done when the batch is durable.

        Raises:
            WriterBusyError: as many wait as may wait.
            StorageError: the writer was closed or has stopped.
        """
        with self._changed:
            self._check_running()
            if not self._has_room():
                raise WriterBusyError(limit=len(self._waiting))
            return self._enqueue(batch)

    def write(self, batch: WriteBatch) -> None:
        """Make a batch durable before returning; waits for room if there is none.

        Raises:
            DiskReserveError: it is not durable, since the disk is nearly full; try again later.
            StorageError: it is not durable, and the writer has stopped.
        """
        self._submit_in_turn(batch).result()

    async def write_soon(self, batch: WriteBatch) -> None:
        """Make a batch durable before returning; a caller that is cancelled does not stop it.

        Raises:
            DiskReserveError: it is not durable, since the disk is nearly full; try again later.
            StorageError: it is not durable, and the writer has stopped.
        """
        try:
            future = self.submit(batch)
        except WriterBusyError:
            future = await asyncio.to_thread(self._submit_in_turn, batch)
        await asyncio.wrap_future(future)

    def close(self) -> None:
        """Write out what waits, then end the thread; harmless if it has ended."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _submit_in_turn(self, batch: WriteBatch) -> "Future[None]":
        with self._changed:
            self._changed.wait_for(lambda: self._has_room() or not self._is_running())
            self._check_running()
            return self._enqueue(batch)

    def _enqueue(self, batch: WriteBatch) -> "Future[None]":
        batch.seal()
        future: Future[None] = Future()
        # From now on it cannot be cancelled: later writes may build on it.
        future.set_running_or_notify_cancel()
        self._waiting.append((batch, future))
        self._waiting_bytes += batch.size_bytes
        self._changed.notify_all()
        return future

    def _has_room(self) -> bool:
        return (
            len(self._waiting) < self._limits.writes_max
            and self._waiting_bytes < self._limits.bytes_max
        )

    def _is_running(self) -> bool:
        return self._failure is None and not self._is_closing

    def _check_running(self) -> None:
        if self._failure is not None:
            raise self._stopped() from self._failure
        if self._is_closing:
            raise StorageClosedError(f"the writer of {self.environment.path} was closed")

    def _stopped(self) -> WriterStoppedError:
        return WriterStoppedError(path=self.environment.path, reason=str(self._failure))

    def _run(self) -> None:
        while group := self._take_group():
            try:
                self.environment.commit([batch for batch, _ in group])
            except DiskReserveError as error:
                for _, future in (*group, *self._drop_waiting()):
                    future.set_exception(error)
                continue
            except BaseException as error:  # noqa: BLE001 - whatever it was, nobody may wait for ever
                self._stop(error, group)
                return
            self.commit_count += 1
            self.write_count += len(group)
            for _, future in group:
                future.set_result(None)

    def _take_group(self) -> Group:
        """Wait for writes; return what fits into one commit, nothing when the writer is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closing)
            group: Group = []
            size_bytes = 0
            while self._waiting:
                size_bytes += self._waiting[0][0].size_bytes
                if group and size_bytes > self._limits.commit_bytes_max:
                    break
                group.append(self._waiting.popleft())
            self._waiting_bytes -= sum(batch.size_bytes for batch, _ in group)
            self._changed.notify_all()
            return group

    def _stop(self, error: BaseException, group: Group) -> None:
        with self._changed:
            self._failure = error if isinstance(error, StorageError) else StorageError(repr(error))
        waiting = self._drop_waiting()
        for _, future in group:
            future.set_exception(self._failure)
        for _, future in waiting:
            future.set_exception(self._stopped())

    def _drop_waiting(self) -> Group:
        with self._changed:
            waiting = list(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
            self._changed.notify_all()
        return waiting
