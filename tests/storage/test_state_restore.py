"""A state is put together from chunks of untrusted peers, in any order, across restarts."""

from pathlib import Path
from random import Random

import msgspec
import pytest

from node.ledger.tree.coverage import GAPS_MAX
from node.ledger.tree.digests import place_of
from node.ledger.tree.lookup import PLACE_FIRST
from node.ledger.tree.snapshot import SnapshotChunk, cut_chunk, place_behind
from node.storage.state_errors import RestoreMismatchError, WrongHeightError
from node.storage.state_restore import Arrival, StateRestorer
from node.storage.state_store import StateStore
from node.storage.state_tables import CHUNKS
from primitives.errors import InvalidProofError
from primitives.ids import Digest, Height
from tests.ledger.tree.memory import MemoryTree, naive_root
from tests.ledger.tree.test_update import accounts
from tests.storage.state_places import commit_next, environment_at, store_at

STATE = {**accounts(2_500, value=b"v" * 300), b"code": bytes(range(256)) * 150, b"": b""}
HEIGHT = Height(41)


@pytest.fixture(name="chunks", scope="module")
def _chunks(tmp_path_factory: pytest.TempPathFactory) -> list[SnapshotChunk]:
    chunks: list[SnapshotChunk] = []
    with store_at(tmp_path_factory.mktemp("source")) as store:
        commit_next(store, STATE)
        with store.view() as view:
            low: bytes | None = PLACE_FIRST
            while low is not None:
                chunks.append(view.cut_chunk(low))
                low = place_behind(chunks[-1].high)
    assert len(chunks) > 3
    return chunks


@pytest.fixture(name="root", scope="module")
def _root() -> Digest:
    return Digest(naive_root(STATE))


def test_chunks_in_any_order_make_the_state(
    chunks: list[SnapshotChunk], root: Digest, tmp_path: Path
) -> None:
    Random(4).shuffle(chunks)
    with environment_at(tmp_path) as (environment, writer):
        restorer = StateRestorer.open(environment, writer, target=root)
        for chunk in chunks:
            assert restorer.gaps
            assert restorer.accept(chunk) is Arrival.STORED
            assert restorer.accept(chunk) is Arrival.KNOWN
        assert not restorer.gaps
        assert restorer.finish(HEIGHT, record=b"record") == root
        store = StateStore.open(environment, writer)
        assert (store.height, store.root) == (HEIGHT, root)
        with store.view() as view:
            assert all(view.get(key) == value for key, value in STATE.items())
            assert view.commit_record() == b"record"
        expected = naive_root({**STATE, b"next": b"value"})
        assert commit_next(store, {b"next": b"value"}) == expected


def test_restart_goes_on_where_it_was(
    chunks: list[SnapshotChunk], root: Digest, tmp_path: Path
) -> None:
    for number, chunk in enumerate(chunks):
        with environment_at(tmp_path) as (environment, writer):
            restorer = StateRestorer.open(environment, writer, target=root)
            if number:
                assert restorer.accept(chunks[number - 1]) is Arrival.KNOWN
            assert restorer.accept(chunk) is Arrival.STORED
    with environment_at(tmp_path) as (environment, writer):
        restorer = StateRestorer.open(environment, writer, target=root)
        assert restorer.finish(HEIGHT, record=b"") == root


def test_forged_chunk_is_refused_and_leaves_nothing(
    chunks: list[SnapshotChunk], root: Digest, tmp_path: Path
) -> None:
    good = chunks[0]
    (key, value), *others = good.contents
    forged = [
        msgspec.structs.replace(good, contents=((key, value + b"!"), *others)),
        msgspec.structs.replace(good, contents=tuple(others)),
        msgspec.structs.replace(good, cut=good.cut[:-1]),
    ]
    with environment_at(tmp_path) as (environment, writer):
        restorer = StateRestorer.open(environment, writer, target=root)
        gaps = restorer.gaps
        for chunk in forged:
            with pytest.raises(InvalidProofError):
                restorer.accept(chunk)
        assert restorer.gaps == gaps
        with environment.snapshot() as snapshot:
            assert snapshot.count(CHUNKS) == 0


