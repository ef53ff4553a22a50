"""Proofs for who has no node: the files that `hanse light verify` reads."""

from typing import Final

import msgspec

from node.chain.certificates import chain_file
from node.chain.certified import certificate_at, newest_certificate
from node.chain.errors import NotCertifiedError
from node.ledger.checkpoint import Certificate
from node.ledger.receipt import RECEIPT_CODEC, RECEIPT_PROOF_CODEC, prove_receipt
from node.ledger.tree.proof import KEY_PROOF_CODEC
from node.storage.environment import Environment
from node.storage.history import receipts_at
from node.storage.state_store import StateStore
from primitives.ids import Epoch, Height

FIRST_EPOCH: Final = Epoch(0)


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A fact under a certificate.

    Args:
        height: of the certified commit that it is proven for.
        chain_file: certificates from genesis up to that commit, and no further.
        proof: the proof file.
    """

    height: Height
    chain_file: bytes
    proof: bytes


class Prover:
    """Makes proofs from what is stored; may be used from any thread."""

    def __init__(self, environment: Environment, store: StateStore) -> None:
        self._environment = environment
        self._store = store

    def chain_file(self, *, after_epoch: Epoch) -> bytes:
        """Return the certificates from the committee of an epoch to the newest one.

        Raises:
            NotCertifiedError: there is none from that epoch on.
            CommitteeUnknownError: one of the epochs between is not certified here.
        """
        with self._environment.snapshot() as snapshot:
            newest = newest_certificate(snapshot)
            if newest is None or newest.checkpoint.epoch < after_epoch:
                raise NotCertifiedError(f"nothing is certified from epoch {after_epoch} on")
            return chain_file(snapshot, first=after_epoch, last=newest)

    def receipt(self, height: Height, index: int) -> Proof:
        """Prove a receipt of a commit that is certified itself.

        A certificate covers the commits before it, but has only the receipts root of its own.

        Raises:
            NotCertifiedError: the commit has no certificate here, or no such receipt.
            StorageError: what is stored is not what was written.
        """
        with self._environment.snapshot() as snapshot:
            certificate = certificate_at(snapshot, height)
            encoded = receipts_at(snapshot, height)
            if encoded is None or not 0 <= index < len(encoded):
                raise NotCertifiedError(f"commit {height} has no receipt {index} here")
            if certificate is None:
                raise NotCertifiedError(
                    f"commit {height} has no certificate of its own here: try again when it is "
                    "certified, or ask another node"
                )
            file = chain_file(snapshot, first=FIRST_EPOCH, last=certificate)
        receipts = [RECEIPT_CODEC.decode(receipt) for receipt in encoded]
        raw = RECEIPT_PROOF_CODEC.encode(prove_receipt(receipts, index))
        return Proof(height=height, chain_file=file, proof=raw)

    def entry(self, key: bytes, *, head: Height) -> Proof:
        """Prove what stood at a key of the state after the newest certified commit.

        Args:
            key: of the state.
            head: the height up to which commits were executed; certificates may be ahead of it.

        Raises:
            NotCertifiedError: nothing that was executed is certified.
            StatePrunedError: the newest certified state is kept no longer.
        """
        with self._environment.snapshot() as snapshot:
            certificate = newest_certificate(snapshot, at_most=head)
            if certificate is None:
                raise NotCertifiedError("nothing that was executed here is certified yet")
            file = chain_file(snapshot, first=FIRST_EPOCH, last=certificate)
        return self._entry(key, certificate, file)

    def _entry(self, key: bytes, certificate: Certificate, file: bytes) -> Proof:
        height = certificate.checkpoint.height
        with self._store.view(height) as view:
            raw = KEY_PROOF_CODEC.encode(view.prove(key))
        return Proof(height=height, chain_file=file, proof=raw)
