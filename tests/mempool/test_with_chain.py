"""The mempool over a chain on disk: what waits here is executed there, once and without a check."""

import asyncio
from pathlib import Path

import pytest

from node.execution.local_chain import ACCOUNT_NAMES
from node.ledger.errors import ReplayedNonceError
from node.ledger.receipt import ReceiptStatus
from node.ledger.transaction import Transfer
from node.mempool.entry import Departure
from node.mempool.ledger_view import ChainLedger
from node.signatures.checks import SignatureChecks
from node.signatures.verified import VerifiedSignatures
from node.signatures.verifier import InlineVerifier
from primitives.ids import Address, Grain
from tests.chain.founded import address_of, chain_at
from tests.chain.proposer import Proposer
from tests.mempool.village import village
from tests.p2p.town import until

GIFT = Transfer(Address(bytes(31) + b"\x07"), Grain(1))
SENDERS = ACCOUNT_NAMES[:4]


def test_transactions_go_from_the_client_into_the_state(tmp_path: Path) -> None:
    async def follow() -> None:
        verified = VerifiedSignatures()
        signatures = SignatureChecks(InlineVerifier(), verified)
        with chain_at(tmp_path, check=verified.check) as chain, ChainLedger(chain) as ledger:
            async with village() as place:
                node = await place.settle(1, ledger=ledger, signatures=signatures)
                node.seat(0, seats=1)
                proposer = Proposer(chain)
                sent = [proposer.sign(GIFT, sender=name) for name in SENDERS * 3]
                names = [await node.mempool.submit(raw) for raw in sent]
                await until(lambda: len(node.fed) == len(sent))
                executed = await proposer.commit(*node.fed)
                assert {receipt.status for receipt in executed.receipts} == {ReceiptStatus.DONE}
                await until(lambda: len(node.mempool.pool) == 0)
                assert {node.mempool.pool.departure(name) for name in names} == {Departure.EXECUTED}
                assert (verified.hits, verified.misses) == (len(sent), 0)
                for name in SENDERS:
                    assert ledger.account(address_of(name)).nonce == 3
                assert ledger.entry_context().now_ms == chain.head.time_ms
                with pytest.raises(ReplayedNonceError):
                    await node.mempool.submit(sent[0])

    # The chain writes in a thread, which virtual time would not wait for.
    asyncio.run(follow())


def test_ledger_view_is_that_of_the_head(tmp_path: Path) -> None:
    async def follow() -> None:
        with chain_at(tmp_path) as chain, ChainLedger(chain) as ledger:
            alice = address_of("alice")
            assert ledger.chain_id == chain.chain_id
            assert ledger.parameters == chain.genesis.parameters
            before = ledger.account(alice)
            await Proposer(chain).send(GIFT)
            assert ledger.account(alice).nonce == before.nonce + 1
            assert ledger.account(alice) == ledger.account(alice)

    # The chain writes in a thread, which virtual time would not wait for.
    asyncio.run(follow())
