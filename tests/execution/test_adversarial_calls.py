"""Contracts that call each other with bad intent: deep, in circles, under false names."""

import pytest

from node.execution.deployed import DeployedContract
from node.execution.local_chain import GAS_LIMIT, TransactionFailedError
from node.ledger.receipt import ReceiptStatus
from node.ledger.transaction import Call, Deploy, Evidence, EvidenceKind
from node.vm.lang.compiler import compile_contract
from primitives.errors import VmError
from primitives.ids import Address, Gas, Grain
from tests.execution.arena import ATTACK_GAS, Arena, ends_in, read_hostile

RELAY = read_hostile("relay")
BANK = read_hostile("bank")
THIEF = read_hostile("thief")
NOBODY = bytes(32)


@pytest.fixture(scope="module")
def arena() -> Arena:
    return Arena()


@pytest.fixture(scope="module")
def relays(arena: Arena) -> list[DeployedContract]:
    return [arena.deploy(RELAY) for _ in range(9)]


@pytest.fixture(autouse=True)
def few_gas(arena: Arena) -> None:
    arena.gas_limit = ATTACK_GAS


def way(relays: list[DeployedContract], *, length: int) -> list[Address]:
    """Return the addresses of so many relays behind the first."""
    return [relay.address for relay in relays[1 : length + 1]]


def bank_with(arena: Arena, *, trick: int) -> tuple[DeployedContract, DeployedContract]:
    """Return a bank with savings of others, and a thief with savings of its own."""
    bank = arena.deploy(BANK)
    friend = arena.deploy(THIEF, bank.address, NOBODY, 9)
    thief = arena.deploy(THIEF, bank.address, friend.address, trick)
    bank.pay_in(sender="bob", value=1_000)
    thief.save(value=10)
    return bank, thief


@pytest.mark.parametrize("trick", [1, 2, 3])
def test_a_contract_that_still_pays_cannot_be_entered_again(arena: Arena, trick: int) -> None:
    bank, thief = bank_with(arena, trick=trick)
    with ends_in("vm-trap-reentrant"):
        bank.withdraw(thief.address)
    assert (arena.balance(bank.address), arena.balance(thief.address)) == (1_010, 0)
    assert bank.saved(thief.address) == 10


def test_who_does_not_come_back_gets_its_own_and_no_more(arena: Arena) -> None:
    bank, honest = bank_with(arena, trick=9)
    bank.withdraw(honest.address)
    bank.withdraw(honest.address)
    assert (arena.balance(bank.address), arena.balance(honest.address)) == (1_000, 10)


def test_a_contract_cannot_be_entered_while_its_init_runs(arena: Arena) -> None:
    bank = arena.deploy(BANK)
    with ends_in("vm-trap-reentrant"):
        arena.deploy(THIEF, bank.address, NOBODY, 0)


def test_not_even_a_view_is_entered_twice(arena: Arena) -> None:
    _, thief = bank_with(arena, trick=9)
    with ends_in("vm-trap-reentrant"):
        thief.look_in_a_mirror()


def test_a_contract_cannot_call_itself_from_outside(arena: Arena) -> None:
    _, thief = bank_with(arena, trick=9)
    with ends_in("vm-trap-reentrant"):
        thief.call_oneself()


def test_two_contracts_cannot_call_each_other_in_a_circle(
    relays: list[DeployedContract],
) -> None:
    ping, pong = relays[:2]
    circle = [pong.address, ping.address] * 20
    with ends_in("vm-trap-reentrant"):
        ping.walk(circle)


def test_eight_contracts_deep_is_allowed_and_nine_are_not(
    relays: list[DeployedContract],
) -> None:
    assert relays[0].walk(way(relays, length=7)) == 8
    with ends_in("vm-trap-call-depth"):
        relays[0].walk(way(relays, length=8))
    with ends_in("vm-trap-call-depth"):
        relays[0].look(way(relays, length=8))


def test_money_goes_as_deep_as_calls_do_and_comes_back_whole(
    arena: Arena, relays: list[DeployedContract]
) -> None:
    assert relays[0].hand_on(way(relays, length=7), value=77) == 77
    assert [arena.balance(relay.address) for relay in relays] == [0] * 7 + [77, 0]
    with ends_in("vm-trap-call-depth"):
        relays[0].hand_on(way(relays, length=8), value=77)


def test_the_gas_left_falls_from_call_to_call_and_is_the_same_in_both_engines(
    arena: Arena, relays: list[DeployedContract]
) -> None:
    relays[0].walk(way(relays, length=7))
    fields = [event.fields for event in arena.receipts[-1].events]
    assert fields == sorted(fields, reverse=True)


