"""What a probe received: printed, checked and counted, with the CPU from the first to the last."""

import asyncio
import hashlib

from p2p.gossip.events import Deliver
from p2p.probe.events import Emit, MessageReceived, Stats
from p2p.probe.meter import Meter
from p2p.probe.payload import index_of
from p2p.wire.peer_id import peer_id_text
from primitives.errors import MalformedBytesError


class Inbox:
    """Count messages up to the number that is expected and beyond.

    Args:
        is_quiet: whether the line of each message is left out.
    """

    def __init__(self, emit: Emit, *, expected_count: int, is_quiet: bool) -> None:
        self.received = 0
        self.received_bytes = 0
        self.corrupt = 0
        self._emit = emit
        self._expected_count = expected_count
        self._is_quiet = is_quiet
        self._first: Meter | None = None
        self._last: Meter | None = None
        self._is_full = asyncio.Event()

    async def filled(self) -> None:
        """Wait until as many messages came as are expected.

        Raises:
            MalformedBytesError: some of them are not what was published.
        """
        if self._expected_count:
            await self._is_full.wait()
        if self.corrupt:
            raise MalformedBytesError(f"{self.corrupt} payloads are not what was published")

    def take(self, delivery: Deliver) -> None:
        """Note a message that is new."""
        if self._first is None:
            self._first = Meter.read()
        payload = delivery.message.payload
        index = index_of(payload)
        self.received += 1
        self.received_bytes += len(payload)
        self.corrupt += index is None
        if not self._is_quiet:
            self._print(delivery, index)
        # Reading the clock of the CPU costs more than a small message.
        if self.received >= self._expected_count:
            self._last = Meter.read()
            self._is_full.set()

    @property
    def stats(self) -> Stats:
        """What came so far."""
        first = self._first or Meter.read()
        took = (self._last or first).since(first)
        return Stats(
            received=self.received,
            bytes=self.received_bytes,
            corrupt=self.corrupt,
            seconds=took.seconds,
            cpu_s=took.cpu_s,
        )

    def _print(self, delivery: Deliver, index: int | None) -> None:
        message = delivery.message
        self._emit(
            MessageReceived(
                topic=message.topic,
                id=message.id.hex(),
                author=None if message.author is None else peer_id_text(message.author),
                via=peer_id_text(delivery.sender),
                seqno=None if message.seqno is None else str(message.seqno),
                signed=message.author is not None,
                size=len(message.payload),
                sha256=hashlib.sha256(message.payload).hexdigest(),
                index=index,
                intact=index is not None,
            )
        )
