"""A commit of the state is all there or not at all; old versions are readable until pruned."""

from pathlib import Path
from random import Random

import pytest

from node.ledger.tree.digests import EMPTY_ROOT
from node.ledger.tree.log import CHUNK_SIZE_BYTES
from node.ledger.tree.proof import verify_key
from node.storage.batch import WriteBatch
from node.storage.errors import DamagedDatabaseError
from node.storage.state_errors import HoldLimitError, StatePrunedError, WrongHeightError
from node.storage.state_store import HOLDS_MAX, StateLimits, StateStore
from node.storage.state_tables import CHUNKS, VERSIONS
from node.storage.state_view import NO_HEIGHT
from primitives.errors import StorageError
from primitives.ids import Height
from tests.ledger.tree.memory import naive_root
from tests.ledger.tree.test_update import accounts
from tests.storage.faults import Fault, failing_disk
from tests.storage.places import opened
from tests.storage.state_places import (
    STATE_SCHEMA,
    commit_next,
    environment_at,
    store_at,
    value_at,
)

SMALL = accounts(200)


def chunk_numbers(store: StateStore) -> list[int]:
    with store._environment.snapshot() as snapshot:  # noqa: SLF001 - what is on disk
        return [number for number, _ in snapshot.scan(CHUNKS)]


