"""The chain of an in-process devnet: keys, epochs, and what is stored of each.

Keys follow from the node's number and are public knowledge; nothing of value may live here.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from consensus.commit import Commit, commit_digest
from consensus.committee import (
    FIRST_EPOCH_PREVIOUS,
    Authority,
    Committee,
    EpochContext,
    EpochSpan,
)
from consensus.parameters import Parameters
from consensus.ports import CommitSink, Seat
from devnet.inprocess.logs import FileLog, Log, MemoryLog
from devnet.inprocess.store import LoggedBlockStore, LoggedJournal
from primitives.errors import StorageError
from primitives.hashing import Domain, tagged_hash
from primitives.ids import AuthorityIndex, ChainId, Digest, Epoch, Power, TimestampMs
from primitives.keys import PrivateKey

CHAIN_ID = ChainId(tagged_hash(Domain.CHAIN, b"in-process devnet"))
GENESIS_FILE = "genesis-ms"


class Chain:
    """What all nodes agree on before they start.

    Args:
        starts_at_ms: when the first epoch begins, in Unix milliseconds.
        epoch_ms: length of an epoch; None for one endless epoch.
    """

    def __init__(self, size: int, *, starts_at_ms: int, epoch_ms: int | None) -> None:
        self.keys = [PrivateKey.from_seed(node.to_bytes(32, "big")) for node in range(size)]
        self._committee = Committee([Authority(Power(1), key.public.raw) for key in self.keys])
        self._epoch_ms = epoch_ms
        self.first = self._context(Epoch(0), starts_at_ms, FIRST_EPOCH_PREVIOUS)

    def after(self, context: EpochContext, closing: Commit) -> EpochContext:
        """Return the epoch that follows a closing commit."""
        epoch = Epoch(context.epoch + 1)
        return self._context(epoch, closing.timestamp_ms, commit_digest(closing))

    def _context(self, epoch: Epoch, starts_at_ms: int, previous: Digest) -> EpochContext:
        closes_at_ms = None if self._epoch_ms is None else starts_at_ms + self._epoch_ms
        return EpochContext(
            chain_id=CHAIN_ID,
            epoch=epoch,
            committee=self._committee,
            parameters=Parameters(),
            span=EpochSpan(
                TimestampMs(starts_at_ms),
                None if closes_at_ms is None else TimestampMs(closes_at_ms),
            ),
            previous=previous,
        )


def genesis_ms(folder: Path, *, now_ms: int) -> int:
    """Return when the chain in this folder began; a new one begins now.

    Raises:
        StorageError: the folder cannot be used.
    """
    path = folder / GENESIS_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(str(now_ms), encoding="utf-8")
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: {error}") from error


class NodeEpochs:
    """Implements `consensus.ports.Epochs` for one node; leave it to close its files.

    Args:
        folder: where to keep epochs; None: in memory.
        make_sink: makes the executor's end for an epoch.
    """

    def __init__(
        self,
        chain: Chain,
        own: AuthorityIndex,
        *,
        folder: Path | None,
        make_sink: Callable[[EpochContext], CommitSink],
    ) -> None:
        self._chain = chain
        self._own = own
        self._folder = folder
        self._make_sink = make_sink
        self._files = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def open(self, context: EpochContext) -> Seat:
        """Open an epoch, or begin it.

        Raises:
            StorageError: a file cannot be used.
        """
        store, journal = self._logs(context)
        return Seat(
            own=self._own,
            key=self._chain.keys[self._own],
            store=LoggedBlockStore(store),
            journal=LoggedJournal(journal),
            sink=self._make_sink(context),
        )

    async def next_epoch(self, context: EpochContext, closing: Commit) -> EpochContext:
        """Return the epoch after a closed one: the same committee again."""
        return self._chain.after(context, closing)

    def _logs(self, context: EpochContext) -> tuple[Log, Log | None]:
        """Return the logs of store and journal; no journal, if one was there and is lost."""
        if self._folder is None:
            return MemoryLog(), MemoryLog()
        folder = self._folder / f"epoch-{context.epoch}-{context.genesis_digest.hex()[:8]}"
        blocks, journal = folder / "blocks", folder / "journal"
        if blocks.exists() and not journal.exists():
            return self._file(blocks), None
        # The journal comes first: a crash between the two must not look like a lost journal.
        journal_log = self._file(journal)
        return self._file(blocks), journal_log

    def _file(self, path: Path) -> FileLog:
        log = FileLog.open(path)
        self._files.callback(log.close)
        return log
