"""Watch a task through its rounds, and tell each of them from what the chain and the nodes say."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from msgspec.structs import replace

from devnet.local.errors import ChildFailedError, NotReadyError
from devnet.local.exam import Exam, ExamRoom
from devnet.local.network import LocalNetwork
from devnet.local.sponsor import order_of
from devnet.local.story import RoundStory
from devnet.local.telling import Teller
from devnet.local.watching import Watcher
from fl.jobs.subject import FrozenModel, ModelKind
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.round_schemas import Update

ROUND_SLACK_S: Final = 300
"""Over the windows of a round: for its other phases, and for a node that died."""

TELLINGS_MAX: Final = 20
TELLING_REST_S: Final = 1.0

_log: Final = structlog.get_logger("devnet.local.campaign")


@dataclass(slots=True)
class Campaign:
    """The rounds of one task.

    Attributes:
        rounds: told so far.
        start_figures: of W_0.
        updates: of the running round, as it was last seen.
        phase: of the running round; empty between two.
        notes: what could not be learnt.
    """

    network: LocalNetwork
    watcher: Watcher
    task: int
    on_round: Callable[[RoundStory], None] = lambda _: None
    rounds: list[RoundStory] = field(default_factory=list)
    start_figures: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    teller: Teller = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing told."""
        self.teller = Teller(self.network, self.task)

    async def run(self, count: int) -> None:
        """Return once so many rounds ended.

        Raises:
            NotReadyError: a round took much longer than its windows.
            DivergedError: two nodes have different states.
        """
        study = self.network.record.plan.study
        limit_s = study.train_s + 3 * study.score_s + ROUND_SLACK_S
        async with ExamRoom(self._exam()) as room:
            if not study.worker_module:
                self.start_figures = await self._figures(room, 0)
            while len(self.rounds) < count:
                try:
                    async with asyncio.timeout(limit_s):
                        number = await self.watcher.ended.get()
                except TimeoutError as error:
                    raise NotReadyError(
                        f"no round ended in {limit_s} s; see the logs in "
                        f"{self.network.folder / 'logs'}"
                    ) from error
                if number >= len(self.rounds):
                    await self._tell_until(number, room)

    async def look(self) -> tuple[str, tuple[Update, ...]]:
        """Return the phase of the running round, and its updates; for a live view."""
        try:
            running = await self.teller.any_node().running_round(self.task)
        except (NodeAnswerError, NodeUnreachableError):
            return "", ()
        if running is None:
            return "", ()
        self.teller.seen[running.number] = running.updates
        return running.phase, running.updates

    async def _tell_until(self, number: int, room: ExamRoom) -> None:
        """Tell this round and those before it whose end nobody heard."""
        for missed in range(len(self.rounds), number + 1):
            story = await self._told(missed)
            story = replace(story, figures=await self._figures(room, story.version))
            self.rounds.append(story)
            self.on_round(story)

    async def _told(self, number: int) -> RoundStory:
        """Tell a round; a node that dies meanwhile is not asked again."""
        for _ in range(TELLINGS_MAX):
            try:
                return await self.teller.tell(number)
            except (NodeUnreachableError, NodeAnswerError) as error:
                _log.info("a round is told once more", round=number, reason=str(error))
                await asyncio.sleep(TELLING_REST_S)
        return await self.teller.tell(number)

    async def _figures(self, room: ExamRoom, version: int) -> dict[str, float]:
        """Return the figures of a version; those of the round before if it is the same."""
        if self.rounds and self.rounds[-1].version == version:
            return self.rounds[-1].figures
        if self.network.record.plan.study.worker_module:
            return {}
        if version == 0 and self.start_figures:
            return self.start_figures
        try:
            return await room.measure(await self._fetched(version) if version else "")
        except (ChildFailedError, NodeAnswerError, NodeUnreachableError, OSError) as error:
            _log.warning("a model was not measured", version=version, reason=str(error))
            # Of a traceback, the last line says what is wrong.
            reason = str(error).rpartition("\n")[2]
            self.notes.append(f"W_{version} was not measured: {reason}")
            return {}

    async def _fetched(self, version: int) -> str:
        """Return the file of a version's MODEL blob."""
        client = self.teller.any_node()
        model = await client.model(self.task, version)
        place = self.network.folder / "models" / f"{self.task}-{version}"
        await asyncio.to_thread(place.parent.mkdir, exist_ok=True)
        await asyncio.to_thread(place.unlink, missing_ok=True)
        await client.save_blob(model.model, place)
        return str(place)

    def _exam(self) -> Exam:
        record = self.network.record
        division, study = record.division, record.plan.study
        assert division is not None, "a task has examples"
        order = order_of(record.plan, division)
        frozen = FrozenModel(
            source=study.model_place,
            kind=ModelKind(division.kind),
            labels=len(division.label_names),
        )
        return Exam(
            frozen=frozen,
            adapter=order.adapter,
            test=str(self.network.folder / "test"),
            label_names=division.label_names,
            tokens=study.tokens,
            threads=record.plan.threads,
            turns=str(self.network.folder / "turns"),
            at_once=record.plan.at_once,
        )
