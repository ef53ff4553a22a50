"""Why the executor refuses or fails a transaction, beside the reasons of the ledger and the VM.

InvalidTransactionError (primitives.errors)
  EntryError (node.ledger.errors)
    CommitGasError, FaultyBlockError
  ReservedAccountError, ContractRecipientError, ContractCodeError: it entered, pays and fails
InvalidEvidenceError (primitives.errors)
  ForeignEvidenceError
"""

from node.ledger.errors import EntryError
from primitives.errors import InvalidEvidenceError, InvalidTransactionError


class CommitGasError(EntryError):
    """The commit has executed as much as a commit may; the transaction may come again."""

    code = "transaction-commit-gas"
    wording = "a gas limit of {actual}, but {limit} is left in the commit"


class FaultyBlockError(EntryError):
    """The author of the block put in too much that it could see to be nobody's transaction."""

    code = "block-faulty"
    wording = "{actual} faulty items, so the last {limit} of the block were not looked at"


class ReservedAccountError(InvalidTransactionError):
    """The account takes money from the staking rules only: elsewhere it would be nobody's."""

    code = "account-reserved"


class ContractRecipientError(InvalidTransactionError):
    """The account is a contract, which takes money through its methods only."""

    code = "account-contract"


class ContractCodeError(InvalidTransactionError):
    """The code of a deployment is not a module that may run."""

    code = "contract-code"


class ForeignEvidenceError(InvalidEvidenceError):
    """The evidence is not about a block of this chain in an epoch that is still known."""

    code = "evidence-foreign"