def test_new_state_is_empty(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        assert store.height == NO_HEIGHT
        assert store.root == EMPTY_ROOT
        assert value_at(store, b"key") is None
        with store.view() as view:
            assert (view.height, view.root) == (NO_HEIGHT, EMPTY_ROOT)


def test_everything_of_a_commit_is_there_after_it_and_after_reopening(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        commit_next(store, SMALL)
        root = commit_next(store, {b"key": b"value", next(iter(SMALL)): None})
    for _ in range(2):
        with store_at(tmp_path) as store, store.view() as view:
            assert store.height == view.height == 1
            assert store.root == view.root == root
            assert view.get(b"key") == b"value"
            assert view.get(next(iter(SMALL))) is None
            assert view.receipts() == (b"receipt 1",)
            assert view.commit_record() == b"record 1"


def test_root_is_that_of_the_map(tmp_path: Path) -> None:
    dice, state = Random(1), dict(SMALL)
    with store_at(tmp_path, limits=StateLimits(kept_versions=2)) as store:
        for turn in range(12):
            changes = {key: dice.randbytes(40) for key in dice.sample(sorted(state), 30)}
            if turn == 0:
                changes = state
            state |= changes
            assert commit_next(store, changes) == naive_root(state)


def test_state_is_the_same_whether_it_was_reopened_or_not(tmp_path: Path) -> None:
    with store_at(tmp_path / "a") as store:
        for number in range(5):
            commit_next(store, {**accounts(300 * number), b"n": b"%d" % number})
        root, version = store.root, store.version
    for number in range(5):
        with store_at(tmp_path / "b") as store:
            commit_next(store, {**accounts(300 * number), b"n": b"%d" % number})
    with store_at(tmp_path / "b") as store:
        assert (store.root, store.version) == (root, version)


def test_old_versions_are_readable_until_they_are_pruned(tmp_path: Path) -> None:
    with store_at(tmp_path, limits=StateLimits(kept_versions=4)) as store:
        for number in range(10):
            commit_next(store, {b"n": b"%d" % number, **SMALL})
        for number in range(6, 10):
            assert value_at(store, b"n", number) == b"%d" % number
            with store.view(Height(number)) as view:
                proof = view.prove(b"n")
                assert proof.value == b"%d" % number
                verify_key(view.root, proof)
        for number in (-1, 5, 10):
            with pytest.raises(StatePrunedError) as caught:
                value_at(store, b"n", number)
            assert (caught.value.height, caught.value.oldest) == (number, 6)


def test_view_of_a_version_stays_readable_while_it_is_pruned(tmp_path: Path) -> None:
    with store_at(tmp_path, limits=StateLimits(kept_versions=1)) as store:
        commit_next(store, {b"n": b"0"})
        with store.view(Height(0)) as view:
            for number in range(1, 5):
                commit_next(store, {b"n": b"%d" % number})
            assert view.get(b"n") == b"0"
        with pytest.raises(StatePrunedError):
            store.view(Height(0))


def test_view_to_execute_is_the_newest_state(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        commit_next(store, SMALL)
        for number in range(4):
            with store.view_to_execute() as view:
                assert view.height == number
                assert view.get(b"n") == (b"%d" % (number - 1) if number else None)
            state = {**SMALL, b"n": b"%d" % number}
            assert commit_next(store, {b"n": b"%d" % number}) == naive_root(state)


def test_view_to_execute_stays_at_its_state_whatever_is_committed(tmp_path: Path) -> None:
    keys = sorted(SMALL)
    with store_at(tmp_path) as store:
        commit_next(store, SMALL)
        views = [store.view_to_execute() for _ in range(2)]
        for view in views:
            assert view.get(keys[0]) == SMALL[keys[0]]
        commit_next(store, {keys[0]: b"later", keys[1]: b"later", keys[2]: None, b"new": b"later"})
        for view in views:
            assert [view.get(key) for key in keys[:3]] == [SMALL[key] for key in keys[:3]]
            assert view.get(b"new") is None
            view.close()
        with store.view_to_execute() as newest:
            found = [newest.get(key) for key in (*keys[:3], b"new")]
            assert found == [b"later", b"later", None, b"later"]


def test_what_views_to_execute_find_is_what_the_disk_holds(tmp_path: Path) -> None:
    """Memory of many commits, of which some were never written, against reading it all anew."""
    dice, state = Random(3), accounts(300)
    keys = [*sorted(state), *(b"new %d" % number for number in range(50))]
    with store_at(tmp_path) as store:
        commit_next(store, state)
        for turn in range(25):
            with store.view_to_execute() as view:
                for key in dice.sample(keys, 40):
                    assert view.get(key) == state.get(key)
            changes = {
                key: None if dice.random() < 0.3 else dice.randbytes(dice.choice((8, 400)))
                for key in dice.sample(keys, 30)
            }
            if turn % 3 == 0:
                store.prepare(Height(store.height + 1), changes, receipts=(), record=b"")
                continue
            state |= {key: value for key, value in changes.items() if value is not None}
            state = {key: value for key, value in state.items() if changes.get(key, value)}
            assert commit_next(store, changes) == naive_root(state)
        with store.view_to_execute() as remembered, store.view() as read:
            for key in keys:
                assert remembered.get(key) == read.get(key) == state.get(key)


def test_prepared_commit_is_nothing_until_it_is_written_and_adopted(tmp_path: Path) -> None:
    with environment_at(tmp_path) as (environment, writer):
        store = StateStore.open(environment, writer)
        empty = store.root
        prepared = store.prepare(Height(0), SMALL, receipts=(), record=b"")
        assert store.root == empty != prepared.root
        writer.write(prepared.batch)
        store.adopt(prepared)
        assert (store.height, store.root) == (0, prepared.root)


def test_held_version_is_not_pruned_and_the_number_of_holds_is_bounded(tmp_path: Path) -> None:
    with store_at(tmp_path, limits=StateLimits(kept_versions=1)) as store:
        for number in range(3):
            commit_next(store, {b"n": b"%d" % number})
            store.hold(Height(number))
        for number in range(3, 6):
            commit_next(store, {b"n": b"%d" % number})
        assert value_at(store, b"n", 0) == b"0"
        store.release(Height(0))
        commit_next(store, {})
        with pytest.raises(StatePrunedError):
            store.hold(Height(0))
        assert value_at(store, b"n", 1) == b"1"
        for _ in range(HOLDS_MAX - 2):
            store.hold(store.height)
        with pytest.raises(HoldLimitError):
            store.hold(store.height)


def test_version_that_a_prepared_commit_deletes_cannot_be_held(tmp_path: Path) -> None:
    limits = StateLimits(kept_versions=2)
    with environment_at(tmp_path) as (environment, writer):
        store = StateStore.open(environment, writer, limits=limits)
        commit_next(store, {})
        commit_next(store, {})
        prepared = store.prepare(Height(2), {}, receipts=(), record=b"")
        with pytest.raises(StatePrunedError) as caught:
            store.hold(Height(0))
        assert (caught.value.height, caught.value.oldest) == (0, 1)
        store.hold(Height(1))
        writer.write(prepared.batch)
        store.adopt(prepared)
        commit_next(store, {})
        store.view(Height(1)).close()


def test_hold_that_is_refused_takes_no_place(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        for _ in range(HOLDS_MAX + 1):
            with pytest.raises(StatePrunedError):
                store.hold(Height(0))


@pytest.mark.parametrize("height", [-1, 0, 2, 7])
def test_commit_out_of_order_is_refused(tmp_path: Path, height: int) -> None:
    with store_at(tmp_path) as store:
        commit_next(store, {})
        with pytest.raises(WrongHeightError) as caught:
            store.commit(Height(height), {}, receipts=(), record=b"")
        assert (caught.value.expected, caught.value.actual) == (1, height)


def test_log_is_cleaned_and_chunks_are_dropped_under_load(tmp_path: Path) -> None:
    dice, state = Random(7), accounts(1_500)
    limits = StateLimits(kept_versions=3, slack_chunks=8)
    with store_at(tmp_path, limits=limits) as store:
        commit_next(store, state)
        for _ in range(60):
            changes = {key: dice.randbytes(60) for key in dice.sample(sorted(state), 120)}
            commit_next(store, changes)
            state |= changes
        numbers = chunk_numbers(store)
        assert numbers == list(range(numbers[0], store.version.next_chunk))
        assert numbers[0] > 100
        live_chunks = store.version.live_bytes // CHUNK_SIZE_BYTES
        assert len(numbers) < 3 * live_chunks + 60
        assert store.root == naive_root(state)
        with store.view() as view:
            assert all(view.get(key) == value for key, value in state.items())
    with store_at(tmp_path) as store:
        assert store.root == naive_root(state)


def test_pruning_is_bounded_per_commit(tmp_path: Path) -> None:
    with store_at(tmp_path, limits=StateLimits(kept_versions=20)) as store:
        for _ in range(12):
            commit_next(store, {})
    with store_at(tmp_path, limits=StateLimits(kept_versions=1, pruned_versions_max=2)) as store:
        commit_next(store, {})
        with store._environment.snapshot() as snapshot:  # noqa: SLF001 - what is on disk
            assert [height for height, _ in snapshot.scan(VERSIONS)] == list(range(2, 13))


def test_commit_that_fails_leaves_the_last_one(tmp_path: Path) -> None:
    with environment_at(tmp_path) as (environment, writer):
        store = StateStore.open(environment, writer)
        root = commit_next(store, SMALL)
        with failing_disk(environment, Fault.NO_ROOM), pytest.raises(StorageError):
            commit_next(store, {b"key": b"value"})
        assert (store.height, store.root) == (0, root)
    with store_at(tmp_path) as store:
        assert (store.height, store.root) == (0, root)
        assert value_at(store, b"key") is None


def test_missing_chunk_is_an_error_that_names_it(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        commit_next(store, accounts(20))
    with opened(tmp_path, schema=STATE_SCHEMA) as (environment, writer):
        batch = WriteBatch()
        batch.delete(CHUNKS, 1)
        writer.write(batch)
        store = StateStore.open(environment, writer)
        with pytest.raises(DamagedDatabaseError, match="chunk 1 "), store.view() as view:
            view.get(b"key")
