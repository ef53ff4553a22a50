"""What each peer is told of us, and what it may hand on."""

from dataclasses import dataclass

from p2p.identify_message import IdentifyMessage
from p2p.portrait import OWN_HOSTS_MAX, Features, Portrait
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.records import PeerRecord
from tests.p2p.town import identity_of, place_of

ANYWHERE = place_of("0.0.0.0")  # noqa: S104 - announced, not bound
LOOPBACK, HOME, PUBLIC = map(place_of, ("127.0.0.1", "192.168.1.2", "9.9.9.9"))


@dataclass
class End:
    local: Multiaddr
    remote: Multiaddr = PUBLIC


class StillClock:
    """A clock that shows the same time for ever."""

    def monotonic_ms(self) -> int:
        return 1_000

    def wall_ms(self) -> int:
        return 1_000


class Sitter:
    """A peer whose portrait is drawn."""

    def __init__(self, *listening: Multiaddr) -> None:
        self.features = Features(("/echo/1",), listening, ())
        self._portrait = Portrait(
            identity_of(1),
            clock=StillClock(),
            agent_version="hanse",
            protocol_version="hanse/1",
            features=lambda: self.features,
        )

    def for_end(self, local: Multiaddr) -> IdentifyMessage:
        return self._portrait.describe(End(local))

    def record_for_end(self, local: Multiaddr) -> PeerRecord:
        envelope = self.for_end(local).signed_record
        assert envelope is not None
        return PeerRecord.open(envelope)


def test_peer_on_this_machine_gets_loopback_to_dial_but_not_to_hand_on() -> None:
    sitter = Sitter(ANYWHERE)
    sitter.for_end(HOME)
    assert sitter.for_end(LOOPBACK).addresses == (LOOPBACK,)
    assert sitter.record_for_end(LOOPBACK).addresses == (HOME,)


def test_record_is_the_same_for_all_once_our_addresses_are_known() -> None:
    sitter = Sitter(ANYWHERE)
    for local in (LOOPBACK, HOME, PUBLIC):
        sitter.for_end(local)
    records = {sitter.for_end(local).signed_record for local in (PUBLIC, LOOPBACK, HOME)}
    assert len(records) == 1
    assert sitter.record_for_end(LOOPBACK).addresses == (HOME, PUBLIC)


def test_loopback_is_handed_on_if_there_is_nothing_else() -> None:
    assert Sitter(ANYWHERE).record_for_end(LOOPBACK).addresses == (LOOPBACK,)
    assert Sitter(LOOPBACK).record_for_end(LOOPBACK).addresses == (LOOPBACK,)
    assert Sitter(LOOPBACK, HOME).record_for_end(LOOPBACK).addresses == (HOME,)


def test_every_change_has_a_newer_record_even_in_the_same_millisecond() -> None:
    sitter = Sitter(ANYWHERE)
    first, second = sitter.record_for_end(LOOPBACK), sitter.record_for_end(HOME)
    assert second.seq > first.seq
    assert sitter.record_for_end(LOOPBACK) == second
    sitter.features = sitter.features._replace(observed=(PUBLIC,))
    third = sitter.record_for_end(LOOPBACK)
    assert third.seq > second.seq
    assert third.addresses == (PUBLIC, HOME)


def test_record_names_few_of_our_addresses() -> None:
    sitter = Sitter(ANYWHERE)
    for number in range(2 * OWN_HOSTS_MAX):
        sitter.for_end(place_of(f"10.0.0.{number}"))
    assert len(sitter.record_for_end(LOOPBACK).addresses) == OWN_HOSTS_MAX
