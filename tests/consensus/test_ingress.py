"""From bytes to inputs: every message becomes its input, or the peer that sent it is named."""

from collections.abc import Callable

import msgspec
import pytest

from consensus.block import Block, SignedBlock
from consensus.events import (
    BlocksReceived,
    BlocksRequested,
    CommitsReceived,
    LatestAnswered,
    LatestQueried,
    Origin,
)
from consensus.ingress import Ingress
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
from consensus.verifier import BlockVerifier
from primitives.errors import RemoteProtocolError
from primitives.ids import AuthorityIndex
from tests.consensus.builders import Forge, phantom, refs_of
from tests.consensus.chain import Chain
from tests.dsl.committee import context_of

CONTEXT = context_of((1,) * 4)
GENESIS = CONTEXT.genesis_digest
OTHER = context_of((1,) * 4, chain=2)
FORGE = Forge(CONTEXT)
OWN = AuthorityIndex(0)
PEER = AuthorityIndex(1)
BLOCKS = FORGE.layers(2)[1]
CHAIN = Chain(CONTEXT, 3)
FORGED = msgspec.structs.replace(BLOCKS[1].signed, signature=bytes(64))
MALFORMED = FORGE.sign(FORGE.header(2, 1, []))


def admit(message: AnyMessage, *, peer: AuthorityIndex = PEER) -> object:
    """Admit a message as it travels."""
    verify = BlockVerifier(CONTEXT).verify
    ingress = Ingress(CONTEXT, own=OWN, verify=verify)
    return ingress.admit(MESSAGE_CODEC.encode(message), peer=peer)


def signed(*blocks: Block) -> tuple[SignedBlock, ...]:
    """Return blocks as they travel."""
    return tuple(block.signed for block in blocks)


def test_block_of_a_stream() -> None:
    event = admit(BlockMessage(GENESIS, BLOCKS[1].signed))
    assert isinstance(event, BlocksReceived)
    assert (event.peer, event.origin) == (PEER, Origin.STREAM)
    assert refs_of(event.blocks) == [BLOCKS[1].ref]


def test_relayed_blocks_may_be_by_anybody() -> None:
    event = admit(BlocksMessage(GENESIS, signed(*BLOCKS[:3])))
    assert isinstance(event, BlocksReceived)
    assert event.origin is Origin.RELAYED
    assert refs_of(event.blocks) == refs_of(BLOCKS[:3])


def test_request_for_blocks() -> None:
    refs = tuple(refs_of(BLOCKS))
    assert admit(FetchMessage(GENESIS, refs, ())) == BlocksRequested(PEER, refs, ())
    frontier = (1, 2, 3, 4)
    assert admit(FetchMessage(GENESIS, (), frontier)) == BlocksRequested(PEER, (), frontier)


def test_request_for_commits_is_for_the_store() -> None:
    request = CommitRequestMessage(GENESIS, 1, 2)
    assert admit(request) == request


def test_commits_come_with_verified_certifiers() -> None:
    voters = CHAIN.voters(2, (1, 2, 3))
    event = admit(CommitAnswerMessage(GENESIS, CHAIN.run(1, 2), signed(*voters)))
    assert isinstance(event, CommitsReceived)
    assert (event.peer, event.commits) == (PEER, CHAIN.run(1, 2))
    assert refs_of(event.certifiers) == refs_of(voters)


def test_question_and_answer_about_the_newest_block() -> None:
    assert admit(LatestQueryMessage(GENESIS)) == LatestQueried(PEER)
    assert admit(LatestAnswerMessage(GENESIS, None)) == LatestAnswered(PEER, None)
    event = admit(LatestAnswerMessage(GENESIS, BLOCKS[OWN].signed))
    assert isinstance(event, LatestAnswered)
    assert event.block is not None
    assert event.block.ref == BLOCKS[OWN].ref


@pytest.mark.parametrize(
    "message",
    [
        BlockMessage(OTHER.genesis_digest, BLOCKS[1].signed),
        BlockMessage(OTHER.genesis_digest, FORGED),
        LatestQueryMessage(OTHER.genesis_digest),
    ],
)
def test_message_of_another_epoch_is_nothing(message: AnyMessage) -> None:
    assert admit(message) is None


REFUSED: list[tuple[str, str, Callable[[], AnyMessage]]] = [
    (
        "stream of another author",
        "streamed a block of authority 2",
        lambda: BlockMessage(GENESIS, BLOCKS[2].signed),
    ),
    ("forged block", "block-signature", lambda: BlockMessage(GENESIS, FORGED)),
    ("malformed block", "block-ancestor-count", lambda: BlockMessage(GENESIS, MALFORMED)),
    (
        "block of another epoch",
        "block-epoch",
        lambda: BlockMessage(GENESIS, Forge(OTHER).block(1, 1).signed),
    ),
    (
        "one bad block among good ones",
        "block-signature",
        lambda: BlocksMessage(GENESIS, (*signed(BLOCKS[0], BLOCKS[2]), FORGED)),
    ),
    (
        "too many blocks",
        "1001 items in a message, limit 1000",
        lambda: BlocksMessage(GENESIS, signed(BLOCKS[0]) * (BLOCKS_MAX + 1)),
    ),
    (
        "too many refs",
        "1001 items in a message, limit 1000",
        lambda: FetchMessage(GENESIS, (phantom(1, 0),) * (REFS_MAX + 1), ()),
    ),
    (
        "frontier of three",
        "frontier of 3 authors",
        lambda: FetchMessage(GENESIS, (), (1, 2, 3)),
    ),
    (
        "frontier of five",
        "frontier of 5 authors",
        lambda: FetchMessage(GENESIS, (), (1, 2, 3, 4, 5)),
    ),
    (
        "too many commits",
        "1001 items in a message, limit 1000",
        lambda: CommitAnswerMessage(GENESIS, CHAIN.run(1, 1) * (COMMITS_MAX + 1), ()),
    ),
    (
        "too many certifiers",
        "5 items in a message, limit 4",
        lambda: CommitAnswerMessage(GENESIS, (), signed(*BLOCKS, BLOCKS[0])),
    ),
    (
        "forged certifier",
        "block-signature",
        lambda: CommitAnswerMessage(GENESIS, CHAIN.run(1, 1), (FORGED,)),
    ),
    (
        "newest block of somebody else",
        "answered with a block of authority 2",
        lambda: LatestAnswerMessage(GENESIS, BLOCKS[2].signed),
    ),
    ("forged newest block", "block-signature", lambda: LatestAnswerMessage(GENESIS, FORGED)),
]


@pytest.mark.parametrize(
    ("reason", "build"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_peer_that_breaks_a_rule_is_named(reason: str, build: Callable[[], AnyMessage]) -> None:
    with pytest.raises(RemoteProtocolError, match=reason) as caught:
        admit(build())
    assert caught.value.peer == "1"


def test_bytes_that_are_no_message_name_the_peer() -> None:
    ingress = Ingress(CONTEXT, own=OWN, verify=BlockVerifier(CONTEXT).verify)
    with pytest.raises(RemoteProtocolError, match="malformed_bytes"):
        ingress.admit(b"\xc1", peer=PEER)


def test_too_many_items_are_refused_before_any_is_verified() -> None:
    def verify(_: SignedBlock) -> Block:
        raise AssertionError

    ingress = Ingress(CONTEXT, own=OWN, verify=verify)
    too_many = signed(BLOCKS[0]) * (BLOCKS_MAX + 1)
    raw = MESSAGE_CODEC.encode(BlocksMessage(GENESIS, too_many))
    with pytest.raises(RemoteProtocolError):
        ingress.admit(raw, peer=PEER)
