"""Context-free block validity: the same verdict at every honest node, at any time.

Every rule reads the block and the epoch alone. Balance, nonce and the like are judged when a
commit executes; were they judged here, validity would depend on local state. Clock drift and
the round ceiling are ingress rules of `core`, for the same reason.

Cheap rules come before the signature, and no author index is used before its range check.
Source: Sui `block_verifier.rs`; ancestor age from IOTA (issue 11382).
"""

from itertools import takewhile

from consensus.block import (
    BLOCK_VERSION,
    HEADER_CODEC,
    Block,
    BlockRef,
    Header,
    SignedBlock,
    genesis_ref,
    header_digest,
    payload_root,
)
from consensus.committee import EpochContext
from consensus.errors import (
    AncestorCountError,
    AncestorOrderError,
    AncestorRoundError,
    BlockSignatureError,
    CommitVoteError,
    DuplicateAncestorError,
    GenesisAncestorError,
    GenesisRoundError,
    HeaderFormatError,
    OwnAncestorError,
    ParentQuorumError,
    PayloadLimitError,
    PayloadMismatchError,
    ReportError,
    StaleAncestorError,
    UnknownAncestorAuthorError,
    UnknownAuthorError,
    WrongEpochError,
    WrongVersionError,
)
from primitives.errors import BadSignatureError, InvalidBlockError, MalformedBytesError
from primitives.hashing import Domain


