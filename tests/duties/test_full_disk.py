"""A disk without room pauses what writes to it and nothing else; with room it goes on by itself."""

import os
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from fl.rules.phase import Phase
from node.blobs.manifest import BlobId
from node.blobs.sealed import SealedRoot
from node.duties.reasons import Cause, Reason
from node.duties.room import StoreRoom
from node.federation import calls
from node.storage.errors import DiskReserveError
from primitives.ids import Gas
from tests.duties.hamlet import Hamlet, Villager, at_work, hamlet, toy
from tests.duties.test_clearing import held, keep

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
    return lambda: any(
        line["event"] == "duty was not done" and line["step"] == step for line in logs
    )


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
