"""What a network of four real nodes on this machine carries, and how fast it is final.

Four processes validate, each with its child for signatures; this process is their client, on the
same cores. Transfers, and then calls of a small contract, are signed beforehand and handed in as
fast as nodes take them. Then one transfer at a time: its finality is from the moment before it is
handed in to the certificate that the client sees over the WebSocket. Every node checks every
signature, so no four nodes carry more than `cores / (4 x seconds of a check)`; the check is
measured in this run.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.comparison import Row, compare, run
from benchmarks.opened_network import opened_network
from devnet.local.founding import sponsor_key
from devnet.local.load import Make, Meter, Stock, drained, stock_up, transfer_between
from devnet.local.memory import largest, node_pids
from devnet.local.network import LocalNetwork
from devnet.local.purse import Purse
from devnet.local.report import percentile
from node.execution.founding import compiled_contract
from node.ledger.transaction import Call, Deploy
from node.rpc.client_stream import NodeStream
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.stream_schemas import CertificateNotice, CommitNotice, Topic
from node.vm.types import INT
from node.vm.values import ValueCodec
from primitives.hashing import Domain
from primitives.ids import Address, ChainId, Gas, Grain
from primitives.keys import PrivateKey

NODES: Final = 4
OUTSTANDING: Final = 6_000
"""Transactions handed in and not executed; more would wait in the mempools alone."""
REST_S: Final = 0.005
CALL_GAS: Final = Gas(120_000)
TRANSFER_GAS: Final = Gas(30_000)
DEPLOY_GAS: Final = Gas(10_000_000)
PROBE_REST_S: Final = 0.1
TRANSFERS_PER_S: Final = 1_000
SHARE_OF_BOUND: Final = 0.2
P50_LIMIT_MS: Final = 150.0
P99_LIMIT_MS: Final = 500.0
MEMORY_LIMIT_MB: Final = 250.0

COUNTER: Final = '''"""Counts."""


class Counter(Contract):
    total: Int
    seen: Map[Address, Int]

    @external
    def add(self, amount: Int) -> Int:
        self.seen[sender()] += amount
        self.total += amount
        return self.total
'''


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure."""

    transfers: int = 40_000
    calls: int = 15_000
    probes: int = 200
    checks: int = 20_000


QUICK: Final = Effort(transfers=6_000, calls=3_000, probes=40, checks=4_000)


def measure_rows(quick: bool) -> Sequence[Row]:  # noqa: FBT001 - the contract of comparison.run
    """Measure everything in one network."""
    return asyncio.run(_measured(QUICK if quick else Effort()))


async def _measured(effort: Effort) -> list[Row]:
    check_s = _seconds_of_a_check(effort.checks)
    bound_per_s = (os.cpu_count() or 1) / (NODES * check_s)
    async with opened_network(nodes=NODES) as network:
        finality_ms = await _finality_ms(network, effort.probes)
        transfers = await _saturated(
            network, effort.transfers, make=transfer_between(network), gas_limit=TRANSFER_GAS
        )
        calls = await _saturated(
            network, effort.calls, make=await _calls(network), gas_limit=CALL_GAS
        )
        found = largest(node_pids(network))
        memory_mb = 0.0 if found is None else found.now_mb
    return rows_of(
        transfers, calls, bound_per_s=bound_per_s, finality_ms=finality_ms, memory_mb=memory_mb
    )


def rows_of(
    transfers: float,
    calls: float,
    *,
    bound_per_s: float,
    finality_ms: Sequence[int],
    memory_mb: float,
) -> list[Row]:
    """Return the rows from rates per second, latencies and the memory of the largest node."""
    bound = f"{os.cpu_count()} cores / ({NODES} nodes x a check)"
    each, limit_us = "us each", 1e6 / bound_per_s
    goal = 1 / SHARE_OF_BOUND
    p50, p99 = percentile(finality_ms, 50) or 0, percentile(finality_ms, 99) or 0
    return [
        compare(
            f"transfers, {transfers:.0f} per s",
            each,
            1e6 / transfers,
            peer_name=bound,
            peer=limit_us,
            goal=goal,
        ),
        compare(
            "the same",
            each,
            1e6 / transfers,
            peer_name="limit",
            peer=1e6 / TRANSFERS_PER_S,
            goal=1,
        ),
        compare(
            f"contract calls, {calls:.0f} per s", each, 1e6 / calls, peer_name=bound, peer=limit_us
        ),
        compare("finality p50", "ms", p50, peer_name="limit", peer=P50_LIMIT_MS, goal=1),
        compare("finality p99", "ms", p99, peer_name="limit", peer=P99_LIMIT_MS, goal=1),
        compare(
            "largest node after that",
            "MB",
            memory_mb,
            peer_name="limit",
            peer=MEMORY_LIMIT_MB,
            goal=1,
        ),
    ]


