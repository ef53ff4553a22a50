"""Fuzzed of the ledger: a row for each transaction, file or proof that anybody may send."""

from typing import Final

import msgspec

from node.ledger.account import Account, account_key
from node.ledger.admission import check_entry, check_signature, read_transaction
from node.ledger.checkpoint import (
    CERTIFICATE_CODEC,
    Checkpoint,
    checkpoint_digest,
    read_certificate,
    sign_checkpoint,
    verify_certificate,
)
from node.ledger.committee import Seats, seats_digest
from node.ledger.conflict import CONFLICT_CODEC, prove_conflict, read_conflict, verify_conflict
from node.ledger.errors import EntryError, GenesisError, ReceiptProofError, StateProofError
from node.ledger.genesis import (
    GENESIS_CODEC,
    chain_id_of,
    first_committee,
    read_genesis,
    write_genesis,
)
from node.ledger.light_client import (
    ANCHOR_CODEC,
    CHAIN_FILE_CODEC,
    Anchor,
    CertificateChain,
    ChainLink,
    LightClient,
)
from node.ledger.receipt import RECEIPT_PROOF_CODEC, prove_receipt, receipts_root
from node.ledger.tree.lookup import PLACE_FIRST
from node.ledger.tree.proof import KEY_PROOF_CODEC
from node.ledger.tree.prove import prove_key
from node.ledger.tree.snapshot import SNAPSHOT_CHUNK_CODEC, cut_chunk, verify_chunk
from primitives.errors import (
    InvalidCheckpointError,
    InvalidEvidenceError,
    InvalidProofError,
    MalformedBytesError,
)
from primitives.ids import AuthorityIndex, CommitIndex, Epoch, Grain, TimestampMs
from tests.fuzz.target import Target
from tests.ledger.builders import (
    ACTIONS,
    CHAIN,
    LIMITS,
    NOW,
    address_of,
    certificate_of,
    checkpoint,
    encoded,
    entry_context,
    fresh_overlay,
    genesis,
    key_of,
    receipts,
    seats_with,
    transaction,
)
from tests.ledger.tree.memory import MemoryTree

ACCOUNT: Final = Account(nonce=0, balance=Grain(10**18))
SEATS: Final = seats_with(1, 1, 1, 1)
GENESIS_FILE: Final = GENESIS_CODEC.encode(genesis())
CHAIN_ID: Final = chain_id_of(GENESIS_FILE)
STATE: Final = {account_key(address_of(number)): b"\x92\x00\x01" for number in range(1, 60)}
SOON: Final = TimestampMs(NOW + 1_000)
KEY: Final = next(iter(STATE))
NO_KEY: Final = account_key(address_of(99))
ENTRIES: Final = {**STATE, KEY: b"\x92\x00\x02"}


def _tree() -> MemoryTree:
    tree = MemoryTree()
    tree.apply(ENTRIES)
    return tree


TREE: Final = _tree()
HEAD: Final = checkpoint(
    chain_id=CHAIN_ID, state_root=TREE.root.digest, receipts_root=receipts_root(receipts())
)
GENESIS_CLIENT: Final = LightClient.from_genesis(GENESIS_FILE)


def _chain_file(head: Checkpoint, *, then: Seats = ()) -> bytes:
    certificate = certificate_of(head, first_committee(genesis()), signers=(0, 1, 2))
    return CHAIN_FILE_CODEC.encode(CertificateChain((ChainLink(certificate, then),)))


CLOSING: Final = msgspec.structs.replace(HEAD, next_committee=seats_digest(SEATS))
CLIENT: Final = GENESIS_CLIENT.follow(_chain_file(HEAD))
KEY_PROOFS: Final = {
    KEY_PROOF_CODEC.encode(prove_key(TREE.source, TREE.root, key)) for key in (KEY, NO_KEY)
}


def _run_transaction(raw: bytes) -> None:
    signed = read_transaction(raw, limits=LIMITS)
    check_entry(signed.transaction, size_bytes=len(raw), account=ACCOUNT, context=entry_context())
    check_signature(signed, account=ACCOUNT)


def _run_genesis(raw: bytes) -> None:
    read = read_genesis(raw)
    assert GENESIS_CODEC.encode(read) == raw
    first_committee(read)
    write_genesis(fresh_overlay(), read, chain_id=chain_id_of(raw))


