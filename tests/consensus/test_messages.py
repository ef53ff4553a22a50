"""What peers say: each message has one encoding, and nothing else decodes."""

import msgpack
import msgspec
import pytest

from consensus.block import INT64_MAX, BlockRef
from consensus.commit import Commit
from consensus.messages import (
    MESSAGE_BYTES_MAX,
    MESSAGE_CODEC,
    AnyMessage,
    BlockMessage,
    BlocksMessage,
    CommitAnswerMessage,
    CommitRequestMessage,
    FetchMessage,
    LatestAnswerMessage,
    LatestQueryMessage,
)
from primitives.errors import MalformedBytesError
from tests.consensus.builders import Forge, digest_of, phantom
from tests.dsl.committee import context_of

CONTEXT = context_of((1,) * 4)
GENESIS = CONTEXT.genesis_digest
SIGNED = Forge(CONTEXT).block(1, 0, payload=(b"x", b"")).signed
COMMIT = Commit(
    genesis=GENESIS,
    index=1,
    previous=digest_of(0),
    timestamp_ms=7,
    leader=phantom(1, 0),
    blocks=(phantom(1, 0),),
    void=(),
)

MESSAGES: list[AnyMessage] = [
    BlockMessage(GENESIS, SIGNED),
    BlocksMessage(GENESIS, ()),
    BlocksMessage(GENESIS, (SIGNED, SIGNED)),
    FetchMessage(GENESIS, (phantom(1, 0),), ()),
    FetchMessage(GENESIS, (), (0, 1, INT64_MAX)),
    CommitRequestMessage(GENESIS, 1, 100),
    CommitAnswerMessage(GENESIS, (), ()),
    CommitAnswerMessage(GENESIS, (COMMIT,), (SIGNED,)),
    LatestQueryMessage(GENESIS),
    LatestAnswerMessage(GENESIS, None),
    LatestAnswerMessage(GENESIS, SIGNED),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_message_decodes_to_itself(message: AnyMessage) -> None:
    assert MESSAGE_CODEC.decode(MESSAGE_CODEC.encode(message)) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_second_library_reads_the_same_message(message: AnyMessage) -> None:
    raw = MESSAGE_CODEC.encode(message)
    assert msgpack.packb(msgpack.unpackb(raw), use_bin_type=True) == raw


def test_tags_of_the_wire_do_not_move() -> None:
    tags = {
        type(message): msgpack.unpackb(MESSAGE_CODEC.encode(message))[0] for message in MESSAGES
    }
    assert tags == {
        BlockMessage: 1,
        BlocksMessage: 2,
        FetchMessage: 3,
        CommitRequestMessage: 4,
        CommitAnswerMessage: 5,
        LatestQueryMessage: 6,
        LatestAnswerMessage: 7,
    }


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xc0", id="nil"),
        pytest.param(msgpack.packb([]), id="no tag"),
        pytest.param(msgpack.packb([0, GENESIS]), id="tag zero"),
        pytest.param(msgpack.packb([8, GENESIS]), id="a tag of the future"),
        pytest.param(msgpack.packb(["6", GENESIS]), id="tag as text"),
        pytest.param(msgpack.packb([6]), id="no genesis"),
        pytest.param(msgpack.packb([6, bytes(31)]), id="short genesis"),
        pytest.param(msgpack.packb([6, GENESIS, 0]), id="a field too many"),
        pytest.param(msgpack.packb([1, GENESIS, None]), id="no block"),
        pytest.param(msgpack.packb([4, GENESIS, -1, 3]), id="negative index"),
        pytest.param(msgpack.packb([4, GENESIS, 2**63, 3]), id="index beyond 63 bits"),
        pytest.param(msgpack.packb([3, GENESIS, [], [-1]]), id="negative frontier"),
        pytest.param(b"\x92\xcc\x06\xc4\x20" + GENESIS, id="wide tag"),
        pytest.param(MESSAGE_CODEC.encode(MESSAGES[0]) + b"\0", id="a byte too many"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="a length that lies"),
        pytest.param(b"\x91" * 5_000, id="deep nesting"),
    ],
)
def test_other_bytes_are_no_message(raw: bytes) -> None:
    with pytest.raises(MalformedBytesError):
        MESSAGE_CODEC.decode(raw)


def test_size_is_checked_before_anything_else() -> None:
    with pytest.raises(MalformedBytesError, match="limit"):
        MESSAGE_CODEC.decode(bytes(MESSAGE_BYTES_MAX + 1))


def test_refs_sort_by_round_author_digest() -> None:
    refs = [phantom(2, 0), phantom(1, 3), phantom(1, 2, "b"), phantom(1, 2, "a")]
    by_tuple = sorted(refs, key=lambda ref: (ref.round, ref.author, ref.digest))
    assert sorted(refs) == by_tuple
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(refs[0]), type=BlockRef) == refs[0]
