"""What a light client learns of the state from three files: genesis, certificates, proof."""

import functools
from dataclasses import replace

import msgspec
import pytest

from node.ledger.account import EMPTY_ACCOUNT, Account, account_key
from node.ledger.contract import genesis_contract_address, storage_key
from node.ledger.errors import CheckpointOrderError, StateProofError
from node.ledger.genesis import GENESIS_CODEC, chain_id_of, first_committee, write_genesis
from node.ledger.light_client import CHAIN_FILE_CODEC, CertificateChain, ChainLink, LightClient
from node.ledger.overlay import Overlay
from node.ledger.tree.log import CHUNK_HEAD_SIZE_BYTES
from node.ledger.tree.proof import KEY_PROOF_CODEC, KeyProof
from node.ledger.tree.prove import prove_key
from node.ledger.tree.source import NodeSource
from node.ledger.tree.update import EMPTY, Root, Updater
from primitives.ids import Grain
from tests.ledger.builders import (
    Dictionary,
    address_of,
    certificate_of,
    changes_of,
    checkpoint,
    genesis,
)

GENESIS_FILE = GENESIS_CODEC.encode(genesis())
CHAIN_ID = chain_id_of(GENESIS_FILE)
REGISTRY = genesis_contract_address("registry")
MODEL, SLOT = b"model 7: weights, parent, contributors", b"\x00\x07"
STRANGERS = tuple(account_key(address_of(100 + number)) for number in range(60))


class Chunks:
    """The log of a tree, in memory."""

    def __init__(self, chunks: list[tuple[int, bytes]]) -> None:
        self._chunks = dict(chunks)

    def chunk(self, number: int) -> bytes:
        return bytes(CHUNK_HEAD_SIZE_BYTES) + self._chunks[number]


@functools.cache
def state() -> tuple[NodeSource, Root]:
    """Return the tree over the state of a founded chain with one model and many accounts."""
    overlay = Overlay(Dictionary())
    write_genesis(overlay, genesis(), chain_id=CHAIN_ID)
    overlay.put(storage_key(REGISTRY, SLOT), MODEL)
    for stranger in STRANGERS:
        overlay.put(stranger, b"\x92\x00\x01")
    updater = Updater(NodeSource(Chunks([]), trunk={}), EMPTY, next_chunk=1)
    update = updater.apply(updater.prepare(overlay.changes()))
    return NodeSource(Chunks(update.chunks), trunk={}), update.root


@functools.cache
def client() -> LightClient:
    head = checkpoint(chain_id=CHAIN_ID, state_root=state()[1].digest)
    certificate = certificate_of(head, first_committee(genesis()), signers=(0, 1, 2))
    chain = CertificateChain((ChainLink(certificate, ()),))
    return LightClient.from_genesis(GENESIS_FILE).follow(CHAIN_FILE_CODEC.encode(chain))


def proof_of(key: bytes) -> KeyProof:
    source, root = state()
    return prove_key(source, root, key)


def proof_file(key: bytes) -> bytes:
    return KEY_PROOF_CODEC.encode(proof_of(key))


BALANCE_FILE = proof_file(account_key(address_of(1)))
NOBODY_FILE = proof_file(account_key(address_of(99)))
MODEL_FILE = proof_file(storage_key(REGISTRY, SLOT))


def test_a_balance_is_proven() -> None:
    proven = client().account(BALANCE_FILE, address=address_of(1))
    assert proven == Account(nonce=0, balance=Grain(10**18))


def test_an_account_that_is_not_there_is_proven_empty() -> None:
    assert client().account(NOBODY_FILE, address=address_of(99)) == EMPTY_ACCOUNT


def test_the_entry_of_a_model_is_proven() -> None:
    assert client().slot(MODEL_FILE, contract=REGISTRY, slot=SLOT) == MODEL


def test_a_slot_that_nobody_wrote_is_proven_absent() -> None:
    file = proof_file(storage_key(REGISTRY, b"\x08"))
    assert client().slot(file, contract=REGISTRY, slot=b"\x08") is None


def test_a_proof_about_another_account_is_refused() -> None:
    with pytest.raises(StateProofError):
        client().account(BALANCE_FILE, address=address_of(2))


def test_a_proof_of_absence_is_no_proof_for_another_key() -> None:
    # The same nodes show that neither account is there, so the caller has to say whom it means.
    with pytest.raises(StateProofError):
        client().account(NOBODY_FILE, address=address_of(98))


def test_a_balance_cannot_be_denied() -> None:
    hidden = msgspec.structs.replace(proof_of(account_key(address_of(1))), value=None)
    with pytest.raises(StateProofError):
        client().account(KEY_PROOF_CODEC.encode(hidden), address=address_of(1))


def test_a_proof_under_another_head_is_refused() -> None:
    other = replace(client(), head=checkpoint())
    with pytest.raises(StateProofError):
        other.account(BALANCE_FILE, address=address_of(1))


def test_nothing_of_the_state_is_proven_under_genesis_alone() -> None:
    with pytest.raises(CheckpointOrderError):
        replace(client(), head=None).account(BALANCE_FILE, address=address_of(1))


@pytest.mark.parametrize("number", [1, 99])
def test_a_change_of_any_byte_of_an_account_proof_is_refused(number: int) -> None:
    for changed in changes_of(proof_file(account_key(address_of(number)))):
        with pytest.raises(StateProofError):
            client().account(changed, address=address_of(number))


def test_a_change_of_any_byte_of_a_model_proof_is_refused() -> None:
    for changed in changes_of(MODEL_FILE):
        with pytest.raises(StateProofError):
            client().slot(changed, contract=REGISTRY, slot=SLOT)
