"""What disks and power cuts do to a state: it is at a commit boundary, or its damage is named."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from node.storage.batch import WriteBatch
from node.storage.doctor import examine_environment
from node.storage.state_check import check_state
from node.storage.state_store import StateLimits, StateStore
from node.storage.state_tables import CHUNKS, VERSIONS
from node.storage.state_view import NO_HEIGHT
from primitives.errors import StorageError
from tests.ledger.tree.test_update import accounts
from tests.storage.killing import kill_repeatedly
from tests.storage.places import opened
from tests.storage.state_places import (
    STATE_SCHEMA,
    STATE_SCHEMA_NAME,
    commit_next,
    store_at,
    value_at,
)

CHECKS = ("node.storage.state_check:check_state",)
STATE = accounts(400)
TIGHT = StateLimits(kept_versions=4, slack_chunks=8, cleaned_chunks_min=16)
KEYS = [b"key %d" % number for number in range(300)]


def changes_of(step: int) -> dict[bytes, bytes | None]:
    """Return what step n changes: the same in every process."""
    dice = Random(step)
    return {
        key: None if dice.random() < 0.1 else dice.randbytes(dice.choice((8, 60, 400)))
        for key in dice.sample(KEYS, 40)
    }


class Commits:
    """Commits steps; a workload to be killed."""

    def run(self, folder: Path, acknowledge: Callable[[int], None]) -> None:
        with store_at(folder, limits=TIGHT) as store:
            while True:
                commit_next(store, changes_of(store.height + 1))
                acknowledge(store.height + 1)

    def check(self, folder: Path) -> int:
        """Compare what a killed process left with a state that nobody killed."""
        with store_at(folder, limits=TIGHT) as store:
            state: dict[bytes, bytes] = {}
            for step in range(store.height + 1):
                for key, value in changes_of(step).items():
                    state.pop(key, None)
                    if value is not None:
                        state[key] = value
            with store.view() as view:
                assert {key: view.get(key) for key in KEYS} == {key: state.get(key) for key in KEYS}
                if store.height > NO_HEIGHT:
                    assert view.receipts() == (b"receipt %d" % store.height,)
            return store.height + 1


@pytest.mark.slow
def test_killed_process_leaves_a_commit_boundary(tmp_path: Path) -> None:
    tally = kill_repeatedly(Commits, tmp_path, kills=40, seed=9)
    assert tally.steps > 40


def chunk_offsets(folder: Path) -> list[tuple[int, int]]:
    """Return where in the file each chunk of the state is, and how long it is."""
    content = (folder / "data.mdb").read_bytes()
    with (
        opened(folder, schema=STATE_SCHEMA) as (environment, _),
        environment.snapshot() as snapshot,
    ):
        sealed = [value for _, value in snapshot.scan_sealed(CHUNKS)]
    return [(content.index(chunk), len(chunk)) for chunk in sealed]


def flip(folder: Path, at: int) -> None:
    path = folder / "data.mdb"
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def test_flipped_byte_is_never_an_answer(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        commit_next(store, STATE)
    dice, named = Random(2), 0
    places = chunk_offsets(tmp_path)
    for _ in range(25):
        start, length = dice.choice(places)
        at = start + dice.randrange(length)
        flip(tmp_path, at)
        try:
            with store_at(tmp_path) as store:
                for key, value in STATE.items():
                    assert value_at(store, key) == value
        except StorageError:
            named += 1
        flip(tmp_path, at)
    assert named > 10


def test_doctor_names_a_flipped_byte_and_finds_a_sound_state_sound(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        commit_next(store, STATE)
    assert examine_environment(tmp_path, schema=STATE_SCHEMA_NAME, checks=CHECKS).is_sound
    start, length = chunk_offsets(tmp_path)[0]
    flip(tmp_path, start + length // 2)
    report = examine_environment(tmp_path, schema=STATE_SCHEMA_NAME, checks=CHECKS)
    assert not report.is_sound
    assert CHUNKS.name in {damage.table for damage in report.damages}


def test_check_names_each_damage_and_is_quiet_about_a_sound_state(tmp_path: Path) -> None:
    with opened(tmp_path, schema=STATE_SCHEMA) as (environment, writer):
        with environment.snapshot() as snapshot:
            assert not list(check_state(snapshot))
        commit_next(StateStore.open(environment, writer), STATE)
        with environment.snapshot() as snapshot:
            assert not list(check_state(snapshot))
            chunks = dict(snapshot.scan(CHUNKS))
        for number, chunk in chunks.items():
            for at in (9, len(chunk) // 2, len(chunk) - 3):
                batch = WriteBatch()
                batch.put(CHUNKS, number, chunk[:at] + bytes([chunk[at] ^ 1]) + chunk[at + 1 :])
                writer.write(batch)
                with environment.snapshot() as snapshot:
                    found = list(check_state(snapshot))
                assert all("height 0" in damage.reason for damage in found)
                assert found
            batch = WriteBatch()
            batch.put(CHUNKS, number, chunk)
            writer.write(batch)


def test_check_notices_a_key_that_is_not_that_of_its_place(tmp_path: Path) -> None:
    with opened(tmp_path, schema=STATE_SCHEMA) as (environment, writer):
        commit_next(StateStore.open(environment, writer), {b"key": b"value"})
        batch = WriteBatch()
        with environment.snapshot() as snapshot:
            for number, chunk in snapshot.scan(CHUNKS):
                batch.put(CHUNKS, number, chunk.replace(b"keyvalue", b"kexvalue"))
        writer.write(batch)
        with environment.snapshot() as snapshot:
            (damage,) = check_state(snapshot)
    assert b"kex".hex() in damage.reason


def test_check_notices_a_version_that_cannot_be_read(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        commit_next(store, STATE)
        root = store.root
    flip(tmp_path, (tmp_path / "data.mdb").read_bytes().rindex(root))
    with opened(tmp_path, schema=STATE_SCHEMA) as (environment, _), environment.snapshot() as found:
        (damage,) = check_state(found)
    assert damage.table == VERSIONS.name


def test_doctor_checks_the_newest_tree_and_not_only_the_checksums(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        commit_next(store, STATE)
    with opened(tmp_path, schema=STATE_SCHEMA) as (environment, writer):
        with environment.snapshot() as snapshot:
            number, chunk = next(iter(snapshot.scan(CHUNKS)))
        batch = WriteBatch()
        batch.put(CHUNKS, number, chunk[:2_000] + bytes([chunk[2_000] ^ 1]) + chunk[2_001:])
        writer.write(batch)
        with StateStore.open(environment, writer).view() as view, pytest.raises(StorageError):
            _ = [view.get(key) for key in STATE]
    report = examine_environment(tmp_path, schema=STATE_SCHEMA_NAME, checks=CHECKS)
    assert any("state at height 0" in damage.reason for damage in report.damages)
