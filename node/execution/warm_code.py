"""The code that was loaded last, as the chain agrees: who calls other code pays for loading it.

Decoding, verifying and translating a module takes 4 to 9 us for each byte, a thousand times what a
short call may cost, and all of it is done when it is paid for: at the deployment or the load, never
by a later call. A node keeps modules in memory, but what is in one node's memory must not change
gas. So the state names the code that every node is expected to keep: a call of it is free of this
charge, a call of any other pays for the load and puts it in, and what came in first goes when there
is no room. The code of genesis stays for ever, or whoever deploys enough could make the standard
contracts dear for everybody and starve the calls that they scheduled.
"""

from typing import Final

import msgspec

from node.ledger.keyspace import Room
from node.ledger.overlay import Overlay, StateReader
from node.ledger.wire import Counter, DigestField
from primitives.codec import Codec
from primitives.ids import Digest

WARM_BYTES_MAX: Final = 1_048_576
WARM_COUNT_MAX: Final = 256
FOUNDED_COUNT_MAX: Final = 64
LOAD_GAS_PER_BYTE: Final = 400


class _Loaded(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    digest: DigestField
    size_bytes: Counter


_WARM_KEY: Final = Room.CODE + b"warm"
_FOUNDED_KEY: Final = Room.CODE + b"founded"
_CODEC: Final[Codec[tuple[_Loaded, ...]]] = Codec(tuple[_Loaded, ...], size_bytes_max=16_384)


class WarmCode:
    """Reads the records, which seldom change, once for each of their values."""

    __slots__ = ("_read",)

    def __init__(self) -> None:
        self._read: tuple[bytes | None, bytes | None, frozenset[Digest]] = (None, None, frozenset())

    def holds(self, state: StateReader, digest: Digest) -> bool:
        """Tell whether every node is expected to have the code in memory."""
        warm, founded = state.get(_WARM_KEY), state.get(_FOUNDED_KEY)
        # One attribute, read once: views of other states may ask in other threads.
        read = self._read
        # By value: a state on disk returns other objects each time.
        if read[0] != warm or read[1] != founded:
            known = frozenset(
                loaded.digest for key in (_WARM_KEY, _FOUNDED_KEY) for loaded in _list(state, key)
            )
            read = self._read = (warm, founded, known)
        return digest in read[2]


def warm_digests(state: StateReader) -> tuple[Digest, ...]:
    """Return what every node is expected to have in memory, for one that has just started."""
    return tuple(loaded.digest for key in (_FOUNDED_KEY, _WARM_KEY) for loaded in _list(state, key))


def warm_up(overlay: Overlay, digest: Digest, *, size_bytes: int) -> None:
    """Put code in; the code that came in first goes if there is no room."""
    loaded = [other for other in _list(overlay, _WARM_KEY) if other.digest != digest]
    loaded.append(_Loaded(digest, size_bytes))
    total_bytes = sum(other.size_bytes for other in loaded)
    while len(loaded) > WARM_COUNT_MAX or total_bytes > WARM_BYTES_MAX:
        total_bytes -= loaded.pop(0).size_bytes
    overlay.put(_WARM_KEY, _CODEC.encode(tuple(loaded)))


def keep_warm(overlay: Overlay, digest: Digest, *, size_bytes: int) -> None:
    """Put in code that genesis founds a contract with; it never goes."""
    founded = [other for other in _list(overlay, _FOUNDED_KEY) if other.digest != digest]
    founded.append(_Loaded(digest, size_bytes))
    assert len(founded) <= FOUNDED_COUNT_MAX, "genesis bounds its contracts"
    overlay.put(_FOUNDED_KEY, _CODEC.encode(tuple(founded)))


def _list(state: StateReader, key: bytes) -> tuple[_Loaded, ...]:
    raw = state.get(key)
    return () if raw is None else _CODEC.decode_own(raw)
