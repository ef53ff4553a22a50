import pytest

from consensus.block import Block, BlockRef
from consensus.commit import Commit, CommittedSubDag
from consensus.events import AlarmKind, RaiseAlarm, ReportPeer
from devnet.simulator.twins.cast import Cast
from devnet.simulator.twins.oracle import Oracle
from devnet.simulator.validators.ledger import ViolationError
from primitives.ids import AuthorityIndex, Digest, Round
from tests.consensus.builders import Forge, digest_of

HONEST, OTHER, TWIN = AuthorityIndex(0), AuthorityIndex(1), AuthorityIndex(3)
CAST = Cast(4)
FORGE = Forge(CAST.context(0))


def sub_dag(index: int, label: str, *, blocks: tuple[Block, ...] = ()) -> CommittedSubDag:
    commit = Commit(
        genesis=FORGE.context.genesis_digest,
        index=index,
        previous=Digest(bytes(32)),
        timestamp_ms=0,
        leader=BlockRef(Round(1), HONEST, digest_of(label)),
        blocks=(),
        void=(),
    )
    return CommittedSubDag(commit, digest=digest_of(label), blocks=blocks)


def block(author: int, *, timestamp_ms: int) -> Block:
    return FORGE.block(1, author, FORGE.genesis(), timestamp_ms=timestamp_ms)


def test_two_sequences_are_a_violation() -> None:
    oracle = Oracle(CAST)
    oracle.note_delivery(HONEST, sub_dag(1, "one"))
    oracle.note_delivery(OTHER, sub_dag(1, "one"))
    oracle.note_delivery(HONEST, sub_dag(2, "two"))
    with pytest.raises(ViolationError, match="at index 2, others"):
        oracle.note_delivery(OTHER, sub_dag(2, "other"))


def test_gap_is_a_violation() -> None:
    with pytest.raises(ViolationError, match="in place 1"):
        Oracle(CAST).note_delivery(HONEST, sub_dag(2, "two"))


def test_block_in_two_commits_is_a_violation() -> None:
    oracle, twice = Oracle(CAST), block(OTHER, timestamp_ms=0)
    oracle.note_delivery(HONEST, sub_dag(1, "one", blocks=(twice,)))
    with pytest.raises(ViolationError, match="committed twice"):
        oracle.note_delivery(HONEST, sub_dag(2, "two", blocks=(twice,)))


def test_double_sign_of_an_honest_validator_is_a_violation() -> None:
    oracle = Oracle(CAST)
    oracle.note_block(block(HONEST, timestamp_ms=0))
    oracle.note_block(block(HONEST, timestamp_ms=0))
    with pytest.raises(ViolationError, match="signed round 1 twice"):
        oracle.note_block(block(HONEST, timestamp_ms=1))


def test_twins_may_do_anything_and_are_counted() -> None:
    oracle = Oracle(CAST)
    oracle.note_block(block(TWIN, timestamp_ms=0))
    oracle.note_block(block(TWIN, timestamp_ms=1))
    oracle.note_delivery(TWIN, sub_dag(7, "seven"))
    oracle.note_alarm(TWIN, RaiseAlarm(AlarmKind.CERTIFIED_TWINS, ""))
    oracle.note_report(TWIN, ReportPeer(HONEST, ""))
    assert (oracle.twin_rounds, oracle.commit_count) == (1, 0)


def test_alarm_and_blame_of_an_honest_validator_are_violations() -> None:
    with pytest.raises(ViolationError, match="FOREIGN_OWN_BLOCK"):
        Oracle(CAST).note_alarm(HONEST, RaiseAlarm(AlarmKind.FOREIGN_OWN_BLOCK, ""))
    with pytest.raises(ViolationError, match="blames 1"):
        Oracle(CAST).note_report(HONEST, ReportPeer(OTHER, "a reason"))
