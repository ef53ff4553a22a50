"""The one place that signs blocks, and the rules that keep it from ever signing twice.

Guards: no round at or below the journal is signed; the journal entry is durable before the
signature leaves the process; a node whose journal is lost signs nothing in this epoch (this
wins over asking f + 1 peers for the newest own block, whose answers need not include the one
peer that got it). On every boot a quorum is asked for our newest block all the same: it finds
restored backups and a second process with our key. Source: EIP-3076; Sui issues 18009, 24698.
"""

import enum

from consensus.block import INT64_MAX, Block, Header, sign_block
from consensus.committee import EpochContext
from consensus.events import JournalEntry
from primitives.ids import AuthorityIndex, Round
from primitives.keys import PrivateKey

FENCE_ROUND = Round(INT64_MAX)
"""A journal entry of this round forbids every further signature in its epoch."""


class SigningState(enum.Enum):
    """Whether this node may sign blocks in this epoch."""

    ASKING = "asking"
    SIGNING = "signing"
    ABSTAINING = "abstaining"


class StoredJournal(enum.Enum):
    """What the shell found where the journal of an operator should be."""

    INTACT = "intact"
    LOST = "lost"


class Signer:
    """Holds the key, the watermark, and the state of the boot check.

    Args:
        watermark: highest round of this epoch in the journal; 0 for none.
    """

    def __init__(
        self,
        key: PrivateKey,
        *,
        own: AuthorityIndex,
        context: EpochContext,
        journal: StoredJournal,
        watermark: Round,
    ) -> None:
        self._key = key
        self._committee = context.committee
        self._epoch = context.epoch
        self.own = own
        self._answered = 1 << own
        self.watermark = watermark
        self.state = SigningState.ASKING
        if journal is StoredJournal.LOST or watermark == FENCE_ROUND:
            self.state = SigningState.ABSTAINING
        else:
            self._conclude()

    @property
    def unanswered(self) -> tuple[AuthorityIndex, ...]:
        """Return the peers that have not told our newest block yet, while we need it."""
        if self.state is not SigningState.ASKING:
            return ()
        return tuple(a for a in self._committee.indices if not self._answered >> a & 1)

    def note_answer(self, peer: AuthorityIndex) -> None:
        """Count a peer that knows of no own block above the watermark."""
        self._answered |= 1 << peer
        self._conclude()

    def is_foreign(self, block: Block) -> bool:
        """Tell whether an own-key block is one that the journal rules out: we never signed it."""
        return block.round > self.watermark

    def abstain(self) -> None:
        """Sign nothing more in this life."""
        self.state = SigningState.ABSTAINING

    def fence(self, block: Block) -> JournalEntry:
        """Abstain, and return the journal entry that makes it last for the whole epoch."""
        self.abstain()
        return JournalEntry(self._epoch, FENCE_ROUND, block.ref.digest)

    def sign(self, header: Header, payload: tuple[bytes, ...]) -> tuple[Block, JournalEntry]:
        """Sign an own header and raise the watermark.

        The entry must be durable before the block is shown to anyone.
        """
        assert self.state is SigningState.SIGNING, "signed while not allowed to"
        assert header.author == self.own, "signed for another author"
        assert header.round > self.watermark, "signed at or below the watermark"
        self.watermark = header.round
        block = sign_block(header, payload, self._key)
        return block, JournalEntry(self._epoch, header.round, block.ref.digest)

    def resume(self, block: Block) -> JournalEntry:
        """Raise the watermark to an own stored block that the journal does not hold yet."""
        self.watermark = block.round
        return JournalEntry(self._epoch, block.round, block.ref.digest)

    def _conclude(self) -> None:
        if self.state is SigningState.ASKING and self._committee.is_quorum(self._answered):
            self.state = SigningState.SIGNING
