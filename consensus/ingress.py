"""From a peer's bytes to an input of the core: decode, check, verify; nothing gets past it raw.

Guards: whatever bytes come, the outcome is an input, a request to answer from the store, or a
`RemoteProtocolError` that names the peer. One bad block in an answer spoils the whole answer.
"""

from collections.abc import Callable
from typing import assert_never

from consensus.block import Block, SignedBlock
from consensus.committee import EpochContext
from consensus.events import (
    BlocksReceived,
    BlocksRequested,
    CommitsReceived,
    Input,
    LatestAnswered,
    LatestQueried,
    Origin,
)
from consensus.messages import (
    BLOCKS_MAX,
    COMMITS_MAX,
    MESSAGE_CODEC,
    REFS_MAX,
    AnyMessage,
    BlockMessage,
    BlocksMessage,
    CommitAnswerMessage,
    CommitRequestMessage,
    FetchMessage,
    LatestAnswerMessage,
    LatestQueryMessage,
)
from primitives.errors import InvalidBlockError, MalformedBytesError, RemoteProtocolError
from primitives.ids import AuthorityIndex

VerifyBlock = Callable[[SignedBlock], Block]


class Ingress:
    """Judges messages of one epoch.

    Args:
        own: our index; an answer about our newest block must be ours.
        verify: `BlockVerifier.verify`, or one that remembers what it has verified.
    """

    def __init__(
        self,
        context: EpochContext,
        *,
        own: AuthorityIndex,
        verify: VerifyBlock,
        decode: Callable[[bytes], AnyMessage] = MESSAGE_CODEC.decode,
    ) -> None:
        self._context = context
        self._own = own
        self._verify = verify
        self._decode = decode

    def admit(self, raw: bytes, *, peer: AuthorityIndex) -> Input | CommitRequestMessage | None:
        """Return what the message asks of this node; None if it is of another epoch.

        Raises:
            RemoteProtocolError: the peer broke a rule; the error names it.
        """
        try:
            message = self._decode(raw)
            if message.genesis != self._context.genesis_digest:
                return None
            return self._to_input(message, peer)
        except (MalformedBytesError, InvalidBlockError) as error:
            raise RemoteProtocolError(f"{error.code}: {error}", peer=str(peer)) from error

    def _to_input(self, message: AnyMessage, peer: AuthorityIndex) -> Input | CommitRequestMessage:
        match message:
            case BlockMessage():
                return self._from_stream(message.block, peer)
            case BlocksMessage():
                return self._from_blocks(message, peer)
            case FetchMessage():
                return self._from_fetch(message, peer)
            case CommitAnswerMessage():
                return self._from_commits(message, peer)
            case LatestAnswerMessage():
                return self._from_latest(message, peer)
            case CommitRequestMessage() | LatestQueryMessage():
                return message if isinstance(message, CommitRequestMessage) else LatestQueried(peer)
            case _:
                assert_never(message)

    def _from_blocks(self, message: BlocksMessage, peer: AuthorityIndex) -> BlocksReceived:
        self._check_count(len(message.blocks), BLOCKS_MAX, peer)
        blocks = tuple(self._verify(signed) for signed in message.blocks)
        return BlocksReceived(peer, blocks, Origin.RELAYED)

    def _from_commits(self, message: CommitAnswerMessage, peer: AuthorityIndex) -> CommitsReceived:
        self._check_count(len(message.certifiers), self._context.committee.size, peer)
        self._check_count(len(message.commits), COMMITS_MAX, peer)
        certifiers = tuple(self._verify(signed) for signed in message.certifiers)
        return CommitsReceived(peer, message.commits, certifiers)

    def _from_stream(self, signed: SignedBlock, peer: AuthorityIndex) -> BlocksReceived:
        block = self._verify(signed)
        if block.author != peer:
            raise RemoteProtocolError(
                f"streamed a block of authority {block.author}", peer=str(peer)
            )
        return BlocksReceived(peer, (block,), Origin.STREAM)

    def _from_fetch(self, message: FetchMessage, peer: AuthorityIndex) -> BlocksRequested:
        self._check_count(len(message.refs), REFS_MAX, peer)
        if len(message.frontier) not in {0, self._context.committee.size}:
            raise RemoteProtocolError(
                f"frontier of {len(message.frontier)} authors", peer=str(peer)
            )
        return BlocksRequested(peer, message.refs, message.frontier)

    def _from_latest(self, message: LatestAnswerMessage, peer: AuthorityIndex) -> LatestAnswered:
        if message.block is None:
            return LatestAnswered(peer, None)
        block = self._verify(message.block)
        if block.author != self._own:
            raise RemoteProtocolError(
                f"answered with a block of authority {block.author}", peer=str(peer)
            )
        return LatestAnswered(peer, block)

    def _check_count(self, count: int, limit: int, peer: AuthorityIndex) -> None:
        if count > limit:
            raise RemoteProtocolError(f"{count} items in a message, limit {limit}", peer=str(peer))