@pytest.mark.slow
def test_true_chunks_that_lie_scattered_neither_blame_anybody_nor_stop_the_restore(
    tmp_path: Path,
) -> None:
    """Whoever fills the list of gaps with tiny chunks gains nothing."""
    state = accounts(2 * GAPS_MAX)
    tree = MemoryTree()
    tree.apply(state)
    places = sorted(map(place_of, state))
    tiny = [cut_chunk(tree.source, tree.root, low=place, content_bytes=1) for place in places[1::2]]
    with environment_at(tmp_path) as (environment, writer):
        restorer = StateRestorer.open(environment, writer, target=tree.root.digest)
        for chunk in tiny:
            restorer.accept(chunk)
        assert len(restorer.gaps) == GAPS_MAX
        behind = place_behind(restorer.gaps[-2].low)
        assert behind is not None
        inside = cut_chunk(tree.source, tree.root, low=behind, content_bytes=1)
        assert restorer.accept(inside) is Arrival.SCATTERED
        while restorer.gaps:
            low = restorer.gaps[0].low
            chunk = cut_chunk(tree.source, tree.root, low=low, content_bytes=1 << 14)
            assert restorer.accept(chunk) is Arrival.STORED
        assert restorer.finish(HEIGHT, record=b"") == tree.root.digest


def test_state_with_a_gap_is_not_finished(
    chunks: list[SnapshotChunk], root: Digest, tmp_path: Path
) -> None:
    with environment_at(tmp_path) as (environment, writer):
        restorer = StateRestorer.open(environment, writer, target=root)
        for chunk in chunks[1:]:
            restorer.accept(chunk)
        with pytest.raises(RestoreMismatchError) as caught:
            restorer.finish(HEIGHT, record=b"")
        assert caught.value.expected == root
        restorer.accept(chunks[0])
        assert restorer.finish(HEIGHT, record=b"") == root


def test_restore_of_another_root_begins_anew(
    chunks: list[SnapshotChunk], root: Digest, tmp_path: Path
) -> None:
    with environment_at(tmp_path) as (environment, writer):
        StateRestorer.open(environment, writer, target=root).accept(chunks[0])
        again = StateRestorer.open(environment, writer, target=Digest(bytes(31) + b"\x01"))
        assert len(again.gaps) == 1
        with environment.snapshot() as snapshot:
            assert snapshot.count(CHUNKS) == 0


def test_environment_with_a_state_is_not_restored_over(root: Digest, tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        commit_next(store, {b"key": b"value"})
    with environment_at(tmp_path) as (environment, writer), pytest.raises(WrongHeightError):
        StateRestorer.open(environment, writer, target=root)


def test_genesis_is_loaded_in_batches(root: Digest, tmp_path: Path) -> None:
    rows = sorted(STATE.items())
    with environment_at(tmp_path) as (environment, writer):
        for start in range(0, len(rows), 700):
            StateRestorer.open(environment, writer).load(dict(rows[start : start + 700]))
        restorer = StateRestorer.open(environment, writer)
        assert restorer.finish(Height(0), record=b"") == root
        assert StateStore.open(environment, writer).height == 0


def test_empty_state_is_restored_from_one_chunk(tmp_path: Path) -> None:
    with store_at(tmp_path / "source") as store:
        root = commit_next(store, {})
        with store.view() as view:
            chunk = view.cut_chunk(PLACE_FIRST)
    with environment_at(tmp_path / "target") as (environment, writer):
        restorer = StateRestorer.open(environment, writer, target=root)
        assert restorer.accept(chunk) is Arrival.STORED
        assert restorer.finish(HEIGHT, record=b"") == root
