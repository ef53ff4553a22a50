"""What each action does to the state once its transaction has entered and paid for its gas."""

from typing import Final, assert_never

from node.execution.contract_calls import ContractCalls
from node.execution.errors import (
    ContractCodeError,
    ContractRecipientError,
    ReservedAccountError,
)
from node.execution.evidence import punish_reported
from node.ledger.account import SystemAccount, transfer
from node.ledger.contract import (
    ContractRecord,
    code_digest,
    contract_address,
    is_contract,
    write_contract,
)
from node.ledger.overlay import Overlay, StateReader
from node.ledger.possession import check_possession
from node.ledger.staking.delegations import delegate, redelegate, undelegate, withdraw
from node.ledger.staking.records import Keys
from node.ledger.staking.validators import bond, rotate_keys, unjail
from node.ledger.transaction import (
    Bond,
    Call,
    Delegate,
    Deploy,
    Evidence,
    Redelegate,
    RotateKeys,
    Transaction,
    Transfer,
    Unbond,
    Undelegate,
    Unjail,
    Withdraw,
)
from node.vm.meter import Meter
from node.vm.module import decode_module
from node.vm.verifier import verify
from primitives.errors import VmError
from primitives.ids import Address

StakingAction = Bond | Unbond | Delegate | Undelegate | Redelegate | Withdraw | Unjail | RotateKeys
MeteredAction = Call | Deploy | Evidence | StakingAction
"""Whatever may use more gas than it takes to enter; all but a `Transfer`."""


_STAKE: Final = SystemAccount.STAKE.address


class Performed:
    """What an action leaves in the receipt, besides the events."""

    __slots__ = ("created", "result")

    def __init__(self, *, result: bytes = b"", created: Address | None = None) -> None:
        self.result = result
        self.created = created


def send(overlay: Overlay, transaction: Transaction, action: Transfer) -> None:
    """Move the money of a transfer, or write nothing.

    Raises:
        InvalidTransactionError: the recipient may not or cannot have it.
    """
    check_recipient(overlay, action.recipient)
    transfer(overlay, sender=transaction.sender, recipient=action.recipient, amount=action.amount)


def perform(
    calls: ContractCalls, transaction: Transaction, action: MeteredAction, *, meter: Meter
) -> Performed:
    """Do what the transaction asks for; on an error the caller rolls back to its mark.

    Raises:
        InvalidTransactionError: a rule of the ledger or of staking forbids it.
        InvalidEvidenceError: the evidence proves nothing that is punished.
        VmError: the contract trapped, or the code is none.
    """
    sender = transaction.sender
    match action:
        case Call():
            result = calls.call(
                action.contract,
                action.method,
                action.arguments,
                sender=sender,
                value=action.value,
                meter=meter,
            )
            return Performed(result=result)
        case Deploy():
            address = contract_address(sender, nonce=transaction.nonce)
            deploy(calls, action, address=address, deployer=sender, meter=meter)
            return Performed(created=address)
        case Evidence():
            punish_reported(
                calls.overlay, facts=calls.facts, report=action, reporter=sender, meter=meter
            )
            return Performed()
        case _:
            _stake(calls, action, sender)
            return Performed()


def deploy(
    calls: ContractCalls, action: Deploy, *, address: Address, deployer: Address, meter: Meter
) -> None:
    """Put a contract on the chain and run its `init`.

    Raises:
        ContractCodeError: the code is not a module that may run.
        VmTrap: `init` ended in it.
    """
    try:
        module = verify(decode_module(action.code))
    except VmError as error:
        raise ContractCodeError(str(error)) from error
    digest = code_digest(action.code)
    record = ContractRecord(digest, deployer, calls.facts.height)
    write_contract(calls.overlay, address, record, code=action.code)
    calls.put_in(digest, module, size_bytes=len(action.code))
    calls.start(address, action.arguments, sender=deployer, value=action.value, meter=meter)


def check_recipient(state: StateReader, recipient: Address) -> None:
    """Check that money may be sent to the address without a call.

    Raises:
        ReservedAccountError: only the staking rules may.
        ContractRecipientError: the contract would not know of it, so nobody could get it back.
    """
    if recipient == _STAKE:
        raise ReservedAccountError("money in the stake account would be nobody's stake")
    if is_contract(state, recipient):
        raise ContractRecipientError("call a payable method; a contract is not told of transfers")


def _stake(calls: ContractCalls, action: StakingAction, sender: Address) -> None:
    overlay, term = calls.overlay, calls.facts.term
    match action:
        case Bond():
            _check_possession(calls, action, sender)
            bond(
                overlay,
                term=term,
                operator=sender,
                keys=Keys(action.consensus_key, action.node_key),
                commission_bp=action.commission_bp,
                amount=action.amount,
            )
        case Unbond(amount=amount):
            undelegate(overlay, term=term, delegator=sender, validator=sender, amount=amount)
        case Delegate(validator=validator, amount=amount):
            delegate(overlay, term=term, delegator=sender, validator=validator, amount=amount)
        case Undelegate(validator=validator, amount=amount):
            undelegate(overlay, term=term, delegator=sender, validator=validator, amount=amount)
        case Redelegate():
            redelegate(
                overlay,
                term=term,
                delegator=sender,
                source=action.source,
                destination=action.destination,
                amount=action.amount,
            )
        case Withdraw(validator=validator):
            withdraw(overlay, term=term, delegator=sender, validator=validator)
        case Unjail():
            unjail(overlay, term=term, operator=sender)
        case RotateKeys():
            _check_possession(calls, action, sender)
            keys = Keys(action.consensus_key, action.node_key)
            rotate_keys(overlay, operator=sender, keys=keys)
        case _:
            assert_never(action)


def _check_possession(calls: ContractCalls, action: Bond | RotateKeys, sender: Address) -> None:
    check_possession(
        action.consensus_key, action.possession, chain_id=calls.facts.chain_id, validator=sender
    )
