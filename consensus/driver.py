"""The shell round the core: it carries inputs in and effects out, and holds no rule of consensus.

Guards: effects are carried out in order, each to its end, and all of them before the next input,
so nothing is visible before it is durable; a store or journal that fails stops the driver for
good; whatever was there when a timer came due is handled before the timer, so that a proposal has
among its ancestors all that arrived by then. Everything that waits is bounded: the inbox makes its
writers wait, the lanes to slow peers lose their oldest messages, which peers fetch if they matter.

        network ---> receiver --+                        +--> store, journal (blocking calls)
                                +--> inbox --> core -----+--> sink
        submit, tell -----------+      ^                 +--> lanes, one a peer ---> network
                                       +---- timers <----+
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Self, TypeVar, assert_never

from consensus.committee import EpochContext
from consensus.core import Core
from consensus.events import (
    Booted,
    Broadcast,
    CloseEpoch,
    Deliver,
    EpochCloseForced,
    Input,
    OtherEffect,
    PayloadReturned,
    PayloadSubmitted,
    PublishEvidence,
    RaiseAlarm,
    ReportPeer,
    Send,
    ServeFromStore,
    SetTimer,
    SubscribersChanged,
    TimerFired,
)
from consensus.messages import (
    MESSAGE_BYTES_MAX,
    MESSAGE_CODEC,
    AnyMessage,
    BlockMessage,
    CommitRequestMessage,
)
from consensus.open_epoch import OpenEpoch
from consensus.parameters import Tuning
from consensus.ports import Blocking, Epochs, Network
from primitives.clock import Clock, Instant
from primitives.errors import RemoteProtocolError, StorageError
from primitives.ids import AuthorityIndex

EPOCHS_SERVED = 2
"""The running epoch and the one before it; who missed more needs a snapshot of the state."""
INBOX_ENTRIES_MAX = 1_024
INBOX_BYTES_MAX = 4 * MESSAGE_BYTES_MAX
LANE_MESSAGES_MAX = 256
LANE_BYTES_MAX = MESSAGE_BYTES_MAX

FromPeer = tuple[AuthorityIndex, bytes]
T = TypeVar("T")


class WriterThread:
    """Makes blocking calls in a thread of its own, one after another; close it by leaving it."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="consensus-writer")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()

    async def call(self, work: Callable[[], T]) -> T:
        """Return what the call returns."""
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # A cancelled node must not leave a write behind that races with its next life.
            await asyncio.wait([future])
            raise


class Lane:
    """Messages that wait for one destination; the oldest are lost when they are too many.

    The newest say more: whoever lacks an old block asks for it.
    """

    def __init__(self, transmit: Callable[[bytes], Awaitable[None]]) -> None:
        self._transmit = transmit
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(maxsize=LANE_MESSAGES_MAX)
        self._waiting_bytes = 0
        self.lost_count = 0

    def put(self, message: bytes) -> None:
        """Append a message; never waits."""
        while self._waiting.full() or self._waiting_bytes + len(message) > LANE_BYTES_MAX:
            self._waiting_bytes -= len(self._waiting.get_nowait())
            self.lost_count += 1
        self._waiting.put_nowait(message)
        self._waiting_bytes += len(message)

    async def run(self) -> None:
        """Transmit in order, each to its end, until cancelled."""
        while True:
            message = await self._waiting.get()
            self._waiting_bytes -= len(message)
            await self._transmit(message)


