"""What validators say to each other, beside the stream of blocks: five requests and answers.

Every message names the epoch through its genesis digest, so that one connection can serve the
running epoch and the one before it. Sizes are bounded before anything is decoded.
"""

import msgspec

from consensus.block import BlockRef, Counter, Hash, SignedBlock
from consensus.commit import Commit
from primitives.codec import Codec

MESSAGE_BYTES_MAX = 16_777_216
REFS_MAX = 1_000
BLOCKS_MAX = 1_000
COMMITS_MAX = 1_000
"""Protocol limits, the same for all: were they tunable, honest peers could blame each other."""


class Message(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag_field="kind"
):
    """The root of the tagged union; the first array element tells which."""

    genesis: Hash


class BlockMessage(Message, frozen=True, tag=1):
    """A block from its author's stream."""

    block: SignedBlock


class BlocksMessage(Message, frozen=True, tag=2):
    """Blocks that were asked for, or pushed because the receiver seemed to lack them."""

    blocks: tuple[SignedBlock, ...]


class FetchMessage(Message, frozen=True, tag=3):
    """A request for blocks by ref, and for what lies above a frontier.

    Args:
        frontier: highest accepted round per author of the sender; empty: only the refs.
    """

    refs: tuple[BlockRef, ...]
    frontier: tuple[Counter, ...]


class CommitRequestMessage(Message, frozen=True, tag=4):
    """A request for commits first..last, both included."""

    first: Counter
    last: Counter


class CommitAnswerMessage(Message, frozen=True, tag=5):
    """A run of commits and blocks whose votes certify the last of them."""

    commits: tuple[Commit, ...]
    certifiers: tuple[SignedBlock, ...]


class LatestQueryMessage(Message, frozen=True, tag=6):
    """A booting node asks for the newest block it signed itself."""


class LatestAnswerMessage(Message, frozen=True, tag=7):
    """The newest block of the asker that the answerer knows; None: none in this epoch."""

    block: SignedBlock | None


AnyMessage = (
    BlockMessage
    | BlocksMessage
    | FetchMessage
    | CommitRequestMessage
    | CommitAnswerMessage
    | LatestQueryMessage
    | LatestAnswerMessage
)

MESSAGE_CODEC: Codec[AnyMessage] = Codec(AnyMessage, size_bytes_max=MESSAGE_BYTES_MAX)  # type: ignore[arg-type]
