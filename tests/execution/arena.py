"""A local chain that both engines run, and what a failed transaction may change: its fee."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from typing_extensions import override

from consensus.block import Block
from consensus.commit import Commit, CommittedSubDag, commit_digest
from node.execution.commit import CommitInput, CommitOutcome, Machine, apply_commit
from node.execution.deployed import DeployedContract
from node.execution.library import Library
from node.execution.local_chain import GAS_LIMIT, LocalChain, TransactionFailedError, key_named
from node.ledger.account import account_key, read_account
from node.ledger.chain import CHAIN_CODEC, CHAIN_KEY, read_chain
from node.ledger.fees import next_fee
from node.ledger.parameters import LedgerParameters, read_parameters
from node.ledger.receipt import RECEIPT_CODEC, Receipt, ReceiptStatus, receipts_root
from node.ledger.staking.audit import check_stakes
from node.ledger.staking.tables import Table
from node.ledger.supply import check_supply
from node.ledger.transaction import SIGNED_TRANSACTION_CODEC, Action, sign_transaction
from node.vm.abi import PythonValue
from node.vm.engine import FastTier, Interpreter
from primitives.ids import CommitIndex, Digest, Gas

ATTACK_GAS = Gas(400_000)
HOSTILE = Path(__file__).parent / "hostile"

Values = Mapping[bytes, bytes]


def read_hostile(name: str) -> str:
    """Return the text of a contract that means harm."""
    return (HOSTILE / f"{name}.contract").read_text()


@contextlib.contextmanager
def ends_in(code: str) -> Iterator[None]:
    """Expect the transaction inside to fail with this code."""
    with pytest.raises(TransactionFailedError) as failure:
        yield
    assert failure.value.receipt.code == code


class Arena(LocalChain):
    """A local chain on the fast tier with a twin on the interpreter; every commit runs on both.

    Whoever sends a transaction that fails is found to have paid for it and to have done nothing.

    Attributes:
        gas_limit: of the transactions that are sent, but for deployments.
    """

    def __init__(self, *, parameters: LedgerParameters | None = None) -> None:
        super().__init__(parameters=parameters)
        self._twin = LocalChain(engine=Interpreter(), parameters=parameters)
        self.gas_limit = ATTACK_GAS
        # The first commit of an epoch writes more than the transactions in it do.
        self.commit(())

    @override
    def commit(self, payload: Sequence[bytes]) -> CommitOutcome:
        self._twin.now_ms = self.now_ms
        outcome, other = super().commit(payload), self._twin.commit(payload)
        assert outcome == other, "the engines disagree"
        assert self.state.values == self._twin.state.values
        for receipt in outcome.receipts:
            assert RECEIPT_CODEC.decode(RECEIPT_CODEC.encode(receipt)) == receipt
        assert outcome.encoded_receipts == tuple(map(RECEIPT_CODEC.encode, outcome.receipts))
        if outcome.draft is not None:
            assert outcome.draft.receipts_root == receipts_root(outcome.receipts)
        return outcome

    @override
    def deploy(
        self, source: str, *arguments: PythonValue, sender: str = "alice", value: int = 0
    ) -> DeployedContract:
        self.gas_limit = GAS_LIMIT
        try:
            return super().deploy(source, *arguments, sender=sender, value=value)
        finally:
            self.gas_limit = ATTACK_GAS

    @override
    def send(self, action: Action, *, sender: str = "alice") -> Receipt:
        before = self.snapshot()
        (raw,) = self.sign_all([action], gas_limit=self.gas_limit, sender=sender)
        receipt = self.commit([raw]).receipts[-1]
        if receipt.status is not ReceiptStatus.DONE:
            self.check_only_the_fee(before, receipt, sender=sender)
            raise TransactionFailedError(receipt)
        return receipt

    def sign_all(
        self, actions: Sequence[Action], *, gas_limit: int, sender: str = "alice"
    ) -> list[bytes]:
        """Return transactions of one sender that may enter the next commit in this order."""
        raws = []
        for place, action in enumerate(actions):
            signed = SIGNED_TRANSACTION_CODEC.decode(self.sign(action, sender=sender))
            transaction = msgspec.structs.replace(
                signed.transaction,
                nonce=signed.transaction.nonce + place,
                gas_limit=Gas(gas_limit),
            )
            own = sign_transaction(transaction, key_named(sender))
            raws.append(SIGNED_TRANSACTION_CODEC.encode(own))
        return raws

    def commit_twins(self, one: Block, other: Block) -> CommitOutcome:
        """Commit two blocks of one slot, of which the second is void, without any payload."""
        blocks = tuple(sorted((one, other), key=lambda block: block.ref))
        commit = Commit(
            genesis=self.chain_id,
            index=CommitIndex(read_chain(self.state).commit_index + 1),
            previous=Digest(bytes(32)),
            timestamp_ms=self.now_ms,
            leader=blocks[0].ref,
            blocks=tuple(block.ref for block in blocks),
            void=(blocks[1].ref,),
        )
        sub_dag = CommittedSubDag(commit, digest=commit_digest(commit), blocks=blocks)
        given = CommitInput(sub_dag=sub_dag, last_checkpoint=self._last_checkpoint)
        outcome, other_outcome = (
            apply_commit(self.state, given, machine=Machine(engine=engine, library=Library()))
            for engine in (FastTier(), Interpreter())
        )
        assert outcome == other_outcome
        for state in (self.state, self._twin.state):
            state.write(outcome.changes)
            check_supply(state.values.items())
            check_stakes(state.values.items())
        return outcome

    def snapshot(self) -> dict[bytes, bytes]:
        """Return the state as it is now."""
        return dict(self.state.values)

    def check_only_the_fee(self, before: Values, receipt: Receipt, *, sender: str) -> None:
        """Check that the last commit, of one transaction, took its fee and did nothing else."""
        assert receipt.status is ReceiptStatus.FAILED
        assert (receipt.events, receipt.result, receipt.created) == ((), b"", None)
        address = self.account(sender)
        own = {account_key(address), CHAIN_KEY, bytes(Table.ATTENDANCE)}
        assert without(before, own) == without(self.state.values, own)
        held = read_account(Frozen(before), address)
        assert read_account(self.state, address) == msgspec.structs.replace(
            held, nonce=held.nonce + 1, balance=held.balance - receipt.fee
        )
        self._check_chain_record(before, receipt)

    def _check_chain_record(self, before: Values, receipt: Receipt) -> None:
        chain = CHAIN_CODEC.decode(before[CHAIN_KEY])
        after = CHAIN_CODEC.decode(self.state.values[CHAIN_KEY])
        fees = read_parameters(self.state).fees
        assert receipt.fee == receipt.gas_used * chain.base_fee
        assert receipt.fee > 0
        assert after == msgspec.structs.replace(
            chain,
            height=chain.height + 1,
            commit_index=chain.commit_index + 1,
            time_ms=self.now_ms,
            base_fee=next_fee(chain.base_fee, gas_used=receipt.gas_used, parameters=fees),
            supply=msgspec.structs.replace(chain.supply, burned=chain.supply.burned + receipt.fee),
            checkpoint_count=chain.checkpoint_count + 1,
            last_checkpoint=after.last_checkpoint,
        )


class Frozen:
    """A state that was."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def get(self, key: bytes) -> bytes | None:
        """Return the value of the key, None if there was none."""
        return self._values.get(key)


def without(values: Values, keys: set[bytes]) -> dict[bytes, bytes]:
    """Return the state but for some keys."""
    return {key: value for key, value in values.items() if key not in keys}
