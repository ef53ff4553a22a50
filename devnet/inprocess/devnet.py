"""The devnet itself: builds the nodes, runs them for a while under load, and reports.

It is a composition root: it opens what the nodes stand on, and one TaskGroup holds them all.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from consensus.driver import Driver, WriterThread
from consensus.parameters import Tuning
from devnet.inprocess.chain import Chain, NodeEpochs, genesis_ms
from devnet.inprocess.logs import Inline
from devnet.inprocess.network import MemoryNetwork
from devnet.inprocess.record import Agreement, EpochSink, NodeRecord
from devnet.inprocess.report import NodeReport, Report, percentile
from node.running.clock import SystemClock
from primitives.errors import HanseError
from primitives.ids import AuthorityIndex

LOAD_PERIOD_MS = 50
LOOK_PERIOD_MS = 250
ITEM_BYTES = 128


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a devnet.

    Args:
        load_per_s: payload items that each node submits a second, of 128 bytes.
        epoch_ms: length of an epoch; None for one endless epoch.
        folder: where nodes keep their store and journal; None: in memory.
    """

    nodes: int = 4
    latency_ms: int = 0
    round_delay_ms: int = 50
    load_per_s: int = 100
    epoch_ms: int | None = None
    folder: Path | None = None


class Devnet:
    """Some nodes and what they share; make one with `create`, run it once."""

    def __init__(self, settings: Settings, *, chain: Chain, clock: SystemClock) -> None:
        size = settings.nodes
        self.agreement = Agreement(size)
        self.network = MemoryNetwork(size, latency_ms=settings.latency_ms)
        self.drivers: list[Driver] = []
        self._settings = settings
        self._chain = chain
        self._clock = clock
        self._records = [
            NodeRecord(AuthorityIndex(node), self.agreement, clock=clock) for node in range(size)
        ]
        self._started_ms = clock.monotonic_ms()

    @classmethod
    def create(cls, settings: Settings) -> "Devnet":
        """Make a devnet on a new chain, or on the one in the folder.

        Raises:
            StorageError: the folder cannot be used.
        """
        clock = SystemClock()
        starts_at_ms = clock.wall_ms()
        if settings.folder is not None:
            starts_at_ms = genesis_ms(settings.folder, now_ms=starts_at_ms)
        chain = Chain(settings.nodes, starts_at_ms=starts_at_ms, epoch_ms=settings.epoch_ms)
        return cls(settings, chain=chain, clock=clock)

    async def run(self, duration_ms: int, *, show: Callable[[Report], None]) -> Report:
        """Run all nodes for a while; show how it goes on the way.

        Raises:
            HanseError: a node stopped.
        """
        self._started_ms = self._clock.monotonic_ms()
        try:
            await self._run_nodes(duration_ms, show=show)
        except ExceptionGroup as group:
            expected = group.subgroup(HanseError)
            if expected is None:
                raise
            # Every node may have met the same full disk; the first one says enough.
            raise expected.exceptions[0] from group
        return self.report()

    def report(self) -> Report:
        """Return what has been seen so far."""
        records, agreement = self._records, self.agreement
        latencies_ms = [value for record in records for value in record.finality_ms]
        rows = [self._row(record) for record in records]
        verdict, reason = self._judge()
        return Report(
            verdict=verdict,
            reason=reason,
            nodes=len(records),
            elapsed_s=round(self._elapsed_ms() / 1_000, 2),
            commits=agreement.commits_count,
            last_digest=(agreement.last_digest or b"").hex(),
            epochs=max(record.epoch for record in records) + 1,
            finality_ms_p50=percentile(latencies_ms, 50),
            finality_ms_p99=percentile(latencies_ms, 99),
            payload_per_s=min(row.payload_per_s for row in rows),
            payload_returned=sum(record.returned_count for record in records),
            messages_lost=self.network.lost_count + sum(row.messages_lost for row in rows),
            peers_reported=sum(record.reports_count for record in records),
            alarms=dict(sum((record.alarms for record in records), start=Counter())),
            per_node=rows,
        )

    async def _run_nodes(self, duration_ms: int, *, show: Callable[[Report], None]) -> None:
        with ExitStack() as open_files:
            self.drivers = [self._driver(record, open_files) for record in self._records]
            async with asyncio.TaskGroup() as group:
                tasks = []
                for node, driver in enumerate(self.drivers):
                    tasks.append(group.create_task(driver.run(), name=f"node-{node}"))
                    tasks.append(group.create_task(self._load(node, driver), name=f"load-{node}"))
                while (left_ms := duration_ms - self._elapsed_ms()) > 0:
                    await asyncio.sleep(min(left_ms, LOOK_PERIOD_MS) / 1_000)
                    show(self.report())
                for task in tasks:
                    task.cancel()

    def _judge(self) -> tuple[str, str]:
        agreement = self.agreement
        if agreement.conflict is not None:
            return "diverged", agreement.conflict
        idle = [str(record.node) for record in self._records if not record.commits_count]
        if idle or agreement.last_digest is None:
            return "no-progress", f"no commit in this run at node {', '.join(idle)}"
        return "pass", (
            f"{len(self._records)} nodes delivered the same {agreement.commits_count} commits, "
            f"the last one {agreement.last_digest.hex()[:16]}"
        )

    def _row(self, record: NodeRecord) -> NodeReport:
        driver = self.drivers[record.node] if self.drivers else None
        return NodeReport(
            node=record.node,
            epoch=record.epoch,
            round=record.round,
            commits=record.commits_count,
            finality_ms_p50=percentile(record.finality_ms, 50),
            finality_ms_p99=percentile(record.finality_ms, 99),
            payload_per_s=record.payload_count * 1_000 // max(self._elapsed_ms(), 1),
            messages_lost=0 if driver is None else driver.lost_count,
        )

    def _driver(self, record: NodeRecord, open_files: ExitStack) -> Driver:
        node = record.node
        folder = self._settings.folder
        epochs = NodeEpochs(
            self._chain,
            node,
            folder=None if folder is None else folder / f"node-{node}",
            make_sink=lambda context: EpochSink(record, context),
        )
        open_files.enter_context(epochs)
        return Driver(
            self._chain.first,
            epochs=epochs,
            network=self.network.end(node),
            blocking=Inline() if folder is None else open_files.enter_context(WriterThread()),
            clock=self._clock,
            tuning=Tuning(min_round_delay_ms=self._settings.round_delay_ms),
        )

    async def _load(self, node: int, driver: Driver) -> None:
        """Submit payload at an even rate."""
        begun_ms = self._clock.monotonic_ms()
        submitted_count = 0
        while True:
            await asyncio.sleep(LOAD_PERIOD_MS / 1_000)
            elapsed_ms = self._clock.monotonic_ms() - begun_ms
            due_count = self._settings.load_per_s * elapsed_ms // 1_000
            items = tuple(
                f"node {node} item {number}".encode().ljust(ITEM_BYTES)
                for number in range(submitted_count, due_count)
            )
            submitted_count = due_count
            if items:
                await driver.submit(items)

    def _elapsed_ms(self) -> int:
        return self._clock.monotonic_ms() - self._started_ms
