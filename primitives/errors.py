"""Root every expected failure in one tree, so that whatever else escapes is a bug and crashes.

    HanseError
        MalformedBytesError
        MalformedCidError
        InvalidKeyError
        BadSignatureError
        BadSealError
        InvalidProofError
        FixedPointError
        InvalidBlockError
        InvalidCommitError
        InvalidEvidenceError
        InvalidTransactionError
        InvalidCheckpointError
        VmError
        StorageError
        TrainingError
        ConfigurationError
        LocalProtocolError
        PeerError
            RemoteProtocolError

The room that raises a family subclasses it in its own package; a family appears here together with
its first room. Blame is in the type: `LocalProtocolError` is our own bug, `PeerError` costs a peer.
"""

from typing import ClassVar


class HanseError(Exception):
    """Stand for every failure that the project expects.

    The `code` of a class is stable, so that programs and translations may rely on it.
    """

    code: ClassVar[str] = "hanse"


class MalformedBytesError(HanseError):
    """Refuse bytes that are not the one encoding of a value."""

    code: ClassVar[str] = "malformed_bytes"


class MalformedCidError(HanseError):
    """Refuse bytes or text that are not a content id this project uses."""

    code: ClassVar[str] = "malformed_cid"


class InvalidKeyError(HanseError):
    """Refuse bytes or text that are not a usable Ed25519 key."""

    code: ClassVar[str] = "invalid_key"


class BadSignatureError(HanseError):
    """Refuse a signature that its key did not make over this message in this domain."""

    code: ClassVar[str] = "bad_signature"


class BadSealError(HanseError):
    """Refuse a sealed message that was not sealed to this key, or was changed since."""

    code: ClassVar[str] = "bad_seal"


class InvalidProofError(HanseError):
    """Refuse a Merkle proof that does not lead to the root."""

    code: ClassVar[str] = "invalid_proof"


class FixedPointError(HanseError):
    """Refuse a fixed-point number that is malformed, too wide, or divided by zero."""

    code: ClassVar[str] = "fixed_point"


class InvalidBlockError(HanseError):
    """Refuse a block that breaks a rule of the DAG."""

    code: ClassVar[str] = "invalid_block"


class InvalidCommitError(HanseError):
    """Refuse a commit or a certificate that breaks a rule of the total order."""

    code: ClassVar[str] = "invalid_commit"


class InvalidEvidenceError(HanseError):
    """Refuse evidence that does not prove a fault."""

    code: ClassVar[str] = "invalid_evidence"


class InvalidTransactionError(HanseError):
    """Refuse a transaction that breaks a rule of the ledger."""

    code: ClassVar[str] = "invalid_transaction"


class InvalidCheckpointError(HanseError):
    """Refuse a checkpoint, or a certificate of one, that the committee did not sign."""

    code: ClassVar[str] = "invalid_checkpoint"


class VmError(HanseError):
    """Refuse contract source or bytecode, or report that running it ended in a trap."""

    code: ClassVar[str] = "vm"


class StorageError(HanseError):
    """Report that something stored is missing, damaged, or could not be written."""

    code: ClassVar[str] = "storage"


class TrainingError(HanseError):
    """Stand for training, scoring or a job of a worker that cannot go on."""

    code: ClassVar[str] = "training"


class ConfigurationError(HanseError):
    """Report a setting that a person has to correct."""

    code: ClassVar[str] = "configuration"


class LocalProtocolError(HanseError):
    """Report that our own side is about to break a protocol: a bug of ours, no peer is blamed."""

    code: ClassVar[str] = "local_protocol"


class PeerError(HanseError):
    """Report a failure that one peer caused.

    Args:
        message: what went wrong, in lower case.
        peer: the peer to blame, as the room that raises this names its peers in text.
    """

    code: ClassVar[str] = "peer"

    def __init__(self, message: str, *, peer: str) -> None:
        super().__init__(message)
        self.peer = peer


class RemoteProtocolError(PeerError):
    """Report that a peer broke a protocol; this lowers the score of the peer."""

    code: ClassVar[str] = "remote_protocol"


def first_error(error: BaseException) -> BaseException:
    """Return the first error of a group that is none; of anything else, itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
