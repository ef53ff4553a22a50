"""Why staking refuses: one class and one stable code per rule.

InvalidTransactionError (primitives.errors)
  StakingError: it entered, pays its fee and fails
    UnknownValidatorError, ValidatorExistsError, RosterFullError, KeyTakenError, UnusableKeyError,
    CommissionError, DelegationSizeError, PoolClosedError, InsufficientStakeError,
    ImmatureRedelegationError, SameValidatorError, EntryLimitError, TargetLimitError,
    NothingToWithdrawError, NotJailedError, SentenceError, TombstonedError, RotationPendingError
InvalidEvidenceError (primitives.errors)
  StakingEvidenceError: it proves nothing that is still punished
    EvidenceExpiredError, EvidenceEpochError, EvidenceAuthorError, AlreadyPunishedError,
    LesserOffenceError, UnbondedError
"""

from primitives.errors import InvalidEvidenceError, InvalidTransactionError
from primitives.ids import Address, AuthorityIndex, Epoch, Grain


class StakingError(InvalidTransactionError):
    """An action that the staking rules do not allow."""

    code = "stake"


class UnknownValidatorError(StakingError):
    """No validator has this address."""

    code = "stake-validator-unknown"

    def __init__(self, *, validator: Address) -> None:
        super().__init__(f"{validator.hex()} is no validator")
        self.validator = validator


class ValidatorExistsError(StakingError):
    """The account runs a validator, or ran one that was closed: it registers once."""

    code = "stake-validator-exists"

    def __init__(self, *, validator: Address) -> None:
        super().__init__(f"{validator.hex()} is registered already")
        self.validator = validator


class RosterFullError(StakingError):
    """As many validators are registered as the chain takes."""

    code = "stake-roster-full"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"{limit} validators are registered, the limit")
        self.limit = limit


class KeyTakenError(StakingError):
    """The key was registered before; one that changed hands would make old evidence ambiguous."""

    code = "stake-key-taken"

    def __init__(self, *, key: bytes) -> None:
        super().__init__(f"the key {key.hex()} was registered before")
        self.key = key


class UnusableKeyError(StakingError):
    """The bytes are not an Ed25519 key that every node reads alike."""

    code = "stake-key-unusable"

    def __init__(self, *, key: bytes) -> None:
        super().__init__(f"{key.hex()} is not a usable key")
        self.key = key


class CommissionError(StakingError):
    """The commission is outside the bounds of the chain."""

    code = "stake-commission"

    def __init__(self, *, actual: int, least: int, limit: int) -> None:
        super().__init__(f"a commission of {actual} basis points, must be {least} to {limit}")
        self.actual = actual
        self.least = least
        self.limit = limit


class DelegationSizeError(StakingError):
    """The amount is below the least deposit."""

    code = "stake-amount-too-small"

    def __init__(self, *, actual: Grain, least: Grain) -> None:
        super().__init__(f"{actual} grains, the least is {least}")
        self.actual = actual
        self.least = least


class PoolClosedError(StakingError):
    """The pool takes no stake: it is closed, tombstoned, or was slashed to nothing."""

    code = "stake-pool-closed"

    def __init__(self, *, validator: Address) -> None:
        super().__init__(f"the pool of {validator.hex()} takes no stake")
        self.validator = validator


class InsufficientStakeError(StakingError):
    """The delegation is worth less than what should be taken out of it."""

    code = "stake-insufficient"

    def __init__(self, *, actual: Grain, needed: Grain) -> None:
        super().__init__(f"the delegation is worth {actual} grains, {needed} asked for")
        self.actual = actual
        self.needed = needed


class ImmatureRedelegationError(StakingError):
    """Stake that came from another validator stays until a slash of that one cannot reach it."""

    code = "stake-redelegation-immature"

    def __init__(self, *, free: Grain, needed: Grain, matures: Epoch) -> None:
        super().__init__(f"{free} of {needed} grains are free, more from epoch {matures} on")
        self.free = free
        self.needed = needed
        self.matures = matures


