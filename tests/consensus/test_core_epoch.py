"""The end of an epoch: one commit closes it for all, nothing follows, and no payload is lost."""

from consensus.committee import EpochContext, EpochSpan
from consensus.events import (
    AlarmKind,
    BlocksReceived,
    BlocksRequested,
    CloseEpoch,
    Deliver,
    EpochCloseForced,
    LatestQueried,
    Origin,
    PayloadReturned,
    PayloadSubmitted,
    RaiseAlarm,
    Send,
    StoreBlocks,
    Timer,
    TimerFired,
)
from consensus.parameters import Parameters
from primitives.ids import AuthorityIndex, CommitIndex, Epoch, TimestampMs
from tests.consensus.lockstep import EPOCH_START_MS, Network, Seat
from tests.dsl.committee import context_of

RUNNING = context_of((1,) * 4, parameters=Parameters(gc_depth=3, schedule_window=4))


def network_until(closes_ms: int | None) -> Network:
    """Return a network whose epoch closes so long after its start."""
    closes_at_ms = None if closes_ms is None else TimestampMs(EPOCH_START_MS + closes_ms)
    return Network(
        EpochContext(
            chain_id=RUNNING.chain_id,
            epoch=Epoch(0),
            committee=RUNNING.committee,
            parameters=RUNNING.parameters,
            span=EpochSpan(TimestampMs(0), closes_at_ms),
        )
    )


def returned(seat: Seat) -> list[bytes]:
    """Return the payload that came back."""
    return [item for notice in seat.of(PayloadReturned) for item in notice.items]


def delivered(seat: Seat) -> list[bytes]:
    """Return the payload that was delivered."""
    blocks = [block for sub_dag in seat.delivered for block in sub_dag.blocks]
    return [item for block in blocks for item in block.signed.payload]


def test_first_commit_at_the_deadline_closes_and_is_the_last() -> None:
    network = network_until(1_000)
    network.run(3_000)
    (digest,) = {seat.delivered[-1].digest for seat in network.seats}
    for seat in network.seats:
        *earlier, last = seat.delivered
        assert all(sub.commit.timestamp_ms < EPOCH_START_MS + 1_000 for sub in earlier)
        assert last.commit.timestamp_ms >= EPOCH_START_MS + 1_000
        assert seat.of(CloseEpoch) == [CloseEpoch(last.index, digest)]
        assert seat.core.is_closed


def test_close_comes_after_the_delivery_of_its_commit() -> None:
    network = network_until(1_000)
    network.run(3_000)
    for seat in network.seats:
        (effects,) = [e for e in seat.history if any(isinstance(x, CloseEpoch) for x in e)]
        assert isinstance(effects[-1], CloseEpoch)
        deliveries = [effect for effect in effects if isinstance(effect, Deliver)]
        assert deliveries[-1].sub_dag.index == effects[-1].index


def test_closed_core_proposes_and_delivers_nothing_more() -> None:
    network = network_until(1_000)
    network.run(3_000)
    seat = network.seats[0]
    rounds, commits = len(seat.proposed_ms), len(seat.delivered)
    network.run(8_000)
    assert (len(seat.proposed_ms), len(seat.delivered)) == (rounds, commits)
    seat.feed(TimerFired(Timer.PROPOSE))
    assert len(seat.proposed_ms) == rounds


def test_payload_is_delivered_or_returned_and_never_both_or_twice() -> None:
    network = network_until(2_000)
    seat = network.seats[0]
    items = []
    for number in range(40):
        items.append(f"item {number}".encode())
        seat.feed(PayloadSubmitted((items[-1],)))
        network.run(network.now_ms + 100)
    assert sorted(delivered(seat) + returned(seat)) == sorted(items)


def test_payload_of_a_seat_that_nobody_hears_comes_back_once() -> None:
    network = network_until(2_500)
    seat = network.seats[0]
    items = []
    for number in range(40):
        if number == 5:
            network.passes = lambda sender, *_: sender != 0
        items.append(f"item {number}".encode())
        seat.feed(PayloadSubmitted((items[-1],)))
        network.run(network.now_ms + 100)
    assert seat.core.is_closed
    assert sorted(delivered(seat) + returned(seat)) == sorted(items)


def test_closed_core_still_serves() -> None:
    network = network_until(1_000)
    network.run(3_000)
    seat = network.seats[0]
    newest = seat.delivered[-1].blocks[-1]
    (answer,) = seat.feed(BlocksRequested(AuthorityIndex(1), (newest.ref,), ()))
    assert isinstance(answer, Send)
    (latest,) = seat.feed(LatestQueried(AuthorityIndex(1)))
    assert isinstance(latest, Send)
    assert seat.feed(PayloadSubmitted((b"late",))) == [PayloadReturned((b"late",))]


def test_closed_core_takes_no_more_blocks() -> None:
    network = network_until(1_000)
    network.run(3_000)
    seat = network.seats[0]
    before = seat.core.memory
    others = [
        block
        for write in network.seats[1].disk.writes
        if isinstance(write, StoreBlocks)
        for block in write.blocks
    ]
    assert len(others) > 20
    seat.feed(BlocksReceived(AuthorityIndex(1), tuple(others), Origin.RELAYED))
    assert seat.core.memory == before


def test_laggard_finishes_the_epoch_from_peers_that_closed_it() -> None:
    network = network_until(1_500)
    network.run(600)
    network.passes = lambda sender, peer, _: 3 not in (sender, peer)
    network.run(4_000)
    assert [seat.core.is_closed for seat in network.seats] == [True, True, True, False]
    network.passes = lambda *_: True
    network.run_until(lambda: network.seats[3].core.is_closed)
    assert network.seats[3].delivered[-1].digest == network.seats[0].delivered[-1].digest


def test_epoch_is_closed_by_force_at_the_agreed_commit() -> None:
    network = network_until(None)
    for seat in network.seats:
        assert seat.feed(EpochCloseForced(CommitIndex(6))) == []
    network.run(3_000)
    for seat in network.seats:
        assert len(seat.delivered) == 6
        assert [close.index for close in seat.of(CloseEpoch)] == [6]


def test_close_that_is_past_cannot_be_forced() -> None:
    network = network_until(None)
    network.run_until_commit(3)
    seat = network.seats[0]
    done = len(seat.delivered)
    (alarm,) = seat.feed(EpochCloseForced(CommitIndex(done)))
    assert isinstance(alarm, RaiseAlarm)
    assert alarm.kind is AlarmKind.CLOSE_MISSED
    seat.feed(EpochCloseForced(CommitIndex(done + 1)))
    network.run(network.now_ms + 1_000)
    assert len(seat.delivered) == done + 1


def test_restart_of_a_closed_core_stays_closed() -> None:
    network = network_until(1_000)
    network.run(3_000)
    seat = network.seats[0]
    commits = len(seat.delivered)
    seat.crash()
    seat.restart()
    network.run(6_000)
    assert seat.core.is_closed
    assert len(seat.delivered) == commits
