import msgspec
import pytest

from node.execution.local_chain import LocalChain
from node.execution.read_ahead import READ_AHEAD_ITEMS
from node.execution.transactions import FAULTS_MAX
from node.ledger.receipt import ReceiptStatus
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    TRANSACTION_CODEC,
    Transfer,
    transaction_id,
)
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Grain

SLEEPER = """
class Sleeper(Contract):
    woken: Int

    @external
    def set(self):
        schedule(now() + 10, self.wake, gas=50_000)

    @scheduled
    def wake(self):
        self.woken += 1
"""


def transfer(chain: LocalChain, *, sender: str = "alice") -> bytes:
    return chain.sign(Transfer(chain.account("bob"), Grain(5)), sender=sender)


def unsigned(raw: bytes) -> bytes:
    """Return what the transaction is named by, which is no transaction itself."""
    return TRANSACTION_CODEC.encode(SIGNED_TRANSACTION_CODEC.decode(raw).transaction)


def forged(raw: bytes) -> bytes:
    signed = SIGNED_TRANSACTION_CODEC.decode(raw)
    return SIGNED_TRANSACTION_CODEC.encode(msgspec.structs.replace(signed, signature=bytes(64)))


@pytest.mark.parametrize("imitate", [unsigned, forged])
def test_nobody_can_have_the_transaction_of_another_refused_under_its_name(imitate: object) -> None:
    assert callable(imitate)
    chain = LocalChain()
    raw = transfer(chain)
    refused, done = chain.commit([imitate(raw), raw]).receipts
    assert (refused.status, done.status) == (ReceiptStatus.REFUSED, ReceiptStatus.DONE)
    assert done.transaction_id == transaction_id(SIGNED_TRANSACTION_CODEC.decode(raw).transaction)
    assert refused.transaction_id == tagged_hash(Domain.REFUSED_ITEM, imitate(raw))


def test_a_replay_leaves_no_second_receipt_under_the_name_of_the_transaction() -> None:
    chain = LocalChain()
    raw = transfer(chain)
    done, replayed = chain.commit([raw, raw]).receipts
    assert replayed.code == "transaction-nonce-replayed"
    assert replayed.transaction_id == tagged_hash(Domain.REFUSED_ITEM, raw) != done.transaction_id


def test_a_wake_up_is_named_as_nothing_else_can_be() -> None:
    chain = LocalChain()
    sleeper = chain.deploy(SLEEPER)
    sleeper.set()
    (woken,) = chain.advance(20)
    content = msgspec.msgpack.encode((3 - 1, 0, sleeper.address))
    assert woken.transaction_id == tagged_hash(Domain.SCHEDULED_CALL, content)
    (garbage,) = chain.commit([content]).receipts
    assert garbage.transaction_id != woken.transaction_id


def test_a_block_of_faults_costs_the_chain_a_bounded_number_of_checks() -> None:
    chain = LocalChain()
    bad = [forged(transfer(chain))] * 100
    outcome = chain.commit([*bad, transfer(chain)])
    assert len(outcome.receipts) == FAULTS_MAX + 1
    assert outcome.receipts[-1].code == "block-faulty"
    assert outcome.receipts[-1].status is ReceiptStatus.REFUSED
    (done,) = chain.commit([transfer(chain)]).receipts
    assert done.status is ReceiptStatus.DONE


def test_faults_count_over_the_whole_block_however_far_apart_they_are() -> None:
    chain = LocalChain()
    apart = [raw for _ in range(FAULTS_MAX) for raw in (b"garbage", *[transfer(chain)] * 8)]
    assert len(apart) > 2 * READ_AHEAD_ITEMS
    outcome = chain.commit([*apart[:-8], transfer(chain), transfer(chain)])
    assert len(outcome.receipts) == len(apart) - 8 + 1
    assert outcome.receipts[-1].code == "block-faulty"
    assert [receipt.code for receipt in outcome.receipts].count(
        "transaction-trailing-bytes"
    ) == FAULTS_MAX


def test_what_an_honest_proposer_may_be_unlucky_with_skips_nothing() -> None:
    chain = LocalChain()
    raw = transfer(chain)
    outcome = chain.commit([*[raw] * (FAULTS_MAX + 2), transfer(chain, sender="carol")])
    assert len(outcome.receipts) == FAULTS_MAX + 3
    assert outcome.receipts[-1].status is ReceiptStatus.DONE


def test_a_full_measure_of_faults_at_the_end_of_a_block_skips_nothing() -> None:
    chain = LocalChain()
    outcome = chain.commit([transfer(chain), *[b"garbage"] * FAULTS_MAX])
    assert len(outcome.receipts) == FAULTS_MAX + 1
    assert outcome.receipts[-1].code != "block-faulty"