def test_a_caller_that_leaves_too_little_gas_fails_with_its_callee(
    arena: Arena, relays: list[DeployedContract]
) -> None:
    arena.gas_limit = Gas(200_000)
    left = relays[0].burn(way(relays, length=2), 40_000)
    assert isinstance(left, int)
    assert left > 20_000
    for kept in (500, 1_500, 2_500, 4_000, 6_000, 9_000):
        with ends_in("vm-trap-out-of-gas"):
            relays[0].burn(way(relays, length=2), kept)
        assert arena.receipts[-1].gas_used == arena.gas_limit


LIES = {
    "expect_bool": "vm-trap-bad-call",
    "expect_writer": "vm-trap-bad-call",
    "expect_view": "vm-trap-bad-call",
    "expect_payable": "vm-trap-bad-call",
    "view_that_writes": "vm-trap-bad-call",
    "expect_missing": "vm-trap-no-method",
    "expect_hidden": "vm-trap-no-method",
    "expect_wake": "vm-trap-no-method",
    "expect_start": "vm-trap-no-method",
}


@pytest.mark.parametrize(("method", "code"), LIES.items())
def test_an_interface_that_lies_about_the_other_contract_is_found_out(
    relays: list[DeployedContract], method: str, code: str
) -> None:
    with ends_in(code):
        getattr(relays[0], method)(relays[1].address)


@pytest.mark.parametrize("name", ["alice", "validator-0", "stranger"])
def test_an_account_is_no_contract_to_call(
    arena: Arena, relays: list[DeployedContract], name: str
) -> None:
    with ends_in("vm-trap-bad-call"):
        relays[0].walk([arena.account(name)])


def test_a_view_that_calls_a_writer_does_not_compile() -> None:
    source = RELAY.replace(
        "    @external\n    def walk_and_look", "    @view\n    def walk_and_look"
    )
    compile_contract(source, filename="relay")
    with pytest.raises(VmError, match="view method cannot call"):
        compile_contract(source.replace(".look(way[1:])", ".walk(way[1:])"), filename="relay")


def raw_call(of: Address, *, method: str, arguments: bytes = b"\x90") -> Call:
    """Return a call as somebody without our tools may write it."""
    return Call(contract=of, method=method, arguments=arguments, value=Grain(0))


@pytest.mark.parametrize("method", ["", "hidden", "wake", "start", "Walk", "walk\x00", "é" * 64])
def test_only_public_methods_are_called_by_name(
    arena: Arena, relays: list[DeployedContract], method: str
) -> None:
    with ends_in("vm-trap-no-method"):
        arena.send(raw_call(relays[0].address, method=method))


BAD_ARGUMENTS = {
    "nothing": b"",
    "too few": b"\x90",
    "too many": b"\x92\x90\x90",
    "no array": b"\xc0",
    "another type": b"\x91\xa0",
    "a short address": b"\x91\x91\xc4\x1f" + bytes(31),
    "padded": b"\x91\xdc\x00\x00",
    "trailing": b"\x91\x90\x00",
    "a map": b"\x91\x80",
    "nested a thousand deep": b"\x91" * 1_000,
    "nested without end": b"\x91" * 60_000,
    "a length that lies": b"\x91\xdd\xff\xff\xff\xff",
    "a list that is too long": b"\x91\xdc\x10\x01" + (b"\xc4\x20" + bytes(32)) * 1_700,
}


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_arguments_that_are_not_what_the_method_takes_are_refused(
    arena: Arena, relays: list[DeployedContract], name: str
) -> None:
    arena.gas_limit = Gas(2_000_000)
    call = raw_call(relays[0].address, method="walk", arguments=BAD_ARGUMENTS[name])
    with ends_in("vm-trap-bad-arguments"):
        arena.send(call)


def test_no_words_of_a_library_get_into_what_is_agreed(
    arena: Arena, relays: list[DeployedContract]
) -> None:
    """The next version of the library has other words, and a node that has it another root."""
    arena.gas_limit = GAS_LIMIT
    garbage = Deploy(b"\x90", b"", Grain(0))
    vague = Evidence(EvidenceKind.EQUIVOCATION, b"\x90")
    for action in (raw_call(relays[0].address, method="walk"), garbage, vague):
        with pytest.raises(TransactionFailedError) as failure:
            arena.send(action)
        assert failure.value.receipt.trap == ""
    with pytest.raises(TransactionFailedError) as failure:
        relays[0].walk([arena.account("alice")])
    assert "there is no contract at the address" in failure.value.receipt.trap


def test_a_call_of_an_address_without_code_pays_and_fails(arena: Arena) -> None:
    for address in (NOBODY, arena.account("bob")):
        with ends_in("vm-trap-bad-call"):
            arena.send(raw_call(Address(address), method="walk"))
        assert arena.receipts[-1].status is ReceiptStatus.FAILED
