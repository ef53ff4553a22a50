"""Where the driver's epochs come from: the chain says what they are, the folder holds our part.

A journal is made only for an epoch that was never opened here, and that none of our journals is
ahead of: a ledger from a backup has forgotten what its node signed since. One that is missing
otherwise was lost, and nothing is signed in that epoch any more.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from typing_extensions import override

from consensus.commit import Commit
from consensus.committee import EpochContext
from consensus.ports import CommitSink, Epochs, Seat, SignerJournal
from node.storage.block_store import LmdbBlockStore, has_begun
from node.storage.environment import Environment
from node.storage.signer_journal import FileJournal, JournalOwner, LostJournal, open_or_mourn
from node.storage.writer import Writer
from node.validator.errors import SeatLostError
from primitives.ids import AuthorityIndex, Epoch
from primitives.keys import PrivateKey

JOURNALS_KEPT: Final = 4
"""Of the last epochs; the running one and the one before are still signed for or asked about."""


class EpochSource(Protocol):
    """What knows the epochs of the chain; `node.chain` does."""

    @property
    def environment(self) -> Environment:
        """Where blocks are stored."""
        ...

    @property
    def writer(self) -> Writer:
        """Of the environment."""
        ...

    def context(self) -> EpochContext:
        """Return the epoch in which the next commit executes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What this node signs with, and where it notes what it signed.

    Attributes:
        folder: of the journals of this chain.
    """

    key: PrivateKey
    folder: Path


class ChainEpochs(Epochs):
    """The epochs of one node with a seat; leave it to close its journals.

    Args:
        make_sink: makes the executor's end for an epoch.
        settled: waits until all delivered commits are executed.
        opened: called with each epoch and our seat in it, from the thread that opens it.
    """

    def __init__(
        self,
        source: EpochSource,
        post: Post,
        *,
        make_sink: Callable[[EpochContext], CommitSink],
        settled: Callable[[], Awaitable[None]],
        opened: Callable[[EpochContext, AuthorityIndex], None],
    ) -> None:
        self._source = source
        self._post = post
        self._make_sink = make_sink
        self._settled = settled
        self._opened = opened
        self._journals: dict[Epoch, FileJournal] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for journal in self._journals.values():
            journal.close()
        self._journals.clear()

    @override
    def open(self, context: EpochContext) -> Seat:
        own = seat_in(context, self._post.key)
        journal = self._journal(context)
        store = LmdbBlockStore.open(self._source.environment, self._source.writer, context)
        self._opened(context, own)
        return Seat(
            own=own,
            key=self._post.key,
            store=store,
            journal=journal,
            sink=self._make_sink(context),
        )

    @override
    async def next_epoch(self, context: EpochContext, closing: Commit) -> EpochContext:
        await self._settled()
        following = self._source.context()
        assert following.epoch == context.epoch + 1, "the closing commit was executed"
        seat_in(following, self._post.key)
        return following

    def _journal(self, context: EpochContext) -> SignerJournal:
        path = self._post.folder / f"epoch-{context.epoch}-{context.genesis_digest.hex()[:8]}"
        owner = JournalOwner(
            epoch=context.epoch,
            genesis=context.genesis_digest,
            public_key=self._post.key.public.raw,
        )
        is_new = not has_begun(self._source.environment, context.epoch)
        if is_new and not any(epoch >= context.epoch for epoch, _ in self._journal_files()):
            journal: FileJournal | LostJournal = FileJournal.create(path, owner)
        else:
            journal = open_or_mourn(path, owner)
        if isinstance(journal, FileJournal):
            self._journals[context.epoch] = journal
        self._drop_old(context.epoch)
        return journal

    def _journal_files(self) -> list[tuple[Epoch, Path]]:
        found = []
        for path in self._post.folder.glob("epoch-*-*"):
            number = path.name.split("-")[1]
            if number.isdecimal() and not path.suffix:
                found.append((Epoch(int(number)), path))
        return found

    def _drop_old(self, epoch: Epoch) -> None:
        last = epoch - JOURNALS_KEPT
        for opened in [opened for opened in self._journals if opened <= last]:
            self._journals.pop(opened).close()
        for number, path in self._journal_files():
            if number <= last:
                path.unlink(missing_ok=True)


def seat_in(context: EpochContext, key: PrivateKey) -> AuthorityIndex:
    """Return the seat that a consensus key has in an epoch.

    Raises:
        SeatLostError: it has none.
    """
    own = key.public.raw
    for seat, authority in enumerate(context.committee.authorities):
        if authority.public_key == own:
            return AuthorityIndex(seat)
    raise SeatLostError(context.epoch)
