"""A local chain as its light clients see it: with a tree, checkpoints and certificates."""

from collections.abc import Sequence

from typing_extensions import override

from node.execution.commit import CommitInput, CommitOutcome, apply_commit
from node.execution.local_chain import LocalChain, key_named
from node.ledger.checkpoint import (
    Certificate,
    Checkpoint,
    bitmap_of,
    checkpoint_digest,
    sign_checkpoint,
)
from node.ledger.committee import Seats
from node.ledger.genesis import GenesisContract
from node.ledger.light_client import CHAIN_FILE_CODEC, CertificateChain, ChainLink
from node.ledger.parameters import LedgerParameters
from node.ledger.receipt import RECEIPT_PROOF_CODEC, Receipt, prove_receipt
from node.ledger.staking.queries import seats_of
from node.ledger.staking.tables import read_committee
from node.ledger.tree.proof import KEY_PROOF_CODEC
from node.ledger.tree.prove import prove_key
from primitives.ids import AuthorityIndex
from primitives.keys import PrivateKey
from tests.ledger.tree.memory import MemoryTree

KEYS_MADE = 8


def known_keys() -> dict[bytes, PrivateKey]:
    """Return every consensus key that a validator of a test may have, by its public half."""
    names = [
        f"validator-{number} consensus{suffix}"
        for number in range(KEYS_MADE)
        for suffix in ("", *(f" {turn}" for turn in range(KEYS_MADE)))
    ]
    return {key_named(name).public.raw: key_named(name) for name in names}


class CertifiedChain(LocalChain):
    """A local chain whose validators sign what they execute.

    Attributes:
        links: the last certificate of each epoch so far.
        head: the newest certificate, which none of the epoch follows yet.
    """

    def __init__(
        self,
        *,
        parameters: LedgerParameters | None = None,
        contracts: Sequence[GenesisContract] = (),
    ) -> None:
        super().__init__(parameters=parameters, contracts=contracts)
        self._keys = known_keys()
        self._tree = MemoryTree()
        self._tree.apply(self.state.values)
        self.links: list[ChainLink] = []
        self.head: Certificate | None = None
        self.last_receipts: tuple[Receipt, ...] = ()

    @override
    def commit(self, payload: Sequence[bytes]) -> CommitOutcome:
        given = CommitInput(
            sub_dag=self._order(tuple(payload)), last_checkpoint=self._last_checkpoint
        )
        outcome = apply_commit(self.state, given, machine=self.machine)
        self.state.write(outcome.changes)
        checkpoint = outcome.checkpoint(self._tree.apply(outcome.changes).root.digest)
        self.receipts.extend(outcome.receipts)
        if checkpoint is not None:
            self._last_checkpoint = checkpoint_digest(checkpoint)
            self._certify(checkpoint, outcome)
        return outcome

    def chain_file(self) -> bytes:
        """Return the certificate chain up to the head."""
        assert self.head is not None, "nothing is certified"
        links = (*self.links, ChainLink(self.head, ()))
        return CHAIN_FILE_CODEC.encode(CertificateChain(links))

    def key_proof_file(self, key: bytes) -> bytes:
        """Return the proof of what stands at the key now."""
        return KEY_PROOF_CODEC.encode(prove_key(self._tree.source, self._tree.root, key))

    def receipt_proof_file(self, place: int) -> bytes:
        """Return the proof of one receipt of the commit that was certified last."""
        return RECEIPT_PROOF_CODEC.encode(prove_receipt(self.last_receipts, place))

    def _certify(self, checkpoint: Checkpoint, outcome: CommitOutcome) -> None:
        seats = seats_of(read_committee(self.state, checkpoint.epoch))
        certificate = self._certificate(checkpoint, seats)
        if outcome.next_members is None:
            self.head = certificate
        else:
            self.head = None
            self.links.append(ChainLink(certificate, seats_of(outcome.next_members)))
        self.last_receipts = outcome.receipts

    def _certificate(self, checkpoint: Checkpoint, seats: Seats) -> Certificate:
        """Let the seats sign, the last first, until they are a quorum."""
        signers: list[AuthorityIndex] = []
        quorum, power = sum(seat.power for seat in seats) * 2 // 3 + 1, 0
        for author in reversed(range(len(seats))):
            if power < quorum:
                signers.insert(0, AuthorityIndex(author))
                power += seats[author].power
        votes = [
            sign_checkpoint(checkpoint, author=author, key=self._keys[seats[author].consensus_key])
            for author in signers
        ]
        return Certificate(
            checkpoint,
            bitmap_of(tuple(signers), seat_count=len(seats)),
            tuple(vote.signature for vote in votes),
        )
