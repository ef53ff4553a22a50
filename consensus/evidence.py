"""Equivocation: two signed headers for one slot, provable from their bytes alone.

Guards: an author is named only after both signatures verify under the key of that epoch
(CometBFT issue 1749: bogus signatures could have slashed innocents). One proof per author and
epoch is kept: a tombstone needs no second.
"""

from typing import TYPE_CHECKING

import msgspec

from consensus.block import (
    HEADER_CODEC,
    Block,
    BlockRef,
    EquivocationReport,
    SignatureBytes,
    header_digest,
)
from consensus.committee import EpochContext
from consensus.errors import EvidenceFormatError, EvidenceSignatureError, EvidenceSlotError
from primitives.codec import Codec
from primitives.errors import BadSignatureError, MalformedBytesError
from primitives.hashing import Domain

if TYPE_CHECKING:
    from primitives.ids import AuthorityIndex

EVIDENCE_BYTES_MAX = 2_097_152


class Evidence(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Two headers of one slot with their signatures, the lower digest first."""

    first_header: bytes
    first_signature: SignatureBytes
    second_header: bytes
    second_signature: SignatureBytes


EVIDENCE_CODEC: Codec[Evidence] = Codec(Evidence, size_bytes_max=EVIDENCE_BYTES_MAX)


def prove_equivocation(one: Block, other: Block) -> Evidence:
    """Build evidence from two verified blocks of one slot with different digests."""
    assert (one.round, one.author) == (other.round, other.author), "blocks of two slots"
    assert one.ref.digest != other.ref.digest, "one block twice"
    first, second = sorted((one, other), key=lambda block: block.ref.digest)
    return Evidence(
        first.signed.header, first.signed.signature, second.signed.header, second.signed.signature
    )


def verify_evidence(evidence: Evidence, context: EpochContext) -> BlockRef:
    """Return the first of the two refs; its author equivocated in its round.

    The context must be of the epoch that the headers claim, however long ago it ended.

    Raises:
        InvalidEvidenceError: the bytes do not prove it.
    """
    refs = []
    for raw in (evidence.first_header, evidence.second_header):
        try:
            header = HEADER_CODEC.decode(raw)
        except MalformedBytesError as error:
            raise EvidenceFormatError(str(error)) from error
        if header.genesis != context.genesis_digest or header.epoch != context.epoch:
            raise EvidenceSlotError(f"a header of another epoch than {context.epoch}")
        if header.round == 0 or header.author >= context.committee.size:
            raise EvidenceSlotError(f"no slot {header.round} of author {header.author}")
        refs.append(BlockRef(header.round, header.author, header_digest(raw)))
    first, second = refs
    if (first.round, first.author) != (second.round, second.author):
        raise EvidenceSlotError("headers of two slots")
    if first.digest >= second.digest:
        raise EvidenceFormatError("the digests must differ and ascend")
    key = context.committee.public_keys[first.author]
    for ref, signature in (
        (first, evidence.first_signature),
        (second, evidence.second_signature),
    ):
        try:
            key.verify(Domain.BLOCK_SIGNATURE, ref.digest, signature)
        except BadSignatureError as error:
            raise EvidenceSignatureError(f"not signed by authority {ref.author}") from error
    return first


class EquivocationWatch:
    """Remembers who equivocated; every collection is bounded by the committee size."""

    def __init__(self) -> None:
        self.proofs: dict[AuthorityIndex, Evidence] = {}
        self._unreported: list[EquivocationReport] = []
        self._expected: dict[AuthorityIndex, EquivocationReport] = {}
        self._suspects: dict[AuthorityIndex, Block] = {}

    def observe(self, block: Block, slot: list[Block]) -> Evidence | None:
        """Compare a verified block with others of its slot; return a proof that is new.

        A block that a report named is kept until its twin arrives, even if the DAG has no room.
        """
        author = block.author
        if author in self.proofs:
            return None
        suspect = self._suspects.get(author)
        others = slot if suspect is None or suspect.round != block.round else [*slot, suspect]
        for other in others:
            if other.ref.digest != block.ref.digest:
                return self._prove(block, other)
        if self.expects(block.ref):
            self._suspects[author] = block
        return None

    def expects(self, ref: BlockRef) -> bool:
        """Tell whether a report that is not proven yet names `ref`."""
        report = self._expected.get(ref.author)
        return report is not None and ref in {report.first, report.second}

    def follow(self, report: EquivocationReport) -> tuple[BlockRef, ...]:
        """Return the refs to fetch so that this node can prove the report for itself."""
        author = report.first.author
        if author in self.proofs:
            return ()
        self._expected[author] = report
        return report.first, report.second

    def take_reports(self, count_max: int) -> tuple[EquivocationReport, ...]:
        """Return reports that no own block carries yet, by ascending author."""
        reports = sorted(self._unreported[:count_max], key=lambda report: report.first.author)
        del self._unreported[:count_max]
        return tuple(reports)

    def _prove(self, block: Block, other: Block) -> Evidence:
        evidence = prove_equivocation(block, other)
        self.proofs[block.author] = evidence
        self._suspects.pop(block.author, None)
        self._expected.pop(block.author, None)
        first, second = sorted((block.ref, other.ref))
        self._unreported.append(EquivocationReport(first, second))
        return evidence
