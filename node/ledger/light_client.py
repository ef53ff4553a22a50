"""Follow a chain by certificates alone, with no node running: genesis, certificates, proof.

    genesis file        from_genesis     chain id, first committee
    perhaps an anchor   trusting         a later committee, if it is recent
    certificate chain   follow           one certificate per epoch, then any one of the last
    proof file          receipt, entry   what was asked for, under the last certificate

Every byte of the three files is covered by a digest or a signature, or has only one form: a change
of any one of them is refused. Each step returns a new client, so a refused file changes nothing.

A committee is trusted for the trusting period only: afterwards its members may have taken out their
stake, and could sign another past at no cost (consensus design, weak subjectivity). Genesis is
trusted by whoever hands it over, at any age. Source: Tendermint light client, sequential mode.
"""

import functools
from dataclasses import dataclass, replace
from typing import Annotated, Final

import msgspec

from node.ledger.account import ACCOUNT_CODEC, EMPTY_ACCOUNT, Account, account_key
from node.ledger.checkpoint import (
    CHECKPOINT_BYTES_MAX,
    Certificate,
    Checkpoint,
    check_successor,
    checkpoint_digest,
    verify_certificate,
)
from node.ledger.committee import SEATS_BYTES_MAX, SEATS_MAX, Seat, Seats, check_seats, seats_digest
from node.ledger.contract import storage_key
from node.ledger.errors import (
    CheckpointChainError,
    CheckpointCommitteeError,
    CheckpointFormatError,
    CheckpointOrderError,
    StateProofError,
    TrustExpiredError,
)
from node.ledger.genesis import chain_id_of, first_committee, read_genesis
from node.ledger.receipt import Receipt, verify_receipt
from node.ledger.tree.proof import KEY_PROOF_CODEC, verify_key
from primitives.codec import Codec
from primitives.errors import InvalidProofError, MalformedBytesError
from primitives.ids import Address, ChainId, Digest, DurationMs, Epoch, TimestampMs

LINKS_MAX: Final = 20_000
CHAIN_FILE_BYTES_MAX: Final = 67_108_864
_ANCHOR_BYTES_MAX: Final = CHECKPOINT_BYTES_MAX + SEATS_BYTES_MAX