class Driver:
    """Runs one validator, epoch after epoch.

    Args:
        context: the epoch to boot in, or an earlier one: epochs that are closed lead to the next.
        blocking: where the calls of store and journal are made, in order.
    """

    def __init__(
        self,
        context: EpochContext,
        *,
        epochs: Epochs,
        network: Network,
        blocking: Blocking,
        clock: Clock,
        tuning: Tuning,
    ) -> None:
        self._first = context
        self._epochs = epochs
        self._network = network
        self._blocking = blocking
        self._clock = clock
        self._tuning = tuning
        self._open: list[OpenEpoch] = []
        self._inbox: asyncio.Queue[FromPeer | Input] = asyncio.Queue(maxsize=INBOX_ENTRIES_MAX)
        self._inbox_bytes = 0
        self._has_room = asyncio.Event()
        self._workers = asyncio.TaskGroup()
        self._everybody = Lane(network.broadcast)
        self._lanes: dict[AuthorityIndex, Lane] = {}

    @property
    def cores(self) -> tuple[Core, ...]:
        """Return the cores of the open epochs, the running one last; only to read from."""
        return tuple(epoch.core for epoch in self._open)

    @property
    def lost_count(self) -> int:
        """Return how many messages were dropped because their destination was too slow."""
        return sum(lane.lost_count for lane in (self._everybody, *self._lanes.values()))

    async def run(self) -> None:
        """Boot, then follow the protocol until cancelled; a driver runs once.

        Raises:
            StorageError: a write failed, and nothing was made visible after it.
        """
        try:
            async with self._workers:
                self._workers.create_task(self._everybody.run(), name="lane to everybody")
                self._workers.create_task(self._receive(), name="receiver")
                await self._begin(self._first)
                while True:
                    await self._turn()
        except BaseExceptionGroup as group:
            failures = group.subgroup(StorageError)
            if failures is None:
                raise
            raise failures.exceptions[0] from group

    async def submit(self, items: tuple[bytes, ...]) -> None:
        """Hand in payload; waits while the inbox is full. What is refused comes to the sink."""
        await self.tell(PayloadSubmitted(items))

    async def tell(self, event: PayloadSubmitted | SubscribersChanged | EpochCloseForced) -> None:
        """Hand an input of this node to the running epoch; waits while the inbox is full."""
        await self._inbox.put(event)

    async def _receive(self) -> None:
        while True:
            message = await self._network.receive()
            if self._inbox_bytes > INBOX_BYTES_MAX:
                self._has_room.clear()
                await self._has_room.wait()
            await self._inbox.put(message)
            self._inbox_bytes += len(message[1])

    async def _turn(self) -> None:
        """Handle what is in the inbox, then the timers that were due when it was emptied."""
        entries = await self._take_inbox()
        now_ms = self._clock.monotonic_ms()
        due = [(epoch, timer) for epoch in self._open for timer in epoch.due(now_ms)]
        for entry in entries:
            await self._take(entry)
            # With adapters that never wait, nothing else would get a turn until the last entry.
            await asyncio.sleep(0)
        for epoch, timer in due:
            # Not if the core set it to a later time. To now is no reason to wait for another
            # turn: under a steady flood each turn would set it anew, and it would never fire.
            if timer in epoch.due(self._clock.monotonic_ms()):
                del epoch.timers[timer]
                await self._feed(epoch, TimerFired(timer))

    async def _take_inbox(self) -> list[FromPeer | Input]:
        """Wait for an entry or for a timer to be due; empty the inbox."""
        deadlines_ms = [at_ms for epoch in self._open for at_ms in epoch.timers.values()]
        wait_ms = min(deadlines_ms) - self._clock.monotonic_ms() if deadlines_ms else None
        entries = []
        with suppress(TimeoutError):
            async with asyncio.timeout(None if wait_ms is None else wait_ms / 1_000):
                entries.append(await self._inbox.get())
        while not self._inbox.empty():
            entries.append(self._inbox.get_nowait())
        self._inbox_bytes = 0
        self._has_room.set()
        return entries

    async def _take(self, entry: FromPeer | Input) -> None:
        if not isinstance(entry, tuple):
            await self._feed(self._open[-1], entry)
            return
        peer, raw = entry
        for epoch in reversed(self._open):
            try:
                admitted = epoch.ingress.admit(raw, peer=peer)
            except RemoteProtocolError as error:
                await epoch.seat.sink.notify(ReportPeer(peer, str(error)))
                return
            if isinstance(admitted, CommitRequestMessage):
                answer = await self._blocking.call(partial(epoch.answer_commits, admitted))
                self._send(peer, answer)
                return
            if admitted is not None:
                await self._feed(epoch, admitted)
                return

    async def _begin(self, context: EpochContext) -> None:
        """Open an epoch and boot it; if it was closed before the last restart, so is the next."""
        while True:
            recover = partial(OpenEpoch.recover, epochs=self._epochs, tuning=self._tuning)
            epoch = await self._blocking.call(partial(recover, context))
            sub_dags = epoch.undelivered(epoch.seat.sink.last_index())
            while (sub_dag := await self._blocking.call(partial(next, sub_dags, None))) is not None:
                await epoch.seat.sink.deliver(sub_dag)
            self._open = [*self._open, epoch][-EPOCHS_SERVED:]
            was_closed = epoch.core.is_closed
            await self._feed(epoch, Booted())
            if not was_closed:
                return
            context = await self._after(epoch)

    async def _after(self, epoch: OpenEpoch) -> EpochContext:
        closing = await self._blocking.call(epoch.closing_commit)
        return await self._epochs.next_epoch(epoch.context, closing)

    async def _feed(self, epoch: OpenEpoch, event: Input) -> None:
        now = Instant(self._clock.monotonic_ms(), self._clock.wall_ms())
        visible = epoch.stage(epoch.core.handle(event, now=now))
        if epoch.must_write:
            await self._blocking.call(epoch.write)
        for effect in visible:
            await self._carry_out(epoch, effect)

    async def _carry_out(self, epoch: OpenEpoch, effect: OtherEffect) -> None:
        match effect:
            case Broadcast():
                message = BlockMessage(epoch.context.genesis_digest, effect.block.signed)
                self._everybody.put(MESSAGE_CODEC.encode(message))
            case Send():
                self._send(effect.peer, effect.message)
            case ServeFromStore():
                answer = await self._blocking.call(partial(epoch.answer_blocks, effect))
                if answer.blocks:
                    self._send(effect.peer, answer)
            case SetTimer():
                epoch.timers[effect.timer] = effect.at_ms
            case Deliver():
                await epoch.seat.sink.deliver(effect.sub_dag)
            case PublishEvidence() | PayloadReturned() | ReportPeer() | RaiseAlarm():
                await epoch.seat.sink.notify(effect)
            case CloseEpoch():
                await epoch.seat.sink.notify(effect)
                await self._begin(await self._after(epoch))
            case _:
                assert_never(effect)

    def _send(self, peer: AuthorityIndex, message: AnyMessage) -> None:
        lane = self._lanes.get(peer)
        if lane is None:
            lane = self._lanes[peer] = Lane(partial(self._network.send, peer))
            self._workers.create_task(lane.run(), name=f"lane to {peer}")
        lane.put(MESSAGE_CODEC.encode(message))
