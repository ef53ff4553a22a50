"""Streams to the other seats that show each half of them another block for one slot.

Both blocks are valid and bear the validator's signature. Its own consensus knows of the one alone,
until it meets the other among the ancestors of what it hears; then it signs nothing more.
"""

from itertools import count

from msgspec.structs import replace
from typing_extensions import override

from consensus.block import HEADER_CODEC, sign_block
from consensus.messages import MESSAGE_CODEC, BlockMessage
from node.validator.network import ValidatorNetwork
from p2p.host import Host
from primitives.ids import AuthorityIndex, TimestampMs
from primitives.keys import PrivateKey


class TwoFacedNetwork(ValidatorNetwork):
    """Sends seats of even number what consensus says, and the others a twin of it.

    Args:
        key: signs the twins.
    """

    def __init__(self, host: Host, *, protocol: str, key: PrivateKey) -> None:
        super().__init__(host, protocol=protocol)
        self._key = key

    @override
    async def broadcast(self, message: bytes) -> None:
        decoded = MESSAGE_CODEC.decode(message)
        if not isinstance(decoded, BlockMessage):
            await super().broadcast(message)
            return
        faces = message, MESSAGE_CODEC.encode(self._twin(decoded))
        for number in count():
            seat = AuthorityIndex(number)
            if self.peer_at(decoded.genesis, seat) is None:
                return
            await self.send(seat, faces[number % 2])

    def _twin(self, message: BlockMessage) -> BlockMessage:
        header = HEADER_CODEC.decode(message.block.header)
        later = replace(header, timestamp_ms=TimestampMs(header.timestamp_ms + 1))
        return replace(message, block=sign_block(later, message.block.payload, self._key).signed)
