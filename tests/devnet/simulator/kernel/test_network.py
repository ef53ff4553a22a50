"""Delivery: latency, partitions, clogs, slow links, bounds, order and the adversary."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devnet.simulator.kernel import network as network_module
from devnet.simulator.kernel.latency import FixedLatency, parse_latency
from devnet.simulator.kernel.network import LinkOrder, Network
from devnet.simulator.kernel.network_faults import LinkFaults
from devnet.simulator.kernel.scheduler import Scheduler, TieOrder

SECOND_US = 1_000_000
# Without flipped bits, so that a message can be recognised.
DELAYS = LinkFaults(
    loss_permille=100,
    duplicate_permille=300,
    reorder_permille=300,
    reorder_us_max=200_000,
    spike_permille=50,
    spike_us_min=300_000,
    spike_us_max=3_000_000,
)


@dataclass
class Wire:
    """A network whose deliveries are recorded as (time, source, target, message)."""

    order: LinkOrder = LinkOrder.ANY
    latency: str = "fixed:50"
    seed: int = 1
    down: set[int] = field(default_factory=set)
    arrivals: list[tuple[int, int, int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.seed, tie_order=TieOrder.SHUFFLED)
        self.network: Network[bytes] = Network(
            self.scheduler, parse_latency(self.latency), self._deliver, order=self.order
        )

    def run(self, seconds: int = 10) -> list[bytes]:
        """Run for a while and return the messages in order of arrival."""
        self.scheduler.run_until(self.scheduler.now_us + seconds * SECOND_US)
        return [message for _, _, _, message in self.arrivals]

    def _deliver(self, source: int, target: int, message: bytes) -> bool:
        if target in self.down:
            return False
        self.arrivals.append((self.scheduler.now_us, source, target, message))
        return True


def _numbers(count: int) -> list[bytes]:
    return [b"%06d" % number for number in range(count)]


def test_message_arrives_after_its_latency() -> None:
    wire = Wire()
    wire.network.send(0, 1, b"hello")
    wire.run()
    assert wire.arrivals == [(50_000, 0, 1, b"hello")]
    assert (wire.network.counters.sent, wire.network.counters.delivered) == (1, 1)


def test_target_that_is_down_on_arrival_gets_nothing() -> None:
    wire = Wire()
    wire.network.send(0, 1, b"hello")
    wire.down.add(1)
    assert wire.run() == []
    assert wire.network.counters.undeliverable == wire.network.counters.dropped == 1


def test_partition_blocks_exactly_its_directed_links() -> None:
    wire = Wire()
    wire.network.block([(0, 1), (2, 1)])
    for source, target in [(0, 1), (1, 0), (2, 1), (0, 2)]:
        wire.network.send(source, target, b"%d%d" % (source, target))
    assert sorted(wire.run()) == [b"02", b"10"]
    assert wire.network.counters.blocked == 2


def test_partition_loses_what_is_on_the_wire() -> None:
    wire = Wire()
    wire.network.send(0, 1, b"lost")
    wire.scheduler.run_until(10_000)
    wire.network.block([(0, 1)])
    assert wire.run() == []


def test_overlapping_partitions_end_one_by_one() -> None:
    wire = Wire()
    wire.network.block([(0, 1)])
    wire.network.block([(0, 1)])
    wire.network.unblock([(0, 1)])
    wire.network.send(0, 1, b"blocked")
    wire.network.unblock([(0, 1)])
    wire.network.unblock([(0, 1)])
    wire.network.send(0, 1, b"open")
    assert wire.run() == [b"open"]


def test_clogged_node_gets_everything_in_order_once_unclogged() -> None:
    wire = Wire(order=LinkOrder.FIFO)
    wire.network.clog(1)
    for message in _numbers(20):
        wire.network.send(0, 1, message)
    assert wire.run() == []
    wire.network.unclog(1)
    assert wire.run() == _numbers(20)
    assert wire.arrivals[0][0] == 10 * SECOND_US


def test_message_between_two_clogged_nodes_waits_for_both() -> None:
    wire = Wire()
    wire.network.clog(0)
    wire.network.clog(1)
    wire.network.send(0, 1, b"held")
    wire.run()
    wire.network.unclog(1)
    assert wire.run() == []
    wire.network.unclog(0)
    assert wire.run() == [b"held"]


def test_overlapping_clogs_end_one_by_one() -> None:
    wire = Wire()
    wire.network.clog(1)
    wire.network.clog(1)
    wire.network.send(0, 1, b"held")
    wire.run()
    wire.network.unclog(1)
    assert wire.run() == []
    wire.network.unclog(1)
    assert wire.run() == [b"held"]
    assert wire.network.counters.clogged == 1


def test_clog_holds_a_bounded_number_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_module, "CLOGGED_MESSAGES_MAX", 3)
    wire = Wire()
    wire.network.clog(1)
    for message in _numbers(5):
        wire.network.send(0, 1, message)
    wire.run()
    wire.network.unclog(1)
    assert len(wire.run()) == 3
    assert wire.network.counters.overflowed == 2


def test_slow_link_adds_its_delay_one_way() -> None:
    wire = Wire()
    wire.network.slow([(0, 1)], 7_000)
    wire.network.slow([(0, 1)], 3_000)
    wire.network.send(0, 1, b"slow")
    wire.network.send(1, 0, b"fast")
    wire.network.slow([(0, 1)], -3_000)
    wire.network.slow([(0, 1)], -7_000)
    wire.network.send(0, 1, b"again")
    wire.run()
    assert {(time_us, message) for time_us, _, _, message in wire.arrivals} == {
        (50_000, b"fast"),
        (50_000, b"again"),
        (60_000, b"slow"),
    }
    assert wire.network.counters.slowed == 1


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_fifo_links_stay_fifo_under_every_fault(seed: int) -> None:
    wire = Wire(order=LinkOrder.FIFO, latency="wan5:jitter:tail", seed=seed)
    wire.network.set_link_faults(DELAYS)
    for count, message in enumerate(_numbers(60)):
        wire.network.send(0, 1, message)
        if count == 20:
            wire.network.clog(0)
        if count == 40:
            wire.network.unclog(0)
        wire.scheduler.run_until(wire.scheduler.now_us + 20_000)
    messages = wire.run()
    assert messages == sorted(messages)
    assert len(messages) > 30


def test_links_without_order_reorder() -> None:
    wire = Wire(latency="wan5:jitter")
    for message in _numbers(50):
        wire.network.send(0, 1, message)
    messages = wire.run()
    assert messages != sorted(messages)
    assert sorted(messages) == _numbers(50)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from(LinkOrder))
def test_delay_is_bounded_after_gst(seed: int, order: LinkOrder) -> None:
    wire = Wire(order=order, latency="wan5:jitter:tail", seed=seed)
    wire.network.set_link_faults(DELAYS)
    gst_us, delta_us, sent_count = SECOND_US, 150_000, 40
    wire.network.gst_us, wire.network.delta_us = gst_us, delta_us
    sent_us = {}
    for message in _numbers(sent_count):
        sent_us[message] = wire.scheduler.now_us
        wire.network.send(0, 3, message)
        wire.scheduler.run_until(wire.scheduler.now_us + 50_000)
    wire.run()
    # An ordered link lets the messages that the bound bunched out one per microsecond.
    slack_us = 2 * sent_count if order is LinkOrder.FIFO else 0
    for time_us, _, _, message in wire.arrivals:
        assert time_us <= max(sent_us[message], gst_us) + delta_us + slack_us


def test_healed_network_delivers_everything_in_time() -> None:
    wire = Wire()
    wire.network.delta_us = 60_000
    wire.network.set_link_faults(LinkFaults(loss_permille=1000))
    wire.network.block([(0, 1)])
    wire.network.slow([(0, 1)], SECOND_US)
    wire.network.clog(0)
    wire.network.clog(0)
    wire.network.clog(1)
    wire.run(1)
    wire.network.heal_all()
    assert wire.network.gst_us == SECOND_US
    wire.network.send(0, 1, b"healed")
    wire.run()
    assert wire.arrivals == [(SECOND_US + 50_000, 0, 1, b"healed")]


def test_healing_releases_what_clogs_held() -> None:
    wire = Wire()
    wire.network.clog(0)
    wire.network.clog(1)
    wire.network.send(0, 1, b"held")
    wire.run(1)
    wire.network.heal_all()
    assert wire.run() == [b"held"]


@pytest.mark.parametrize(("gst_us", "healed_gst_us"), [(5, 5), (9 * SECOND_US, SECOND_US)])
def test_healing_may_only_move_gst_to_an_earlier_time(gst_us: int, healed_gst_us: int) -> None:
    wire = Wire()
    wire.network.gst_us = gst_us
    wire.run(1)
    wire.network.heal_all()
    assert wire.network.gst_us == healed_gst_us


def test_adversary_chooses_the_time_of_the_messages_it_cares_about() -> None:
    wire = Wire()
    wire.network.schedule = lambda _source, target, _message: 400_000 if target == 2 else None
    wire.network.send(0, 1, b"ordinary")
    wire.network.send(0, 2, b"late")
    wire.run()
    assert wire.arrivals == [(50_000, 0, 1, b"ordinary"), (400_000, 0, 2, b"late")]
    assert wire.network.counters.rescheduled == 1


def test_adversary_is_bound_by_gst() -> None:
    wire = Wire()
    wire.network.gst_us, wire.network.delta_us = 100_000, 60_000
    wire.network.schedule = lambda _source, _target, _message: 10 * SECOND_US
    wire.network.send(0, 1, b"late")
    wire.run()
    assert wire.arrivals[0][0] == 160_000


def test_trace_tells_messages_and_links_apart() -> None:
    hashes = set()
    for source, target, message in [(0, 1, b"a"), (0, 1, b"b"), (1, 0, b"a"), (2, 1, b"a")]:
        wire = Wire()
        wire.network.send(source, target, message)
        wire.run()
        hashes.add(wire.scheduler.trace_hash())
    assert len(hashes) == 4


def test_messages_may_be_any_object() -> None:
    scheduler = Scheduler(1)
    got: list[tuple[int, str]] = []

    def deliver(_source: int, _target: int, message: tuple[int, str]) -> bool:
        got.append(message)
        return True

    network: Network[tuple[int, str]] = Network(
        scheduler, FixedLatency(1), deliver, digest=lambda message: message[1].encode()
    )
    network.send(0, 1, (7, "seven"))
    bare: Network[tuple[int, str]] = Network(scheduler, FixedLatency(1), deliver)
    bare.send(0, 1, (8, "eight"))
    scheduler.run_until(1)
    assert got == [(7, "seven"), (8, "eight")]