class SameValidatorError(StakingError):
    """A redelegation must lead elsewhere."""

    code = "stake-same-validator"

    def __init__(self, *, validator: Address) -> None:
        super().__init__(f"the stake is at {validator.hex()} already")
        self.validator = validator


class EntryLimitError(StakingError):
    """As many entries of the delegation wait as one delegation may have."""

    code = "stake-entries"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"{limit} entries wait already, the limit")
        self.limit = limit


class TargetLimitError(StakingError):
    """Stake leaves the validator for as many others in this epoch as a slash will follow."""

    code = "stake-redelegation-targets"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"stake moves to {limit} validators in this epoch, the limit")
        self.limit = limit


class NothingToWithdrawError(StakingError):
    """No entry of the delegation is mature."""

    code = "stake-nothing-mature"

    def __init__(self, *, validator: Address) -> None:
        super().__init__(f"nothing at {validator.hex()} is mature")
        self.validator = validator


class NotJailedError(StakingError):
    """Only a jailed validator can be released."""

    code = "stake-not-jailed"

    def __init__(self, *, validator: Address) -> None:
        super().__init__(f"{validator.hex()} is not jailed")
        self.validator = validator


class SentenceError(StakingError):
    """The sentence is not over."""

    code = "stake-still-jailed"

    def __init__(self, *, epoch: Epoch, release: Epoch) -> None:
        super().__init__(f"jailed until epoch {release}, this is epoch {epoch}")
        self.epoch = epoch
        self.release = release


class TombstonedError(StakingError):
    """A tombstoned validator never comes back."""

    code = "stake-tombstoned"

    def __init__(self, *, validator: Address) -> None:
        super().__init__(f"{validator.hex()} is tombstoned")
        self.validator = validator


class RotationPendingError(StakingError):
    """The keys change once per epoch, at its end."""

    code = "stake-rotation-pending"

    def __init__(self, *, validator: Address) -> None:
        super().__init__(f"{validator.hex()} rotates its keys at the end of this epoch already")
        self.validator = validator


class StakingEvidenceError(InvalidEvidenceError):
    """Evidence of an offence that the staking rules do not punish (any more)."""

    code = "evidence-stake"


class EvidenceExpiredError(StakingEvidenceError):
    """The offence is older than the window in which evidence counts."""

    code = "evidence-expired"

    def __init__(self, *, offence: Epoch, oldest: Epoch) -> None:
        super().__init__(f"an offence of epoch {offence}, the oldest that counts is {oldest}")
        self.offence = offence
        self.oldest = oldest


class EvidenceEpochError(StakingEvidenceError):
    """The epoch has not begun, so nobody can have offended in it."""

    code = "evidence-epoch-unknown"

    def __init__(self, *, offence: Epoch, epoch: Epoch) -> None:
        super().__init__(f"an offence of epoch {offence}, this is epoch {epoch}")
        self.offence = offence
        self.epoch = epoch


class EvidenceAuthorError(StakingEvidenceError):
    """The committee of that epoch had no such seat."""

    code = "evidence-author-unknown"

    def __init__(self, *, author: AuthorityIndex, size: int) -> None:
        super().__init__(f"authority {author} of a committee of {size}")
        self.author = author
        self.size = size


class AlreadyPunishedError(StakingEvidenceError):
    """The validator was slashed for such an offence already; a tombstone needs no second."""

    code = "evidence-already-punished"

    def __init__(self, *, validator: Address) -> None:
        super().__init__(f"{validator.hex()} was slashed for this kind of offence")
        self.validator = validator


class LesserOffenceError(StakingEvidenceError):
    """The validator is tombstoned for an offence at least as grave."""

    code = "evidence-tombstoned"

    def __init__(self, *, validator: Address) -> None:
        super().__init__(f"{validator.hex()} is tombstoned for an offence at least as grave")
        self.validator = validator


class UnbondedError(StakingEvidenceError):
    """Nothing of what the validator had at stake is left to be slashed."""

    code = "evidence-unbonded"

    def __init__(self, *, validator: Address) -> None:
        super().__init__(f"{validator.hex()} has nothing at stake")
        self.validator = validator
