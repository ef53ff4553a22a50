"""A chain of five epochs, really executed; then three files alone prove what it did.

The committee changes on the way: a validator joins, one leaves, one takes new keys, one is slashed.
"""

import functools
from collections.abc import Callable, Iterator

import pytest

from node.execution.local_chain import key_named
from node.ledger.account import EMPTY_ACCOUNT, Account, account_key, read_account
from node.ledger.contract import storage_key
from node.ledger.light_client import LightClient
from node.ledger.parameters import LedgerParameters
from node.ledger.possession import prove_possession
from node.ledger.receipt import ReceiptStatus
from node.ledger.transaction import Bond, RotateKeys, Transfer, Undelegate
from node.vm.types import INT, STR
from node.vm.values import ValueCodec
from primitives.errors import HanseError
from primitives.ids import Address, Grain
from tests.execution.accusations import equivocation, operator_name
from tests.execution.certified_chain import CertifiedChain

HOUR_MS = 3_600_000
STAKE = Grain(8 * 10**14)
REGISTRY = """
class Registry(Contract):
    count: Int
    models: Map[Int, Str]

    @external
    def add(self, model: Str) -> Int:
        self.count += 1
        self.models[self.count] = model
        emit("Added", number=self.count, model=model)
        return self.count
"""
MODEL = "model of round 7"
MODEL_SLOT = b"\x01" + ValueCodec.of_type((), INT).encode(2)
Check = Callable[[LightClient, bytes], object]


@functools.cache
def history() -> tuple[CertifiedChain, Address]:
    """Return a chain in its fifth epoch, and the address of a registry with two models."""
    chain = CertifiedChain(parameters=LedgerParameters())
    chain.send(Transfer(chain.account("validator-4"), Grain(9 * 10**14)))
    registry = chain.deploy(REGISTRY)
    registry.add("model of round 6")
    chain.send(bond(chain, "validator-4"), sender="validator-4")
    chain.advance(HOUR_MS)
    chain.send(rotation(chain, "validator-1"), sender="validator-1")
    chain.advance(HOUR_MS)
    chain.send(equivocation(chain, author=seat_of(chain, "validator-2"), epoch=0), sender="carol")
    chain.advance(HOUR_MS)
    leaving = chain.account("validator-3")
    chain.send(Undelegate(leaving, Grain(10**15)), sender="validator-3")
    chain.advance(HOUR_MS)
    chain.commit(
        [
            chain.sign(Transfer(chain.account("bob"), Grain(5)), sender="alice"),
            b"garbage",
        ]
    )
    registry.add(MODEL)
    return chain, registry.address


def seat_of(chain: CertifiedChain, name: str) -> int:
    """Return the seat of the validator in the first epoch."""
    return next(seat for seat in range(4) if operator_name(chain, seat) == name)


def bond(chain: CertifiedChain, name: str) -> Bond:
    """Return what makes the account a validator."""
    key = key_named(f"{name} consensus")
    return Bond(
        consensus_key=key.public.raw,
        node_key=key_named(f"{name} node").public.raw,
        possession=prove_possession(key, chain_id=chain.chain_id, validator=chain.account(name)),
        commission_bp=0,
        amount=STAKE,
    )


def rotation(chain: CertifiedChain, name: str) -> RotateKeys:
    """Return what gives the validator other keys."""
    key = key_named(f"{name} consensus 1")
    return RotateKeys(
        consensus_key=key.public.raw,
        node_key=key_named(f"{name} node 1").public.raw,
        possession=prove_possession(key, chain_id=chain.chain_id, validator=chain.account(name)),
    )


@functools.cache
def client() -> LightClient:
    chain, _ = history()
    return LightClient.from_genesis(chain.genesis_file).follow(chain.chain_file())


def balance_file(name: str) -> bytes:
    """Return the proof of the account."""
    chain, _ = history()
    return chain.key_proof_file(account_key(chain.account(name)))


def model_file() -> bytes:
    """Return the proof of the model in the storage of the registry."""
    chain, registry = history()
    return chain.key_proof_file(storage_key(registry, MODEL_SLOT))


def shown_balance(given: LightClient, raw: bytes) -> Account:
    """Return the account of bob as the proof shows it."""
    return given.account(raw, address=history()[0].account("bob"))


