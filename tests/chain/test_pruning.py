"""Blocks and certificates of the past go as configured, a bounded part with each commit."""

from pathlib import Path

import pytest

from node.chain import pruning
from node.chain.chain import Chain
from node.chain.limits import ChainLimits
from node.ledger.light_client import LightClient
from node.storage.batch import WriteBatch
from node.storage.block_store import BLOCKS, COMMITS, delete_epochs
from node.storage.chain_tables import CERTIFICATES, CERTIFIED_HEIGHTS
from primitives.ids import Epoch, Height
from tests.chain.founded import chain_at
from tests.chain.proposer import Proposer

HOUR_MS = 3_600_000


def store(chain: Chain, proposer: Proposer, *, epoch: int, count: int) -> None:
    """Put blocks and commits into an epoch, as consensus would."""
    batch = WriteBatch()
    sub_dag = proposer.order(pause_ms=0)
    (block,) = sub_dag.blocks
    for number in range(count):
        batch.put(BLOCKS, (epoch, number, 0, block.ref.digest), block.signed)
        batch.put(COMMITS, (epoch, number), sub_dag.commit)
    chain.writer.write(batch)


def epochs_with_blocks(chain: Chain) -> set[int]:
    """Return the epochs of which anything is stored."""
    with chain.environment.snapshot() as snapshot:
        blocks = {key[0] for key in snapshot.scan_keys(BLOCKS)}
        commits = {key[0] for key in snapshot.scan_keys(COMMITS)}
    return blocks | commits


@pytest.mark.asyncio
async def test_blocks_of_old_epochs_go_step_by_step(tmp_path: Path) -> None:
    with chain_at(tmp_path, limits=ChainLimits(kept_epochs=2)) as chain:
        proposer = Proposer(chain)
        for epoch in range(3):
            store(chain, proposer, epoch=epoch, count=700)
            await proposer.commit(pause_ms=HOUR_MS)
        assert chain.head.epoch == 3
        with chain.environment.snapshot() as snapshot:
            left = snapshot.count(BLOCKS) + snapshot.count(COMMITS)
        assert left == 3 * 2 * 700 - 2 * pruning.BLOCK_RECORDS_PRUNED_MAX
        await proposer.commit()
        assert epochs_with_blocks(chain) == {2}
        await proposer.commit()
        store(chain, proposer, epoch=3, count=1)
        await proposer.commit()
        assert epochs_with_blocks(chain) == {2, 3}


@pytest.mark.asyncio
async def test_deleting_epochs_leaves_later_ones(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        for epoch in range(3):
            store(chain, proposer, epoch=epoch, count=1)
        batch = WriteBatch()
        with chain.environment.snapshot() as snapshot:
            assert delete_epochs(snapshot, batch, kept_from=Epoch(2), records_max=100) == 4
        chain.writer.write(batch)
        assert epochs_with_blocks(chain) == {2}


@pytest.mark.asyncio
async def test_certificates_go_with_history_but_for_the_newest_and_the_closing(
    tmp_path: Path,
) -> None:
    with chain_at(tmp_path, limits=ChainLimits(kept_history=2)) as chain:
        proposer = Proposer(chain)
        for number in range(6):
            pause_ms = HOUR_MS if number in {1, 4} else 1
            executed = await proposer.commit(b"refused", pause_ms=pause_ms)
            await chain.add_certificate(proposer.certify(executed.checkpoint))
        for _ in range(3):
            await proposer.commit()
        kept = [number for number in range(6) if chain.certificate(number) is not None]
        assert kept == [1, 4, 5]
        covering = chain.certificate_covering(Height(3))
        assert covering is not None
        assert covering.checkpoint.number == 4
        client = LightClient.from_genesis(chain.genesis_file)
        assert client.follow(chain.chain_file()).epoch == 2
        with chain.environment.snapshot() as snapshot:
            assert snapshot.count(CERTIFICATES) == snapshot.count(CERTIFIED_HEIGHTS) == 1


@pytest.mark.asyncio
async def test_certificates_are_pruned_in_bounded_steps(tmp_path: Path) -> None:
    count = pruning.CERTIFICATES_PRUNED_MAX + 3
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        for _ in range(count):
            executed = await proposer.commit(b"refused")
            await chain.add_certificate(proposer.certify(executed.checkpoint))
    with chain_at(tmp_path, limits=ChainLimits(kept_history=1)) as chain:
        left = []
        for _ in range(2):
            await Proposer(chain).commit()
            with chain.environment.snapshot() as snapshot:
                left.append(snapshot.count(CERTIFICATES))
        assert left == [3, 1]
