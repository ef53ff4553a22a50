"""A node whose operator wants a snapshot gets one, whatever interrupts it on the way."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from node.app import Foundation
from node.chain.chain import Chain
from node.ledger.genesis import GENESIS_CODEC, GenesisAccount, chain_id_of, read_genesis
from node.life import needs_snapshot, run_node
from node.rpc.client import NodeClient
from node.running.peering import PARTING_S, open_peering
from node.sync.answers import Answers
from node.sync.limits import DEFAULT_LIMITS, DEFAULT_SERVING
from p2p.host import Host
from p2p.request import RequestServer
from primitives.hashing import sha256
from primitives.ids import Address, Grain
from tests.chain.founded import chain_at
from tests.running.places import FULL, VALIDATOR, foundation_of, founded
from tests.sync.chronicle import GENESIS, Chronicle
from tests.sync.village import Mangle, RealClock, mangled

LIMIT_S = 30
ACCOUNTS = 7_000
"""Enough for several chunks."""
COMMITS = 3
HASTY = replace(DEFAULT_LIMITS, peers_wait_ms=200, patience_ms=1)
JOIN = {"HANSE_NETWORK_JOIN": "snapshot", "HANSE_RPC_LISTEN": "127.0.0.1:0"}


@pytest.fixture(name="crowded", scope="module")
def _crowded() -> bytes:
    genesis = read_genesis(GENESIS)
    crowd = tuple(
        GenesisAccount(Address(sha256(number.to_bytes(8, "big"))), Grain(number + 1))
        for number in range(ACCOUNTS)
    )
    accounts = sorted((*genesis.accounts, *crowd), key=lambda account: account.address)
    return GENESIS_CODEC.encode(msgspec.structs.replace(genesis, accounts=tuple(accounts)))


@pytest.fixture(name="homes", scope="module")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(founded(tmp_path_factory.mktemp("network") / "net"))


@pytest.fixture(name="late")
def _late(homes: Path, tmp_path: Path, crowded: bytes) -> Iterator[Foundation]:
    """Return what a node stands on that never ran, and that wants a snapshot."""
    interval_s = sys.getswitchinterval()
    home = shutil.copytree(homes, tmp_path / "net") / FULL
    yield replace(foundation_of(home, JOIN), genesis=crowded)
    sys.setswitchinterval(interval_s)


@dataclass
class Old:
    """A node that was there before, where the configuration says that one is."""

    host: Host
    chain: Chain
    chunks: int = 0

    def serve(self, mangle: Mangle = lambda raw: raw) -> None:
        """Answer all that is asked, but change chunks."""

        def counted(raw: bytes) -> bytes | None:
            found = mangle(raw)
            self.chunks += found is not None
            return found

        answers = Answers(self.chain, clock=RealClock(), limits=DEFAULT_SERVING)
        for kind, handler in answers.handlers():
            chosen = mangled(handler, counted) if "/chunk/" in kind.name else handler
            self.host.handle(kind.name, RequestServer(kind, chosen, clock=RealClock()).serve)


@asynccontextmanager
async def old_node(late: Foundation, folder: Path) -> AsyncIterator[Old]:
    """Run a node with a few certified commits; nobody is answered yet."""
    own = foundation_of(late.config.folder.parent / VALIDATOR)
    with chain_at(folder, genesis=late.genesis) as chain:
        await Chronicle(chain).grow(COMMITS)
        async with open_peering(
            own.config.network,
            identity=own.keys.peer,
            chain_id=chain_id_of(late.genesis),
            version="0",
            folder=folder,
            clock=own.clock,
        ) as peering:
            yield Old(peering.host, chain)


async def height_once_ready(late: Foundation) -> int:
    """Run a node until it is ready; return where its chain is then."""
    ready = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run_node(late, announce=ready.set_result, join_limits=HASTY))
        await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED)
        async with NodeClient(await ready) as client:
            height = (await client.head()).height
        os.kill(os.getpid(), signal.SIGTERM)
    return height


def events(logs: list[EventDict]) -> list[str]:
    return [line["event"] for line in logs]


def test_join_that_was_stopped_goes_on_in_the_next_life(late: Foundation, tmp_path: Path) -> None:
    async def scene() -> None:
        async with old_node(late, tmp_path / "old") as old:
            is_tired, is_rested = asyncio.Event(), asyncio.Event()

            def few(raw: bytes) -> bytes | None:
                # Whoever asks for the second chunk has stored the first.
                if old.chunks == 1 and not is_rested.is_set():
                    is_tired.set()
                    return None
                return raw

            old.serve(few)
            async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
                tasks.create_task(run_node(late, join_limits=HASTY))
                await is_tired.wait()
                os.kill(os.getpid(), signal.SIGTERM)
            is_rested.set()
            assert needs_snapshot(late)
            with capture_logs() as logs:
                assert await height_once_ready(late) == COMMITS
            fetched = {line["chunks"] for line in logs if line["event"] == "joined by snapshot"}
            assert fetched == {old.chunks - 1}
            assert not needs_snapshot(late)

    asyncio.run(scene())


def test_node_that_nobody_gives_a_snapshot_waits_and_executes_nothing(
    late: Foundation, tmp_path: Path
) -> None:
    async def scene() -> None:
        async with old_node(late, tmp_path / "old") as old:
            with capture_logs() as logs:
                async with asyncio.TaskGroup() as tasks:
                    height = tasks.create_task(height_once_ready(late))
                    async with asyncio.timeout(LIMIT_S):
                        while events(logs).count("waiting for a snapshot") < 2:  # noqa: ASYNC110 - a log tells nobody
                            await asyncio.sleep(0.02)
                    old.serve()
            assert height.result() == COMMITS
            assert "joined by snapshot" in events(logs)

    asyncio.run(scene())


def test_node_with_a_foreign_genesis_says_so_in_one_line_and_blames_nobody(
    late: Foundation, tmp_path: Path
) -> None:
    other = replace(late, genesis=GENESIS)

    async def scene() -> list[EventDict]:
        async with old_node(late, tmp_path / "old") as old:
            old.serve()
            with capture_logs() as logs:
                async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
                    tasks.create_task(run_node(other, join_limits=HASTY))
                    while "waiting for a snapshot" not in events(logs) or not strange(logs):  # noqa: ASYNC110 - a log tells nobody
                        await asyncio.sleep(0.02)
                    await asyncio.sleep(PARTING_S + 0.5)
                    os.kill(os.getpid(), signal.SIGTERM)
            return logs

    def strange(logs: list[EventDict]) -> list[EventDict]:
        ours = chain_id_of(GENESIS).hex()[:16]
        return [line for line in logs if line.get("our_genesis") == ours]

    logs = asyncio.run(scene())
    (line,) = strange(logs)
    assert line["its_genesis"] == chain_id_of(late.genesis).hex()[:16]
    refused = [line for line in logs if line["event"] == "answer refused"]
    assert {line["log_level"] for line in refused} <= {"debug"}
