"""What a transaction costs a node before consensus has it, beside the check of its signature.

Every node checks every signature once, in a child; nothing else between a client or a peer and a
block should cost as much. Transfers go through a node with a chain on disk: handed in by clients
one by one, passed on by a peer over loopback in batches, proposed, executed, forgotten. Figures are
CPU time of the event loop's thread, so neither the child nor the executor is in them; the rate that
they allow together stands in a row of its own. The peer is the rate of the very child, measured in
the same run.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.comparison import Row, compare, run
from benchmarks.mempool_town import Node, Senders, running_node
from node.ledger.errors import NonceWindowError
from node.mempool.batch import Outbox, transaction_topic
from node.mempool.entry import Claim
from node.signatures.claims import SignatureClaim
from primitives.hashing import Domain, tagged_hash
from primitives.keys import PrivateKey

CHECK: Final = "Ed25519 check in the child"
CPU_UNIT: Final = "us of loop CPU each"
WALL_UNIT: Final = "us of wall time each"
LIMIT: Final = "limit"

SUBMIT_GOAL: Final = 1.5
GOSSIP_GOAL: Final = 1.0
PARENT_GOAL: Final = 0.05
LATENCY_LIMIT_MS: Final = 15.0
RATE_LIMIT_US: Final = 1e6 / 1_500
CLIENTS: Final = 32


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Attributes:
        senders: accounts that send.
        rounds: transfers of each, by clients and again by a peer.
        checks: signatures for the peer's figure.
    """

    senders: int = 400
    rounds: int = 40
    checks: int = 16_384


QUICK: Final = Effort(senders=200, rounds=15, checks=4_096)


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds for each of many."""

    cpu: float
    wall: float


class _Meter:
    """Measures from its start."""

    def __init__(self) -> None:
        self._cpu = time.thread_time()
        self._wall = time.perf_counter()

    def cost(self, count: int) -> Cost:
        return Cost(
            cpu=(time.thread_time() - self._cpu) * 1e6 / count,
            wall=(time.perf_counter() - self._wall) * 1e6 / count,
        )


def measure_rows(effort: Effort) -> list[Row]:
    """Measure the ways into a mempool."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(effort, Path(folder)))


async def _measure(effort: Effort, folder: Path) -> list[Row]:
    senders = Senders(effort.senders)
    count = effort.senders * effort.rounds
    async with running_node(folder / "node", senders) as node:
        check = await _check(node, effort.checks)
        node.propose()
        submit = await _submit(node, senders.transfers(effort.rounds), count)
        lone_ms = await _lone(node, senders)
        async with running_node(folder / "peer", senders, number=1) as peer:
            gossip = await _gossip(node, peer, senders.transfers(effort.rounds))
    return [
        compare(
            "checks: what the node pays the child",
            CPU_UNIT,
            check.cpu,
            peer_name=CHECK,
            peer=check.wall,
            goal=PARENT_GOAL,
        ),
        _row("by clients, one by one", submit.cpu, check, goal=SUBMIT_GOAL),
        _row("by a peer, in batches, both ends", gossip.cpu, check, goal=GOSSIP_GOAL),
        compare(
            "by clients, to execution, all threads",
            WALL_UNIT,
            submit.wall,
            peer_name=LIMIT,
            peer=RATE_LIMIT_US,
            goal=1.0,
        ),
        compare(
            "by a peer, to execution, all threads",
            WALL_UNIT,
            gossip.wall,
            peer_name=LIMIT,
            peer=RATE_LIMIT_US,
            goal=1.0,
        ),
        compare(
            "light load, client to consensus, p50",
            "ms",
            lone_ms,
            peer_name=LIMIT,
            peer=LATENCY_LIMIT_MS,
            goal=1.0,
        ),
    ]


def _row(case: str, cpu: float, check: Cost, *, goal: float) -> Row:
    return compare(case, CPU_UNIT, cpu, peer_name=CHECK, peer=check.wall, goal=goal)


async def _check(node: Node, count: int) -> Cost:
    """Measure the child, with as many signatures under way as it takes at a time."""
    key = PrivateKey.from_seed(bytes(32))
    message = bytes(32)
    signature = key.sign(Domain.TRANSACTION, message)
    digest = tagged_hash(Domain.TRANSACTION, message)
    claims = [SignatureClaim(key.public.raw, digest, signature)] * count
    await node.service.verify(claims[:256])
    meter = _Meter()
    verdicts = await node.service.verify(claims)
    assert all(verdicts)
    return meter.cost(count)


async def _submit(node: Node, transfers: Sequence[Sequence[bytes]], count: int) -> Cost:
    """Let clients hand in transfers, each of its own senders, until all are executed."""
    meter = _Meter()
    async with asyncio.TaskGroup() as tasks:
        for client in range(CLIENTS):
            tasks.create_task(_client(node, transfers[client::CLIENTS]), name="client")
        tasks.create_task(node.commit_until(node.executed + count), name="commits")
    return meter.cost(count)


async def _client(node: Node, transfers: Sequence[Sequence[bytes]]) -> None:
    for row in zip(*transfers, strict=True):
        for raw in row:
            while True:
                try:
                    await node.mempool.submit(raw)
                    break
                except NonceWindowError:
                    await asyncio.sleep(0.02)


async def _lone(node: Node, senders: Senders) -> float:
    """Measure how long a transaction that comes alone is on its way to consensus."""
    spans_ms: list[float] = []
    for (raw,) in senders.transfers(1):
        await asyncio.sleep(0.02)
        node.has_proposed.clear()
        began = time.perf_counter()
        await node.mempool.submit(raw)
        await node.has_proposed.wait()
        spans_ms.append((time.perf_counter() - began) * 1e3)
    await node.commit_until(node.executed + len(spans_ms))
    return statistics.median(spans_ms)


async def _gossip(node: Node, peer: Node, transfers: Sequence[Sequence[bytes]]) -> Cost:
    """Let a peer that validates nothing pass transfers on, until all are executed."""
    topic = transaction_topic(node.chain.chain_id).name
    await peer.host.connect(node.host.peer_id, node.host.addresses)
    while node.host.peer_id not in peer.pubsub.router.mesh_peers(topic):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    count = len(transfers) * len(transfers[0])
    batches = _batches(transfers)
    meter = _Meter()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(node.commit_until(node.executed + count), name="commits")
        for batch in batches:
            peer.pubsub.publish(topic, batch)
            await asyncio.sleep(0.01)
    return meter.cost(count)


def _batches(transfers: Sequence[Sequence[bytes]]) -> list[bytes]:
    outbox = Outbox()
    full = [outbox.add(raw, Claim.OPEN) for row in zip(*transfers, strict=True) for raw in row]
    return [raw for raw in full if raw is not None] + outbox.flush()


if __name__ == "__main__":
    run("mempool", lambda quick: measure_rows(QUICK if quick else Effort()))
