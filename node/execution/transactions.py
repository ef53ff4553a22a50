"""Run one payload item of a block: enter, pay, act, settle; always with a receipt.

Guards: an item that breaks an entry rule changes nothing at all; one that entered changes at least
its sender's nonce and fee, and if its action fails nothing else. A receipt has the id of a
transaction only where its sender is known to have signed it. Nobody pays for what is refused, so
the author of a block gets a few faulty items looked at, and the rest of its block is skipped.
"""

from collections.abc import Callable, Sequence
from typing import Final

from node.execution.actions import MeteredAction, perform, send
from node.execution.contract_calls import ContractCalls
from node.execution.errors import CommitGasError, FaultyBlockError
from node.execution.facts import CommitFacts
from node.execution.library import Library
from node.execution.penalties import carry_out_penalties
from node.execution.read_ahead import READ_AHEAD_ITEMS, Item, read_ahead
from node.ledger.account import Account, read_account
from node.ledger.admission import (
    EntryContext,
    NonceRule,
    check_entry,
    check_signature,
)
from node.ledger.errors import (
    EntryError,
    IntegerRangeError,
    NotCanonicalError,
    SenderKeyError,
    TrailingBytesError,
    TransactionFormatError,
    TransactionSignatureError,
    TransactionSizeError,
    UnknownActionError,
    WrongChainError,
)
from node.ledger.fees import FeePaid, GasPrice, fee_of, prepay, price_of, settle
from node.ledger.overlay import Overlay
from node.ledger.receipt import TRAP_LENGTH_MAX, Receipt, ReceiptStatus
from node.ledger.transaction import (
    SignedTransaction,
    Transaction,
    Transfer,
    encoded_transaction_id,
)
from node.vm.engine import Engine
from node.vm.meter import Meter
from node.vm.traps import VmTrap
from primitives.errors import (
    HanseError,
    InvalidEvidenceError,
    InvalidTransactionError,
    VmError,
)
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Digest, Gas, Grain

FAULTS_MAX: Final = 16
"""Faulty items of one block that are looked at."""

_FAULTS: Final = (
    TransactionSizeError,
    TransactionFormatError,
    TrailingBytesError,
    NotCanonicalError,
    IntegerRangeError,
    UnknownActionError,
    WrongChainError,
    SenderKeyError,
    TransactionSignatureError,
)
"""What the author of a block can see without knowing the state at which the block will execute."""

SignatureCheck = Callable[[SignedTransaction, Account], None]
"""Like `check_signature`; a shell that has verified signatures before may answer from memory."""


def check_now(signed: SignedTransaction, account: Account) -> None:
    """Check the signature here and now.

    Raises:
        EntryError: it is not the sender's.
    """
    check_signature(signed, account=account)


