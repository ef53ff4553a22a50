from collections.abc import Sequence

import msgpack
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.block import Block, BlockRef
from consensus.commit import (
    COMMIT_CODEC,
    Commit,
    commit_digest,
    commit_timestamp,
    genesis_commit_digest,
)
from consensus.committee import Committee
from primitives.ids import AuthorityIndex, Digest, Round, TimestampMs
from tests.dsl.committee import EVEN, UNEVEN, committee_of
from tests.dsl.dag import Drawing, draw
from tests.vectors import Row, cases

REF = BlockRef(Round(3), AuthorityIndex(1), Digest(b"\x01" * 32))
COMMIT = Commit(
    genesis=bytes(32),
    index=1,
    previous=bytes(32),
    timestamp_ms=5,
    leader=REF,
    blocks=(REF,),
    void=(),
)


def _parents(powers: Sequence[int], stamps: Sequence[int | None]) -> tuple[list[Block], Committee]:
    """Make one block for each author with a stamp."""
    drawing = Drawing(draw("", powers=powers).context)
    genesis = [drawing.ref(0, author) for author in range(len(powers))]
    blocks = [
        drawing.add(1, author, ancestors=genesis, timestamp_ms=stamp)
        for author, stamp in enumerate(stamps)
        if stamp is not None
    ]
    return blocks, drawing.context.committee


@settings(deadline=None, max_examples=60, database=None)
@given(st.data())
def test_less_than_a_third_of_power_cannot_move_the_median(data: st.DataObject) -> None:
    powers = data.draw(st.sampled_from(EVEN + UNEVEN))
    committee = committee_of(powers)
    order = data.draw(st.permutations(range(len(powers))))
    stamps: list[int | None] = [None] * len(powers)
    faulty_power = 0
    honest = []
    for author in order:
        is_faulty = faulty_power + powers[author] <= committee.faulty_power_max
        faulty_power += powers[author] if is_faulty else 0
        if is_faulty:
            stamps[author] = data.draw(st.none() | st.integers(0, 2**40))
        else:
            stamps[author] = data.draw(st.integers(1_000, 2_000))
            honest.append(stamps[author])
    blocks, committee = _parents(powers, stamps)
    median = commit_timestamp(blocks, committee=committee, previous_ms=TimestampMs(0))
    assert 1_000 <= median <= 2_000


@settings(deadline=None, max_examples=100, database=None)
@given(
    st.lists(st.integers(0, 10_000), min_size=4, max_size=4),
    st.integers(0, 10_000),
)
def test_time_never_goes_back_and_does_not_know_the_order(stamps: list[int], before: int) -> None:
    blocks, committee = _parents((1, 1, 1, 1), stamps)
    previous_ms = TimestampMs(before)
    found = commit_timestamp(blocks, committee=committee, previous_ms=previous_ms)
    assert found == max(before, sorted(stamps)[1])
    assert found == commit_timestamp(blocks[::-1], committee=committee, previous_ms=previous_ms)


def test_median_weighs_power() -> None:
    blocks, committee = _parents((2, 3, 3, 3), (1, 2, 3, 4))
    assert commit_timestamp(blocks, committee=committee, previous_ms=TimestampMs(0)) == 3


def test_leader_without_parents_keeps_the_time_before() -> None:
    committee = committee_of((1, 1, 1, 1))
    assert commit_timestamp([], committee=committee, previous_ms=TimestampMs(77)) == 77


@pytest.mark.parametrize(
    "change",
    [
        {"genesis": b"\x02" * 32},
        {"index": 2},
        {"previous": b"\x02" * 32},
        {"timestamp_ms": 6},
        {"leader": BlockRef(Round(4), AuthorityIndex(1), Digest(b"\x01" * 32))},
        {"blocks": ()},
        {"void": (REF,)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_is_in_the_digest(change: dict[str, object]) -> None:
    assert commit_digest(msgspec.structs.replace(COMMIT, **change)) != commit_digest(COMMIT)


def test_chains_of_two_epochs_start_apart() -> None:
    assert genesis_commit_digest(Digest(bytes(32))) != genesis_commit_digest(Digest(b"\x01" * 32))


@pytest.mark.parametrize("row", cases("commit_digest", "commits"))
def test_bytes_and_digest_are_the_golden_ones(row: Row) -> None:
    raw = bytes.fromhex(row["bytes"])
    commit = COMMIT_CODEC.decode(raw)
    assert COMMIT_CODEC.encode(commit) == raw
    assert commit_digest(commit).hex() == row["digest"]


@pytest.mark.parametrize("row", cases("commit_digest", "commits"))
def test_golden_bytes_read_the_same_elsewhere(row: Row) -> None:
    fields = msgpack.unpackb(bytes.fromhex(row["bytes"]))
    commit = COMMIT_CODEC.decode(bytes.fromhex(row["bytes"]))
    assert fields[:4] == [commit.genesis, commit.index, commit.previous, commit.timestamp_ms]
    leader, blocks, void = fields[4:]
    assert leader == list(msgspec.structs.astuple(commit.leader))
    assert blocks == [list(msgspec.structs.astuple(ref)) for ref in commit.blocks]
    assert void == [list(msgspec.structs.astuple(ref)) for ref in commit.void]


@pytest.mark.parametrize("row", cases("commit_digest", "genesis"))
def test_digest_before_the_first_commit_is_the_golden_one(row: Row) -> None:
    genesis = Digest(bytes.fromhex(row["genesis"]))
    assert genesis_commit_digest(genesis).hex() == row["digest"]