class BlockVerifier:
    """Judges blocks of one epoch; holds no state besides the epoch's facts."""

    def __init__(self, context: EpochContext) -> None:
        self._context = context
        self._committee = context.committee
        self._parameters = context.parameters
        self._size = context.committee.size
        self._genesis = tuple(
            genesis_ref(context.genesis_digest, author) for author in context.committee.indices
        )

    def verify(self, signed: SignedBlock) -> Block:
        """Return the block if every rule holds.

        Raises:
            InvalidBlockError: the subclass names the first rule that is broken.
        """
        block = self.parse(signed)
        self.check_signature(block)
        return block

    def parse(self, signed: SignedBlock) -> Block:
        """Check everything but the signature, which a caller may check in a batch elsewhere.

        Raises:
            InvalidBlockError: the subclass names the first rule that is broken.
        """
        try:
            header = HEADER_CODEC.decode(signed.header)
        except MalformedBytesError as error:
            raise HeaderFormatError(str(error)) from error
        self._check_identity(header)
        self._check_own_ancestor(header)
        self._check_ancestors(header)
        self._check_payload(header, signed.payload)
        if header.commit_votes:
            self._check_commit_votes(header)
        if header.reports:
            self._check_reports(header)
        digest = header_digest(signed.header)
        return Block(
            ref=BlockRef(header.round, header.author, digest), header=header, signed=signed
        )

    def check_signature(self, block: Block) -> None:
        """Check the author's signature over the header digest.

        Raises:
            BlockSignatureError: it is not the author's.
        """
        key = self._committee.public_keys[block.ref.author]
        try:
            key.verify(Domain.BLOCK_SIGNATURE, block.ref.digest, block.signed.signature)
        except BadSignatureError as error:
            raise BlockSignatureError(f"not signed by authority {block.ref.author}") from error

    def _check_identity(self, header: Header) -> None:
        if header.version != BLOCK_VERSION:
            raise WrongVersionError(f"version {header.version}, expected {BLOCK_VERSION}")
        if header.genesis != self._context.genesis_digest or header.epoch != self._context.epoch:
            raise WrongEpochError(
                f"epoch {header.epoch} with another genesis, expected epoch {self._context.epoch}"
            )
        if header.round == 0:
            raise GenesisRoundError("round 0 is never sent")
        if header.author >= self._size:
            raise UnknownAuthorError(f"author {header.author}, committee of {self._size}")

    def _check_own_ancestor(self, header: Header) -> None:
        if not 1 <= len(header.ancestors) <= self._size:
            raise AncestorCountError(f"{len(header.ancestors)} ancestors, 1 to {self._size}")
        own = header.ancestors[0]
        if own.author != header.author:
            raise OwnAncestorError(f"first ancestor by {own.author}, block by {header.author}")
        if own.round >= header.round:
            raise AncestorRoundError(f"own ancestor of round {own.round} below {header.round}")
        if own.round == 0 and own != self._genesis[own.author]:
            raise GenesisAncestorError(f"not the genesis block of {own.author}")

    def _check_ancestors(self, header: Header) -> None:
        parent_round = header.round - 1
        own, size, powers = header.author, self._size, self._committee.powers
        power = powers[own] if header.ancestors[0].round == parent_round else 0
        last_author = -1
        for ref in header.ancestors[1:]:
            author = ref.author
            if author >= size:
                raise UnknownAncestorAuthorError(f"ancestor by {author}, committee of {size}")
            if author <= last_author or author == own:
                raise _misplaced(ref, header)
            last_author = author
            # As the authors ascend, no power is added twice.
            if ref.round == parent_round:
                power += powers[author]
                if parent_round:
                    continue
            self._check_other_ancestor(ref, header)
        if power < self._committee.quorum:
            raise ParentQuorumError(
                f"parents of round {parent_round} hold {power}, quorum {self._committee.quorum}"
            )

    def _check_other_ancestor(self, ref: BlockRef, header: Header) -> None:
        if ref.round >= header.round:
            raise AncestorRoundError(f"ancestor of round {ref.round} in round {header.round}")
        if ref.round < header.round - self._parameters.gc_depth:
            raise StaleAncestorError(
                f"ancestor of round {ref.round} in round {header.round}, "
                f"gc depth {self._parameters.gc_depth}"
            )
        if ref.round == 0 and ref != self._genesis[ref.author]:
            raise GenesisAncestorError(f"not the genesis block of {ref.author}")

    def _check_payload(self, header: Header, payload: tuple[bytes, ...]) -> None:
        limits = self._parameters
        if len(payload) > limits.transactions_max:
            raise PayloadLimitError(f"{len(payload)} items, limit {limits.transactions_max}")
        total = 0
        for item in payload:
            if len(item) > limits.transaction_bytes_max:
                raise PayloadLimitError(
                    f"item of {len(item)} bytes, limit {limits.transaction_bytes_max}"
                )
            total += len(item)
        if total > limits.payload_bytes_max:
            raise PayloadLimitError(f"{total} payload bytes, limit {limits.payload_bytes_max}")
        if header.payload_count != len(payload) or header.payload_bytes != total:
            raise PayloadMismatchError(
                f"{len(payload)} items of {total} bytes, "
                f"header says {header.payload_count} of {header.payload_bytes}"
            )
        if header.payload_root != payload_root(payload):
            raise PayloadMismatchError("payload root differs from the header's")

    def _check_commit_votes(self, header: Header) -> None:
        if len(header.commit_votes) > self._size:
            raise CommitVoteError(f"{len(header.commit_votes)} commit votes, limit {self._size}")
        last_index = 0
        for vote in header.commit_votes:
            if vote.index <= last_index:
                raise CommitVoteError(f"vote for commit {vote.index} after {last_index}")
            last_index = vote.index

    def _check_reports(self, header: Header) -> None:
        limit = self._parameters.reports_max
        if len(header.reports) > limit:
            raise ReportError(f"{len(header.reports)} reports, limit {limit}")
        last_author = -1
        for report in header.reports:
            first, second = report.first, report.second
            if (first.round, first.author) != (second.round, second.author):
                raise ReportError("a report of two different slots")
            if first.digest >= second.digest:
                raise ReportError("a report whose digests do not ascend")
            if not last_author < first.author < self._size:
                raise ReportError(f"a report on author {first.author} after {last_author}")
            if first.round == 0:
                raise ReportError("a report of round 0")
            last_author = first.author


def _misplaced(ref: BlockRef, header: Header) -> InvalidBlockError:
    """Say what is wrong with the first ancestor whose author does not ascend."""
    # By identity: every ref of a decoded header is an object of its own.
    earlier = [
        other.author for other in takewhile(lambda other: other is not ref, header.ancestors)
    ]
    if ref.author in earlier:
        return DuplicateAncestorError(f"two ancestors by {ref.author}")
    return AncestorOrderError(f"ancestor by {ref.author} after one by {earlier[-1]}")
