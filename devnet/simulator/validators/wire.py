"""Encoding, decoding and verification, done once per process for all simulated nodes.

All nodes share the immutable results; the trace is the same as without it. A shared memory for
verdicts is sound because validity is a function of the bytes alone.
"""

from collections.abc import Callable

from consensus.block import Block, SignedBlock
from consensus.committee import EpochContext
from consensus.messages import MESSAGE_CODEC, AnyMessage
from consensus.verifier import BlockVerifier
from primitives.errors import InvalidBlockError

REMEMBERED_MAX = 50_000

BlockKey = tuple[bytes, bytes, tuple[bytes, ...]]


class Wire:
    """Remembers what bytes mean.

    Attributes:
        on_block: called once with every distinct block that verified: what was really signed.
    """

    def __init__(self, on_block: Callable[[EpochContext, Block], None]) -> None:
        self.on_block = on_block
        self._messages: dict[bytes, AnyMessage] = {}
        self._verdicts: dict[BlockKey, Block | InvalidBlockError] = {}
        self._verifiers: dict[bytes, BlockVerifier] = {}

    def encode(self, message: AnyMessage) -> bytes:
        """Encode, and remember so that no receiver needs to decode."""
        raw = MESSAGE_CODEC.encode(message)
        self._remember(raw, message)
        return raw

    def decode(self, raw: bytes) -> AnyMessage:
        """Decode once.

        Raises:
            MalformedBytesError: not one canonical message.
        """
        message = self._messages.get(raw)
        if message is None:
            message = MESSAGE_CODEC.decode(raw)
            self._remember(raw, message)
        return message

    def note_signed(self, context: EpochContext, block: Block) -> None:
        """Remember a block that was signed in this process: its signature needs no check.

        Raises:
            InvalidBlockError: a validator signed a block that breaks a rule.
        """
        key = (block.signed.header, block.signed.signature, block.signed.payload)
        if key not in self._verdicts:
            self._verdicts[key] = self._verifier(context).parse(block.signed)
            self.on_block(context, block)

    def verifier(self, context: EpochContext) -> Callable[[SignedBlock], Block]:
        """Return a verifier of one epoch that remembers its verdicts."""
        verifier = self._verifier(context)

        def verify(signed: SignedBlock) -> Block:
            key = (signed.header, signed.signature, signed.payload)
            verdict = self._verdicts.get(key)
            if verdict is None:
                verdict = self._judge(verifier, context, signed)
                if len(self._verdicts) >= REMEMBERED_MAX:
                    self._verdicts.clear()
                self._verdicts[key] = verdict
            if isinstance(verdict, InvalidBlockError):
                raise verdict
            return verdict

        return verify

    def _verifier(self, context: EpochContext) -> BlockVerifier:
        verifier = self._verifiers.get(context.genesis_digest)
        if verifier is None:
            verifier = self._verifiers[context.genesis_digest] = BlockVerifier(context)
        return verifier

    def _judge(
        self, verifier: BlockVerifier, context: EpochContext, signed: SignedBlock
    ) -> Block | InvalidBlockError:
        try:
            block = verifier.verify(signed)
        except InvalidBlockError as error:
            return error
        self.on_block(context, block)
        return block

    def _remember(self, raw: bytes, message: AnyMessage) -> None:
        if len(self._messages) >= REMEMBERED_MAX:
            self._messages.clear()
        self._messages[raw] = message
