import random

import pytest

from p2p.peer_store import StoredPeer
from p2p.slots import Choice, Held, choose_dials, network_of
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId


def peer_at(ip: str, number: int, *, failures: int = 0) -> StoredPeer:
    peer_id = Identity.from_seed(number.to_bytes(32, "big")).peer_id
    return StoredPeer(peer_id, (Multiaddr.of_tcp(ip, 4001),), failures=failures)


def chosen_from(
    candidates: list[StoredPeer],
    *,
    held: tuple[Held, ...] = (),
    tellers: dict[PeerId, PeerId] | None = None,
    slots: int = 4,
    seed: int = 1,
) -> list[Choice]:
    dice = random.Random(seed)
    return choose_dials(candidates, held, tellers=tellers or {}, slots=slots, dice=dice)


def choice_of(peer: StoredPeer, ip: str) -> Choice:
    return Choice(peer.peer_id, (Multiaddr.of_tcp(ip, 4001),))


@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_peers_of_one_network_get_one_slot_beside_others(seed: int) -> None:
    crowd = [peer_at(f"10.1.0.{number}", number) for number in range(100)]
    others = [peer_at(f"10.{number}.0.1", number) for number in (200, 201, 202)]
    chosen = chosen_from(crowd + others, seed=seed)
    assert len(chosen) == 4
    assert {peer.peer_id for peer in others} <= {peer.peer_id for peer in chosen}


def test_networks_of_slots_that_are_taken_count() -> None:
    near, far = peer_at("10.1.0.1", 1), peer_at("10.2.0.1", 2)
    held = (Held("10.1.0.0/16", None), Held("10.3.0.0/16", None), Held("10.4.0.0/16", None))
    assert chosen_from([near, far], held=held) == [choice_of(far, "10.2.0.1")]


def test_peers_that_one_peer_told_of_get_half_of_the_slots() -> None:
    teller = peer_at("10.9.0.1", 99).peer_id
    crowd = [peer_at(f"10.{number}.0.1", number) for number in range(20)]
    tellers = {peer.peer_id: teller for peer in crowd}
    assert len(chosen_from(crowd, tellers=tellers)) == 2
    held = (Held("10.50.0.0/16", teller),)
    assert len(chosen_from(crowd, tellers=tellers, held=held)) == 1


def test_no_free_slot_means_no_dial() -> None:
    held = tuple(Held(f"10.{number}.0.0/16", None) for number in range(4))
    assert not chosen_from([peer_at("10.9.0.1", 1)], held=held)


def test_peer_that_failed_comes_after_one_that_did_not() -> None:
    failing, fresh = peer_at("10.1.0.1", 1, failures=3), peer_at("10.2.0.1", 2)
    assert chosen_from([failing, fresh], slots=1) == [choice_of(fresh, "10.2.0.1")]


def test_peer_is_dialled_in_the_network_that_was_counted_and_nowhere_else() -> None:
    """A made-up address in front would else hide that the crowd lives in one network."""
    crowd = [peer_at("10.1.0.1", number) for number in range(20)]
    for number, peer in enumerate(crowd):
        peer.addresses = (Multiaddr.of_tcp(f"9.{number}.0.1", 4001), *peer.addresses)
    others = [peer_at(f"10.{number}.0.1", number, failures=1) for number in range(200, 207)]
    dialled = {str(at) for choice in chosen_from(crowd, slots=8) for at in choice.addresses}
    assert all(address.startswith("/ip4/9.") for address in dialled)
    for peer in crowd:
        peer.failures = 1
    chosen = {choice.peer_id for choice in chosen_from(crowd + others, slots=8)}
    assert {peer.peer_id for peer in others} <= chosen


def test_next_dial_after_a_failure_goes_to_the_next_network_and_global_ones_come_first() -> None:
    peer = peer_at("192.168.1.1", 1)
    peer.addresses = (
        *peer.addresses,
        Multiaddr.parse("/ip4/8.8.8.8/udp/4001"),
        Multiaddr.of_tcp("9.9.9.9", 4001),
        Multiaddr.of_tcp("9.9.1.1", 4001),
    )
    tried = []
    for failures in range(3):
        peer.failures = failures
        (choice,) = chosen_from([peer])
        tried.append([str(address) for address in choice.addresses])
    public = ["/ip4/9.9.9.9/tcp/4001", "/ip4/9.9.1.1/tcp/4001"]
    assert tried == [public, ["/ip4/192.168.1.1/tcp/4001"], public]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("/ip4/10.1.2.3/tcp/1", "10.1.0.0/16"),
        ("/ip6/2001:db8:1::1/tcp/1", "2001:db8::/32"),
        ("/ip6/::ffff:10.1.2.3/tcp/1", "10.1.0.0/16"),
        ("/dns4/example.org/tcp/1", "dns"),
        ("/ip4/10.1.2.3/udp/1", "/ip4/10.1.2.3/udp/1"),
    ],
)
def test_network_is_a_prefix_of_the_ip_and_all_names_are_one(address: str, network: str) -> None:
    assert network_of(Multiaddr.parse(address)) == network