def _run_certificate(raw: bytes) -> None:
    certificate = read_certificate(raw)
    assert CERTIFICATE_CODEC.encode(certificate) == raw
    verify_certificate(certificate, chain_id=CHAIN, epoch=Epoch(0), seats=SEATS)


def _run_conflict(raw: bytes) -> None:
    conflict = read_conflict(raw)
    assert CONFLICT_CODEC.encode(conflict) == raw
    assert verify_conflict(conflict, chain_id=CHAIN, seats=SEATS) in range(len(SEATS))


def _run_light_client(raw: bytes) -> None:
    """Follow from genesis; what is believed is what a quorum signed."""
    assert GENESIS_CLIENT.follow(raw).head in {HEAD, CLOSING}


def _run_anchor(raw: bytes) -> None:
    digest = checkpoint_digest(CLOSING)
    assert GENESIS_CLIENT.trusting(raw, digest=digest, now_ms=SOON).head == CLOSING


def _run_key_proof(raw: bytes) -> None:
    """Ask for two keys; nothing is believed but what stands there."""
    for key in (KEY, NO_KEY):
        try:
            value = CLIENT.entry(raw, key=key)
        except StateProofError:
            continue
        assert value == ENTRIES.get(key)
        return
    raise StateProofError("about neither key")


def _run_receipt(raw: bytes) -> None:
    assert CLIENT.receipt(raw) in receipts()


def _run_state_chunk(raw: bytes) -> None:
    chunk = SNAPSHOT_CHUNK_CODEC.decode(raw)
    verify_chunk(TREE.root.digest, chunk)
    assert all(ENTRIES[key] == value for key, value in chunk.contents)


def _transaction_seeds() -> tuple[bytes, ...]:
    return tuple(encoded(transaction(action)) for action in ACTIONS.values())


def _certificate_seeds() -> tuple[bytes, ...]:
    made = certificate_of(checkpoint(), SEATS, signers=(0, 1, 3))
    return (CERTIFICATE_CODEC.encode(made),)


def _conflict_seeds() -> tuple[bytes, ...]:
    heads = (checkpoint(3), checkpoint(3, commit_index=CommitIndex(2)))
    votes = [sign_checkpoint(head, author=AuthorityIndex(2), key=key_of(2)) for head in heads]
    return (CONFLICT_CODEC.encode(prove_conflict(votes[0], votes[1])),)


def _receipt_seeds() -> tuple[bytes, ...]:
    proofs = [prove_receipt(receipts(), index) for index in range(len(receipts()))]
    return tuple(map(RECEIPT_PROOF_CODEC.encode, proofs))


def _chunk_seeds() -> tuple[bytes, ...]:
    sizes = (100, 10_000)
    return tuple(
        SNAPSHOT_CHUNK_CODEC.encode(
            cut_chunk(TREE.source, TREE.root, low=PLACE_FIRST, content_bytes=size)
        )
        for size in sizes
    )


LEDGER_TARGETS: Final = (
    Target("transaction", _run_transaction, (EntryError,), _transaction_seeds()),
    Target("genesis", _run_genesis, (GenesisError,), (GENESIS_FILE,)),
    Target("certificate", _run_certificate, (InvalidCheckpointError,), _certificate_seeds()),
    Target("conflict", _run_conflict, (InvalidEvidenceError,), _conflict_seeds()),
    Target(
        "light-client",
        _run_light_client,
        (InvalidCheckpointError,),
        (_chain_file(HEAD), _chain_file(CLOSING, then=SEATS)),
    ),
    Target(
        "anchor",
        _run_anchor,
        (InvalidCheckpointError,),
        (ANCHOR_CODEC.encode(Anchor(CLOSING, SEATS)),),
    ),
    Target("key-proof", _run_key_proof, (StateProofError,), tuple(sorted(KEY_PROOFS))),
    Target("receipt-proof", _run_receipt, (ReceiptProofError,), _receipt_seeds()),
    Target(
        "state-chunk",
        _run_state_chunk,
        (MalformedBytesError, InvalidProofError),
        _chunk_seeds(),
    ),
)
