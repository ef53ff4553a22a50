"""Tell each other of peers: a request for signed records, and what such an answer may hold.

Only records of peers that the teller was connected to are told, so a lie costs a real identity and
its signature. The asker checks every signature and remembers who told, since an attacker that
answers first could fill all our slots with its own kind.
"""

from collections.abc import AsyncGenerator
from typing import Final

from p2p.dice import Dice
from p2p.peer_store import PeerStore
from p2p.request import RequestProtocol
from p2p.wire.peer_id import PeerId
from p2p.wire.protobuf import length_prefixed, split_length_prefixed
from p2p.wire.records import ENVELOPE_SIZE_BYTES_MAX

RECORDS_MAX: Final = 32
"""Records in one answer."""
ANSWER_SIZE_BYTES_MAX: Final = RECORDS_MAX * (ENVELOPE_SIZE_BYTES_MAX + 2)


def peers_protocol(chain: str) -> RequestProtocol:
    """Return the request for peers of one chain."""
    return RequestProtocol(
        name=f"/{chain}/req/peers/1",
        request_size_bytes_max=0,
        chunk_size_bytes_max=ANSWER_SIZE_BYTES_MAX,
        chunks_max=1,
        per_s=1,
        burst=2,
    )


class PeersAnswer:
    """Answer requests for peers from a store; `chunks` is the handler of a `RequestServer`."""

    def __init__(self, store: PeerStore, *, dice: Dice) -> None:
        self._store = store
        self._dice = dice

    async def chunks(self, asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        """Yield one chunk with a random choice of the peers that we know ourselves."""
        del body
        known = [
            peer.envelope
            for peer in self._store
            if peer.envelope and peer.answered_ms and peer.peer_id != asker
        ]
        chosen = self._dice.sample(known, min(RECORDS_MAX, len(known)))
        yield b"".join(map(length_prefixed, chosen))


def read_envelopes(answer: bytes) -> list[bytes]:
    """Return the envelopes of an answer, not opened.

    Raises:
        MalformedBytesError: too many, too large, or cut off.
    """
    return split_length_prefixed(
        answer, count_max=RECORDS_MAX, size_bytes_max=ENVELOPE_SIZE_BYTES_MAX
    )
