"""Run the duties of a node: look, plan, start what is due, break off what is no longer.

Guards: at most one duty of a step, round and rung at a time; the worker takes its jobs in turn; a
duty that fails is tried again after a rest or left for the round or the task, with one line of why,
and stops nothing else. The same goes for what a look does for one task, since anybody may create a
task and any disk may be full. An error that nobody expects ends the steward, and the node with it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from fl.jobs.errors import JobFailedError
from fl.jobs.progress import Progress
from fl.rules.phase import Phase
from node.chain.errors import SubscriberLagError
from node.chain.feed import ChainEvent, CommitExecuted
from node.duties.clearing import Clearing, Reached
from node.duties.duty import Duty, Step, Trouble
from node.duties.equipment import Equipment
from node.duties.history import History
from node.duties.observing import Committee, Observer
from node.duties.performing import TRANSACTIONS, Performer
from node.duties.planner import Planner
from node.duties.scene import Scene, ended_round
from node.duties.setbacks import Key, Setbacks
from node.duties.situation import Role
from node.duties.status import (
    DutyStatus,
    RoundTimes,
    TaskStatus,
    TimeSheet,
    job_status,
)
from node.duties.stock import Stock
from node.duties.verdicts import Verdict, judge
from node.duties.wallet import Ledger
from node.federation.calls import IDENTITY, ROUNDS
from primitives.clock import Clock
from primitives.errors import HanseError, first_error

LOOK_MS: Final = 500
"""Between two plans when nothing happens: deadlines and turns come by themselves."""

READ_MS: Final = 3_000
"""Between two looks at the chain when no event of it tells of a change."""

DOCUMENTS_MAX: Final = 4
"""That are fetched at a time; what nobody gives must leave the fetcher places for all else."""

AHEAD_MS_MAX: Final = 5_000
"""By how much the time of the chain is guessed ahead of its last commit."""

_WATCHED: Final = frozenset({ROUNDS, IDENTITY})


Place = tuple[int, Phase | None, int]
"""Round, phase and rung: a duty of another one came too late."""


@dataclass(slots=True)
class _Job:
    """A duty under way."""

    duty: Duty
    place: Place
    since_ms: int
    began_ms: int
    running: asyncio.Task[None]
    progress: Progress | None = None

    def cancel(self) -> None:
        """Break it off, once: a worker that is asked to stop has its patience, see `give_up`."""
        if not self.running.cancelling():
            self.running.cancel()


@dataclass(slots=True)
class _Followed:
    """What the steward remembers of a task; nothing of it matters after a restart."""

    scene: Scene | None = None
    idle_since_ms: int | None = None
    empty_rounds: int = 0
    had_updates: bool = False
    cleared: Reached | None = None
    troubles: frozenset[Trouble] = frozenset()
    told: set[tuple[int, Trouble]] = field(default_factory=set)
    setbacks: Setbacks = field(default_factory=Setbacks)
    last_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the operator of a node wants of its duties.

    Args:
        tasks: returns those to follow; None: all.
        versions_kept: of each model, whose parts stay; None: all that there is room for.
    """

    tasks: Callable[[], frozenset[int] | None] = lambda: None
    versions_kept: int | None = None