class ChainLink(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A certificate, and the committee that it puts in place for the next epoch.

    Args:
        next_seats: those whose digest the checkpoint names; empty if it names none.
    """

    certificate: Certificate
    next_seats: Annotated[tuple[Seat, ...], msgspec.Meta(max_length=SEATS_MAX)]


class Anchor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last checkpoint of an epoch and the committee that it puts in place."""

    checkpoint: Checkpoint
    next_seats: Annotated[tuple[Seat, ...], msgspec.Meta(max_length=SEATS_MAX)]


class CertificateChain(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last certificate of each epoch from the trusted one on, then one of the epoch after."""

    links: Annotated[tuple[ChainLink, ...], msgspec.Meta(min_length=1, max_length=LINKS_MAX)]


ANCHOR_CODEC: Codec[Anchor] = Codec(Anchor, size_bytes_max=_ANCHOR_BYTES_MAX)
CHAIN_FILE_CODEC: Codec[CertificateChain] = Codec(
    CertificateChain, size_bytes_max=CHAIN_FILE_BYTES_MAX
)


@dataclass(frozen=True, slots=True)
class LightClient:
    """What a client holds for true.

    Args:
        chain_id: of the genesis file that it was given.
        trusting_period_ms: from the same file.
        epoch: whose committee it knows.
        seats: that committee.
        head: the newest checkpoint, None while there is nothing but genesis.
    """

    chain_id: ChainId
    trusting_period_ms: DurationMs
    epoch: Epoch
    seats: Seats
    head: Checkpoint | None

    @classmethod
    def from_genesis(cls, raw: bytes) -> "LightClient":
        """Start from the genesis file, which the caller trusts.

        Raises:
            GenesisError: no chain could start from it.
        """
        genesis = read_genesis(raw)
        return cls(
            chain_id=chain_id_of(raw),
            trusting_period_ms=genesis.parameters.trusting_period_ms,
            epoch=Epoch(0),
            seats=first_committee(genesis),
            head=None,
        )

    def trusting(self, raw: bytes, *, digest: Digest, now_ms: TimestampMs) -> "LightClient":
        """Start over from an anchor file, of whose checkpoint the caller trusts the digest.

        Raises:
            InvalidCheckpointError: not an anchor of this chain, or another one.
            TrustExpiredError: it is older than the trusting period, or newer than our clock.
        """
        try:
            anchor = ANCHOR_CODEC.decode(raw)
        except MalformedBytesError as error:
            raise CheckpointFormatError(f"not a trusted checkpoint: {error}") from error
        checkpoint = anchor.checkpoint
        if checkpoint.chain_id != self.chain_id or checkpoint_digest(checkpoint) != digest:
            raise CheckpointChainError("not the checkpoint that is trusted")
        if checkpoint.next_committee is None:
            raise CheckpointCommitteeError("not the last checkpoint of its epoch")
        client = _succeed(self, checkpoint, anchor.next_seats)
        client.check_age(now_ms)
        return client

    def check_age(self, now_ms: TimestampMs) -> None:
        """Check that the head is recent enough to tell its chain from a forged one.

        Raises:
            TrustExpiredError: it is older than the trusting period, or newer than our clock.
        """
        age_ms = now_ms - self._trusted_head().timestamp_ms
        if not 0 <= age_ms <= self.trusting_period_ms:
            raise TrustExpiredError(f"{age_ms} ms old, must be 0 to {self.trusting_period_ms}")

    def follow(self, raw: bytes) -> "LightClient":
        """Walk a certificate chain to its end.

        Raises:
            InvalidCheckpointError: a link does not follow from what is trusted; the class says why.
        """
        try:
            chain = CHAIN_FILE_CODEC.decode(raw)
        except MalformedBytesError as error:
            raise CheckpointFormatError(f"not a certificate chain: {error}") from error
        *closings, _ = chain.links
        if any(link.certificate.checkpoint.next_committee is None for link in closings):
            raise CheckpointOrderError("only the last link may be amid an epoch")
        return functools.reduce(_follow_link, chain.links, self)

    def receipt(self, raw: bytes) -> Receipt:
        """Return the receipt that a proof file shows to be in the commit of the head.

        Raises:
            ReceiptProofError: it shows no such thing.
        """
        return verify_receipt(raw, root=self._trusted_head().receipts_root)

    def entry(self, raw: bytes, *, key: bytes) -> bytes | None:
        """Return what a proof file shows to stand at the key after the commit of the head.

        The caller names the key: where there is nothing, one proof would do for many keys.

        Raises:
            StateProofError: it shows no such thing, or something about another key.
        """
        root = self._trusted_head().state_root
        try:
            proof = KEY_PROOF_CODEC.decode(raw)
            verify_key(root, proof)
        except (MalformedBytesError, InvalidProofError) as error:
            raise StateProofError(f"the entry is not proven: {error}") from error
        if proof.key != key:
            raise StateProofError(f"the proof is about the key {proof.key.hex()}, not {key.hex()}")
        return proof.value

    def account(self, raw: bytes, *, address: Address) -> Account:
        """Return the account that a proof file shows; an address nobody used has an empty one.

        Raises:
            StateProofError: it does not show that account.
        """
        value = self.entry(raw, key=account_key(address))
        return EMPTY_ACCOUNT if value is None else ACCOUNT_CODEC.decode(value)

    def slot(self, raw: bytes, *, contract: Address, slot: bytes) -> bytes | None:
        """Return what a proof file shows a contract to store, such as the entry of a model.

        Raises:
            StateProofError: it does not show that slot.
        """
        return self.entry(raw, key=storage_key(contract, slot))

    def _trusted_head(self) -> Checkpoint:
        if self.head is None:
            raise CheckpointOrderError("no certificate was followed yet")
        return self.head


def _follow_link(client: LightClient, link: ChainLink) -> LightClient:
    verify_certificate(
        link.certificate, chain_id=client.chain_id, epoch=client.epoch, seats=client.seats
    )
    checkpoint = link.certificate.checkpoint
    if client.head is not None:
        check_successor(client.head, checkpoint)
    return _succeed(client, checkpoint, link.next_seats)


def _succeed(client: LightClient, checkpoint: Checkpoint, next_seats: Seats) -> LightClient:
    """Move on to a checkpoint, and to the next epoch if it is the last of its own."""
    if checkpoint.next_committee is None:
        if next_seats:
            raise CheckpointCommitteeError("seats that no checkpoint names")
        return replace(client, head=checkpoint)
    if seats_digest(next_seats) != checkpoint.next_committee:
        raise CheckpointCommitteeError("not the seats that the checkpoint names")
    check_seats(next_seats)
    epoch = Epoch(checkpoint.epoch + 1)
    return replace(client, head=checkpoint, epoch=epoch, seats=next_seats)