class TransactionRunner:
    """Runs the transactions of one commit, one after the other.

    Attributes:
        gas_used: by all so far.
        burned: base fees so far, which left their accounts and are in nobody's.
        tips: likewise.
    """

    def __init__(
        self,
        overlay: Overlay,
        *,
        facts: CommitFacts,
        engine: Engine,
        library: Library,
        check: SignatureCheck,
    ) -> None:
        limits = facts.parameters.limits
        self._overlay = overlay
        self._facts = facts
        self._engine = engine
        self._library = library
        self._check = check
        self._limits = limits
        self._entry: Final = EntryContext(
            chain_id=facts.chain_id,
            now_ms=facts.time_ms,
            base_fee=facts.base_fee,
            limits=limits,
            nonce_rule=NonceRule.NEXT,
        )
        self._gas_left: int = limits.commit_gas_max
        self.gas_used = Gas(0)
        self.burned = Grain(0)
        self.tips = Grain(0)

    def run_block(self, payload: Sequence[bytes], *, name: Digest) -> list[Receipt]:
        """Execute the payload of one block, of this digest; return a receipt for each item.

        The items after `FAULTS_MAX` faulty ones have one receipt together, in the name of the
        block.
        """
        receipts: list[Receipt] = []
        faults = 0
        for start in range(0, len(payload), READ_AHEAD_ITEMS):
            items = payload[start : start + READ_AHEAD_ITEMS]
            for item in read_ahead(self._overlay, items, limits=self._limits):
                if faults == FAULTS_MAX:
                    left = len(payload) - len(receipts)
                    receipts.append(_refusal(name, FaultyBlockError(actual=faults, limit=left)))
                    return receipts
                try:
                    receipts.append(self._run(item))
                except EntryError as error:
                    faults += isinstance(error, _FAULTS)
                    receipts.append(_refusal(item.raw, error))
        return receipts

    def calls(self) -> ContractCalls:
        """Return an empty stack of contract calls."""
        return ContractCalls(
            self._overlay, facts=self._facts, engine=self._engine, library=self._library
        )

    def spend(self, gas: Gas) -> None:
        """Count gas against the commit."""
        self.gas_used = Gas(self.gas_used + gas)
        self._gas_left -= gas

    def _run(self, item: Item) -> Receipt:
        """Let a transaction enter and execute it.

        Raises:
            EntryError: it may not enter; nothing is written.
        """
        signed = item.transaction()
        transaction = signed.transaction
        account = read_account(self._overlay, transaction.sender)
        intrinsic = check_entry(
            transaction, size_bytes=len(item.raw), account=account, context=self._entry
        )
        if transaction.gas_limit > self._gas_left:
            raise CommitGasError(actual=transaction.gas_limit, limit=self._gas_left)
        self._check(signed, account)
        name = encoded_transaction_id(item.raw)
        action = transaction.action
        if isinstance(action, Transfer):
            return self._transfer(transaction, action, name=name, account=account, gas=intrinsic)
        return self._execute(transaction, action, name=name, account=account, intrinsic=intrinsic)

    def _transfer(
        self,
        transaction: Transaction,
        action: Transfer,
        *,
        name: Digest,
        account: Account,
        gas: Gas,
    ) -> Receipt:
        """Execute what happens most: it runs no code, so it buys the gas that it uses."""
        price = price_of(transaction, base_fee=self._facts.base_fee)
        prepay(self._overlay, transaction, account=account, gas=gas, price=price)
        fee = self._collect(gas, fee_of(gas, price=price))
        try:
            send(self._overlay, transaction, action)
        except InvalidTransactionError as error:
            return _failure(name, error, gas_used=gas, fee=fee)
        return Receipt(transaction_id=name, status=ReceiptStatus.DONE, gas_used=gas, fee=fee)

    def _execute(
        self,
        transaction: Transaction,
        action: MeteredAction,
        *,
        name: Digest,
        account: Account,
        intrinsic: Gas,
    ) -> Receipt:
        price = price_of(transaction, base_fee=self._facts.base_fee)
        limit = transaction.gas_limit
        prepay(self._overlay, transaction, account=account, gas=limit, price=price)
        meter = Meter(limit - intrinsic)
        calls = self.calls()
        mark = self._overlay.mark()
        try:
            performed = perform(calls, transaction, action, meter=meter)
        except (InvalidTransactionError, InvalidEvidenceError, VmError) as error:
            self._overlay.rollback(mark)
            calls.keep_loaded()
            fee, gas_used = self._settle(transaction, price, meter)
            return _failure(name, error, gas_used=gas_used, fee=fee)
        carry_out_penalties(calls)
        fee, gas_used = self._settle(transaction, price, meter)
        return Receipt(
            transaction_id=name,
            status=ReceiptStatus.DONE,
            gas_used=gas_used,
            fee=fee,
            events=tuple(calls.events),
            result=performed.result,
            created=performed.created,
        )

    def _settle(self, transaction: Transaction, price: GasPrice, meter: Meter) -> tuple[Grain, Gas]:
        gas_used = Gas(transaction.gas_limit - meter.gas)
        paid = settle(self._overlay, transaction, price=price, gas_used=gas_used)
        return self._collect(gas_used, paid), gas_used

    def _collect(self, gas_used: Gas, paid: FeePaid) -> Grain:
        """Count what a transaction used and paid; return its whole fee."""
        self.burned = Grain(self.burned + paid.burned)
        self.tips = Grain(self.tips + paid.tip)
        self.spend(gas_used)
        return paid.total


def failure_code(error: HanseError) -> str:
    """Return the stable code of a failure for the receipt; of a trap, that with its reason."""
    if isinstance(error, VmTrap):
        return f"vm-trap-{error.trap.name.lower().replace('_', '-')}"
    return error.code


def failure_text(error: HanseError) -> str:
    """Return what the receipt says of a failure, nothing where a library put it into words.

    Receipts are agreed: a node with another version of the library would have another root.
    """
    cause: BaseException | None = error
    while cause is not None:
        if not isinstance(cause, HanseError):
            return ""
        cause = cause.__cause__
    return _shorten(str(error))


def _failure(name: Digest, error: HanseError, *, gas_used: Gas, fee: Grain) -> Receipt:
    return Receipt(
        transaction_id=name,
        status=ReceiptStatus.FAILED,
        code=failure_code(error),
        gas_used=gas_used,
        fee=fee,
        trap=failure_text(error),
    )


def _refusal(raw: bytes, error: EntryError) -> Receipt:
    return Receipt(
        transaction_id=tagged_hash(Domain.REFUSED_ITEM, raw),
        status=ReceiptStatus.REFUSED,
        code=error.code,
        trap=_shorten(str(error)),
    )


def _shorten(text: str) -> str:
    return text[:TRAP_LENGTH_MAX]
