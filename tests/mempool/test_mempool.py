"""A node's mempool alone: what clients are told, what its blocks get and when."""

import asyncio

import pytest
from msgspec.structs import replace

from node.ledger.errors import (
    EntryError,
    ExpiredError,
    FeeTooLowError,
    NonceWindowError,
    ReplayedNonceError,
    SenderKeyError,
    TransactionFormatError,
    TransactionSignatureError,
    UnaffordableError,
    WrongChainError,
)
from node.ledger.parameters import ConsensusParameters, LedgerParameters
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    SignedTransaction,
    sign_transaction,
    transaction_id,
)
from node.mempool.entry import Departure
from node.mempool.feeder import LEAD_BLOCKS, SUBMIT_TIMEOUT_S
from primitives.ids import Address, AuthorityIndex, ChainId
from tests.dsl.virtual_time import in_virtual_time
from tests.mempool.purse import Purse
from tests.mempool.town import Town, executed
from tests.mempool.village import village
from tests.p2p.town import now_s, pass_time, until

A, B = Purse(1), Purse(2)


@in_virtual_time
async def test_lone_transaction_is_in_the_hands_of_consensus_within_a_few_milliseconds() -> None:
    async with village() as place:
        node = await place.settle(1)
        node.town.endow(A)
        node.seat(0, seats=1)
        for nonce in range(3):
            began_s = now_s()
            await node.submit(A.transfer(nonce))
            while len(node.fed) <= nonce:  # noqa: ASYNC110 - in steps of a tenth of the limit
                await asyncio.sleep(0.0005)
            assert now_s() - began_s <= 0.005
            await pass_time(1)


@in_virtual_time
async def test_many_transactions_go_in_few_steps_and_no_further_than_the_lead() -> None:
    async with village() as place:
        limits = ConsensusParameters(transactions_max=20)
        node = await place.settle(1, ledger=Town(parameters=LedgerParameters(consensus=limits)))
        crowd = [Purse(number) for number in range(1, 11)]
        node.town.endow(*crowd)
        node.seat(0, seats=1)
        for nonce in range(20):
            for purse in crowd:
                await node.submit(purse.transfer(nonce))
        await pass_time(1)
        assert len(node.fed) == LEAD_BLOCKS * limits.transactions_max < 20 * len(crowd)
        assert max(node.steps) == limits.transactions_max
        assert len(node.steps) < 10
        assert len(set(node.fed)) == len(node.fed)


@in_virtual_time
async def test_commit_makes_room_for_more() -> None:
    async with village() as place:
        node = await place.settle(1)
        node.town.endow(A)
        node.seat(0, seats=1)
        first = A.transfer(0)
        await node.submit(first)
        await pass_time(1)
        node.town.count(A)
        node.town.commit(executed(transaction_id(first.transaction)))
        await until(lambda: len(node.mempool.pool) == 0)
        assert node.mempool.pool.departure(transaction_id(first.transaction)) is Departure.EXECUTED
        with pytest.raises(ReplayedNonceError):
            await node.submit(first)


@in_virtual_time
async def test_what_consensus_gives_back_is_handed_over_again_after_a_rest() -> None:
    async with village() as place:
        node = await place.settle(1)
        node.town.endow(A)
        node.seat(0, seats=1)
        await node.submit(A.transfer())
        await until(lambda: node.fed)
        node.mempool.returned(tuple(node.fed))
        began_s = now_s()
        await until(lambda: len(node.fed) == 2)
        assert 0.05 < now_s() - began_s < 1
        assert node.fed[0] == node.fed[1]


@in_virtual_time
async def test_consensus_that_takes_nothing_gets_it_again_later() -> None:
    async def never(items: tuple[bytes, ...]) -> None:
        del items
        await asyncio.Event().wait()

    async with village() as place:
        node = await place.settle(1)
        node.town.endow(A)
        node.mempool.attach_proposer(never, seat=AuthorityIndex(0), seats=1)
        await node.submit(A.transfer())
        await pass_time(SUBMIT_TIMEOUT_S / 2)
        node.seat(0, seats=1)
        await until(lambda: node.fed)


@in_virtual_time
async def test_node_that_lost_its_seat_feeds_nothing() -> None:
    async with village() as place:
        node = await place.settle(1)
        node.town.endow(A, B)
        node.seat(0, seats=1)
        node.mempool.detach_proposer()
        await node.submit(A.transfer())
        await pass_time(30)
        assert node.fed == []
        node.seat(0, seats=1)
        await until(lambda: node.fed)


@in_virtual_time
async def test_submitting_twice_is_no_error_and_gives_the_same_id() -> None:
    async with village() as place:
        node = await place.settle(1)
        node.town.endow(A)
        name = transaction_id(A.transfer().transaction)
        assert [await node.submit(A.transfer()) for _ in range(2)] == [name, name]
        assert len(node.mempool.pool) == 1


def _foreign() -> SignedTransaction:
    transaction = replace(A.transfer().transaction, chain_id=ChainId(bytes(32)))
    return sign_transaction(transaction, A.key)


REFUSALS = [
    (A.transfer(64), NonceWindowError),
    (A.transfer(fee_max=1), FeeTooLowError),
    (A.transfer(valid_for_ms=-1), ExpiredError),
    (A.transfer(amount=10**18), UnaffordableError),
    (B.transfer(), UnaffordableError),
    (_foreign(), WrongChainError),
    (SignedTransaction(A.transfer().transaction, bytes(64)), TransactionSignatureError),
    (A.transfer(sender=Address(bytes(32))), SenderKeyError),
]


@pytest.mark.parametrize(
    ("signed", "error"), REFUSALS, ids=[error.__name__ for _, error in REFUSALS]
)
def test_client_is_told_what_the_executor_would_say(
    signed: SignedTransaction, error: type[EntryError]
) -> None:
    @in_virtual_time
    async def check() -> None:
        async with village() as place:
            node = await place.settle(1)
            node.town.endow(A)
            node.town.accounts[Address(bytes(32))] = node.town.account(A.address)
            with pytest.raises(error):
                await node.submit(signed)
            with pytest.raises(TransactionFormatError):
                await node.mempool.submit(SIGNED_TRANSACTION_CODEC.encode(signed)[:-1])
            assert len(node.mempool.pool) == 0

    check()


@in_virtual_time
async def test_signature_that_was_checked_at_the_door_is_not_checked_again() -> None:
    async with village() as place:
        node = await place.settle(1)
        node.town.endow(A, B)
        signed = A.transfer()
        await node.submit(signed)
        verified = node.signatures.verified
        verified.check(signed, node.town.account(A.address))
        payload = [B.raw(), A.raw(), b"no transaction"]
        await node.signatures.foresee(payload)
        verified.check(B.transfer(), node.town.account(B.address))
        assert (verified.hits, verified.misses) == (2, 0)


@in_virtual_time
async def test_mempool_that_fell_behind_the_chain_makes_up_for_it() -> None:
    async with village() as place:
        node = await place.settle(1)
        node.town.endow(A)
        await node.submit(A.transfer())
        await pass_time(1)
        node.town.count(A)
        for _ in range(2_000):
            node.town.commit(span_ms=0)
        await until(lambda: len(node.mempool.pool) == 0)
        await node.submit(A.transfer(1))
        node.town.commit(span_ms=100_000)
        await until(lambda: len(node.mempool.pool) == 0)
