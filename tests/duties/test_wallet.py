"""Nonces, fees and waiting, on a real chain with one proposer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from node.duties.errors import TransactionFailedError, TransactionLostError
from node.duties.gas import CALL_GAS_MAX, call_gas
from node.duties.wallet import Fees, Wallet
from node.execution.local_chain import key_named
from node.federation import calls
from node.ledger.errors import FeeTooLowError, ReplayedNonceError, UnaffordableError
from node.ledger.transaction import Transfer
from primitives.ids import Digest, Gas, Grain
from tests.chain.founded import address_of, chain_at, genesis_file
from tests.chain.proposer import Proposer
from tests.duties.hamlet import Square

GAS = Gas(100_000)
GIFT = Transfer(address_of("bob"), Grain(5))


@asynccontextmanager
async def square_in(folder: Path) -> AsyncIterator[Square]:
    with chain_at(folder, genesis=genesis_file(validators=1)) as chain:
        yield Square(chain, Proposer(chain))


def wallet_of(square: Square, **fees: int) -> Wallet:
    return Wallet(
        key_named("alice"),
        chain=square.chain,
        submit=square.submit,
        fees=Fees(resend_ms=20, **fees),
    )


@asynccontextmanager
async def committing(square: Square) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(square.run())
        try:
            yield
        finally:
            task.cancel()


@pytest.mark.asyncio
async def test_transactions_sent_at_once_have_nonces_in_a_row(tmp_path: Path) -> None:
    async with square_in(tmp_path) as square:
        wallet = wallet_of(square)
        before = wallet.balance()
        names = [await wallet.send(GIFT, gas_limit=GAS) for _ in range(3)]
        async with committing(square):
            receipts = [await wallet.settle(name) for name in names]
        assert [one.transaction_id for one in receipts] == names
        assert wallet.balance() == before - 15 - sum(one.fee for one in receipts)


@pytest.mark.asyncio
async def test_transaction_that_got_lost_is_handed_over_again(tmp_path: Path) -> None:
    async with square_in(tmp_path) as square:
        wallet = wallet_of(square)
        name = await wallet.send(GIFT, gas_limit=GAS)
        square.waiting.clear()
        async with asyncio.TaskGroup() as group:
            settled = group.create_task(wallet.settle(name))
            square.arrived.clear()
            await square.arrived.wait()
            await square.commit()
        assert settled.result().code == ""


@pytest.mark.asyncio
async def test_nonce_of_a_transaction_that_expired_is_given_to_the_next(tmp_path: Path) -> None:
    async with square_in(tmp_path) as square:
        wallet = wallet_of(square, valid_ms=1_000)
        name = await wallet.send(GIFT, gas_limit=GAS)
        square.waiting.clear()
        square.proposer.now_ms += 2_000  # type: ignore[assignment]
        await square.commit()
        with pytest.raises(TransactionLostError, match="send it again"):
            await wallet.settle(name)
        async with committing(square):
            await wallet.carry_out(GIFT, gas_limit=GAS)


@pytest.mark.asyncio
async def test_wallet_that_starts_anew_asks_the_chain_for_its_nonce(tmp_path: Path) -> None:
    async with square_in(tmp_path) as square, committing(square):
        await wallet_of(square).carry_out(GIFT, gas_limit=GAS)
        await wallet_of(square).carry_out(GIFT, gas_limit=GAS)


@pytest.mark.asyncio
async def test_call_that_fails_is_an_error_with_its_receipt(tmp_path: Path) -> None:
    async with square_in(tmp_path) as square, committing(square):
        with pytest.raises(TransactionFailedError) as failure:
            await wallet_of(square).carry_out(calls.open_round(3), gas_limit=Gas(1_000_000))
        assert failure.value.receipt.code in str(failure.value)


@pytest.mark.asyncio
async def test_account_without_money_is_told_so_at_once(tmp_path: Path) -> None:
    async with square_in(tmp_path) as square:
        poor = Wallet(key_named("nobody"), chain=square.chain, submit=square.submit)
        with pytest.raises(UnaffordableError):
            await poor.send(GIFT, gas_limit=GAS)


@pytest.mark.asyncio
async def test_mempool_that_wants_more_is_offered_more(tmp_path: Path) -> None:
    async with square_in(tmp_path) as square, committing(square):
        refusals: list[Exception] = [FeeTooLowError(), ReplayedNonceError()]
        fees: list[bytes] = []

        async def choosy(raw: bytes) -> Digest:
            fees.append(raw)
            if refusals:
                raise refusals.pop()
            return await square.submit(raw)

        wallet = Wallet(key_named("alice"), chain=square.chain, submit=choosy)
        await wallet.carry_out(GIFT, gas_limit=GAS)
        assert len(set(fees)) == 3


@pytest.mark.asyncio
async def test_mempool_that_always_refuses_is_believed_in_the_end(tmp_path: Path) -> None:
    async with square_in(tmp_path) as square:

        async def closed(raw: bytes) -> Digest:
            raise FeeTooLowError(actual=len(raw), limit=1)

        wallet = Wallet(
            key_named("alice"), chain=square.chain, submit=closed, fees=Fees(resend_ms=1)
        )
        with pytest.raises(FeeTooLowError):
            await wallet.send(GIFT, gas_limit=GAS)


@pytest.mark.asyncio
async def test_mempool_that_breaks_off_leaves_the_nonce_taken(tmp_path: Path) -> None:
    async with square_in(tmp_path) as square:
        wallet = wallet_of(square)
        taken: list[bytes] = []

        async def breaking(raw: bytes) -> Digest:
            taken.append(raw)
            await square.submit(raw)
            raise ConnectionError("gone")

        broken = Wallet(key_named("alice"), chain=square.chain, submit=breaking)
        with pytest.raises(ConnectionError):
            await broken.send(GIFT, gas_limit=GAS)
        with pytest.raises(ConnectionError):
            await broken.send(GIFT, gas_limit=GAS)
        assert len(set(taken)) == 2
        async with committing(square):
            await wallet.carry_out(GIFT, gas_limit=GAS)


def test_gas_grows_with_the_round_and_fits_a_transaction() -> None:
    assert call_gas(updates=4, seats=4) < call_gas(updates=100, seats=64)
    assert call_gas(updates=1_000, seats=1_000) == CALL_GAS_MAX
