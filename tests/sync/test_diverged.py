"""A node that computes another state than is certified stops, and keeps what it has."""

from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from consensus.serving import undelivered
from node.chain.chain import Chain
from node.chain.errors import CommitForkError, StateDivergedError
from node.ledger.account import Account
from node.ledger.checkpoint import CERTIFICATE_CODEC
from node.ledger.errors import TransactionSignatureError
from node.ledger.transaction import SignedTransaction
from node.sync.follower import Reach
from node.sync.serving import stored_blocks
from primitives.ids import CommitIndex, Epoch, Height
from tests.chain.founded import StillClock
from tests.chain.proposer import Proposer
from tests.sync.chronicle import GENESIS, Chronicle
from tests.sync.village import Node, Village, grown, introduce


def refuse_all(signed: SignedTransaction, account: Account) -> None:
    """Stand for a bug: no signature is ever right."""
    del signed, account
    raise TransactionSignatureError


async def flawed(village: Village) -> Node:
    """Return a node with the bug."""
    folder = village.folder / "flawed"
    folder.mkdir()
    chain = village.stack.enter_context(
        Chain.open(folder, genesis=GENESIS, node_id=b"node", clock=StillClock(), check=refuse_all)
    )
    return await village.node(chain)


@pytest.mark.asyncio
async def test_follower_that_computes_another_state_stops_loudly(tmp_path: Path) -> None:
    async with grown(tmp_path, 2) as (village, server, _):
        node = await flawed(village)
        await introduce(node, server)
        with capture_logs() as logs, pytest.raises(StateDivergedError) as raised:
            await node.follower().catch_up(Reach.NEWEST)
        assert raised.value.expected == server.chain.head.state_root
        assert raised.value.actual == node.chain.head.state_root
        assert node.chain.head.height == 2
        assert [log for log in logs if log["log_level"] == "error"]


@pytest.mark.asyncio
async def test_state_that_was_computed_before_is_compared_with_a_later_certificate(
    tmp_path: Path,
) -> None:
    async with grown(tmp_path, 1) as (village, server, _):
        node = await flawed(village)
        store, context = stored_blocks(server.chain, Epoch(0)), server.chain.context()
        for sub_dag in undelivered(CommitIndex(0), store=store, context=context):
            await node.chain.execute(sub_dag)
        await introduce(node, server)
        with pytest.raises(StateDivergedError):
            await node.follower().catch_up(Reach.NEWEST)


@pytest.mark.asyncio
async def test_certified_chain_that_parts_from_ours_stops_the_node(tmp_path: Path) -> None:
    async with grown(tmp_path, 3) as (village, server, _):
        node = await village.node()
        await Chronicle(node.chain).commit((b"another chain",))
        await introduce(node, server)
        with pytest.raises(CommitForkError, match="the node must stop"):
            await node.follower().catch_up(Reach.NEWEST)


@pytest.mark.asyncio
async def test_certificate_of_a_place_that_cannot_be_stops_the_node(tmp_path: Path) -> None:
    async with grown(tmp_path, 1) as (village, server, _):
        certified = server.chain.certified
        assert certified is not None
        impossible = msgspec.structs.replace(certified.checkpoint, height=Height(9))
        raw = CERTIFICATE_CODEC.encode(Proposer(server.chain).certify(impossible))
        liars = await village.liar(server, "certificate", lambda _: raw)
        node = await village.node()
        await introduce(node, liars)
        with pytest.raises(StateDivergedError):
            await node.follower().catch_up(Reach.NEWEST)
