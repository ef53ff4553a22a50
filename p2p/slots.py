"""Choose whom to dial so that no attacker can surround us. Nothing here does I/O.

Addresses are what an attacker has few of: slots go to networks first (a /16, IPv6 a /32), then to a
random peer there. A peer may claim addresses in many networks, so a dial goes to one of them, that
which was counted; the next dial goes to another if this one fails. And at most half of the slots go
to peers that one and the same peer told us of; all who told of themselves count as one such peer.
Source: Heilman et al., "Eclipse Attacks on Bitcoin's Peer-to-Peer Network", 2015.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from p2p.dice import Dice
from p2p.peer_store import ADDRESSES_PER_PEER_MAX, PEERS_MAX, StoredPeer
from p2p.wire.ip import Ip, network_text, parse_ip
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId

STRANGERS: Final = PeerId(b"")
"""The teller of all those who told us of themselves, since identities cost nothing."""

CANDIDATES_MAX: Final = 256
"""Peers that one choice looks at: as many networks as slots are found among far fewer, and to look
at a full store would hold up the event loop for half a second."""

_NETWORK_BITS: Final = {4: 16, 6: 32}
_NAMED: Final = "dns"
"""The network of all DNS names: they cost next to nothing, and many may lead to one place."""


@dataclass(frozen=True, slots=True)
class Held:
    """An outbound slot that is taken.

    Attributes:
        network: where the peer is, see `network_of`.
        teller: who told us of the peer; None when we knew it ourselves.
    """

    network: str
    teller: PeerId | None


@dataclass(frozen=True, slots=True)
class Choice:
    """Whom to dial, and where: addresses of one network."""

    peer_id: PeerId
    addresses: tuple[Multiaddr, ...]


def choose_dials(
    candidates: Sequence[StoredPeer],
    held: Iterable[Held],
    *,
    tellers: Mapping[PeerId, PeerId],
    slots: int,
    dice: Dice,
) -> list[Choice]:
    """Return whom to dial for the free slots of `slots`, best spread over networks first.

    Args:
        candidates: peers that are not connected and may be dialled, each with an address.
        held: the slots that are taken.
        tellers: who told us of a peer, where it was another peer.
        slots: outbound connections that we want in all.
        dice: chooses among equals.
    """
    taken = list(held)
    if len(taken) >= slots:
        return []
    networks = Counter(slot.network for slot in taken)
    told = Counter(slot.teller for slot in taken if slot.teller is not None)
    drawn = dice.sample(candidates, min(CANDIDATES_MAX, len(candidates)))
    pool = [(peer, *_place_of(peer)) for peer in drawn]
    chosen: list[Choice] = []
    while pool and len(taken) + len(chosen) < slots:
        # The first of equals is taken, so among them the dice have the word.
        best = min(pool, key=lambda place: (networks[place[1]], place[0].failures))
        pool.remove(best)
        peer, network, addresses = best
        teller = tellers.get(peer.peer_id)
        if teller is not None:
            if told[teller] >= max(1, slots // 2):
                continue
            told[teller] += 1
        networks[network] += 1
        chosen.append(Choice(peer.peer_id, addresses))
    return chosen


def network_of(address: Multiaddr) -> str:
    """Return the /16 (IPv6: /32) of an address; all names are of one network."""
    ip = _ip_of(address)
    if ip is None:
        return str(address) if address.tcp is None else _NAMED
    return network_text(ip, bits=_NETWORK_BITS[ip.version])


def _place_of(peer: StoredPeer) -> tuple[str, tuple[Multiaddr, ...]]:
    """Return the network whose turn it is for a peer, and its addresses there.

    Global ones come first; the order does not depend on what was named or tried last.
    """
    places: dict[tuple[bool, str], list[Multiaddr]] = {}
    for address in [one for one in peer.addresses if one.tcp is not None] or peer.addresses:
        places.setdefault(_rank_of(address), []).append(address)
    ordered = sorted(places)
    key = ordered[peer.failures % len(ordered)]
    return key[1], tuple(places[key])


@lru_cache(maxsize=PEERS_MAX * ADDRESSES_PER_PEER_MAX)
def _rank_of(address: Multiaddr) -> tuple[bool, str]:
    """Return whether an address is not global, and its network; kept, since it takes 30 us."""
    ip = _ip_of(address)
    return ip is None or not ip.is_global, network_of(address)


def _ip_of(address: Multiaddr) -> Ip | None:
    endpoint = address.tcp
    return None if endpoint is None else parse_ip(endpoint.host)
