"""What readers of the explorer cost a node: finality with no page open, and with twenty.

Four processes validate. A client hands a few transfers at a time to one of them, and waits for the
certificate over the WebSocket. Slices without and with pages take turns in one network, so that
what else the machine does meets both alike. All pages read from the node that is measured, through
one address, and show the chain, the view that asks most. They are requests and subscriptions from
a process of their own: browsers run on the machines of readers, and twenty of them on this one
would measure themselves, which the last row does where Chromium and Playwright are installed.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.comparison import Row, compare, run
from benchmarks.explorer_readers import Tally
from benchmarks.opened_network import opened_network
from devnet.local.load import stock_up, transfer_between
from devnet.local.network import LocalNetwork
from devnet.local.report import percentile
from node.rpc.client_stream import NodeStream
from node.rpc.stream_schemas import CertificateNotice, CommitNotice, Topic
from tests.explorer.browser.browser import browsing
from tests.explorer.browser.equipment import why_not

NODES: Final = 4
NODE: Final = "node-0"
PAGES: Final = 20
READERS_ADDRESS: Final = "127.0.0.2"
"""Another one than that of the client which measures: a node limits what each may ask."""
TRANSFERS: Final = 8
"""Handed in at a time."""
REST_S: Final = 0.1
SETTLE_S: Final = 1.0
RISE_MAX: Final = 1.1
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Args:
        turns: slices without pages, and as many with them.
        slice_s: how long finality is measured in each.
        browsed: slices with pages in Chromium, after all others.
    """

    turns: int = 10
    slice_s: float = 4.0
    browsed: int = 2


QUICK: Final = Effort(turns=3, slice_s=3.0, browsed=0)


@dataclass(slots=True)
class Arm:
    """What was measured in the slices of one kind, finality in milliseconds."""

    slices: list[list[int]] = field(default_factory=list)
    busy_s: float = 0.0
    elapsed_s: float = 0.0

    @property
    def p50_ms(self) -> float:
        """Return the median of the medians of slices."""
        return statistics.median(statistics.median(one) for one in self.slices)

    @property
    def p99_ms(self) -> float:
        """Return it over all slices: one alone has too few."""
        return percentile([ms for one in self.slices for ms in one], 99) or 0

    @property
    def busy_ms_per_s(self) -> float:
        """Return the processor time of the node."""
        return 1e3 * self.busy_s / self.elapsed_s


@dataclass(slots=True)
class Outcome:
    """All kinds of slices, and what the pages asked for.

    Args:
        browsed: with pages in Chromium on this machine; none where it is not installed.
    """

    alone: Arm = field(default_factory=Arm)
    read: Arm = field(default_factory=Arm)
    browsed: Arm = field(default_factory=Arm)
    tallies: list[Tally] = field(default_factory=list)


def measure_rows(quick: bool) -> Sequence[Row]:  # noqa: FBT001 - the contract of comparison.run
    """Measure everything in one network."""
    return measure(QUICK if quick else Effort())


def measure(effort: Effort) -> list[Row]:
    """Measure everything in one network."""
    return asyncio.run(_measured(effort))


async def _measured(effort: Effort) -> list[Row]:
    async with opened_network(nodes=NODES) as network:
        outcome = await _taking_turns(network, effort)
    return rows_of(outcome)


def rows_of(outcome: Outcome) -> list[Row]:
    """Return the rows."""
    alone, read = outcome.alone, outcome.read
    beside = "no page open"
    case = f"with {PAGES} pages"
    asked = sum(sum(tally.asked.values()) for tally in outcome.tallies)
    refused = sum(tally.refused + tally.cut for tally in outcome.tallies)
    rows = [
        compare(
            f"finality p50, {case}",
            "ms",
            read.p50_ms,
            peer_name=beside,
            peer=alone.p50_ms,
            goal=RISE_MAX,
        ),
        compare(f"finality p99, {case}", "ms", read.p99_ms, peer_name=beside, peer=alone.p99_ms),
        compare(
            f"processor of the node, {case}",
            "ms per s",
            read.busy_ms_per_s,
            peer_name=beside,
            peer=alone.busy_ms_per_s,
        ),
        compare(
            f"refused to {PAGES} pages of one address",
            "requests",
            refused,
            peer_name="asked",
            peer=asked,
            goal=0.0,
        ),
    ]
    if outcome.browsed.slices:
        rows.append(
            compare(
                f"finality p50, {PAGES} in Chromium here",
                "ms",
                outcome.browsed.p50_ms,
                peer_name=beside,
                peer=alone.p50_ms,
            )
        )
    return rows


