"""Why consensus refuses bytes: one class per rule, so that a test can break just that rule.

InvalidBlockError (primitives.errors)
  HeaderFormatError, WrongVersionError, WrongEpochError, GenesisRoundError, UnknownAuthorError,
  AncestorCountError, UnknownAncestorAuthorError, AncestorRoundError, OwnAncestorError,
  DuplicateAncestorError, AncestorOrderError, ParentQuorumError, GenesisAncestorError,
  StaleAncestorError, PayloadLimitError, PayloadMismatchError, CommitVoteError, ReportError,
  BlockSignatureError
InvalidCommitError (primitives.errors)
  CommitFormatError, CommitRangeError, CommitChainError, CommitCertificateError
InvalidEvidenceError (primitives.errors)
  EvidenceFormatError, EvidenceSlotError, EvidenceSignatureError
"""

from primitives.errors import InvalidBlockError, InvalidCommitError, InvalidEvidenceError


class HeaderFormatError(InvalidBlockError):
    """The header bytes are not one canonical header."""

    code = "block-header-format"


class WrongVersionError(InvalidBlockError):
    """The header is of a version that this epoch does not speak."""

    code = "block-version"


class WrongEpochError(InvalidBlockError):
    """The header names another chain, epoch, committee or parameter set."""

    code = "block-epoch"


class GenesisRoundError(InvalidBlockError):
    """Round 0 is implicit and never travels."""

    code = "block-round-zero"


class UnknownAuthorError(InvalidBlockError):
    """The author index is outside the committee."""

    code = "block-author"


class AncestorCountError(InvalidBlockError):
    """There is no ancestor, or there are more than authors."""

    code = "block-ancestor-count"


class UnknownAncestorAuthorError(InvalidBlockError):
    """An ancestor's author index is outside the committee."""

    code = "block-ancestor-author"


class AncestorRoundError(InvalidBlockError):
    """An ancestor is not of a lower round."""

    code = "block-ancestor-round"


class OwnAncestorError(InvalidBlockError):
    """The first ancestor is not by the block's own author."""

    code = "block-own-ancestor"


class DuplicateAncestorError(InvalidBlockError):
    """Two ancestors are by one author (the rule that makes two certified twins impossible)."""

    code = "block-ancestor-duplicate"


class AncestorOrderError(InvalidBlockError):
    """Ancestors after the first are not in ascending author order."""

    code = "block-ancestor-order"


class ParentQuorumError(InvalidBlockError):
    """The ancestors of the round just before hold less than a quorum of power."""

    code = "block-parent-quorum"


class GenesisAncestorError(InvalidBlockError):
    """An ancestor of round 0 is not the genesis block of its author."""

    code = "block-genesis-ancestor"


class StaleAncestorError(InvalidBlockError):
    """An ancestor of another author lies more than the GC depth below the block."""

    code = "block-ancestor-stale"


class PayloadLimitError(InvalidBlockError):
    """An item, the sum of the items, or their count exceeds the agreed limit."""

    code = "block-payload-limit"


class PayloadMismatchError(InvalidBlockError):
    """The payload is not the one that the header commits to."""

    code = "block-payload-mismatch"


class CommitVoteError(InvalidBlockError):
    """There are more commit votes than authors, or they are not in ascending order."""

    code = "block-commit-votes"


class ReportError(InvalidBlockError):
    """An equivocation report is malformed, or there are too many."""

    code = "block-reports"


class BlockSignatureError(InvalidBlockError):
    """The signature is not the author's over this header."""

    code = "block-signature"


class CommitFormatError(InvalidCommitError):
    """The bytes are not one canonical commit."""

    code = "commit-format"


class CommitRangeError(InvalidCommitError):
    """The answer is empty, does not start where asked, or is longer than asked."""

    code = "commit-range"


class CommitChainError(InvalidCommitError):
    """A commit does not name its predecessor's digest or index."""

    code = "commit-chain"


class CommitCertificateError(InvalidCommitError):
    """The votes for the last commit come from less than a quorum of power."""

    code = "commit-certificate"


class EvidenceFormatError(InvalidEvidenceError):
    """The two headers are not two distinct canonical headers."""

    code = "evidence-format"


class EvidenceSlotError(InvalidEvidenceError):
    """The two headers are not of one epoch, round and author."""

    code = "evidence-slot"


class EvidenceSignatureError(InvalidEvidenceError):
    """One of the two signatures is not the named author's."""

    code = "evidence-signature"
