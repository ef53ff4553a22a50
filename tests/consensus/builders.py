"""Blocks signed by anybody, and cores that start from any state: what most tests begin with."""

from collections.abc import Iterable, Sequence

import msgspec

from consensus.block import (
    BLOCK_VERSION,
    HEADER_CODEC,
    Block,
    BlockRef,
    CommitVote,
    EquivocationReport,
    Header,
    SignedBlock,
    genesis_ref,
    header_digest,
    payload_root,
    sign_block,
)
from consensus.committee import EpochContext
from consensus.core import Core
from consensus.events import Booted, Effect, LatestAnswered
from consensus.pacemaker import Pacemaker
from consensus.parameters import Tuning
from consensus.recovery import EMPTY_STATE, Durable
from primitives.clock import Instant
from primitives.hashing import Domain, tagged_hash
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Round, TimestampMs
from tests.dsl.committee import key_of

FIRST_BOOT = Durable(state=EMPTY_STATE)
TUNING = Tuning(min_round_delay_ms=0)


def digest_of(label: object) -> Digest:
    """Return a digest that names a block nobody ever made."""
    return tagged_hash(Domain.TRACE, repr(label).encode())


def phantom(number: int, author: int, label: object = 0) -> BlockRef:
    """Return the ref of a block that does not exist."""
    return BlockRef(Round(number), AuthorityIndex(author), digest_of((number, author, label)))


def vote(index: int, digest: Digest) -> CommitVote:
    """Return a commit vote."""
    return CommitVote(CommitIndex(index), digest)


def at(monotonic_ms: int, *, wall_ms: int | None = None) -> Instant:
    """Return an instant whose two clocks agree, unless told otherwise."""
    return Instant(monotonic_ms, monotonic_ms if wall_ms is None else wall_ms)


class Forge:
    """Signs blocks for every seat of one epoch, honest and otherwise."""

    def __init__(self, context: EpochContext) -> None:
        self.context = context

    def genesis(self) -> list[BlockRef]:
        """Return the genesis refs of all authors."""
        digest = self.context.genesis_digest
        return [genesis_ref(digest, author) for author in self.context.committee.indices]

    def header(
        self,
        number: int,
        author: int,
        ancestors: Iterable[BlockRef],
        *,
        payload: tuple[bytes, ...] = (),
        timestamp_ms: int = 0,
        votes: tuple[CommitVote, ...] = (),
        reports: tuple[EquivocationReport, ...] = (),
    ) -> Header:
        """Return a header; its ancestors are put in the right order."""
        own = AuthorityIndex(author)
        refs = sorted(ancestors, key=lambda ref: (ref.author != own, ref.author))
        return Header(
            version=BLOCK_VERSION,
            genesis=self.context.genesis_digest,
            epoch=self.context.epoch,
            round=Round(number),
            author=own,
            timestamp_ms=TimestampMs(timestamp_ms),
            ancestors=tuple(refs),
            payload_root=payload_root(payload),
            payload_bytes=sum(map(len, payload)),
            payload_count=len(payload),
            commit_votes=votes,
            reports=reports,
        )

    def block(
        self,
        number: int,
        author: int,
        ancestors: Iterable[BlockRef] | None = None,
        *,
        payload: tuple[bytes, ...] = (),
        timestamp_ms: int = 0,
        votes: tuple[CommitVote, ...] = (),
        reports: tuple[EquivocationReport, ...] = (),
    ) -> Block:
        """Return a signed block; without ancestors it stands on genesis."""
        header = self.header(
            number,
            author,
            self.genesis() if ancestors is None else ancestors,
            payload=payload,
            timestamp_ms=timestamp_ms,
            votes=votes,
            reports=reports,
        )
        return sign_block(header, payload, key_of(author))

    def report(self, one: Block, other: Block) -> EquivocationReport:
        """Return a report on two blocks of one slot."""
        first, second = sorted((one.ref, other.ref))
        return EquivocationReport(first, second)

    def sign(self, header: Header, payload: tuple[bytes, ...] = ()) -> SignedBlock:
        """Sign any header with the key of its author, if there is such a seat."""
        return self.sign_raw(HEADER_CODEC.encode(header), payload, author=header.author)

    def sign_raw(self, raw: bytes, payload: tuple[bytes, ...] = (), *, author: int) -> SignedBlock:
        """Sign any bytes as if they were a header."""
        signer = author if author < self.context.committee.size else 0
        signature = key_of(signer).sign(Domain.BLOCK_SIGNATURE, header_digest(raw))
        return SignedBlock(raw, signature, payload)

    def layer(
        self,
        number: int,
        below: Sequence[Block],
        *,
        authors: Iterable[int] | None = None,
        timestamp_ms: int = 0,
    ) -> list[Block]:
        """Return one block per author, each on all blocks of `below`, or on genesis if empty."""
        ancestors = refs_of(below) or self.genesis()
        everybody = self.context.committee.indices
        return [
            self.block(number, author, ancestors, timestamp_ms=timestamp_ms)
            for author in (everybody if authors is None else authors)
        ]

    def layers(self, last: int, *, authors: Sequence[int] | None = None) -> list[list[Block]]:
        """Return full rounds 1..last; those who are left out stay on their genesis block."""
        rounds: list[list[Block]] = []
        for number in range(1, last + 1):
            below = rounds[-1] if rounds else []
            rounds.append(self.layer(number, below, authors=authors))
        return rounds


def refs_of(blocks: Iterable[Block]) -> list[BlockRef]:
    """Return the refs of blocks."""
    return [block.ref for block in blocks]


def flat(rounds: Iterable[Iterable[Block]]) -> list[Block]:
    """Return all blocks, lower rounds first."""
    return [block for blocks in rounds for block in blocks]


def changed(block: Block, **changes: object) -> Header:
    """Return the header of a block with some fields replaced."""
    return msgspec.structs.replace(block.header, **changes)


def core_of(
    context: EpochContext,
    *,
    own: int = 0,
    tuning: Tuning = TUNING,
    durable: Durable = FIRST_BOOT,
    pacemaker: Pacemaker | None = None,
) -> Core:
    """Return a core of one seat that has not booted yet."""
    return Core.recover(
        context,
        own=AuthorityIndex(own),
        key=key_of(own),
        tuning=tuning,
        durable=durable,
        pacemaker=pacemaker,
    )


def boot(core: Core, context: EpochContext, *, own: int = 0, now_ms: int = 0) -> list[Effect]:
    """Boot a core and let everybody answer that it never signed anything."""
    effects = core.handle(Booted(), now=at(now_ms))
    for peer in context.committee.indices:
        if peer != own:
            effects += core.handle(LatestAnswered(peer, None), now=at(now_ms))
    return effects
