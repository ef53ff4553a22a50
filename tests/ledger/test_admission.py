from dataclasses import replace

import msgspec
import pytest

from node.ledger.account import Account
from node.ledger.admission import (
    BYTE_GAS,
    DEPLOY_BYTE_GAS,
    NONCE_WINDOW,
    EntryContext,
    NonceRule,
    check_entry,
    greatest_cost,
    intrinsic_gas,
)
from node.ledger.errors import (
    AmountRangeError,
    EntryError,
    ExpiredError,
    FeeTooLowError,
    GasLimitError,
    IntrinsicGasError,
    NonceGapError,
    NonceWindowError,
    ReplayedNonceError,
    TipAboveFeeError,
    UnaffordableError,
    ValidityHorizonError,
    WrongChainError,
)
from node.ledger.transaction import (
    Bond,
    Call,
    Delegate,
    Deploy,
    Redelegate,
    Transaction,
    Transfer,
    Unbond,
    Undelegate,
)
from primitives.ids import ChainId, Gas, Grain, TimestampMs
from tests.ledger.builders import (
    ACTIONS,
    BASE_FEE,
    KEY,
    LIMITS,
    NOBODY,
    NOW,
    RICH,
    encoded,
    entry_context,
    exact_gas,
    transaction,
)

WINDOW = entry_context(NonceRule.WINDOW)
SIX = Account(nonce=6, balance=RICH.balance)


def judge(
    made: Transaction, *, account: Account = RICH, context: EntryContext | None = None
) -> Gas:
    return check_entry(
        made,
        size_bytes=len(encoded(made)),
        account=account,
        context=context or entry_context(),
    )


def bond(*, commission: int = 0, amount: int = 1) -> Bond:
    return Bond(
        consensus_key=KEY,
        node_key=KEY,
        possession=bytes(64),
        commission_bp=commission,
        amount=Grain(amount),
    )


def redelegation(amount: int) -> Redelegate:
    return Redelegate(source=NOBODY, destination=NOBODY, amount=Grain(amount))


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_may_enter(name: str) -> None:
    judge(transaction(ACTIONS[name]))


