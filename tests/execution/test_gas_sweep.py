"""A transaction with any gas limit: all of it or nothing, and never a gas too much.

Below what it needs it fails, pays the whole limit and undoes everything; from there on the limit
makes no difference at all. Each limit runs on both engines.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec
import pytest

from node.execution.facts import CommitFacts
from node.execution.library import Library
from node.execution.local_chain import GAS_LIMIT, LocalChain, key_named
from node.execution.transactions import TransactionRunner
from node.ledger.account import Account, account_key, read_account
from node.ledger.admission import intrinsic_gas
from node.ledger.chain import read_chain
from node.ledger.overlay import Overlay
from node.ledger.parameters import read_parameters
from node.ledger.receipt import Receipt, ReceiptStatus
from node.ledger.staking.tables import read_committee
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    Action,
    Call,
    Delegate,
    Deploy,
    SignedTransaction,
    Transfer,
    sign_transaction,
)
from node.vm.engine import Engine, FastTier, Interpreter
from node.vm.lang.compiler import compile_contract
from node.vm.module import encode_module
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Address, Digest, Gas, Grain
from tests.execution.arena import read_hostile

OUT_OF_GAS = "vm-trap-out-of-gas"
ENGINES: tuple[Engine, ...] = (FastTier(), Interpreter())
TO_NOBODY = b"\x92\xc4\x20" + bytes(31) + b"\x07"


@dataclass(frozen=True)
class Ran:
    """What a transaction did."""

    receipt: Receipt
    changes: Mapping[bytes, bytes | None]


@functools.cache
def stage() -> tuple[LocalChain, dict[str, Address]]:
    """Return a chain with contracts to call, by name; nothing is written to it afterwards."""
    chain = LocalChain()
    purses = [chain.deploy(read_hostile("purse"), 0, value=1_000) for _ in range(2)]
    relays = [chain.deploy(read_hostile("relay")) for _ in range(3)]
    named = {
        "purse": purses[0].address,
        "shop": purses[1].address,
        **{f"relay-{place}": relay.address for place, relay in enumerate(relays)},
        "glutton": chain.deploy(read_hostile("glutton")).address,
        "sleeper": chain.deploy(read_hostile("sleeper")).address,
    }
    return chain, named


@functools.cache
def facts() -> CommitFacts:
    """Return what the next commit of the chain would run with."""
    state = stage()[0].state
    record = read_chain(state)
    return CommitFacts(
        chain_id=record.chain_id,
        epoch=record.epoch,
        height=record.height,
        time_ms=record.time_ms,
        beacon=tagged_hash(Domain.BEACON, b"sweep"),
        base_fee=record.base_fee,
        parameters=read_parameters(state),
        members=read_committee(state, record.epoch),
    )


LIBRARY = Library()


def accept(signed: SignedTransaction, account: Account) -> None:
    """Take the signature for good: it is the same one again and again."""
    del signed, account


@functools.cache
def transaction(name: str) -> SignedTransaction:
    """Return the transaction with all the gas that it may want."""
    chain, _ = stage()
    return SIGNED_TRANSACTION_CODEC.decode(chain.sign(CORPUS[name](), sender="alice"))


def encoded(name: str, *, gas_limit: int) -> bytes:
    """Return the transaction with a gas limit, as long whatever the limit is.

    Its size costs gas, and a smaller limit is shorter; so a fee that is not reached is longer then.
    """
    limited = msgspec.structs.replace(
        transaction(name).transaction,
        gas_limit=Gas(gas_limit),
        fee_per_gas_max=Grain(65_535 if gas_limit > 65_535 else 65_536),
    )
    return SIGNED_TRANSACTION_CODEC.encode(sign_transaction(limited, key_named("alice")))


def run(name: str, *, gas_limit: int) -> Ran:
    """Execute the transaction with the limit on both engines, over the same state each time."""
    raw = encoded(name, gas_limit=gas_limit)
    outcomes = []
    for engine in ENGINES:
        overlay = Overlay(stage()[0].state)
        runner = TransactionRunner(
            overlay, facts=facts(), engine=engine, library=LIBRARY, check=accept
        )
        (receipt,) = runner.run_block([raw], name=Digest(bytes(32)))
        assert runner.gas_used == receipt.gas_used
        assert runner.burned + runner.tips == receipt.fee
        outcomes.append(Ran(receipt, dict(overlay.changes())))
    assert outcomes[0] == outcomes[1], (name, gas_limit)
    return outcomes[0]


def call(name: str, method: str, arguments: bytes, *, value: int = 0) -> Call:
    """Return a call of a contract on the stage."""
    return Call(contract=stage()[1][name], method=method, arguments=arguments, value=Grain(value))


def walk(*way: str) -> Call:
    """Return a call that goes from relay to relay."""
    hops = b"".join(b"\xc4\x20" + stage()[1][hop] for hop in way)
    return call("relay-0", "hand_on", bytes((0x91, 0x90 + len(way))) + hops, value=3)


def shopping(method: str) -> Call:
    """Return a call that spends the money of one contract at another."""
    return call("purse", method, b"\x92\xc4\x20" + stage()[1]["shop"] + b"\x05")


def deployment(least: int) -> Deploy:
    """Return the deployment of a contract whose init wants so much money, and gets five grains."""
    code = encode_module(compile_contract(read_hostile("purse"), filename="purse"))
    return Deploy(code, bytes((0x91, least)), Grain(5))


CORPUS: dict[str, Callable[[], Action]] = {
    "transfer": lambda: Transfer(Address(b"\x07" * 32), Grain(5)),
    "delegate": lambda: Delegate(stage()[0].account("validator-1"), Grain(10**9)),
    "fill": lambda: call("purse", "fill", b"\x90", value=7),
    "pay": lambda: call("purse", "pay", TO_NOBODY + b"\x05"),
    "drain": lambda: call("purse", "drain", TO_NOBODY + b"\x00"),
    "drain too much": lambda: call("purse", "drain", TO_NOBODY + b"\x01"),
    "pay not payable": lambda: call("purse", "pay", TO_NOBODY + b"\x05", value=1),
    "shop": lambda: shopping("shop"),
    "shop and regret": lambda: shopping("shop_and_regret"),
    "walk": lambda: walk("relay-1", "relay-2"),
    "walk in a circle": lambda: walk("relay-1", "relay-0"),
    "bad arguments": lambda: call("relay-0", "walk", b"\x90"),
    "no contract": lambda: call("relay-0", "hand_on", b"\x91\x91\xc4\x20" + bytes(32)),
    "events": lambda: call("glutton", "many_events", b"\x91\x05"),
    "slots": lambda: call("glutton", "many_slots", b"\x91\x03"),
    "crumbs": lambda: call("glutton", "return_crumbs", b"\x91\x09"),
    "doubling": lambda: call("glutton", "double_bytes", b"\x91\x06"),
    "doubling too often": lambda: call("glutton", "double_list", b"\x91\x0b"),
    "shared": lambda: call("glutton", "return_shared", b"\x91\x04"),
    "schedule": lambda: call("sleeper", "set_many", b"\x92\x02\xcd\x4e\x20"),
    "deploy": lambda: deployment(5),
    "deploy in vain": lambda: deployment(6),
}


def sweep(name: str, limits: Callable[[int, int], Iterable[int]]) -> None:
    """Run the transaction with limits between the least that enters and what it needs."""
    whole = run(name, gas_limit=GAS_LIMIT)
    used = whole.receipt.gas_used
    size_bytes = len(encoded(name, gas_limit=used))
    least = intrinsic_gas(transaction(name).transaction.action, size_bytes=size_bytes)
    assert least <= used
    refused = run(name, gas_limit=least - 1)
    assert (refused.receipt.status, refused.changes) == (ReceiptStatus.REFUSED, {})
    for limit in limits(least, used):
        if limit < least:
            continue
        ran = run(name, gas_limit=limit)
        if limit < used:
            check_all_undone(ran, limit)
        else:
            check_same(ran, whole)
    check_same(run(name, gas_limit=used), whole)


def check_all_undone(ran: Ran, limit: int) -> None:
    """Check that the transaction ran out of gas, paid for all of it, and did nothing."""
    alice = stage()[0].account("alice")
    account = read_account(stage()[0].state, alice)
    assert (ran.receipt.status, ran.receipt.code) == (ReceiptStatus.FAILED, OUT_OF_GAS)
    assert ran.receipt.gas_used == limit
    assert ran.receipt.fee == limit * facts().base_fee
    assert (ran.receipt.events, ran.receipt.result, ran.receipt.created) == ((), b"", None)
    assert list(ran.changes) == [account_key(alice)]
    after = read_account(Overlay(Changed(ran.changes)), alice)
    assert (after.nonce, after.balance) == (account.nonce + 1, account.balance - ran.receipt.fee)


def check_same(ran: Ran, whole: Ran) -> None:
    """Check that the limit made no difference but to the name of the transaction."""
    name = whole.receipt.transaction_id
    assert msgspec.structs.replace(ran.receipt, transaction_id=name) == whole.receipt
    assert ran.changes == whole.changes


class Changed:
    """Only what changed, as a state."""

    def __init__(self, changes: Mapping[bytes, bytes | None]) -> None:
        self._changes = changes

    def get(self, key: bytes) -> bytes | None:
        """Return the new value of the key."""
        return self._changes.get(key)


def some(least: int, used: int) -> Iterable[int]:
    """Return the edges and a few limits between them."""
    return sorted({least, *range(least, used, max(1, (used - least) // 8)), used - 1, used + 1})


def every(least: int, used: int) -> Iterable[int]:
    """Return every limit, or several thousand of them."""
    return range(least, used + 2, max(1, (used - least) // 4_000))


@pytest.mark.parametrize("name", CORPUS)
def test_a_transaction_with_too_little_gas_pays_all_of_it_and_does_nothing(name: str) -> None:
    sweep(name, some)


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPUS)
def test_every_gas_limit_gives_all_or_nothing(name: str) -> None:
    sweep(name, every)
