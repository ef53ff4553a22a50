"""While the disk is nearly full execution waits; once there is room it goes on by itself."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from node.chain.limits import ChainLimits
from node.ledger.transaction import Transfer
from node.storage.disk import Reserve
from node.storage.environment import MapLimits
from node.storage.errors import StorageClosedError
from primitives.ids import Grain
from tests.chain.founded import address_of, chain_at
from tests.chain.proposer import Proposer

PAY_BOB = Transfer(address_of("bob"), Grain(5))
RETRY_MS = 5


def fill(reserve: Reserve) -> None:
    """Leave less room on the disk than must stay free: nobody has so much."""
    # The disk of a test cannot be filled, so what must stay free is raised instead.
    object.__setattr__(reserve, "percent", 100)


def make_room(reserve: Reserve) -> None:
    """Leave room on the disk again."""
    object.__setattr__(reserve, "percent", 0)


def roomy() -> Reserve:
    """Return a reserve that any disk has."""
    return Reserve(percent=0, bytes_max=1 << 62)


def limits_of(reserve: Reserve) -> ChainLimits:
    """Return limits with a reserve."""
    return ChainLimits(map=MapLimits(reserve=reserve), disk_retry_ms=RETRY_MS)


@pytest.mark.asyncio
async def test_execution_waits_for_room_and_says_so_once(tmp_path: Path) -> None:
    reserve = roomy()
    with chain_at(tmp_path, limits=limits_of(reserve)) as chain, capture_logs() as logs:
        proposer = Proposer(chain)
        fill(reserve)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(proposer.send(PAY_BOB))
            await asyncio.sleep(10 * RETRY_MS / 1_000)
            assert not running.done()
            assert chain.head.height == 0
            make_room(reserve)
        assert running.result().height == chain.head.height == 1
        assert (await proposer.send(PAY_BOB)).receipts[0].code == ""
    (line,) = (line for line in logs if line["log_level"] == "error")
    assert line["event"] == "the disk is nearly full: the chain waits"
    assert "make room" in line["reason"]


@pytest.mark.asyncio
async def test_certificate_waits_for_room_too(tmp_path: Path) -> None:
    reserve = roomy()
    with chain_at(tmp_path, limits=limits_of(reserve)) as chain:
        proposer = Proposer(chain)
        certificate = proposer.certify((await proposer.send(PAY_BOB)).checkpoint)
        fill(reserve)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(chain.add_certificate(certificate))
            await asyncio.sleep(10 * RETRY_MS / 1_000)
            assert not running.done()
            assert chain.certified is None
            make_room(reserve)
        assert chain.certified == certificate


@pytest.mark.asyncio
async def test_closed_ledger_is_an_error_that_passes_through(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        sub_dag = Proposer(chain).order()
        chain.writer.close()
        with pytest.raises(StorageClosedError):
            await chain.execute(sub_dag)
        assert chain.head.height == 0
        chain.close()
        chain.close()
