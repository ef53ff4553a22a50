"""Blobs of past rounds and old versions are let go, whatever this process has seen of them."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from node.blobs.manifest import Access, BlobId, blob_id
from node.blobs.sealed import SealedRoot
from node.duties.clearing import VERSIONS_NEEDED, Clearing, Reached, outdated, spare
from node.duties.notes import ROUNDS_KEPT, VERSIONS_KEPT
from node.duties.observing import Observer
from node.duties.reasons import Cause, Reason, read_reason, task_reason
from node.duties.room import StoreRoom
from node.duties.scene import ended_round
from node.federation import calls
from primitives.ids import Digest, Gas
from tests.duties.hamlet import Villager, at_work, hamlet, toy

CLOSING_GAS = Gas(3_000_000)


def reasons(cause: Cause, count: int, *, task: int = 1) -> list[Reason]:
    return [Reason(task, cause, number) for number in range(count)]


def numbers(found: object) -> list[int]:
    assert isinstance(found, list)
    return [one.number for one in found]


def test_reason_is_read_back_from_its_text() -> None:
    for cause in Cause:
        reason = Reason(3, cause, 17)
        assert read_reason(str(reason)) == reason
    for text in (task_reason(3), "operator", "task 3 round", "task x round 1", "task 3 round 1/a"):
        assert read_reason(text) is None


def test_rounds_and_steps_go_when_enough_others_followed() -> None:
    rounds, steps = reasons(Cause.ROUND, 50), reasons(Cause.STEP, 60)
    reached = Reached(round=50, version=59)
    going = list(outdated([*rounds, *steps], reached, versions_kept=None))
    assert going == [*rounds[: 50 - ROUNDS_KEPT], *steps[: 60 - VERSIONS_KEPT]]


def test_versions_stay_unless_the_operator_says_how_many() -> None:
    versions = reasons(Cause.VERSION, 101)
    reached = Reached(round=101, version=100)
    assert not list(outdated(versions, reached, versions_kept=None))
    assert numbers(list(outdated(versions, reached, versions_kept=60))) == list(range(41))
    assert len(list(outdated(versions, reached, versions_kept=1))) == 101 - VERSIONS_NEEDED


def test_of_a_closed_task_only_the_versions_stay() -> None:
    everything = [*reasons(Cause.ROUND, 3), *reasons(Cause.STEP, 3), *reasons(Cause.VERSION, 3)]
    over = Reached(round=3, version=0, is_closed=True)
    assert list(outdated(everything, over, versions_kept=None)) == everything[:6]


def test_rounds_that_are_over_make_room_before_old_versions_do() -> None:
    found = spare([*reasons(Cause.VERSION, 45), *reasons(Cause.STEP, 45), *reasons(Cause.ROUND, 5)])
    assert found == [*reasons(Cause.ROUND, 3), *reasons(Cause.VERSION, 45 - VERSIONS_NEEDED)]


def keep(villager: Villager, *texts: str) -> list[BlobId]:
    """Have a node keep one blob for each reason."""
    return [
        blob_id(villager.store.put(text.encode(), access=Access.PRIVATE, pin=f"{text}/x"))
        for text in texts
    ]


def held(villager: Villager, blobs: list[BlobId]) -> list[bool]:
    return [bool(villager.store.stat(blob).reasons) for blob in blobs]


@pytest.mark.asyncio
async def test_what_past_rounds_needed_goes_after_a_restart_too(tmp_path: Path) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        villager = await place.settle("validator-0", toy(0))
        rounds = keep(villager, *map(str, reasons(Cause.ROUND, 3, task=0)))
        others = keep(villager, task_reason(0), "operator", str(Reason(1, Cause.ROUND, 0)))
        room = villager.equipment.blobs
        assert isinstance(room, StoreRoom)
        sealed = [
            room.envelopes.offer(SealedRoot(0, number, BlobId(bytes(32))), b"%d" % number)
            for number in (0, 2)
        ]
        clearing = Clearing(room, villager.equipment.notebook)
        await clearing.clear(0, Reached(round=ROUNDS_KEPT + 2, version=2))
        assert held(villager, rounds) == [False, False, True]
        assert held(villager, sealed) == [False, False]
        assert held(villager, others) == [True, True, True]


@pytest.mark.asyncio
async def test_versions_go_only_when_there_is_no_room_for_them(tmp_path: Path) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        villager = await place.settle("validator-0", toy(0))
        texts = list(map(str, reasons(Cause.VERSION, VERSIONS_NEEDED + 2, task=0)))
        versions = keep(villager, *texts)
        room = villager.equipment.blobs
        assert isinstance(room, StoreRoom)
        clearing = Clearing(room, villager.equipment.notebook)
        reached = Reached(round=0, version=VERSIONS_NEEDED + 1)
        await clearing.clear(0, reached)
        assert all(held(villager, versions))
        villager.store._bytes_max = room.store.total.pinned_bytes  # noqa: SLF001 - no room left
        await clearing.clear(0, reached)
        assert held(villager, versions[:3]) == [False, False, True]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_closed_task_keeps_its_lineage_and_nothing_else(tmp_path: Path) -> None:
    async with at_work(tmp_path, toy(0)) as place:
        villager = place.villagers[0]
        await place.until(lambda: place.version() == 1)
        wallet = villager.equipment.wallet
        await wallet.carry_out(calls.close_task(0), gas_limit=CLOSING_GAS)
        await place.until(lambda: place.reader.task(0).is_closed)
        blobs = villager.equipment.blobs

        def causes() -> set[Cause]:
            return {found.cause for text in blobs.reasons() if (found := read_reason(text))}

        await place.until(lambda: causes() == {Cause.VERSION})
        model = Digest(place.reader.task(0).model)
        assert blobs.has(model)
        assert villager.store.stat(BlobId(model)).reasons


@pytest.mark.asyncio
async def test_round_is_over_when_the_next_one_runs_at_the_next_look(tmp_path: Path) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        villager = await place.settle("validator-0", toy(0))
        await place.register(villager)
        await place.offer(villager)
        wallet = villager.equipment.wallet
        await wallet.carry_out(calls.open_round(0), gas_limit=CLOSING_GAS)
        observer = Observer(villager.equipment, committee=lambda: ())
        await observer.obtain(0)
        running = observer.scene(0)
        assert running.round is not None
        later = replace(running, round=msgspec.structs.replace(running.round, number=1))
        idle = replace(running, round=None)
        cases = [(None, running), (running, running), (idle, running), (running, idle)]
        assert [ended_round(*case) for case in cases] == [None, None, None, 0]
        assert ended_round(running, later) == 0
