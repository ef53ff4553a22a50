"""One epoch as the shell holds it: the core, what it stands on, and when its timers are due.

Guards: a core is built from durable facts alone. Everything here that reads the seat may block,
so the driver calls it where blocking calls are made.
"""

from collections.abc import Iterator
from typing import assert_never

from consensus.commit import Commit, CommittedSubDag
from consensus.committee import EpochContext
from consensus.core import Core
from consensus.events import (
    AppendJournal,
    DiskEffect,
    Effect,
    OtherEffect,
    ServeFromStore,
    StoreBlocks,
    StoreCommit,
    SyncStore,
    Timer,
)
from consensus.ingress import Ingress
from consensus.messages import BlocksMessage, CommitAnswerMessage, CommitRequestMessage
from consensus.parameters import Tuning
from consensus.ports import Epochs, Seat
from consensus.recovery import Durable
from consensus.serving import answer_blocks, answer_commits, undelivered
from consensus.signer import StoredJournal
from consensus.verifier import BlockVerifier
from primitives.errors import StorageError
from primitives.ids import CommitIndex, Round

STAGED_MAX = 64
"""Effects for the disk that may wait for the next sync."""


class OpenEpoch:
    """An epoch that this process runs or still serves; open it with `recover`.

    Writes are staged until one of them must be durable: until then a crash may lose them anyway,
    and each call to where writes are made costs more than the write.

    Attributes:
        timers: when each timer of the core is due, in milliseconds of the monotonic clock.
    """

    def __init__(self, context: EpochContext, seat: Seat, core: Core, tuning: Tuning) -> None:
        self.context = context
        self.seat = seat
        self.core = core
        self.ingress = Ingress(context, own=seat.own, verify=BlockVerifier(context).verify)
        self.timers: dict[Timer, int] = {}
        self._tuning = tuning
        self._staged: list[DiskEffect] = []
        self._must_write = False

    @classmethod
    def recover(cls, context: EpochContext, *, epochs: Epochs, tuning: Tuning) -> "OpenEpoch":
        """Open what is stored of an epoch, or begin it.

        Raises:
            StorageError: it cannot be read, or contradicts itself.
        """
        seat = epochs.open(context)
        core = Core.recover(
            context, own=seat.own, key=seat.key, tuning=tuning, durable=_load(context, seat)
        )
        return cls(context, seat, core, tuning)

    def due(self, now_ms: int) -> list[Timer]:
        """Return the timers that are due."""
        return [timer for timer, at_ms in self.timers.items() if at_ms <= now_ms]

    def stage(self, effects: list[Effect]) -> list[OtherEffect]:
        """Keep those effects that are for the disk; return the others, which come after them."""
        others: list[OtherEffect] = []
        for effect in effects:
            match effect:
                case StoreBlocks() | StoreCommit() | SyncStore() | AppendJournal():
                    self._staged.append(effect)
                    self._must_write |= isinstance(effect, SyncStore | AppendJournal)
                case _:
                    others.append(effect)
        return others

    @property
    def must_write(self) -> bool:
        """Tell whether `write` must be called before anything else is done."""
        return self._must_write or len(self._staged) > STAGED_MAX

    def write(self) -> None:
        """Carry out what is staged, in order.

        Raises:
            StorageError: it is unknown what is durable; the node must stop.
        """
        staged, self._staged, self._must_write = self._staged, [], False
        for effect in staged:
            match effect:
                case StoreBlocks() | StoreCommit():
                    self.seat.store.append(effect)
                case SyncStore():
                    self.seat.store.sync()
                case AppendJournal():
                    self.seat.journal.append(effect.entries)
                case _:
                    assert_never(effect)

    def undelivered(self, executed: CommitIndex) -> Iterator[CommittedSubDag]:
        """Yield the stored commits after the last one that the executor holds."""
        return undelivered(executed, store=self.seat.store, context=self.context)

    def answer_blocks(self, request: ServeFromStore) -> BlocksMessage:
        """Answer with blocks that memory no longer holds."""
        self.write()
        return answer_blocks(
            request.refs, store=self.seat.store, context=self.context, tuning=self._tuning
        )

    def answer_commits(self, request: CommitRequestMessage) -> CommitAnswerMessage:
        """Answer with certified commits."""
        self.write()
        return answer_commits(
            request, store=self.seat.store, context=self.context, tuning=self._tuning
        )

    def closing_commit(self) -> Commit:
        """Return the commit that closed the epoch."""
        assert self.core.is_closed, "asked for the end of an epoch that still runs"
        index = self.core.commit_index
        (closing,) = self.seat.store.read_commits(index, index)
        return closing


def _load(context: EpochContext, seat: Seat) -> Durable:
    # A killed process leaves writes that only the operating system holds; they would vanish
    # under what is built on them if the power failed next.
    seat.store.sync()
    state = seat.store.recover(gc_depth=context.parameters.gc_depth)
    try:
        last = seat.journal.last()
    except StorageError:
        return Durable(state=state, journal=StoredJournal.LOST, close_at=seat.close_at)
    watermark = Round(0) if last is None else last.round
    return Durable(state=state, watermark=watermark, close_at=seat.close_at)
