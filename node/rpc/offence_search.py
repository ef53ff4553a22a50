"""Where the proof of a validator's offence lies: no event tells of it, but the blocks have it.

Either one commit orders two blocks of one slot, and the chain came upon it itself, or somebody
brought the proof in a transaction. The commits of the epochs that the node keeps are read once for
each offence, and what was found, or not, is remembered.

Guards: one question reads so much at most, and the next one goes on from there; one at a time
reads, and nobody waits for it. Belongs to the reader threads.
"""

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final

from consensus.block import HEADER_CODEC, BlockRef, header_digest
from consensus.commit import Commit
from consensus.evidence import EVIDENCE_CODEC
from node.chain.chain import Chain
from node.chain.errors import CommitteeUnknownError
from node.ledger.checkpoint import checkpoint_digest
from node.ledger.conflict import read_conflict
from node.ledger.parameters import EVIDENCE_GAS
from node.ledger.receipt import Receipt, ReceiptStatus
from node.ledger.staking.records import Offence
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    Evidence,
    EvidenceKind,
    SignedTransaction,
    transaction_id,
)
from node.rpc.participant_schemas import OffenceEvidence
from node.rpc.texts import address_text
from node.sync.serving import stored_blocks
from primitives.errors import HanseError, MalformedBytesError
from primitives.ids import Address, AuthorityIndex, CommitIndex, Epoch, Height

COMMITS_MAX: Final = 32_768
"""That are read for one offence, the newest ones."""

READS_MAX: Final = 262_144
"""References to blocks, receipts and items of payload that one question reads: about a second."""

_COMMIT_READS: Final = 32
"""To read a commit takes as long as so many of them."""

OFFENCES_MAX: Final = 1_024
_READ_AT_ONCE: Final = 256
_EPOCHS_MAX: Final = 2
_OFFENCES: Final = {
    EvidenceKind.EQUIVOCATION: Offence.EQUIVOCATION,
    EvidenceKind.CONFLICTING_CHECKPOINTS: Offence.CONFLICTING_VOTES,
}


@dataclass(frozen=True, slots=True)
class _Placed:
    height: Height
    epoch: Epoch
    commit: Commit


@dataclass(frozen=True, slots=True)
class _Proof:
    """What a piece of evidence says before anybody believes it."""

    epoch: Epoch
    author: AuthorityIndex
    round: int | None
    digests: tuple[str, ...]


_Steps = Generator[int, None, OffenceEvidence | None]
"""A search that tells after each commit how much it read for it."""