class Steward:
    """Runs the duties of one node.

    Args:
        equipment: what duties work with.
        planner: with the roles of this node.
        chain: tells of commits.
        committee: of the running epoch.
        wishes: of the operator.
    """

    def __init__(
        self,
        equipment: Equipment,
        *,
        planner: Planner,
        chain: Ledger,
        committee: Committee,
        clock: Clock,
        wishes: Wishes = Wishes(),
    ) -> None:
        self._own = equipment
        self._planner = planner
        self._chain = chain
        self._clock = clock
        self._chosen = wishes.tasks
        self._observer = Observer(equipment, committee=committee)
        self._history = History(equipment)
        self._stock = Stock(equipment, history=self._history)
        self._performer = Performer(equipment, history=self._history)
        self._clearing = Clearing(
            equipment.blobs, equipment.notebook, versions_kept=wishes.versions_kept
        )
        self._left: dict[int, _Followed] | None = None
        self._tasks: dict[int, _Followed] = {}
        self._jobs: dict[Key, _Job] = {}
        self._times = TimeSheet()
        self._stir = asyncio.Event()
        self._must_read = True
        self._read_ms = 0
        self._head_ms: tuple[int, int] = (0, 0)

    async def run(self) -> None:
        """Do duties until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="duties listener")
            if self.roles & {Role.TRAINER, Role.SCORER}:
                # Torch takes seconds to load, which a trainer has before its first task.
                group.create_task(self._own.warm(), name="worker is warmed")
            while True:
                self._stir.clear()
                await self._look(group)
                try:
                    async with asyncio.timeout(LOOK_MS / 1_000):
                        await self._stir.wait()
                except TimeoutError:
                    continue

    @property
    def roles(self) -> frozenset[Role]:
        """Return what this node is willing to do."""
        return self._planner.roles

    def status(self) -> DutyStatus:
        """Return what this node does now, and what keeps it from more."""
        return DutyStatus(
            account=self._own.who,
            roles=tuple(sorted(role.value for role in self._planner.roles)),
            tasks=tuple(
                self._task_status(followed.scene, followed)
                for _, followed in sorted(self._tasks.items())
                if followed.scene is not None
            ),
            jobs=tuple(
                job_status(job.duty, since_ms=job.since_ms, progress=job.progress)
                for job in self._jobs.values()
            ),
        )

    def times(self) -> tuple[RoundTimes, ...]:
        """Return where the time of the last rounds went, oldest first."""
        return self._times.rounds()

    # Looking.

    async def _listen(self) -> None:
        while True:
            try:
                with self._chain.feed.subscribe() as events:
                    async for event in events:
                        self._hear(event)
            except SubscriberLagError:
                self._must_read = True

    def _hear(self, event: ChainEvent) -> None:
        if not isinstance(event, CommitExecuted):
            return
        told = (one.contract for receipt in event.receipts for one in receipt.events)
        if event.next_members is not None or any(one in _WATCHED for one in told):
            self._must_read = True
        self._stir.set()

    async def _look(self, group: asyncio.TaskGroup) -> None:
        now_ms = self._clock.monotonic_ms()
        if self._must_read or now_ms - self._read_ms >= READ_MS:
            self._must_read = False
            self._read_ms = now_ms
            await self._read(group)
        for task, followed in self._tasks.items():
            if followed.scene is not None:
                self._plan(task, followed, followed.scene, group)

    async def _read(self, group: asyncio.TaskGroup) -> None:
        followed = self._observer.open_tasks(chosen=self._chosen())
        self._must_read = self._must_read or not self._observer.has_seen_all
        self._break_off(frozenset(followed))
        await self._leave(frozenset(followed))
        unread: list[Duty] = []
        for task in followed:
            state = self._tasks.setdefault(task, _Followed())
            duty = Duty(step=Step.FETCH_DOCUMENT, task=task, round=0)
            if not await self._has_document(duty, state):
                unread.append(duty)
            elif not await self._try(Step.READ_TASK, task, state, partial(self._see, task, state)):
                state.scene = None
        # Not the best first: whoever creates tasks without a document chooses what they pay.
        for duty in sorted(unread, key=self._attempts):
            self._obtain(duty, self._tasks[duty.task], group)

    async def _see(self, task: int, followed: _Followed) -> None:
        scene = self._observer.scene(task)
        reached = Reached.of(scene)
        await self._try(Step.FOLLOW, task, followed, partial(self._history.follow, scene))
        self._compare(followed, scene)
        clear = partial(self._clearing.clear, task, reached)
        if reached != followed.cleared and await self._try(Step.CLEAR_UP, task, followed, clear):
            followed.cleared = reached

    def _break_off(self, followed: frozenset[int]) -> None:
        """Stop the work for tasks that are not followed any more; others wait for the worker."""
        for key, job in self._jobs.items():
            if key[0] not in followed and key[3] not in TRANSACTIONS:
                job.cancel()

    async def _leave(self, followed: frozenset[int]) -> None:
        """Forget tasks, those of earlier runs as well, and let go of what closed ones needed."""
        if self._left is None:
            self._left = {task: _Followed() for task in self._clearing.tasks()}
        for task in [one for one in self._tasks if one not in followed]:
            self._left[task] = self._tasks.pop(task)
            self._own.notebook.close(task)
        for task, left in list(self._left.items()):
            if task in followed or await self._is_let_go(task, left):
                del self._left[task]

    async def _is_let_go(self, task: int, left: _Followed) -> bool:
        """Let go of what a task needed, once it is closed; tell whether that is done."""
        rounds = self._observer.rounds_of_closed(task)
        if rounds is None:
            return False
        reached = Reached(round=rounds, version=0, is_closed=True)
        return await self._try(
            Step.CLEAR_UP, task, left, partial(self._clearing.clear, task, reached)
        )

    async def _try(
        self, step: Step, task: int, followed: _Followed, chore: Callable[[], Awaitable[None]]
    ) -> bool:
        """Do a part of a look, unless it was in vain just now; tell whether it is done."""
        duty = Duty(step=step, task=task, round=0)
        if not self._is_rested(followed, duty):
            return False
        try:
            await chore()
        except (HanseError, OSError) as error:
            self._fail(duty, followed, error)
            return False
        followed.setbacks.overcome(duty)
        return True

    def _compare(self, followed: _Followed, scene: Scene) -> None:
        """Note what changed since the last look."""
        before, now_ms = followed.scene, self._now_ms()
        followed.scene = scene
        ended = ended_round(before, scene)
        if ended is not None:
            self._end(followed, ended, scene)
        if scene.round is not None:
            followed.idle_since_ms = None
            followed.had_updates = bool(scene.round.updates)
            self._times.saw(
                scene.task,
                scene.round.number,
                phase=scene.round.phase.value,
                rung=scene.round.rung,
                now_ms=self._chain.head.time_ms,
            )
        elif followed.idle_since_ms is None:
            followed.idle_since_ms = now_ms

    def _end(self, followed: _Followed, number: int, scene: Scene) -> None:
        followed.empty_rounds = 0 if followed.had_updates else followed.empty_rounds + 1
        followed.setbacks.end_round()
        followed.told.clear()
        now_ms = self._chain.head.time_ms
        self._times.saw(scene.task, number, phase="over", rung=0, now_ms=now_ms)

    def _now_ms(self) -> int:
        """Return the time of the chain as it should be by now."""
        chain_ms, now_ms = self._chain.head.time_ms, self._clock.monotonic_ms()
        if chain_ms != self._head_ms[0]:
            self._head_ms = (chain_ms, now_ms)
        return chain_ms + min(AHEAD_MS_MAX, now_ms - self._head_ms[1])

    # Planning.

    def _plan(self, task: int, followed: _Followed, scene: Scene, group: asyncio.TaskGroup) -> None:
        now_ms, running = self._now_ms(), scene.round
        # What failed between two rounds is tried again: the next round needs what it makes.
        number, rung = (0, 0) if running is None else (running.number, running.rung)
        belongings = self._stock.taken(
            scene,
            given_up=followed.setbacks.given_up(round_number=number, rung=rung),
            idle_since_ms=now_ms if followed.idle_since_ms is None else followed.idle_since_ms,
            empty_rounds=followed.empty_rounds,
        )
        plan = self._planner.plan(scene.situation(now_ms=now_ms), belongings, now_ms=now_ms)
        self._tell(followed, scene, plan.troubles)
        due = {duty.key: duty for duty in plan.duties}
        for key, job in self._jobs.items():
            is_moot = key[0] == task and key not in due and job.place != _place_of(scene)
            if is_moot and key[3] not in TRANSACTIONS:
                job.cancel()
        for key, duty in due.items():
            if key not in self._jobs and self._is_rested(followed, duty):
                self._start(duty, scene, followed, group)

    def _tell(self, followed: _Followed, scene: Scene, troubles: frozenset[Trouble]) -> None:
        followed.troubles = troubles
        number = scene.state.rounds
        for trouble in troubles:
            if (number, trouble) not in followed.told:
                followed.told.add((number, trouble))
                _log.warning("duty is left out", task=scene.task, reason=trouble.value)

    # Doing.

    def _start(
        self, duty: Duty, scene: Scene, followed: _Followed, group: asyncio.TaskGroup
    ) -> None:
        running = group.create_task(
            self._carry_out(duty, scene, followed), name=f"duty {duty.step.value}"
        )
        self._enter(duty, running, place=_place_of(scene))

    def _enter(self, duty: Duty, running: asyncio.Task[None], *, place: Place) -> None:
        """Keep a job until its task is over, which may be before its first step."""
        now_ms, began_ms = self._now_ms(), self._clock.monotonic_ms()
        self._jobs[duty.key] = _Job(duty, place, now_ms, began_ms, running)
        running.add_done_callback(lambda _: self._forget(duty))

    def _forget(self, duty: Duty) -> None:
        del self._jobs[duty.key]
        self._must_read = True
        self._stir.set()

    async def _carry_out(self, duty: Duty, scene: Scene, followed: _Followed) -> None:
        outcome = "overtaken"
        try:
            await self._performer.perform(
                duty, scene, lambda progress: self._report(duty, progress)
            )
            outcome = "done"
            followed.setbacks.overcome(duty)
        except* (HanseError, OSError) as group:
            error = _first(group)
            outcome = getattr(error, "code", "system")
            self._fail(duty, followed, error)
        finally:
            job = self._jobs[duty.key]
            took_ms = self._clock.monotonic_ms() - job.began_ms
            self._times.did(duty, began_ms=job.since_ms, took_ms=took_ms, outcome=outcome)
            _log.info("duty ended", **_named(duty), outcome=outcome, took_ms=took_ms)

    def _report(self, duty: Duty, progress: Progress) -> None:
        job = self._jobs.get(duty.key)
        if job is not None:
            job.progress = progress

    def _fail(self, duty: Duty, followed: _Followed, error: HanseError | OSError) -> None:
        verdict, message = judge(error), _said(error)
        followed.last_error = message
        now_ms = self._clock.monotonic_ms()
        followed.setbacks.add(duty, verdict, message=message, now_ms=now_ms)
        say = _log.warning if verdict is Verdict.AGAIN else _log.error
        say("duty was not done", **_named(duty), again=verdict.value, error=message)

    def _is_rested(self, followed: _Followed, duty: Duty) -> bool:
        return followed.setbacks.is_rested(duty, now_ms=self._clock.monotonic_ms())

    async def _has_document(self, duty: Duty, followed: _Followed) -> bool:
        """Tell whether the document of a task is known; if its blob is here it is read at once."""
        if self._observer.has_document(duty.task):
            return True
        if not self._is_document_due(duty, followed) or not self._observer.has_blob(duty.task):
            return False
        return await self._try(
            duty.step, duty.task, followed, partial(self._observer.obtain, duty.task)
        )

    def _obtain(self, duty: Duty, followed: _Followed, group: asyncio.TaskGroup) -> None:
        """Start to get the document of a task, unless that is under way or was in vain just now."""
        under_way = sum(job.duty.step is duty.step for job in self._jobs.values())
        if under_way < DOCUMENTS_MAX and self._is_document_due(duty, followed):
            running = group.create_task(self._read_document(duty, followed), name="duty document")
            self._enter(duty, running, place=_NOWHERE)

    def _is_document_due(self, duty: Duty, followed: _Followed) -> bool:
        is_wanted = duty.step not in followed.setbacks.given_up(round_number=0, rung=0)
        return is_wanted and duty.key not in self._jobs and self._is_rested(followed, duty)

    def _attempts(self, duty: Duty) -> tuple[int, int]:
        """Return how often a document was not to be had, then the age of its task."""
        return self._tasks[duty.task].setbacks.failures(duty), duty.task

    async def _read_document(self, duty: Duty, followed: _Followed) -> None:
        try:
            await self._observer.obtain(duty.task)
        except (HanseError, OSError) as error:
            self._fail(duty, followed, error)

    def _task_status(self, scene: Scene, followed: _Followed) -> TaskStatus:
        running = scene.round
        return TaskStatus(
            task=scene.task,
            title=scene.document.title,
            version=scene.state.version,
            round=None if running is None else running.number,
            phase="" if running is None else running.phase.value,
            rung=0 if running is None else running.rung,
            deadline_ms=0 if running is None else running.deadline_ms,
            troubles=tuple(sorted(trouble.value for trouble in followed.troubles)),
            given_up=followed.setbacks.told(),
            last_error=followed.last_error,
        )


_log: Final = structlog.get_logger("node.duties")
_NOWHERE: Final[Place] = (0, None, 0)


def _place_of(scene: Scene) -> Place:
    running = scene.round
    if running is None:
        return scene.state.rounds, None, 0
    return running.number, running.phase, running.rung


def _first(group: BaseExceptionGroup[BaseException]) -> HanseError | OSError:
    """Return one of the errors of a duty; one says enough."""
    error = first_error(group)
    assert isinstance(error, HanseError | OSError)
    return error


def _named(duty: Duty) -> dict[str, str | int]:
    return {"step": duty.step.value, "task": duty.task, "round": duty.round, "rung": duty.rung}


def _said(error: HanseError | OSError) -> str:
    reason = f"{error.reason.value}: " if isinstance(error, JobFailedError) else ""
    return f"{reason}{error}"