# What is wrong -> the transaction, the error, and the two numbers that the error carries.
REFUSED: dict[str, tuple[Transaction, type[EntryError], int, int]] = {
    "signed for another chain": (
        transaction(chain_id=ChainId(b"\xc2" * 32)),
        WrongChainError,
        0,
        0,
    ),
    "expired by a millisecond": (
        transaction(valid_until=TimestampMs(NOW - 1)),
        ExpiredError,
        NOW - 1,
        NOW,
    ),
    "valid for a millisecond too long": (
        transaction(valid_until=TimestampMs(NOW + LIMITS.validity_max_ms + 1)),
        ValidityHorizonError,
        NOW + LIMITS.validity_max_ms + 1,
        NOW + LIMITS.validity_max_ms,
    ),
    "a gas limit above the greatest": (
        transaction(gas_limit=Gas(LIMITS.transaction_gas_max + 1)),
        GasLimitError,
        LIMITS.transaction_gas_max + 1,
        LIMITS.transaction_gas_max,
    ),
    "no gas": (
        transaction(gas_limit=Gas(0)),
        IntrinsicGasError,
        0,
        exact_gas(transaction(gas_limit=Gas(0))),
    ),
    "a fee below the base fee": (
        transaction(fee_per_gas_max=Grain(BASE_FEE - 1)),
        FeeTooLowError,
        BASE_FEE - 1,
        BASE_FEE,
    ),
    "a tip above the whole fee": (
        transaction(tip_per_gas=Grain(2_001)),
        TipAboveFeeError,
        2_001,
        2_000,
    ),
    "a nonce that is not there yet": (transaction(nonce=1), NonceGapError, 1, 0),
    "more than one whole of commission": (
        transaction(bond(commission=10_001)),
        AmountRangeError,
        10_001,
        10_000,
    ),
    "a transfer of nothing": (
        transaction(Transfer(NOBODY, Grain(0))),
        AmountRangeError,
        0,
        1,
    ),
    "a bond of nothing": (transaction(bond(amount=0)), AmountRangeError, 0, 1),
    "an unbonding of nothing": (transaction(Unbond(Grain(0))), AmountRangeError, 0, 1),
    "a delegation of nothing": (transaction(Delegate(NOBODY, Grain(0))), AmountRangeError, 0, 1),
    "an undelegation of nothing": (
        transaction(Undelegate(NOBODY, Grain(0))),
        AmountRangeError,
        0,
        1,
    ),
    "a redelegation of nothing": (transaction(redelegation(0)), AmountRangeError, 0, 1),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_transaction_that_breaks_a_rule_is_refused(name: str) -> None:
    made, expected, actual, limit = REFUSED[name]
    with pytest.raises(EntryError) as caught:
        judge(made)
    assert type(caught.value) is expected
    assert (caught.value.actual, caught.value.limit) == (actual, limit)


@pytest.mark.parametrize(
    "made",
    [
        transaction(valid_until=TimestampMs(NOW)),
        transaction(valid_until=TimestampMs(NOW + LIMITS.validity_max_ms)),
        transaction(gas_limit=LIMITS.transaction_gas_max),
        transaction(fee_per_gas_max=BASE_FEE),
        transaction(tip_per_gas=Grain(2_000)),
        transaction(bond(commission=10_000)),
    ],
)
def test_a_transaction_at_the_edge_of_a_rule_enters(made: Transaction) -> None:
    judge(made)


def test_the_intrinsic_gas_is_just_enough() -> None:
    made = transaction(gas_limit=exact_gas(transaction(gas_limit=Gas(9_000))))
    judge(made)
    with pytest.raises(IntrinsicGasError):
        judge(msgspec.structs.replace(made, gas_limit=Gas(made.gas_limit - 1)))


@pytest.mark.parametrize("name", ACTIONS)
def test_whoever_enters_is_told_the_intrinsic_gas(name: str) -> None:
    made = transaction(ACTIONS[name], gas_limit=Gas(2_000_000))
    assert judge(made) == exact_gas(made)


@pytest.mark.parametrize("context", [entry_context(), WINDOW])
def test_a_replayed_nonce_is_refused_everywhere(context: EntryContext) -> None:
    with pytest.raises(ReplayedNonceError):
        judge(transaction(nonce=5), account=SIX, context=context)


def test_a_mempool_takes_nonces_inside_its_window_only() -> None:
    judge(transaction(nonce=6), account=SIX, context=WINDOW)
    judge(transaction(nonce=6 + NONCE_WINDOW - 1), account=SIX, context=WINDOW)
    with pytest.raises(NonceWindowError):
        judge(transaction(nonce=6 + NONCE_WINDOW), account=SIX, context=WINDOW)


@pytest.mark.parametrize("name", ["transfer", "deploy", "call", "bond", "delegate"])
def test_the_balance_must_cover_the_gas_limit_and_what_is_moved(name: str) -> None:
    made = transaction(ACTIONS[name])
    cost = greatest_cost(made)
    assert cost > made.gas_limit * made.fee_per_gas_max
    judge(made, account=Account(balance=Grain(cost)))
    with pytest.raises(UnaffordableError) as caught:
        judge(made, account=Account(balance=Grain(cost - 1)))
    assert (caught.value.actual, caught.value.limit) == (cost - 1, cost)


def test_a_cost_beyond_63_bits_is_unaffordable_and_no_accident() -> None:
    made = transaction(Transfer(NOBODY, Grain(2**63 - 1)), fee_per_gas_max=Grain(2**63 - 1))
    with pytest.raises(UnaffordableError):
        judge(made, account=Account(balance=Grain(2**63 - 1)))


def test_code_costs_more_gas_than_other_bytes() -> None:
    small, large = Deploy(b"", b"", Grain(0)), Deploy(b"x" * 10, b"", Grain(0))
    step = intrinsic_gas(large, size_bytes=110) - intrinsic_gas(small, size_bytes=100)
    assert step == 10 * (BYTE_GAS + DEPLOY_BYTE_GAS)


def test_every_action_costs_at_least_a_signature() -> None:
    assert all(intrinsic_gas(action, size_bytes=0) >= 3_000 for action in ACTIONS.values())


def test_calls_without_value_may_enter() -> None:
    judge(transaction(Call(contract=NOBODY, method="m", arguments=b"", value=Grain(0))))


def test_every_rule_has_a_code_of_its_own() -> None:
    classes = EntryError.__subclasses__()
    assert len({error.code for error in classes}) == len(classes) >= 20


def test_the_base_fee_of_the_context_decides() -> None:
    with pytest.raises(FeeTooLowError):
        judge(transaction(), context=replace(entry_context(), base_fee=Grain(2_001)))