class OffenceSearch:
    """Finds proofs in the blocks of one chain."""

    def __init__(self, chain: Chain, *, reads_max: int = READS_MAX) -> None:
        self._chain = chain
        self._reads_max = reads_max
        self._found: dict[tuple[Address, Offence], OffenceEvidence | None] = {}
        self._begun: dict[tuple[Address, Offence], _Steps] = {}
        self._reading = threading.Lock()

    def evidence(self, operator: Address, offence: Offence) -> OffenceEvidence | None:
        """Return what proves an offence that was punished.

        None where it is kept no longer, or not found yet: ask again.
        """
        key = operator, offence
        if key not in self._found and self._reading.acquire(blocking=False):
            try:
                self._read_on(operator, offence)
            finally:
                self._reading.release()
        return self._found.get(key)

    def _read_on(self, operator: Address, offence: Offence) -> None:
        key = operator, offence
        # A search that fails is begun anew.
        steps = self._begun.pop(key, None) or self._search(operator, offence)
        left = self._reads_max
        while left > 0:
            try:
                left -= next(steps)
            except StopIteration as end:
                if len(self._found) >= OFFENCES_MAX:
                    self._found.clear()
                self._found[key] = end.value
                return
        if len(self._begun) >= OFFENCES_MAX:
            self._begun.clear()
        self._begun[key] = steps

    def _search(self, operator: Address, offence: Offence) -> _Steps:
        first: OffenceEvidence | None = None
        slot: BlockRef | None = None
        for placed in self._commits():
            yield _COMMIT_READS + len(placed.commit.blocks)
            if slot is not None and first is not None:
                first = _with_twin(first, slot, placed.commit)
            twin = self._void_of(placed, operator) if offence is Offence.EQUIVOCATION else None
            if twin is not None:
                # There may be an older one, or a report: only the first was punished.
                slot = twin
                first = _with_twin(_of_commit(placed.height, twin), twin, placed.commit)
                continue
            reported = yield from self._reported(placed, operator, offence)
            if reported is not None:
                # Whoever was punished is not punished again: nothing older counts for more.
                return reported
        return first

    def _commits(self) -> Iterator[_Placed]:
        """Yield the stored commits of the last epochs, the newest first."""
        # Once: it moves meanwhile, and heights are counted from it.
        head = self._chain.head
        height, top, left = head.height, head.commit_index, COMMITS_MAX
        for number in range(head.epoch, max(-1, head.epoch - _EPOCHS_MAX), -1):
            store = stored_blocks(self._chain, Epoch(number))
            for last in range(top, 0, -_READ_AT_ONCE):
                lowest = max(1, last - _READ_AT_ONCE + 1)
                commits = store.read_commits(CommitIndex(lowest), CommitIndex(last))
                for commit in reversed(commits):
                    above = top - commit.index
                    yield _Placed(Height(height - above), Epoch(number), commit)
                left -= len(commits)
                if left <= 0 or not commits:
                    return
            height = Height(height - top)
            record = self._chain.record_at(height)
            if record is None:
                return
            top = record.commit_index

    def _void_of(self, placed: _Placed, operator: Address) -> BlockRef | None:
        """Return the first block of a commit that repeats a slot of an operator's seat."""
        for ref in placed.commit.void:
            if self._holds(operator, epoch=placed.epoch, author=ref.author):
                return ref
        return None

    def _holds(self, operator: Address, *, epoch: Epoch, author: AuthorityIndex) -> bool:
        try:
            members = self._chain.members_of(epoch)
        except CommitteeUnknownError:
            return False
        return author < len(members) and members[author].operator == operator

    def _reported(self, placed: _Placed, operator: Address, offence: Offence) -> _Steps:
        receipts = self._chain.receipts(placed.height) or ()
        yield len(receipts)
        done = {one.transaction_id for one in receipts if _may_be_report(one)}
        if not done:
            return None
        for signed in self._transactions(placed):
            yield 1
            name = transaction_id(signed.transaction)
            action = signed.transaction.action
            if name not in done or not isinstance(action, Evidence):
                continue
            proof = _read_proof(action)
            if proof is None or _OFFENCES[action.kind] is not offence:
                continue
            if self._holds(operator, epoch=proof.epoch, author=proof.author):
                return OffenceEvidence(
                    height=placed.height,
                    transaction=name.hex(),
                    reporter=address_text(signed.transaction.sender),
                    round=proof.round,
                    digests=proof.digests,
                )
        return None

    def _transactions(self, placed: _Placed) -> Iterator[SignedTransaction]:
        store = stored_blocks(self._chain, placed.epoch)
        for ref in placed.commit.blocks:
            for block in store.read_blocks((ref,)):
                for item in block.payload:
                    try:
                        yield SIGNED_TRANSACTION_CODEC.decode(item)
                    except MalformedBytesError:
                        # A proposer may order anything; such an item is refused.
                        continue


def _may_be_report(receipt: Receipt) -> bool:
    """Tell by the receipt alone; what is left has its blocks read."""
    is_done = receipt.status is ReceiptStatus.DONE
    return is_done and not receipt.events and receipt.gas_used >= EVIDENCE_GAS


def _read_proof(action: Evidence) -> _Proof | None:
    try:
        if action.kind is EvidenceKind.CONFLICTING_CHECKPOINTS:
            conflict = read_conflict(action.proof)
            votes = tuple(checkpoint_digest(one.checkpoint).hex() for one in conflict.in_order)
            return _Proof(conflict.epoch, conflict.author, None, votes)
        evidence = EVIDENCE_CODEC.decode(action.proof)
        headers = evidence.first_header, evidence.second_header
        header = HEADER_CODEC.decode(headers[0])
    except HanseError:
        return None
    blocks = tuple(header_digest(raw).hex() for raw in headers)
    return _Proof(Epoch(header.epoch), header.author, header.round, blocks)


def _of_commit(height: Height, twin: BlockRef) -> OffenceEvidence:
    return OffenceEvidence(
        height=height,
        transaction=None,
        reporter=None,
        round=twin.round,
        digests=(twin.digest.hex(),),
    )


def _with_twin(found: OffenceEvidence, slot: BlockRef, commit: Commit) -> OffenceEvidence:
    """Return the evidence with the block that filled the slot first, if the commit has it."""
    if len(found.digests) > 1:
        return found
    others = tuple(
        ref.digest.hex()
        for ref in commit.blocks
        if (ref.round, ref.author) == (slot.round, slot.author) and ref.digest != slot.digest
    )
    if not others:
        return found
    return OffenceEvidence(
        height=found.height,
        transaction=None,
        reporter=None,
        round=found.round,
        digests=(others[0], *found.digests),
    )