async def _saturated(network: LocalNetwork, count: int, *, make: Make, gas_limit: Gas) -> float:
    """Return how many transactions a second are executed when there are always more."""
    stocks = await stock_up(network, count=count, make=make, gas_limit=gas_limit)
    meter = Meter(stocks[0].client)
    async with asyncio.TaskGroup() as group:
        is_listening = asyncio.Event()
        metering = group.create_task(meter.run(is_listening), name="meter")
        await is_listening.wait()
        async with asyncio.TaskGroup() as senders:
            for stock in stocks:
                senders.create_task(_hand_in(stock, stocks, meter), name="sender")
        await drained(meter, sum(stock.sent for stock in stocks))
        metering.cancel()
    refused: dict[str, int] = {}
    for stock in stocks:
        for code, times in stock.refused.items():
            refused[code] = refused.get(code, 0) + times
    if refused:
        print(f"refused: {refused}", file=sys.stderr)
    return meter.per_s(meter.executed)


async def _hand_in(stock: Stock, stocks: Sequence[Stock], meter: Meter) -> None:
    while stock.waiting:
        if sum(one.sent for one in stocks) - meter.executed > OUTSTANDING:
            await asyncio.sleep(REST_S)
            continue
        try:
            taken = await stock.send(len(stock.waiting))
        except (NodeAnswerError, NodeUnreachableError) as error:
            print(f"a batch was refused: {error}", file=sys.stderr)
            taken = 0
        if not taken:
            await asyncio.sleep(REST_S)


async def _calls(network: LocalNetwork) -> Make:
    """Put a contract on the chain; return what makes calls of it."""
    made = compiled_contract("counter", COUNTER)
    purse = Purse(
        network.client("node-0"),
        sponsor_key(network.folder),
        ChainId(bytes.fromhex(network.record.chain_id)),
    )
    deploy = Deploy(made.code, made.arguments, Grain(0))
    receipt = await purse.carry_out(deploy, gas_limit=DEPLOY_GAS)
    assert receipt.created is not None, "a deployment creates a contract"
    call = Call(
        contract=Address(bytes.fromhex(receipt.created)),
        method="add",
        arguments=ValueCodec.of_fields((), (INT,)).encode((1,)),
        value=Grain(0),
    )
    return lambda _, __: call


async def _finality_ms(network: LocalNetwork, count: int) -> list[int]:
    """Return the finality of transfers that come one at a time."""
    client = network.client("node-0")
    (stock, *_) = await stock_up(
        network, count=count, make=transfer_between(network), names=("node-0",)
    )
    found: list[int] = []
    async with client.stream() as stream:
        await stream.subscribe(Topic.COMMITS)
        for _ in range(count):
            signed = stock.waiting.popleft()
            begun_ns = time.perf_counter_ns()
            await client.submit(signed)
            await _certified(stream)
            found.append((time.perf_counter_ns() - begun_ns) // 1_000_000)
            await asyncio.sleep(PROBE_REST_S)
    return found


async def _certified(stream: NodeStream) -> None:
    """Return when the next commit with a transaction, which is the one under way, is final."""
    height: int | None = None
    certified = 0
    async for notice in stream:
        match notice:
            case CommitNotice(receipts=receipts) if receipts and height is None:
                height = notice.height
            case CertificateNotice():
                # The others may have signed before this node had executed the commit.
                certified = notice.height
            case _:
                continue
        if height is not None and certified >= height:
            return


def _seconds_of_a_check(count: int) -> float:
    key = PrivateKey.from_seed(bytes(32))
    message = bytes(200)
    signature = key.sign(Domain.TRANSACTION, message)
    begun_s = time.process_time()
    for _ in range(count):
        key.public.verify(Domain.TRANSACTION, message, signature)
    return (time.process_time() - begun_s) / count


if __name__ == "__main__":
    run("devnet", measure_rows)
