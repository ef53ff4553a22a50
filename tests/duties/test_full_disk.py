"""A disk without room pauses what writes to it and nothing else; with room it goes on by itself."""

import asyncio
import os
import re
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from fl.jobs.results import AnyResult
from fl.jobs.work import AnyJob, TrainJob
from fl.rules.phase import Phase
from node.blobs.errors import BlobRoomError, BlobUnavailableError
from node.blobs.manifest import BlobId
from node.blobs.sealed import Opener, SealedRoot
from node.duties.duty import Step
from node.duties.reasons import Cause, Reason
from node.duties.room import Envelopes, StoreRoom
from node.duties.situation import Role
from node.duties.verdicts import AGAIN_MS_FIRST
from node.federation import calls
from node.storage.errors import DiskReserveError
from p2p.wire.peer_id import PeerId
from primitives.errors import HanseError
from primitives.ids import Gas
from tests.duties.hamlet import Hamlet, Villager, at_work, hamlet, toy
from tests.duties.test_clearing import held, keep
from tests.duties.test_round import outcomes
from tests.duties.toy import ToyWorker, target_of

Logs = list[MutableMapping[str, Any]]
GAS = Gas(3_000_000)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Leave no room on the disk of a folder."""
    real = os.statvfs

    def statvfs(path: Path) -> object:
        if folder in (path, *path.parents):
            return SimpleNamespace(f_bavail=0, f_frsize=4_096, f_blocks=1 << 20)
        return real(path)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "statvfs", statvfs)
        yield


def blobs_of(place: Hamlet, villager: Villager) -> Path:
    return place.folder / villager.name / "blobs"


def failing(logs: Logs, step: str) -> Callable[[], bool]:
    """Return whether a step was not done since."""
    return lambda: any(is_failure(line, step) for line in logs)


def is_failure(line: MutableMapping[str, Any], step: str) -> bool:
    return (line["event"], line.get("step")) == ("duty was not done", step)


@pytest.mark.asyncio
async def test_new_version_is_taken_over_when_there_is_room_again(tmp_path: Path) -> None:
    async with at_work(tmp_path, toy(0)) as place:
        villager = place.villagers[0]
        await place.until(lambda: place.phase() is Phase.GUARD)
        with capture_logs() as logs, full(blobs_of(place, villager)):
            await place.until(failing(logs, "follow model"))
        assert not place.running[villager.name].done()
        await place.until(lambda: place.version() == 2)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_past_rounds_are_cleared_when_there_is_room_again(tmp_path: Path) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        villager = await place.settle("validator-0", toy(0))
        await place.register(villager)
        await place.offer(villager)
        await villager.equipment.wallet.carry_out(calls.close_task(0), gas_limit=GAS)
        blobs = keep(villager, str(Reason(0, Cause.ROUND, 0)), str(Reason(0, Cause.STEP, 0)))
        with capture_logs() as logs, full(blobs_of(place, villager)):
            place.start(villager)
            await place.until(failing(logs, "clear up"))
        assert all(held(villager, blobs))
        await place.until(lambda: not any(held(villager, blobs)))


@pytest.mark.asyncio
async def test_notes_that_cannot_be_written_are_written_later(tmp_path: Path) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        villager = await place.settle("validator-0", toy(0))
        await place.register(villager)
        await place.offer(villager)
        obstacle = tmp_path / villager.name / "duties"
        obstacle.write_bytes(b"")
        with capture_logs() as logs:
            place.start(villager)
            await place.until(failing(logs, "follow model"))
        obstacle.unlink()
        await place.until(lambda: place.version() == 1)


@pytest.mark.asyncio
async def test_envelope_that_could_not_be_let_go_is_found_again(tmp_path: Path) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        villager = await place.settle("validator-0", toy(0))
        room = villager.equipment.blobs
        assert isinstance(room, StoreRoom)
        envelope = room.envelopes.offer(SealedRoot(0, 0, BlobId(bytes(32))), b"envelope")
        with full(blobs_of(place, villager)), pytest.raises(DiskReserveError):
            await room.forget_envelopes(0, before=1)
        await room.forget_envelopes(0, before=1)
        assert held(villager, [envelope]) == [False]


@dataclass
class Obstructed(ToyWorker):
    """Has trained when there is no room for what it made.

    Attributes:
        obstacle: put up once the first training is over.
        obstacles: that are in the way; to close them makes room.
    """

    obstacle: Callable[[], Iterator[None]] = field(kw_only=True)
    obstacles: ExitStack = field(default_factory=ExitStack)

    @override
    def _perform(self, job: AnyJob) -> AnyResult:
        result = super()._perform(job)
        if isinstance(job, TrainJob) and self.jobs.count("TrainJob") == 1:
            self.obstacles.enter_context(contextmanager(self.obstacle)())
        return result


def no_room_for_blobs(folder: Path) -> Iterator[None]:
    with full(folder / "validator-0" / "blobs"):
        yield


def no_room_for_notes(folder: Path) -> Iterator[None]:
    place = folder / "validator-0" / "duties" / "0-0" / "notes"
    place.mkdir()
    yield
    place.rmdir()


def waiting(logs: Logs) -> list[MutableMapping[str, Any]]:
    return [line for line in logs if line["event"] == "finished update waits for room"]


@pytest.mark.parametrize(
    "obstacle",
    [no_room_for_blobs, pytest.param(no_room_for_notes, marks=pytest.mark.slow)],
)
@pytest.mark.asyncio
async def test_finished_training_waits_for_room_and_is_not_done_again(
    tmp_path: Path, obstacle: Callable[[Path], Iterator[None]]
) -> None:
    worker = Obstructed(target_of(0), obstacle=lambda: obstacle(tmp_path))

    with worker.obstacles, capture_logs() as logs:
        async with at_work(tmp_path, worker) as place:
            await place.until(lambda: bool(waiting(logs)), limit_s=20)
            # In which it is tried twice more.
            await asyncio.sleep(3.5 * AGAIN_MS_FIRST / 1_000)
            worker.obstacles.close()
            await place.until(lambda: place.version() == 1)
            assert outcomes(place.villagers[0].steward.times()[0], Step.TRAIN) == ["done"]
    assert len(waiting(logs)) == 1


@dataclass
class Withheld:
    """Envelopes of which each is withheld once, for one reason after another."""

    real: Envelopes
    reasons: list[HanseError]

    def offer(self, sealed: SealedRoot, envelope: bytes) -> BlobId:
        return self.real.offer(sealed, envelope)

    def known(self, sealed: SealedRoot) -> tuple[BlobId, ...]:
        return self.real.known(sealed)

    def forget(self, task: int, *, before: int) -> None:
        self.real.forget(task, before=before)

    async def fetch(
        self,
        sealed: SealedRoot,
        *,
        opener: Opener,
        holders: Sequence[PeerId],
        deadline_ms: int,
        size_bytes_max: int,
        pin: str | None = None,
    ) -> None:
        if self.reasons:
            raise self.reasons.pop(0)
        await self.real.fetch(
            sealed,
            opener=opener,
            holders=holders,
            deadline_ms=deadline_ms,
            size_bytes_max=size_bytes_max,
            pin=pin,
        )


NOBODY_HAS_IT = BlobUnavailableError("no peer gave it: there is nobody to ask")


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        ([NOBODY_HAS_IT, BlobRoomError(needed_bytes=9, limit_bytes=8)], "no room for 9 bytes"),
        pytest.param(
            [NOBODY_HAS_IT, NOBODY_HAS_IT],
            "nobody gave the updates .*: .* there is nobody to ask",
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.asyncio
async def test_updates_that_could_not_be_had_say_why(
    tmp_path: Path, reasons: list[HanseError], told: str
) -> None:
    async with hamlet(tmp_path, validators=3) as place:
        nodes = [await place.settle(f"validator-{n}", toy(n)) for n in range(3)]
        seat = nodes[0]
        room = seat.equipment.blobs
        assert isinstance(room, StoreRoom)
        blobs = replace(room, envelopes=Withheld(room.envelopes, list(reasons)))
        seat.equipment = replace(seat.equipment, blobs=blobs)
        seat.steward = place.steward(seat.equipment, frozenset(Role))
        await place.register(*nodes)
        await place.offer(seat)
        with capture_logs() as logs:
            for node in nodes:
                place.start(node)
            await place.until(failing(logs, "fetch updates"))
        (error,) = (line["error"] for line in logs if is_failure(line, "fetch updates"))
        assert re.search(told, error)
        await place.until(lambda: place.version() == 1)
