"""Decide which inbound connections may start: bans, addresses, rates, and open handshakes.

A machine is cheap to rent and an address is not, so the bounds count addresses and their subnets.
Loopback is exempt, or no two nodes of one machine could be tested. When too many handshakes are
open, the newcomer is not the one to go: else a few addresses that never finish theirs would keep
everybody out. Nothing here does I/O.
"""

import enum
from collections import Counter
from typing import Final, Generic, TypeVar

from p2p.bans import BanList
from p2p.limits import Limits
from p2p.token_bucket import TokenBucket
from p2p.wire.ip import network_text, parse_ip

RATES_MAX: Final = 4_096
"""Bound on the addresses whose rate is remembered; a full bucket is forgotten first."""

_SUBNET_BITS: Final = {4: 24, 6: 48}

VisitorT = TypeVar("VisitorT")


class Refusal(enum.Enum):
    """Why a connection may not start."""

    BANNED = "banned"
    TOO_MANY_FROM_IP = "too many from this ip"
    TOO_MANY_FROM_SUBNET = "too many from this subnet"
    TOO_FAST = "too many a second from this ip"
    TOO_MANY_UPGRADES = "too many handshakes at a time"
    FULL = "no connection left"


class Gate(Generic[VisitorT]):
    """Count inbound connections; each one admitted must be released once.

    A visitor is whatever the caller knows a connection by while its handshake runs.
    """

    def __init__(self, limits: Limits, bans: BanList) -> None:
        self._limits = limits
        self._bans = bans
        # By visitor its subnet, the oldest handshake first.
        self._pending: dict[VisitorT, str] = {}
        self._ips: Counter[str] = Counter()
        self._subnets: Counter[str] = Counter()
        self._rates: dict[str, TokenBucket] = {}

    @property
    def pending(self) -> int:
        """How many admitted connections are still in their handshake."""
        return len(self._pending)

    def admit(self, ip: str, *, open_count: int, now_ms: int) -> Refusal | None:
        """Count a new connection and return None, or refuse it and say why.

        `open_count` is the number of connections that are open, both directions.
        """
        if self._bans.is_banned(ip, now_ms=now_ms):
            return Refusal.BANNED
        if open_count >= self._limits.connections_max:
            return Refusal.FULL
        return None if is_loopback(ip) else self._count(ip, now_ms)

    def begin(self, visitor: VisitorT, ip: str) -> VisitorT | None:
        """Note that an admitted connection is in its handshake; return who has to go for it.

        That is the oldest visitor of the subnet with most of them: an honest handshake is over in
        a few round trips, and one that waits on purpose has company from where it came.
        """
        self._pending[visitor] = ip if is_loopback(ip) else subnet_of(ip)
        if len(self._pending) <= self._limits.pending_upgrades:
            return None
        crowds = Counter(self._pending.values())
        # The first of equals is the oldest, since both keep the order of arrival.
        crowd = max(crowds, key=crowds.__getitem__)
        oldest = next(known for known, subnet in self._pending.items() if subnet == crowd)
        del self._pending[oldest]
        return oldest

    def upgraded(self, visitor: VisitorT) -> None:
        """Learn that a visitor left its handshake, either way."""
        self._pending.pop(visitor, None)

    def release(self, ip: str) -> None:
        """Learn that an admitted connection ended."""
        if is_loopback(ip):
            return
        for counter, key in ((self._ips, ip), (self._subnets, subnet_of(ip))):
            counter[key] -= 1
            if counter[key] <= 0:
                del counter[key]

    def _count(self, ip: str, now_ms: int) -> Refusal | None:
        subnet = subnet_of(ip)
        if self._ips[ip] >= self._limits.inbound_per_ip:
            return Refusal.TOO_MANY_FROM_IP
        if self._subnets[subnet] >= self._limits.inbound_per_subnet:
            return Refusal.TOO_MANY_FROM_SUBNET
        if not self._has_rate(ip, now_ms):
            return Refusal.TOO_FAST
        self._ips[ip] += 1
        self._subnets[subnet] += 1
        return None

    def _has_rate(self, ip: str, now_ms: int) -> bool:
        bucket = self._rates.get(ip)
        if bucket is None:
            if len(self._rates) >= RATES_MAX:
                self._forget_full(now_ms)
            rate = self._limits.accepts_per_s
            bucket = self._rates[ip] = TokenBucket(per_s=rate, burst=rate, now_ms=now_ms)
        return bucket.has(1, now_ms=now_ms)

    def _forget_full(self, now_ms: int) -> None:
        for ip in [ip for ip, rate in self._rates.items() if rate.is_full(now_ms=now_ms)]:
            del self._rates[ip]
        while len(self._rates) >= RATES_MAX:
            del self._rates[next(iter(self._rates))]


def is_loopback(ip: str) -> bool:
    """Tell whether an address is of this machine; what is no IP, such as memory, counts as one."""
    address = parse_ip(ip)
    return address is None or address.is_loopback


def subnet_of(ip: str) -> str:
    """Return the /24 of an IPv4 address or the /48 of an IPv6 address, as text."""
    address = parse_ip(ip)
    # What is no IP counts as loopback, and nobody asks for the subnet of that.
    assert address is not None
    return network_text(address, bits=_SUBNET_BITS[address.version])
