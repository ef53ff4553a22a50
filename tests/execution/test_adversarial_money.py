"""Money that contracts move: nowhere it would be lost, never more than there is, all or nothing."""

import pytest

from node.execution.deployed import DeployedContract
from node.execution.local_chain import ACCOUNT_BALANCE, GAS_LIMIT
from node.ledger.account import SystemAccount
from node.ledger.transaction import Call, Deploy
from node.vm.lang.compiler import compile_contract
from node.vm.limits import INT_MAX, INT_MIN
from node.vm.module import encode_module
from primitives.ids import Address, Grain
from tests.execution.arena import Arena, ends_in, read_hostile

PURSE = read_hostile("purse")
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def arena() -> Arena:
    return Arena()


@pytest.fixture
def purse(arena: Arena) -> DeployedContract:
    return arena.deploy(PURSE, 100, value=1_000)


def test_money_of_a_contract_can_be_spent_to_the_last_grain_and_no_further(
    arena: Arena, purse: DeployedContract
) -> None:
    bob = arena.account("bob")
    with ends_in("vm-trap-insufficient-balance"):
        purse.drain(bob, 1)
    before = arena.balance(bob)
    purse.drain(bob, 0)
    assert (arena.balance(purse.address), arena.balance(bob)) == (0, before + 1_000)
    with ends_in("vm-trap-insufficient-balance"):
        purse.pay(bob, 1)
    purse.pay(bob, 0)


AMOUNTS = {
    1_001: "vm-trap-insufficient-balance",
    1 << 63: "vm-trap-insufficient-balance",
    (1 << 64) + 1: "vm-trap-insufficient-balance",
    INT_MAX: "vm-trap-insufficient-balance",
    -1: "vm-trap-range",
    -(1 << 63): "vm-trap-range",
    INT_MIN: "vm-trap-range",
}


@pytest.mark.parametrize(("amount", "code"), AMOUNTS.items())
def test_an_amount_that_is_not_there_moves_nothing(
    arena: Arena, purse: DeployedContract, amount: int, code: str
) -> None:
    other = arena.deploy(PURSE, 0)
    for target in (arena.account("bob"), purse.address, other.address):
        with ends_in(code):
            purse.pay(target, amount)
    with ends_in(code):
        purse.pay_oneself(amount)
    with ends_in(code):
        purse.shop(other.address, amount)


def test_paying_oneself_changes_nothing(purse: DeployedContract) -> None:
    for amount in (0, 1, 1_000):
        assert purse.pay_oneself(amount) == 1_000


def test_the_stake_account_takes_no_money_from_contracts(
    arena: Arena, purse: DeployedContract
) -> None:
    for amount in (0, 1, 1_000):
        with ends_in("vm-trap-range"):
            purse.pay(SystemAccount.STAKE.address, amount)
    with ends_in("vm-trap-bad-call"):
        purse.shop(SystemAccount.STAKE.address, 1)
    call = Call(
        contract=SystemAccount.STAKE.address, method="buy", arguments=b"\x90", value=Grain(5)
    )
    with ends_in("vm-trap-bad-call"):
        arena.send(call)


def test_gifts_to_the_pot_and_the_treasury_are_not_lost(
    arena: Arena, purse: DeployedContract
) -> None:
    for account in (SystemAccount.EPOCH_POT, SystemAccount.TREASURY):
        before = arena.balance(account.address)
        purse.pay(account.address, 300)
        assert arena.balance(account.address) == before + 300
    arena.advance(HOUR_MS)
    assert arena.balance(SystemAccount.EPOCH_POT.address) == 0


def test_money_with_a_call_that_takes_none_stays_where_it_was(
    arena: Arena, purse: DeployedContract
) -> None:
    for method, arguments in (("browse", b"\x90"), ("held", b"\x91\xc4\x20" + bytes(32))):
        with ends_in("vm-trap-not-payable"):
            arena.send(_call(purse.address, method, value=1, arguments=arguments))
    with ends_in("vm-trap-bad-arguments"):
        arena.send(_call(purse.address, "fill", value=1, arguments=b"\x91\x01"))
    with ends_in("vm-trap-no-method"):
        arena.send(_call(purse.address, "start", value=1))


