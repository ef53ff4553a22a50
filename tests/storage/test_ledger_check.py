"""The doctor's checks of a ledger tell what the state says, and object when it does not add up."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from node.execution.local_chain import key_named
from node.ledger.account import ACCOUNT_CODEC, SystemAccount, account_key, read_account
from node.ledger.chain import CHAIN_CODEC, CHAIN_KEY, read_chain
from node.ledger.transaction import Delegate, Transfer
from node.storage.batch import WriteBatch
from node.storage.examiner import Damage, Fact
from node.storage.ledger_check import NO_CHAIN, check_chain_record, check_money, check_staked
from node.storage.state_tables import CHUNKS, VERSIONS
from node.storage.table import Number, RawBytes, Table
from primitives.ids import Address, Grain, Height
from tests.storage.ledger_places import DiskChain, ledger_at

ALICE = Address(key_named("alice").public.raw)
STAKE = SystemAccount.STAKE.address
Found = list[Damage | Fact]


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[DiskChain]:
    """Return a chain with three commits after genesis."""
    with ledger_at(tmp_path) as ledger:
        chain = DiskChain(ledger)
        chain.send(Transfer(chain.account("bob"), Grain(5)))
        chain.send(Delegate(chain.account("validator-0"), Grain(10**9)), sender="bob")
        chain.advance(4_000_000)
        yield chain


def tamper(chain: DiskChain, changes: dict[bytes, bytes | None]) -> None:
    """Commit what no transaction did; checksums, tree and height are right."""
    height = Height(chain.height + 1)
    record = msgspec.structs.replace(read_chain(chain.state), height=height)
    whole = {CHAIN_KEY: CHAIN_CODEC.encode(record), **changes}
    chain.ledger.store.commit(height, whole, receipts=(), record=b"")


def balance_changed(chain: DiskChain, address: Address, amount: int) -> dict[bytes, bytes | None]:
    """Return what gives an account more, or less."""
    held = read_account(chain.state, address)
    other = msgspec.structs.replace(held, balance=Grain(held.balance + amount))
    return {account_key(address): ACCOUNT_CODEC.encode(other)}


def findings(chain: DiskChain) -> tuple[Found, Found, Found]:
    """Return what each check finds."""
    with chain.ledger.environment.snapshot() as snapshot:
        return (
            list(check_chain_record(snapshot)),
            list(check_money(snapshot)),
            list(check_staked(snapshot)),
        )


def damage(height: int, reason: str) -> Found:
    return [Damage(CHUNKS.name, "", f"state at height {height}: {reason}")]


def test_sound_ledger_tells_height_root_supply_and_stake(chain: DiskChain) -> None:
    staked = read_account(chain.state, STAKE).balance
    supply = read_chain(chain.state).supply.circulating
    root = chain.ledger.store.root.hex()
    assert findings(chain) == (
        [Fact("height", "3"), Fact("state root", root)],
        [Fact("supply", str(supply))],
        [Fact("staked", str(staked))],
    )


def test_ledger_without_a_commit_tells_nothing(tmp_path: Path) -> None:
    with ledger_at(tmp_path) as ledger, ledger.environment.snapshot() as snapshot:
        assert not [*check_chain_record(snapshot), *check_money(snapshot), *check_staked(snapshot)]


def test_grain_out_of_nowhere_is_found(chain: DiskChain) -> None:
    supply = read_chain(chain.state).supply.circulating
    tamper(chain, balance_changed(chain, ALICE, 1))
    _, money, staked = findings(chain)
    assert money == damage(4, f"the state holds {supply + 1} grains, the records say {supply}")
    assert isinstance(staked[0], Fact)


def test_stake_that_became_a_balance_is_found(chain: DiskChain) -> None:
    staked = read_account(chain.state, STAKE).balance
    moved = balance_changed(chain, ALICE, 7) | balance_changed(chain, STAKE, -7)
    tamper(chain, moved)
    _, money, found = findings(chain)
    assert isinstance(money[0], Fact)
    assert found == damage(4, f"the state holds {staked} grains, the records say {staked - 7}")


def test_account_that_is_none_is_found(chain: DiskChain) -> None:
    tamper(chain, {account_key(ALICE): b"no account"})
    _, money, _ = findings(chain)
    assert len(money) == 1
    assert isinstance(money[0], Damage)


def test_chain_of_another_height_than_its_state_is_found(chain: DiskChain) -> None:
    chain.ledger.store.commit(Height(4), {}, receipts=(), record=b"")
    found, _, _ = findings(chain)
    assert found[2:] == damage(4, "its chain record says 3")


def test_state_without_a_chain_is_found(chain: DiskChain) -> None:
    chain.ledger.store.commit(Height(4), {CHAIN_KEY: None}, receipts=(), record=b"")
    found, _, _ = findings(chain)
    assert found[2:] == damage(4, NO_CHAIN)


def test_money_that_cannot_be_read_is_no_sound_money(chain: DiskChain) -> None:
    batch = WriteBatch()
    for number in range(1, chain.ledger.store.version.next_chunk):
        batch.delete(CHUNKS, number)
    chain.ledger.writer.write(batch)
    for found in findings(chain):
        assert isinstance(found[-1], Damage)
        assert "is missing" in found[-1].reason


def test_version_that_cannot_be_read_is_found_by_every_check(chain: DiskChain) -> None:
    batch = WriteBatch()
    batch.put(Table(VERSIONS.name, key=Number(), value=RawBytes()), 9, b"no version")
    chain.ledger.writer.write(batch)
    for (found,) in findings(chain):
        assert isinstance(found, Damage)
        assert found.table == VERSIONS.name
