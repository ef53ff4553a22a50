"""Choose whom to dial so that no attacker can surround us. Nothing here does I/O.

Addresses are what an attacker has few of: slots go to networks first (a /16, IPv6 a /32), then to a
random peer there. And at most half of the slots go to peers that one and the same peer told us of.
Source: Heilman et al., "Eclipse Attacks on Bitcoin's Peer-to-Peer Network", 2015.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from p2p.dice import Dice
from p2p.peer_store import StoredPeer
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId

_NETWORK_BITS: Final = {4: 16, 6: 32}


@dataclass(frozen=True, slots=True)
class Held:
    """An outbound slot that is taken.

    Attributes:
        network: where the peer is, see `network_of`.
        teller: who told us of the peer; None when we knew it ourselves.
    """

    network: str
    teller: PeerId | None


def choose_dials(
    candidates: Sequence[StoredPeer],
    held: Iterable[Held],
    *,
    tellers: dict[PeerId, PeerId],
    slots: int,
    dice: Dice,
) -> list[StoredPeer]:
    """Return whom to dial for the free slots of `slots`, best spread over networks first.

    Args:
        candidates: peers that are not connected and may be dialled.
        held: the slots that are taken.
        tellers: who told us of a peer, where it was another peer.
        slots: outbound connections that we want in all.
        dice: chooses among equals.
    """
    taken = list(held)
    networks = Counter(slot.network for slot in taken)
    told = Counter(slot.teller for slot in taken if slot.teller is not None)
    pool = dice.sample(candidates, len(candidates))
    chosen: list[StoredPeer] = []
    while pool and len(taken) + len(chosen) < slots:
        # The sort is stable, so among equals the dice have the word.
        pool.sort(key=lambda peer: (networks[_network(peer)], peer.failures))
        peer = pool.pop(0)
        teller = tellers.get(peer.peer_id)
        if teller is not None:
            if told[teller] >= max(1, slots // 2):
                continue
            told[teller] += 1
        networks[_network(peer)] += 1
        chosen.append(peer)
    return chosen


def network_of(address: Multiaddr) -> str:
    """Return the /16 (IPv6: /32) of an address, or its name where it has no IP."""
    endpoint = address.tcp
    if endpoint is None:
        return str(address)
    try:
        version = ipaddress.ip_address(endpoint.host).version
    except ValueError:
        return endpoint.host
    network = f"{endpoint.host}/{_NETWORK_BITS[version]}"
    return str(ipaddress.ip_network(network, strict=False))


def _network(peer: StoredPeer) -> str:
    return network_of(peer.addresses[0])
