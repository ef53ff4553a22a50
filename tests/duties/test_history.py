"""The history of a model: no version twice, and none that others have let go of is needed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest
from typing_extensions import override

from fl.jobs.client import JobTerms
from fl.jobs.progress import Progress
from fl.jobs.work import AggregateJob, Job, OuterTerms
from fl.rules.aggregation.outer import OuterRule
from fl.rules.limits import HALVINGS, ONE
from fl.rules.phase import Phase
from fl.rules.update.blob import encode_update
from fl.rules.update.header import BlobKind, Expectation
from fl.rules.update.similarity import GLOBAL_DELTAS_MAX
from node.blobs.errors import BlobUnavailableError
from node.blobs.manifest import Access, BlobId
from node.chain.reader import ContractReader
from node.duties.clearing import Clearing, Reached
from node.duties.history import History
from node.duties.notes import VERSIONS_KEPT, VersionNote
from node.duties.observing import Observer
from node.duties.ports import Audience, Result
from node.duties.publishing import Prices, TaskOrder
from node.duties.room import StoreRoom
from node.duties.scene import Scene
from node.federation.states import ModelRecord, RoundState
from node.federation.views import FederationReader
from p2p.wire.peer_id import PeerId
from primitives.ids import Digest, Grain, Height, Power, TimestampMs
from tests.duties.hamlet import ORDER, Hamlet, Villager, at_work, hamlet, toy
from tests.duties.test_odd_tasks import revealed
from tests.duties.toy import BASE, TOKENIZER, ToyWorker

ONE_ROUND: Final = replace(ORDER, prices=Prices(rounds=1))


@dataclass
class InterruptedWorker(ToyWorker):
    """Lets something happen while it makes an aggregate."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    @override
    async def run(
        self,
        job: Job[Result],
        *,
        terms: JobTerms,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> Result:
        result = await super().run(job, terms=terms, on_progress=on_progress)
        if isinstance(job, AggregateJob) and self.meanwhile is not None:
            await self.meanwhile()
        return result


async def seen(node: Villager, *, task: int = 0) -> Scene:
    """Return a task as a node sees it now."""
    observer = Observer(node.equipment, committee=lambda: ())
    await observer.obtain(task)
    return observer.scene(task)


def quiet(_: Progress) -> None:
    """Hear of no progress."""


def numbers(node: Villager) -> list[int]:
    return [one.version for one in node.equipment.notebook.history(0).versions]


@asynccontextmanager
async def behind(folder: Path, worker: ToyWorker) -> AsyncIterator[tuple[Hamlet, Scene]]:
    """Run a hamlet whose node has made version 1 and not adopted it, and does nothing more."""
    async with at_work(folder, worker, order=ONE_ROUND) as place:
        node = place.villagers[0]
        await place.until(lambda: place.version() == 1)
        await place.stop(node)
        (folder / node.name / "duties" / "history-0").unlink()
        scene = await seen(node)
        start = await node.equipment.blobs.stored(Digest(scene.document.start))
        node.equipment.notebook.extend(0, VersionNote(version=0, round=0, model=start.cid))
        yield place, scene


@pytest.mark.asyncio
async def test_version_that_is_adopted_while_it_is_replayed_is_not_taken_for_the_next(
    tmp_path: Path,
) -> None:
    worker = InterruptedWorker(toy(0).target)
    async with behind(tmp_path, worker) as (place, scene):
        node = place.villagers[0]
        history = History(node.equipment)

        async def follow() -> None:
            await history.follow(scene)
            assert numbers(node) == [0, 1]

        worker.meanwhile = follow
        await history.replay(scene, quiet)
        assert numbers(node) == [0, 1]


@pytest.mark.asyncio
async def test_version_that_is_adopted_twice_at_once_makes_no_older_one_forgotten(
    tmp_path: Path,
) -> None:
    async with behind(tmp_path, toy(0)) as (place, scene):
        node = place.villagers[0]
        history = History(node.equipment)
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(history.follow(scene), name="follow")
        assert numbers(node) == [0, 1]


@dataclass
class SlowFetcher:
    """Brings one blob, and lets something happen before it does."""

    node: Villager
    content: bytes
    meanwhile: Callable[[], Awaitable[None]]

    async def fetch(
        self,
        blob: BlobId,
        *,
        holders: Sequence[PeerId] = (),
        deadline_ms: int,
        size_bytes_max: int,
        access: Access = Access.PUBLIC,
    ) -> None:
        assert not holders
        assert min(deadline_ms, size_bytes_max) > 0
        await self.meanwhile()
        self.node.store.put(self.content, access=access)
        assert self.node.store.has(blob)


@pytest.mark.asyncio
async def test_version_that_is_adopted_before_it_is_replayed_is_made_from_the_one_before(
    tmp_path: Path,
) -> None:
    async with behind(tmp_path, toy(0)) as (place, scene):
        node = place.villagers[0]
        record = place.reader.model(0, 1)
        assert record is not None
        root = BlobId(Digest(record.roots[0]))
        follower = History(node.equipment)
        room = node.equipment.blobs
        assert isinstance(room, StoreRoom)
        content = node.store.read(root)
        fetcher = SlowFetcher(node, content, lambda: follower.follow(scene))
        own = replace(node.equipment, blobs=replace(room, fetcher=fetcher))
        node.store.drop(root)
        await History(own).replay(scene, quiet)
        assert numbers(node) == [0, 1]


class Registry(FederationReader):
    """Has versions that no round of a chain has made."""

    def __init__(self, place: Hamlet) -> None:
        super().__init__(ContractReader(place.square.chain))
        self.records: list[ModelRecord] = []

    @override
    def model(self, task: int, version: int) -> ModelRecord | None:
        return self.records[version - 1] if 0 < version <= len(self.records) else None


async def grow(node: Villager, registry: Registry, scene: Scene, number: int) -> Scene:
    """Have a seat make one more version, in a round of this number, and adopt it."""
    layout = scene.document.layout_of(number)
    content = encode_update(
        np.random.default_rng(number).integers(-(1 << 16), 1 << 16, layout.size, dtype=np.int32),
        expected=Expectation(
            kind=BlobKind.UPDATE,
            base_model=Digest(BASE),
            tokenizer=Digest(TOKENIZER),
            layout=layout,
        ),
    )
    root = await node.equipment.blobs.put(content, audience=Audience.EVERYBODY, reason="sent")
    running = RoundState(
        task=scene.task,
        number=number,
        phase=Phase.AGGREGATE,
        deadline_ms=TimestampMs(0),
        quorum=Power(1),
        pot=Grain(0),
        rung=number % len(HALVINGS),
        aggregate=None,
        is_committed=False,
        updates=(msgspec.structs.replace(revealed(node, root), weight=ONE),),
        seats=(),
    )
    history = History(node.equipment)
    await history.aggregate(scene, running, quiet)
    model = node.equipment.notebook.of_round(scene.task, number).candidate(running.rung)
    registry.records.append(
        ModelRecord(
            round=number,
            parent=scene.model,
            model=model,
            clip=scene.state.clip,
            limit=scene.state.clip,
            halvings=HALVINGS[running.rung],
            contributors=(node.who,),
            roots=(root,),
            weights=(ONE,),
            scores=(0,),
            height=Height(1),
            time_ms=TimestampMs(1),
        )
    )
    version = scene.state.version + 1
    state = msgspec.structs.replace(scene.state, version=version, model=model, rounds=number + 1)
    after = replace(scene, state=state)
    await history.follow(after)
    return after


@asynccontextmanager
async def grown(
    folder: Path, rounds: Iterable[int], *, order: TaskOrder = ORDER
) -> AsyncIterator[tuple[Villager, Villager, Registry, Scene]]:
    """Run a hamlet of a seat that made a version in each of some rounds, and of one that did not.

    The first one has let go of all that it may.
    """
    async with hamlet(folder, validators=2) as place:
        seat, late = [await place.settle(f"validator-{n}", toy(n)) for n in range(2)]
        registry = Registry(place)
        for node in (seat, late):
            room = node.equipment.blobs
            assert isinstance(room, StoreRoom)
            brief = replace(room, deadline_ms=1_000)
            node.equipment = replace(node.equipment, reader=registry, blobs=brief)
        await place.offer(seat, order)
        scene = await seen(seat)
        await History(seat.equipment).follow(scene)
        await seen(late)
        for number in rounds:
            scene = await grow(seat, registry, scene, number)
        await let_go(seat, Reached(round=scene.state.rounds, version=scene.state.version))
        yield seat, late, registry, scene


async def let_go(node: Villager, reached: Reached) -> None:
    blobs = node.equipment.blobs
    await Clearing(blobs, node.equipment.notebook, versions_kept=1).clear(0, reached)
    await blobs.let_go("sent")
    node.store.collect(kept_ms=0)


def past(node: Villager, scene: Scene) -> list[object]:
    """Return all of the past that the facts about the updates of the next rounds depend on."""
    history, number = History(node.equipment), scene.state.rounds
    return [
        found
        for following in (number, number + 1)
        for found in (history.deltas(scene, following), history.earlier(scene, following))
    ]


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("rounds", "made_again"),
    [(range(VERSIONS_KEPT + 5), 2 * GLOBAL_DELTAS_MAX), (range(0, 90, 2), VERSIONS_KEPT)],
    ids=["both layouts", "one layout"],
)
@pytest.mark.parametrize("known", [(), (0,)], ids=["late", "long absent"])
async def test_late_seat_finds_the_facts_that_others_do_without_what_they_let_go(
    tmp_path: Path, rounds: range, made_again: int, known: Sequence[int]
) -> None:
    async with grown(tmp_path, rounds) as (seat, late, registry, scene):
        first = registry.records[0].roots[0]
        assert not seat.store.has(BlobId(Digest(first))), "nobody has what it was made of"
        history = History(late.equipment)
        if known:
            await history.fetch_model(beginning := await seen(late))
            await history.follow(beginning)
        assert tuple(numbers(late)) == known
        await history.replay(scene, quiet)
        newest = scene.state.version
        with_first = range(newest - made_again, newest + 1)
        assert numbers(late) == list(with_first)[-VERSIONS_KEPT:]
        assert past(late, scene) == past(seat, scene)
        later = scene
        for number in (rounds[-1] + 1, rounds[-1] + 2):
            later = await grow(seat, registry, later, number)
            await history.replay(later, quiet)
            assert past(late, later) == past(seat, later)


@pytest.mark.asyncio
async def test_seat_that_came_late_to_an_optimiser_with_memory_says_what_nobody_gives(
    tmp_path: Path,
) -> None:
    order = replace(ORDER, outer=OuterTerms(rule=OuterRule.NESTEROV))
    async with grown(tmp_path, range(2), order=order) as (seat, late, registry, scene):
        room, history = seat.equipment.blobs, History(late.equipment)
        root = Digest(registry.records[0].roots[0])
        content = seat.store.read(BlobId(root))
        for reason in (scene.version_reason(1), scene.round_reason(0)):
            await room.let_go(reason)
        seat.store.collect(kept_ms=0)
        with pytest.raises(BlobUnavailableError):
            await history.replay(scene, quiet)
        assert history.is_beyond_reach(0)
        await room.put(content, audience=Audience.EVERYBODY, reason="found")
        await history.replay(scene, quiet)
        assert not history.is_beyond_reach(0)
        assert numbers(late) == [0, 1, 2]
        assert past(late, scene) == past(seat, scene)