async def _taking_turns(network: LocalNetwork, effort: Effort) -> Outcome:
    outcome = Outcome()
    async with AsyncExitStack() as stack:
        readers = await stack.enter_async_context(_readers(network.record.node(NODE).url))
        await _slice(network, Arm(), effort.slice_s)
        for _ in range(effort.turns):
            await _slice(network, outcome.alone, effort.slice_s)
            async with readers.reading(outcome.tallies):
                await _slice(network, outcome.read, effort.slice_s)
        if effort.browsed and why_not() is None:
            async with chromium_pages(network.record.node(NODE).url, count=PAGES):
                for _ in range(effort.browsed):
                    await _slice(network, outcome.browsed, effort.slice_s)
    return outcome


@asynccontextmanager
async def chromium_pages(url: str, *, count: int) -> AsyncIterator[None]:
    """Keep pages open in a browser."""
    async with browsing() as browser, AsyncExitStack() as pages:
        for _ in range(count):
            page = await pages.enter_async_context(await browser.new_page())
            await page.goto(f"{url}/explorer/#/chain")
        yield


async def _slice(network: LocalNetwork, arm: Arm, slice_s: float) -> None:
    """Measure finality for so long; nobody else may send transactions meanwhile."""
    # Signed now, for what is signed is valid for two minutes.
    (stock,) = await stock_up(
        network,
        count=round(TRANSFERS * (1 + slice_s / REST_S)),
        make=transfer_between(network),
        names=(NODE,),
    )
    await asyncio.sleep(SETTLE_S)
    found: list[int] = []
    async with network.client(NODE).stream() as stream:
        await stream.subscribe(Topic.COMMITS)
        probe = Probe(stream)
        begun_s, busy_s = time.perf_counter(), _busy_s(network)
        while (elapsed_s := time.perf_counter() - begun_s) < slice_s or not found:
            begun_ns = time.perf_counter_ns()
            await probe.final(await stock.send(TRANSFERS))
            found.append((time.perf_counter_ns() - begun_ns) // 1_000_000)
            await asyncio.sleep(REST_S)
        arm.busy_s += _busy_s(network) - busy_s
    assert not stock.refused, f"transfers were refused: {stock.refused}"
    arm.elapsed_s += elapsed_s
    arm.slices.append(found)


def _busy_s(network: LocalNetwork) -> float:
    running = network.supervisor.running(NODE)
    assert running is not None, f"{NODE} runs"
    times = Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / _TICKS_PER_S


@dataclass(slots=True)
class Probe:
    """Waits until what was handed in is final."""

    stream: NodeStream
    missing: int = 0
    certified: int = 0

    async def final(self, sent: int) -> None:
        """Return once so many transactions more are executed and final."""
        self.missing += sent
        height: int | None = None
        async for notice in self.stream:
            match notice:
                case CommitNotice(receipts=receipts):
                    self.missing -= receipts
                    if self.missing <= 0 and height is None:
                        height = notice.height
                case CertificateNotice():
                    # The others may have signed before this node had executed the commit.
                    self.certified = notice.height
                case _:
                    continue
            if height is not None and self.certified >= height:
                return


@dataclass(slots=True)
class Readers:
    """The process that opens pages."""

    child: asyncio.subprocess.Process

    @asynccontextmanager
    async def reading(self, tallies: list[Tally]) -> AsyncIterator[None]:
        """Keep pages open; what they asked for is noted afterwards."""
        assert await self._told(str(PAGES)) == b"open\n", "the readers have ended"
        yield
        tallies.append(msgspec.json.decode(await self._told(""), type=Tally))

    async def _told(self, line: str) -> bytes:
        assert self.child.stdin is not None, "it was started with pipes"
        assert self.child.stdout is not None, "it was started with pipes"
        self.child.stdin.write(f"{line}\n".encode())
        return await self.child.stdout.readline()


@asynccontextmanager
async def _readers(url: str) -> AsyncIterator[Readers]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.explorer_readers",
        url,
        READERS_ADDRESS,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Readers(child)
    finally:
        child.terminate()
        await child.wait()


if __name__ == "__main__":
    run("explorer", measure_rows)
