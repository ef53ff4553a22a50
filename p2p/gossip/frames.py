"""Cut the byte stream of a peer into RPCs, each behind its length as a varint."""

from typing import Final

from p2p.gossip.parameters import RPC_SIZE_BYTES_MAX
from p2p.wire.varint import decode_varint
from primitives.errors import MalformedBytesError

RPCS_PER_CHUNK_MAX: Final = 4_096
"""RPCs that come at once; an honest backlog of the smallest, IDONTWANT, is half as many."""


class RpcSplitter:
    """The unfinished RPC of one stream; holds at most one, so at most 1 MiB and a chunk."""

    __slots__ = ("_missing", "_rest", "_waiting")

    def __init__(self) -> None:
        self._rest = b""
        # A bytearray grows in place: an RPC that comes byte by byte costs no copy for each byte.
        self._waiting = bytearray()
        self._missing = 0

    @property
    def is_between(self) -> bool:
        """Tell whether no RPC is unfinished, so that the stream may end here."""
        return not self._rest and not self._waiting

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the RPCs that this chunk completes, in order; empty ones are left out.

        Raises:
            MalformedBytesError: an RPC above 1 MiB, a length that is no varint, or more than
                `RPCS_PER_CHUNK_MAX` RPCs.
        """
        if self._waiting:
            self._waiting += chunk
            self._missing -= len(chunk)
            if self._missing > 0:
                return []
            chunk = bytes(self._waiting)
            self._waiting.clear()
        elif self._rest:
            chunk = self._rest + chunk
        self._rest = b""
        rpcs: list[bytes] = []
        offset = 0
        end = len(chunk)
        while offset < end:
            read = decode_varint(chunk, offset)
            if read is None:
                self._rest = chunk[offset:]
                break
            size_bytes, start = read
            if size_bytes > RPC_SIZE_BYTES_MAX:
                raise MalformedBytesError(f"{size_bytes} bytes > {RPC_SIZE_BYTES_MAX}, an rpc")
            after = start + size_bytes
            if after > end:
                self._waiting += chunk[offset:]
                self._missing = after - end
                break
            if size_bytes:
                rpcs.append(chunk[start:after])
                if len(rpcs) > RPCS_PER_CHUNK_MAX:
                    raise MalformedBytesError(f"more than {RPCS_PER_CHUNK_MAX} rpcs at once")
            offset = after
        return rpcs