def test_money_that_a_callee_did_not_want_comes_back(arena: Arena, purse: DeployedContract) -> None:
    shop = arena.deploy(PURSE, 0)
    for method in (purse.shop, purse.shop_and_regret):
        with ends_in("vm-trap-reverted"):
            method(shop.address, 0)
    with ends_in("vm-trap-reverted"):
        purse.shop_and_regret(shop.address, 700)
    assert (arena.balance(purse.address), arena.balance(shop.address)) == (1_000, 0)
    purse.shop(shop.address, 700)
    assert (arena.balance(purse.address), arena.balance(shop.address)) == (300, 700)


def test_a_contract_can_pay_whoever_pays_for_the_gas(arena: Arena, purse: DeployedContract) -> None:
    alice = arena.account("alice")
    before = arena.balance(alice)
    purse.pay(alice, 1_000)
    assert purse.receipt is not None
    assert arena.balance(alice) == before + 1_000 - purse.receipt.fee


def test_a_contract_can_pay_an_account_that_never_was(
    arena: Arena, purse: DeployedContract
) -> None:
    nobody = Address(b"\x07" * 32)
    purse.pay(nobody, 1)
    assert arena.balance(nobody) == 1
    assert purse.held(nobody) == 1


def test_many_small_payments_pay_gas_for_each(arena: Arena, purse: DeployedContract) -> None:
    purse.pay_many(arena.account("bob"), 1)
    one = purse.gas_used
    purse.pay_many(arena.account("bob"), 101)
    assert purse.gas_used - one >= 100 * 1_500


def test_an_init_that_traps_gives_the_money_back_and_leaves_no_code(arena: Arena) -> None:
    with ends_in("vm-trap-reverted"):
        arena.deploy(PURSE.replace("too little", "too few"), 100, value=99)


@pytest.mark.parametrize(
    ("arguments", "value", "code"),
    [
        (b"\x90", 1, "vm-trap-bad-arguments"),
        (b"", 1, "vm-trap-not-payable"),
        (b"\xc1", 0, "vm-trap-bad-arguments"),
    ],
)
def test_a_contract_without_init_takes_neither_arguments_nor_money(
    arena: Arena, arguments: bytes, value: int, code: str
) -> None:
    source = "class Plain(Contract):\n    @external\n    def f(self):\n        pass\n"
    module = encode_module(compile_contract(source, filename="plain"))
    arena.gas_limit = GAS_LIMIT
    with ends_in(code):
        arena.send(Deploy(module, arguments, Grain(value)))


BAD_CODE = {
    "nothing": b"",
    "a number": b"\x01",
    "nested a thousand deep": b"\x91" * 1_000,
    "nested to the end": b"\x91" * 32_000,
    "zeros": bytes(32_000),
    "a module of another version": b"\x98\x02\xa1A\x90\x90\x90\x90\x90\x90",
    "cut short": encode_module(compile_contract(PURSE, filename="purse"))[:-1],
    "one byte more": encode_module(compile_contract(PURSE, filename="purse")) + b"\x00",
}


@pytest.mark.parametrize("name", BAD_CODE)
def test_code_that_is_no_module_is_paid_for_and_not_kept(arena: Arena, name: str) -> None:
    arena.gas_limit = GAS_LIMIT
    with ends_in("contract-code"):
        arena.send(Deploy(BAD_CODE[name], b"", Grain(5)))


def test_nobody_spends_the_money_of_the_fee_twice(arena: Arena, purse: DeployedContract) -> None:
    rest = ACCOUNT_BALANCE - 1
    (raw,) = arena.sign_all(
        [_call(purse.address, "fill", value=rest)], gas_limit=100_000, sender="zoe"
    )
    receipt = arena.commit([raw]).receipts[-1]
    assert receipt.code == "transaction-unaffordable"
    assert arena.balance(arena.account("zoe")) == ACCOUNT_BALANCE


def _call(to: Address, method: str, *, value: int, arguments: bytes = b"\x90") -> Call:
    return Call(contract=to, method=method, arguments=arguments, value=Grain(value))
