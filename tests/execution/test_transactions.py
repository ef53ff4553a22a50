import msgspec
import pytest

from node.execution.local_chain import GAS_LIMIT, LocalChain, TransactionFailedError, key_named
from node.ledger.account import SystemAccount, read_account
from node.ledger.chain import read_chain
from node.ledger.parameters import LedgerParameters, LimitParameters
from node.ledger.receipt import Receipt, ReceiptStatus
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    Call,
    Deploy,
    SignedTransaction,
    Transaction,
    Transfer,
    sign_transaction,
    transaction_id,
)
from primitives.ids import Address, ChainId, Gas, Grain, TimestampMs

COUNTER = """
class Counter(Contract):
    total: Int

    @init
    def start(self, total: Int):
        require(total >= 0, "no debts")
        self.total = total

    @external
    def add(self, amount: Int) -> Int:
        require(amount > 0, "amount must be positive")
        self.total += amount
        emit("Added", amount=amount)
        return self.total

    @payable
    def keep(self):
        pass
"""


def raw_transaction(chain: LocalChain, *, signer: str = "alice", **changes: object) -> bytes:
    signed = SIGNED_TRANSACTION_CODEC.decode(
        chain.sign(Transfer(chain.account("bob"), Grain(5)), sender="alice")
    )
    transaction = msgspec.structs.replace(signed.transaction, **changes)
    return SIGNED_TRANSACTION_CODEC.encode(sign_transaction(transaction, key_named(signer)))


def only_receipt(chain: LocalChain, raw: bytes) -> Receipt:
    (receipt,) = chain.commit([raw]).receipts
    return receipt


def test_a_transfer_moves_the_amount_and_takes_the_fee() -> None:
    chain = LocalChain()
    alice, bob = chain.account("alice"), chain.account("bob")
    before = chain.balance(alice), chain.balance(bob)
    receipt = chain.send(Transfer(bob, Grain(5)))
    assert chain.balance(alice) == before[0] - 5 - receipt.fee
    assert chain.balance(bob) == before[1] + 5
    assert receipt.fee > 0


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("transaction-chain", {"chain_id": ChainId(bytes(32))}),
        ("transaction-nonce-gap", {"nonce": 1}),
        ("transaction-expired", {"valid_until": TimestampMs(0)}),
        ("transaction-gas-limit", {"gas_limit": Gas(10**9)}),
        ("transaction-gas-intrinsic", {"gas_limit": Gas(1)}),
        ("transaction-fee-too-low", {"fee_per_gas_max": Grain(1)}),
        ("transaction-signature", {"signer": "mallory"}),
        ("transaction-unaffordable", {"fee_per_gas_max": Grain(10**15)}),
    ],
)
def test_a_transaction_that_breaks_an_entry_rule_changes_nothing_and_says_which(
    code: str, changes: dict[str, object]
) -> None:
    chain = LocalChain()
    before = read_account(chain.state, chain.account("alice"))
    receipt = only_receipt(chain, raw_transaction(chain, **changes))  # type: ignore[arg-type]
    assert receipt.status is ReceiptStatus.REFUSED
    assert receipt.code == code
    assert receipt.fee == 0
    assert read_account(chain.state, chain.account("alice")) == before


def test_a_transaction_in_two_blocks_of_a_commit_runs_once() -> None:
    chain = LocalChain()
    raw = raw_transaction(chain)
    done, refused = chain.commit([raw, raw]).receipts
    assert done.status is ReceiptStatus.DONE
    assert (refused.status, refused.code) == (ReceiptStatus.REFUSED, "transaction-nonce-replayed")


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x92\xc0\xc0", bytes(70_000)], ids=len)
def test_bytes_that_are_no_transaction_leave_a_receipt_and_nothing_else(raw: bytes) -> None:
    chain = LocalChain()
    receipt = only_receipt(chain, raw)
    assert receipt.status is ReceiptStatus.REFUSED
    assert receipt.code.startswith("transaction-")


def test_a_call_that_traps_undoes_everything_but_the_fee_and_the_nonce() -> None:
    chain = LocalChain()
    counter = chain.deploy(COUNTER, 1)
    alice = chain.account("alice")
    before = read_account(chain.state, alice)
    storage = {key: value for key, value in chain.state.values.items() if key[:1] == b"\x05"}
    with pytest.raises(TransactionFailedError) as failure:
        counter.add(0)
    receipt = failure.value.receipt
    assert receipt.code == "vm-trap-reverted"
    assert "amount must be positive" in receipt.trap
    after = read_account(chain.state, alice)
    assert (after.nonce, after.balance) == (before.nonce + 1, before.balance - receipt.fee)
    assert storage == {
        key: value for key, value in chain.state.values.items() if key[:1] == b"\x05"
    }


