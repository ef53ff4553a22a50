"""Calls to come that mean harm: floods, traps while nobody watches, and no end."""

import msgspec
import pytest

from node.execution.deployed import DeployedContract
from node.execution.local_chain import GAS_LIMIT
from node.execution.schedule import ARGUMENTS_BYTES_MAX, waiting_count
from node.ledger.chain import CHAIN_KEY
from node.ledger.keyspace import Room
from node.ledger.parameters import LedgerParameters, LimitParameters
from node.ledger.receipt import ReceiptStatus
from node.ledger.staking.tables import Table
from primitives.ids import Gas
from tests.execution.arena import Arena, ends_in, read_hostile, without

SLEEPER = read_hostile("sleeper")


@pytest.fixture
def arena() -> Arena:
    return Arena()


@pytest.fixture
def sleeper(arena: Arena) -> DeployedContract:
    return arena.deploy(SLEEPER)


def test_a_transaction_schedules_so_many_calls_and_no_more(
    arena: Arena, sleeper: DeployedContract
) -> None:
    arena.gas_limit = Gas(1_000_000)
    sleeper.set_many(16, 20_000)
    with ends_in("vm-trap-schedule"):
        sleeper.set_many(17, 20_000)
    assert waiting_count(arena.state) == 16


def test_the_arguments_of_a_call_to_come_are_short(arena: Arena, sleeper: DeployedContract) -> None:
    longest = ARGUMENTS_BYTES_MAX - len(b"\x91\xc5\x10\x00")
    sleeper.set_long(longest)
    with ends_in("vm-trap-schedule"):
        sleeper.set_long(longest + 1)
    (receipt,) = arena.advance(1)
    assert receipt.status is ReceiptStatus.DONE


def test_nobody_schedules_what_is_not_paid(sleeper: DeployedContract) -> None:
    for gas in (1 << 62, 1 << 63, 1 << 64, (1 << 255) - 1):
        with ends_in("vm-trap-out-of-gas"):
            sleeper.set_at(1_000_000_000_001, gas)


@pytest.mark.parametrize("at_ms", [-(1 << 255), -1, 0, 1 << 63, (1 << 255) - 1])
def test_a_time_that_is_none_is_refused(sleeper: DeployedContract, at_ms: int) -> None:
    with ends_in("vm-trap-schedule"):
        sleeper.set_at(at_ms, 20_000)


def test_what_a_failed_transaction_scheduled_never_runs(
    arena: Arena, sleeper: DeployedContract
) -> None:
    with ends_in("vm-trap-reverted"):
        sleeper.set_and_fail()
    assert waiting_count(arena.state) == 0
    assert arena.advance(10) == ()


TRAPS = {
    0: "vm-trap-reverted",
    1: "vm-trap-out-of-gas",
    2: "vm-trap-division-by-zero",
    3: "vm-trap-insufficient-balance",
    4: "vm-trap-schedule",
}


@pytest.mark.parametrize(("kind", "code"), TRAPS.items())
def test_a_woken_call_that_traps_changes_nothing_but_the_schedule(
    arena: Arena, sleeper: DeployedContract, kind: int, code: str
) -> None:
    sleeper.set_trap(kind)
    before = arena.snapshot()
    (receipt,) = arena.advance(1)
    assert (receipt.status, receipt.code) == (ReceiptStatus.FAILED, code)
    assert (receipt.events, receipt.fee) == ((), 0)
    assert 0 < receipt.gas_used <= 50_000
    after = arena.snapshot()
    changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    own = {CHAIN_KEY, bytes(Table.ATTENDANCE)}
    assert all(key in own or key.startswith(Room.SCHEDULE) for key in changed)
    assert waiting_count(arena.state) == 0
    assert arena.advance(1) == ()


def test_a_call_that_wakes_itself_again_runs_out_of_what_was_paid(
    arena: Arena, sleeper: DeployedContract
) -> None:
    sleeper.set_forever(250_000)
    codes = []
    for _ in range(40):
        receipts = arena.advance(10)
        assert len(receipts) <= 1, "once per commit, not again and again in one"
        codes += [receipt.code for receipt in receipts]
    assert 5 < len(codes) < 30
    assert codes[-1] == "vm-trap-schedule"
    assert set(codes[:-1]) == {""}
    assert sleeper.woken() == len(codes) - 1


def test_a_woken_call_comes_from_the_contract_itself(
    arena: Arena, sleeper: DeployedContract
) -> None:
    sleeper.set_forever(60_000)
    (receipt,) = arena.advance(1)
    (event,) = receipt.events
    assert event.fields == b"\x93\x01" + 2 * (b"\xc4\x20" + sleeper.address)


def test_a_woken_call_spends_what_the_contract_has_then(
    arena: Arena, sleeper: DeployedContract
) -> None:
    bob = arena.account("bob")
    sleeper.set_payment(bob, 100, value=150)
    sleeper.set_payment(bob, 100)
    before = arena.balance(bob)
    receipts = arena.advance(1)
    assert [receipt.code for receipt in receipts] == ["", "vm-trap-insufficient-balance"]
    assert arena.balance(bob) == before + 100


def test_a_flood_of_calls_waits_its_turn_and_all_of_it_runs(
    arena: Arena, sleeper: DeployedContract
) -> None:
    arena.gas_limit = GAS_LIMIT
    for _ in range(4):
        sleeper.set_many(16, 1_000_000)
    counts = [len(arena.advance(1)) for _ in range(4)]
    assert counts == [25, 25, 14, 0]
    assert sleeper.woken() == 64
    assert waiting_count(arena.state) == 0


def test_a_call_that_wants_more_than_half_of_a_commit_does_not_hold_up_the_others() -> None:
    limits = LimitParameters(transaction_gas_max=GAS_LIMIT, commit_gas_max=GAS_LIMIT)
    fees = msgspec.structs.replace(LedgerParameters().fees, gas_target=Gas(1_000_000))
    arena = Arena(parameters=LedgerParameters(limits=limits, fees=fees))
    sleeper = arena.deploy(SLEEPER)
    arena.gas_limit = GAS_LIMIT
    sleeper.set_at(arena.now_ms + 1, 15_000_000)
    sleeper.set_many(1, 20_000)
    arena.advance(1)
    arena.advance(1)
    assert sleeper.woken() == 2


def test_an_emptied_schedule_leaves_the_state_as_it_was(
    arena: Arena, sleeper: DeployedContract
) -> None:
    sleeper.set_many(1, 20_000)
    arena.advance(1)
    before = {key for key in arena.snapshot() if key.startswith(Room.SCHEDULE)}
    sleeper.set_many(9, 20_000)
    assert without(arena.snapshot(), before)
    arena.advance(1)
    assert {key for key in arena.snapshot() if key.startswith(Room.SCHEDULE)} == before