def shown_model(given: LightClient, raw: bytes) -> bytes | None:
    """Return the model as the proof shows it."""
    return given.slot(raw, contract=history()[1], slot=MODEL_SLOT)


def test_the_committee_changed_in_every_way_on_the_way() -> None:
    chain, _ = history()
    committees = [link.next_seats for link in chain.links]
    assert len(committees) == 4
    assert len(set(committees)) == 4
    keys = [{seat.consensus_key for seat in seats} for seats in committees]
    assert key_named("validator-4 consensus").public.raw in keys[-1]
    assert key_named("validator-1 consensus 1").public.raw in keys[-1]
    for name in ("validator-1", "validator-2", "validator-3"):
        assert key_named(f"{name} consensus").public.raw not in keys[-1]


def test_the_files_lead_to_the_head_of_the_chain() -> None:
    chain, _ = history()
    assert chain.head is not None
    assert client().head == chain.head.checkpoint
    assert client().epoch == 4


def test_a_balance_is_proven_by_three_files() -> None:
    chain, _ = history()
    bob = read_account(chain.state, chain.account("bob"))
    assert shown_balance(client(), balance_file("bob")) == bob
    assert bob.balance > 5


def test_an_account_that_never_was_is_proven_empty() -> None:
    chain, _ = history()
    proven = client().account(balance_file("nobody"), address=chain.account("nobody"))
    assert proven == EMPTY_ACCOUNT


def test_a_receipt_is_proven_by_three_files() -> None:
    chain, registry = history()
    receipt = client().receipt(chain.receipt_proof_file(0))
    assert receipt == chain.receipts[-1]
    assert receipt.status is ReceiptStatus.DONE
    assert [event.contract for event in receipt.events] == [registry]


def test_the_storage_of_a_contract_is_proven_by_three_files() -> None:
    raw = shown_model(client(), model_file())
    assert raw is not None
    assert ValueCodec.of_type((), STR).decode(raw) == MODEL


def test_the_proof_of_yesterday_does_not_show_the_balance_of_today() -> None:
    chain, _ = history()
    older = CertifiedChain()
    older.commit([b"garbage"])
    stale = older.key_proof_file(account_key(chain.account("bob")))
    with pytest.raises(HanseError):
        shown_balance(client(), stale)


def chain_file() -> bytes:
    """Return the certificate chain up to the head."""
    return history()[0].chain_file()


def follow(raw: bytes) -> LightClient:
    """Follow a certificate chain from genesis."""
    return LightClient.from_genesis(history()[0].genesis_file).follow(raw)


FILES: dict[str, tuple[Callable[[], bytes], Callable[[bytes], object]]] = {
    "genesis": (
        lambda: history()[0].genesis_file,
        lambda raw: LightClient.from_genesis(raw).follow(history()[0].chain_file()),
    ),
    "certificates": (chain_file, follow),
    "balance": (lambda: balance_file("bob"), lambda raw: shown_balance(client(), raw)),
    "receipt": (
        lambda: history()[0].receipt_proof_file(0),
        lambda raw: client().receipt(raw),
    ),
    "model": (model_file, lambda raw: shown_model(client(), raw)),
}


def changes(raw: bytes, *, step: int) -> Iterator[bytes]:
    """Yield the file with one bit of one byte turned, at every so many places."""
    for place in range(0, len(raw), step):
        changed = bytearray(raw)
        changed[place] ^= 1 << place % 8
        yield bytes(changed)


def check_refusals(name: str, *, places_max: int) -> None:
    """Check that no changed file is accepted for the one that it was."""
    made, check = FILES[name]
    raw = made()
    check(raw)
    step = -(-len(raw) // places_max)
    for changed in (*changes(raw, step=step), raw[:-1], raw + b"\x00", b""):
        with pytest.raises(HanseError):
            check(changed)


@pytest.mark.parametrize("name", FILES)
def test_a_change_of_a_byte_of_any_file_is_refused(name: str) -> None:
    check_refusals(name, places_max=32)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_change_of_every_byte_of_every_file_is_refused(name: str) -> None:
    check_refusals(name, places_max=1 << 30)
