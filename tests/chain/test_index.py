"""Transactions are found by id and events by contract, for as long as their receipts are kept."""

from pathlib import Path

import pytest

from node.chain.chain import Chain
from node.chain.limits import ChainLimits
from node.chain.pruning import INDEX_ENTRIES_PRUNED_MAX
from node.execution.founding import compiled_contract
from node.ledger.contract import genesis_contract_address
from node.ledger.receipt import ReceiptStatus
from node.ledger.transaction import Call, Transfer
from node.storage.batch import WriteBatch
from node.storage.chain_tables import EVENTS, INDEXED, TRANSACTIONS
from node.storage.receipt_index import find_receipt, prune_index, put_index
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Digest, Grain, Height
from tests.chain.founded import address_of, chain_at, genesis_file
from tests.chain.proposer import Proposer
from tests.storage.ledger_places import COUNTER
from tests.storage.ledger_workload import ADDED

ONE, OTHER = (genesis_contract_address(name) for name in ("one", "other"))
GENESIS = genesis_file(contracts=[compiled_contract(name, COUNTER) for name in ("one", "other")])
PAY_BOB = Transfer(address_of("bob"), Grain(5))


def add(amount: int, *, to: str = "one") -> Call:
    """Return the call of a counter, which tells an event."""
    contract = genesis_contract_address(to)
    return Call(contract=contract, method="add", arguments=ADDED.encode((amount,)), value=Grain(0))


@pytest.mark.asyncio
async def test_transaction_is_found_by_its_whole_id(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        payload = [proposer.sign(PAY_BOB, sender=name) for name in ("alice", "carol")]
        executed = await proposer.commit(*payload)
        for index, receipt in enumerate(executed.receipts):
            assert chain.find_transaction(receipt.transaction_id) == (1, index)
        near = Digest(executed.receipts[0].transaction_id[:16] + bytes(16))
        assert chain.find_transaction(near) is None
        assert chain.find_transaction(Digest(bytes(32))) is None


@pytest.mark.asyncio
async def test_refused_item_is_found_by_its_own_name_and_hides_nothing(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        raw = proposer.sign(PAY_BOB, sender="alice")
        done = (await proposer.commit(raw)).receipts[0]
        refused = (await proposer.commit(raw)).receipts[0]
        assert refused.status is ReceiptStatus.REFUSED
        assert chain.find_transaction(done.transaction_id) == (1, 0)
        assert chain.find_transaction(tagged_hash(Domain.REFUSED_ITEM, raw)) == (2, 0)


async def _tell(chain: Chain) -> None:
    """Let two contracts tell events, in two commits with an idle one between."""
    proposer = Proposer(chain)
    actions = [("alice", add(1)), ("bob", add(2, to="other")), ("carol", add(3))]
    await proposer.commit(*(proposer.sign(action, sender=name) for name, action in actions))
    await proposer.commit()
    await proposer.send(add(4))


@pytest.mark.asyncio
async def test_events_of_a_contract_are_found_in_order(tmp_path: Path) -> None:
    with chain_at(tmp_path, genesis=GENESIS) as chain:
        await _tell(chain)
        found = chain.events(ONE)
        assert [event.place for event in found] == [(1, 0, 0), (1, 2, 0), (3, 0, 0)]
        assert {event.event.name for event in found} == {"Added"}
        assert [event.place for event in chain.events(OTHER)] == [(1, 1, 0)]
        assert chain.events(address_of("alice")) == ()


@pytest.mark.asyncio
async def test_events_come_in_bounded_parts_that_follow_each_other(tmp_path: Path) -> None:
    with chain_at(tmp_path, genesis=GENESIS) as chain:
        await _tell(chain)
        whole = chain.events(ONE)
        assert chain.events(ONE, limit=1) == whole[:1]
        assert chain.events(ONE, limit=1, after=whole[0]) == whole[1:2]
        assert chain.events(ONE, after=whole[1]) == whole[2:]
        assert chain.events(ONE, after=whole[2]) == ()
        assert chain.events(ONE, first_height=Height(2)) == whole[2:]
        assert chain.events(ONE, last_height=Height(2)) == whole[:2]
        assert chain.events(ONE, first_height=Height(3), last_height=Height(2)) == ()
        assert chain.events(ONE, limit=0) == ()


@pytest.mark.asyncio
async def test_index_and_receipts_are_pruned_together(tmp_path: Path) -> None:
    with chain_at(tmp_path, genesis=GENESIS, limits=ChainLimits(kept_history=2)) as chain:
        await _tell(chain)
        receipts = chain.receipts(Height(3))
        assert receipts is not None
        proposer = Proposer(chain)
        assert [event.height for event in chain.events(ONE)] == [3]
        assert chain.receipts(Height(1)) is None
        for _ in range(2):
            await proposer.commit()
        assert chain.events(ONE) == chain.events(OTHER) == ()
        assert chain.find_transaction(receipts[0].transaction_id) is None
        with chain.environment.snapshot() as snapshot:
            assert [snapshot.count(table) for table in (TRANSACTIONS, EVENTS, INDEXED)] == [0] * 3


@pytest.mark.asyncio
async def test_item_that_was_refused_again_later_stays_found(tmp_path: Path) -> None:
    with chain_at(tmp_path, limits=ChainLimits(kept_history=2)) as chain:
        proposer = Proposer(chain)
        for payload in ((b"garbage",), (), (b"garbage",), ()):
            await proposer.commit(*payload)
        assert chain.find_transaction(tagged_hash(Domain.REFUSED_ITEM, b"garbage")) == (3, 0)


@pytest.mark.asyncio
async def test_pruning_takes_bounded_steps(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        await proposer.send(PAY_BOB)
        receipts = chain.receipts(Height(1))
        assert receipts is not None
        batch = WriteBatch()
        for height in range(2, 10):
            put_index(batch, Height(height), receipts)
        chain.writer.write(batch)
        step = WriteBatch()
        with chain.environment.snapshot() as snapshot:
            prune_index(snapshot, step, kept_from=100, entries_max=5)
            assert len(step) < 3 * 5
        chain.writer.write(step)
        with chain.environment.snapshot() as snapshot:
            assert next(iter(snapshot.scan_keys(INDEXED))) == 4
            assert find_receipt(snapshot, receipts[0].transaction_id) is None
        assert INDEX_ENTRIES_PRUNED_MAX > 1_000
