"""Remember, for a while, whom we do not talk to: peers by id and addresses by IP.

One mistake may be a bug of an honest peer; several in a short time are not worth the difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from p2p.wire.peer_id import PeerId

BANS_MAX: Final = 4_096
"""Bound on the list; the ban that ends first makes room, since the sender chooses its ids."""

STRIKES_MAX: Final = 3
"""As many violations within `STRIKES_WINDOW_MS` end in a ban."""
STRIKES_WINDOW_MS: Final = 600_000
STRIKERS_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class Ban:
    """One entry, for an operator to read."""

    subject: PeerId | str
    until_ms: int
    reason: str


class BanList:
    """Peers and IP addresses that are refused until a moment."""

    def __init__(self) -> None:
        self._bans: dict[PeerId | str, Ban] = {}

    def ban(self, subject: PeerId | str, *, until_ms: int, reason: str) -> None:
        """Refuse a peer or an IP until a moment; a longer ban stays."""
        known = self._bans.get(subject)
        if known is not None and known.until_ms >= until_ms:
            return
        if known is None and len(self._bans) >= BANS_MAX:
            first = min(self._bans.values(), key=lambda ban: ban.until_ms)
            del self._bans[first.subject]
        self._bans[subject] = Ban(subject, until_ms, reason)

    def lift(self, subject: PeerId | str) -> None:
        """Forget a ban, if there is one."""
        self._bans.pop(subject, None)

    def is_banned(self, subject: PeerId | str, *, now_ms: int) -> bool:
        """Tell whether a peer or an IP is refused now."""
        ban = self._bans.get(subject)
        if ban is None:
            return False
        if ban.until_ms <= now_ms:
            del self._bans[subject]
            return False
        return True

    def __len__(self) -> int:
        """Count the entries, those over but not yet forgotten with them."""
        return len(self._bans)

    def __iter__(self) -> Iterator[Ban]:
        """Yield the bans, those over not yet left out."""
        return iter(self._bans.values())


class Strikes:
    """Count the violations of each peer or IP within a window."""

    def __init__(self) -> None:
        self._strikes: dict[PeerId | str, list[int]] = {}

    def strike(self, subject: PeerId | str, *, now_ms: int) -> bool:
        """Count a violation; tell whether it was one too many, and start anew if so."""
        recent = [
            at_ms for at_ms in self._strikes.pop(subject, []) if now_ms - at_ms < STRIKES_WINDOW_MS
        ]
        recent.append(now_ms)
        if len(recent) >= STRIKES_MAX:
            return True
        if len(self._strikes) >= STRIKERS_MAX:
            del self._strikes[next(iter(self._strikes))]
        self._strikes[subject] = recent
        return False
