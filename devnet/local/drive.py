"""One run from nothing to a report: found, start, offer, train, tell."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from devnet.local.campaign import Campaign
from devnet.local.errors import NotReadyError
from devnet.local.memory import MemoryWatch, node_pids
from devnet.local.network import LocalNetwork
from devnet.local.plan import Part, Plan, quorum_survives
from devnet.local.report import write_report
from devnet.local.sponsor import Sponsor, prepare_model
from devnet.local.story import NodeStory, RoundStory, Story
from devnet.local.table import NetworkView, view_network
from devnet.local.watching import Watcher
from fl.jobs.results import PrepareResult
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from primitives.clock import Clock
from primitives.errors import HanseError, first_error

LOOK_S: Final = 0.5
MEMORY_LOOKS: Final = 10
"""From one look at the memory of all processes to the next: peaks wait to be read."""

GONE_LOOKS: Final = 20
"""After so many looks without a single process somebody has stopped them all."""

Show = Callable[[NetworkView, list[RoundStory], str], None]
OnRound = Callable[[LocalNetwork, RoundStory], Awaitable[None]]


def _unseen(_view: NetworkView, _rounds: list[RoundStory], _headline: str) -> None:
    """Show nothing."""


@dataclass(slots=True)
class Drive:
    """A run; `network` is there once it was founded.

    Args:
        show: is given a view of the network twice a second.

    Attributes:
        partial: what happened until a run broke off, if a round was told by then.
    """

    folder: Path
    plan: Plan
    clock: Clock
    show: Show = _unseen
    network: LocalNetwork | None = None
    campaign: Campaign | None = None
    partial: Story | None = None
    _headline: str = "founding"
    _first_step_ms: int | None = None
    _began_ms: int = 0
    _started_ms: int = 0
    _notes: list[str] = field(default_factory=list)
    _memory: MemoryWatch = field(default_factory=MemoryWatch)

    async def run(self) -> Story:
        """Bring the network up, train all rounds, and return what happened; it runs still.

        Raises:
            DevnetError: it did not come up, or a round did not end.
        """
        self._began_ms = self.clock.monotonic_ms()
        network = await LocalNetwork.create(self.folder, self.plan, clock=self.clock)
        self.network = network
        if not quorum_survives(self.plan):
            self._notes.append("liars hold a third of the stake or more: nothing is promised then")
        async with network.opened():
            self._headline = "starting the nodes"
            network.start()
            try:
                return await self._watched(network)
            except BaseException as error:
                first = first_error(error)
                await self._tell_partly(network, first)
                if first is error:
                    raise
                raise first from error

    async def _watched(self, network: LocalNetwork) -> Story:
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._look(network), name="view")
            preparing = None
            if self.plan.rounds:
                # It loads torch, which takes longer than to start the nodes.
                preparing = group.create_task(prepare_model(network), name="W_0")
            await network.wait_ready()
            self._started_ms = self._elapsed_ms()
            watcher = Watcher(network, None)
            if preparing is not None:
                watcher.task = await self._offered(network, preparing)
            watching = group.create_task(watcher.run(), name="watcher")
            if watcher.task is not None:
                self.campaign = Campaign(network, watcher, watcher.task)
                self._headline = "training"
                await self.campaign.run(self.plan.rounds)
            story = await self._story(network, watcher)
            watching.cancel()
            looking.cancel()
        return story

    async def _tell_partly(self, network: LocalNetwork, error: BaseException) -> None:
        if self.campaign is None or not self.campaign.rounds:
            return
        reason = "it was interrupted" if isinstance(error, asyncio.CancelledError) else str(error)
        # The words of a node that died follow on lines of their own.
        self._notes.append("the run broke off: " + reason.partition("\n")[0])
        # Why the run broke off is told whatever the nodes still answer.
        with contextlib.suppress(HanseError):
            self.partial = await self._story(network, self.campaign.watcher)

    async def _offered(self, network: LocalNetwork, preparing: Awaitable[PrepareResult]) -> int:
        self._headline = "registering identities and preparing the model"
        sponsor = await Sponsor.of(network)
        await sponsor.register()
        return await sponsor.offer(await preparing)

    async def _look(self, network: LocalNetwork) -> None:
        gone = 0
        for turn in itertools.count():
            if turn % MEMORY_LOOKS == 0:
                self._memory.look(node_pids(network))
            view = await view_network(network)
            gone = gone + 1 if self._started_ms and not network.alive() else 0
            if gone > GONE_LOOKS:
                raise NotReadyError(f"all nodes of {network.folder} were stopped by somebody else")
            campaign = self.campaign
            if campaign is not None and view.round is not None:
                campaign.teller.seen[view.round] = view.updates
            if self._first_step_ms is None and any(node.steps for node in view.nodes):
                self._first_step_ms = self._elapsed_ms()
            rounds = [] if campaign is None else campaign.rounds
            self.show(view, rounds, self._headline)
            await asyncio.sleep(LOOK_S)

    async def _story(self, network: LocalNetwork, watcher: Watcher) -> Story:
        record, campaign = network.record, self.campaign
        self._memory.look(node_pids(network))
        division = record.division
        return Story(
            chain_id=record.chain_id,
            kind="" if division is None else division.kind,
            source=record.plan.study.source,
            model=record.plan.study.model,
            trainers=len(record.plan.of(Part.TRAINER)),
            validators=len(record.plan.of(Part.VALIDATOR)),
            started_ms=self._started_ms,
            first_step_ms=self._first_step_ms,
            elapsed_ms=self._elapsed_ms(),
            start_figures={} if campaign is None else campaign.start_figures,
            rounds=() if campaign is None else tuple(campaign.rounds),
            nodes=tuple(
                [await self._node_story(network, place) for place in range(len(record.nodes))]
            ),
            finality_ms=tuple(watcher.finality_ms),
            notes=(*([] if campaign is None else campaign.notes), *self._notes),
            latency=record.plan.latency,
            memory=self._memory.seen,
        )

    async def _node_story(self, network: LocalNetwork, place: int) -> NodeStory:
        node, division = network.record.nodes[place], network.record.division
        height, is_alive = 0, network.supervisor.is_alive(node.name)
        try:
            height = (await network.client(node.name).head()).height
        except (NodeAnswerError, NodeUnreachableError):
            is_alive = False
        earned = {} if self.campaign is None else self.campaign.teller.earned
        is_founder = division is not None and place < len(division.trained)
        return NodeStory(
            name=node.name,
            parts=tuple(part.value for part in node.plan.parts),
            attack=node.plan.attack,
            lie=node.plan.lie,
            is_alive=is_alive,
            height=height,
            trained_on=division.trained[place] if division is not None and is_founder else 0,
            held_out=division.held_out[place] if division is not None and is_founder else 0,
            earned=earned.get(node.name, 0),
        )

    def _elapsed_ms(self) -> int:
        return self.clock.monotonic_ms() - self._began_ms


async def report_on(network: LocalNetwork, story: Story) -> Path:
    """Write the report of a run into the folder of its network; return its path."""
    return await asyncio.to_thread(write_report, network.folder / "report", story)