def test_running_out_of_gas_takes_the_whole_limit() -> None:
    chain = LocalChain()
    counter = chain.deploy(COUNTER, 1)
    signed = SIGNED_TRANSACTION_CODEC.decode(
        chain.sign(
            Call(contract=counter.address, method="add", arguments=b"\x91\x05", value=Grain(0)),
            sender="alice",
        )
    )
    transaction = msgspec.structs.replace(signed.transaction, gas_limit=Gas(10_500))
    raw = SIGNED_TRANSACTION_CODEC.encode(sign_transaction(transaction, key_named("alice")))
    receipt = only_receipt(chain, raw)
    assert receipt.code == "vm-trap-out-of-gas"
    assert receipt.gas_used == 10_500


def test_a_failed_init_leaves_no_contract() -> None:
    chain = LocalChain()
    contracts = [key for key in chain.state.values if key[:1] == b"\x03"]
    with pytest.raises(TransactionFailedError, match="no debts"):
        chain.deploy(COUNTER, -1)
    assert [key for key in chain.state.values if key[:1] == b"\x03"] == contracts


def test_code_that_is_no_module_is_not_deployed() -> None:
    chain = LocalChain()
    with pytest.raises(TransactionFailedError) as failure:
        chain.send(Deploy(b"\x90", b"", Grain(0)))
    assert failure.value.receipt.code == "contract-code"


def test_money_sent_to_a_method_that_takes_none_stays_with_its_sender() -> None:
    chain = LocalChain()
    counter = chain.deploy(COUNTER, 1)
    with pytest.raises(TransactionFailedError) as failure:
        counter.add(1, value=10)
    assert failure.value.receipt.code == "vm-trap-not-payable"
    assert chain.balance(counter.address) == 0
    counter.keep(value=10)
    assert chain.balance(counter.address) == 10


def test_nobody_can_pay_into_the_stake_account() -> None:
    chain = LocalChain()
    with pytest.raises(TransactionFailedError) as failure:
        chain.send(Transfer(SystemAccount.STAKE.address, Grain(1)))
    assert failure.value.receipt.code == "account-reserved"


def test_money_reaches_a_contract_through_its_methods_only() -> None:
    chain = LocalChain()
    counter = chain.deploy(COUNTER, 1)
    with pytest.raises(TransactionFailedError) as failure:
        chain.send(Transfer(counter.address, Grain(1)))
    assert failure.value.receipt.code == "account-contract"


def test_what_does_not_fit_the_gas_of_a_commit_is_refused_and_may_come_again() -> None:
    limits = LimitParameters(commit_gas_max=Gas(GAS_LIMIT + 1))
    fees = LedgerParameters().fees
    parameters = LedgerParameters(
        limits=msgspec.structs.replace(limits, transaction_gas_max=GAS_LIMIT), fees=fees
    )
    chain = LocalChain(parameters=parameters)
    to_bob = Transfer(chain.account("bob"), Grain(5))
    first, second = (chain.sign(to_bob, sender=name) for name in ("alice", "carol"))
    counter = chain.deploy(COUNTER, 1)
    burner = Call(contract=counter.address, method="missing", arguments=b"", value=Grain(0))
    del first
    spent = chain.sign(burner, sender="dave")
    receipts = chain.commit([spent, second]).receipts
    assert receipts[0].status is ReceiptStatus.FAILED
    assert receipts[1].code == "transaction-commit-gas"
    assert only_receipt(chain, second).status is ReceiptStatus.DONE


def test_a_receipt_names_the_transaction_by_the_digest_that_was_signed() -> None:
    chain = LocalChain()
    raw = raw_transaction(chain)
    signed: SignedTransaction = SIGNED_TRANSACTION_CODEC.decode(raw)
    assert only_receipt(chain, raw).transaction_id == transaction_id(signed.transaction)


def test_tips_go_to_the_pot_and_base_fees_are_burned() -> None:
    chain = LocalChain()
    base_fee = read_chain(chain.state).base_fee
    burned = read_chain(chain.state).supply.burned
    raw = raw_transaction(chain, fee_per_gas_max=Grain(base_fee + 7), tip_per_gas=Grain(7))
    receipt = only_receipt(chain, raw)
    assert receipt.fee == receipt.gas_used * (base_fee + 7)
    assert chain.balance(SystemAccount.EPOCH_POT.address) == receipt.gas_used * 7
    assert read_chain(chain.state).supply.burned == burned + receipt.gas_used * base_fee


def test_an_account_without_money_cannot_send() -> None:
    chain = LocalChain()
    stranger = key_named("stranger")
    transaction = Transaction(
        chain_id=chain.chain_id,
        sender=Address(stranger.public.raw),
        nonce=0,
        gas_limit=Gas(50_000),
        fee_per_gas_max=Grain(10**6),
        tip_per_gas=Grain(0),
        valid_until=TimestampMs(chain.now_ms + 1),
        action=Transfer(chain.account("bob"), Grain(1)),
    )
    raw = SIGNED_TRANSACTION_CODEC.encode(sign_transaction(transaction, stranger))
    assert only_receipt(chain, raw).code == "transaction-unaffordable"
