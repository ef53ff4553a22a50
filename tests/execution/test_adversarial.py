"""Contracts that want too much end in the trap that is named for it, and leave their fee behind.

`Arena` runs each on both engines and finds everything but the fee as it was.
"""

import pytest

from node.execution.contract_calls import EVENTS_BYTES_MAX
from node.execution.deployed import DeployedContract
from node.ledger.receipt import RESULT_BYTES_MAX
from primitives.ids import Gas
from tests.execution.arena import ATTACK_GAS, Arena, ends_in, read_hostile

GLUTTON = read_hostile("glutton")


@pytest.fixture(scope="module")
def arena() -> Arena:
    return Arena()


@pytest.fixture(scope="module")
def glutton(arena: Arena) -> DeployedContract:
    return arena.deploy(GLUTTON)


@pytest.fixture(autouse=True)
def few_gas(arena: Arena) -> None:
    arena.gas_limit = ATTACK_GAS


@pytest.mark.parametrize("method", ["spin", "spin_thrice"])
def test_a_loop_without_end_takes_the_whole_gas_limit_and_ends(
    arena: Arena, glutton: DeployedContract, method: str
) -> None:
    arena.gas_limit = Gas(60_000)
    with ends_in("vm-trap-out-of-gas"):
        getattr(glutton, method)()
    assert arena.receipts[-1].gas_used == 60_000


DOUBLINGS = [
    ("double_bytes", 12, 65_536),
    ("double_text", 12, 61_440),
    ("double_list", 10, 4_096),
]


@pytest.mark.parametrize(("method", "times", "length"), DOUBLINGS)
def test_a_value_that_doubles_grows_to_its_limit_and_not_beyond(
    glutton: DeployedContract, method: str, times: int, length: int
) -> None:
    assert getattr(glutton, method)(times) == length
    with ends_in("vm-trap-value-size"):
        getattr(glutton, method)(times + 1)


@pytest.mark.parametrize(
    ("method", "gas"), [("hoard_lists", 1_500_000), ("hoard_bytes", 3_000_000)]
)
def test_memory_that_is_allocated_again_and_again_is_counted_each_time(
    arena: Arena, glutton: DeployedContract, method: str, gas: int
) -> None:
    arena.gas_limit = Gas(gas)
    with ends_in("vm-trap-memory"):
        getattr(glutton, method)()


def test_a_map_key_has_at_most_its_limit(glutton: DeployedContract) -> None:
    glutton.long_key(128)
    with ends_in("vm-trap-value-size"):
        glutton.long_key(129)


def test_a_transaction_emits_so_many_events_and_no_more(
    arena: Arena, glutton: DeployedContract
) -> None:
    glutton.many_events(256)
    assert len(arena.receipts[-1].events) == 256
    with ends_in("vm-trap-event-limit"):
        glutton.many_events(257)


def test_the_events_of_a_transaction_have_so_many_bytes_and_no_more(
    arena: Arena, glutton: DeployedContract
) -> None:
    arena.gas_limit = Gas(20_000_000)
    glutton.large_events(17)
    size_bytes = sum(len(event.fields) for event in arena.receipts[-1].events)
    assert EVENTS_BYTES_MAX - 60_000 < size_bytes <= EVENTS_BYTES_MAX
    with ends_in("vm-trap-event-limit"):
        glutton.large_events(18)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "count"), [("many_slots", 2_048), ("same_slot", 4_096)])
def test_a_transaction_writes_to_storage_so_often_and_no_more(
    arena: Arena, glutton: DeployedContract, method: str, count: int
) -> None:
    arena.gas_limit = Gas(10_000_000)
    getattr(glutton, method)(count)
    with ends_in("vm-trap-write-limit"):
        getattr(glutton, method)(count + 1)


def test_a_flood_of_storage_is_paid_by_its_size(arena: Arena, glutton: DeployedContract) -> None:
    arena.gas_limit = Gas(3_000_000)
    before = sum(map(len, arena.state.values.values()))
    glutton.large_slots(17)
    grown = sum(map(len, arena.state.values.values())) - before
    assert glutton.gas_used > grown > 1_000_000


SHARED = ["return_shared", "emit_shared", "store_shared", "schedule_shared"]


@pytest.mark.parametrize("method", SHARED)
@pytest.mark.parametrize(
    ("gas", "code"), [(400_000, "vm-trap-out-of-gas"), (6_000_000, "vm-trap-value-size")]
)
def test_a_value_whose_encoding_is_a_gigabyte_is_never_encoded(
    arena: Arena, glutton: DeployedContract, method: str, gas: int, code: str
) -> None:
    arena.gas_limit = Gas(gas)
    with ends_in(code):
        getattr(glutton, method)(300)


def test_an_argument_whose_encoding_is_a_gigabyte_never_reaches_the_other_contract(
    arena: Arena, glutton: DeployedContract
) -> None:
    other = arena.deploy(GLUTTON)
    arena.gas_limit = Gas(3_000_000)
    with ends_in("vm-trap-value-size"):
        glutton.pass_shared(other.address, 300)
    glutton.pass_shared(other.address, 3)


def test_a_result_is_paid_by_its_size_as_an_event_is(glutton: DeployedContract) -> None:
    glutton.return_nothing(100)
    nothing = glutton.gas_used
    glutton.return_crumbs(100)
    # Slicing nothing off costs a little; a list of records weighs sixteen times its bytes.
    assert 0 <= nothing + 16 * len(_result(glutton)) * 2 - glutton.gas_used < 200


def test_a_result_that_no_receipt_could_carry_is_a_trap(
    arena: Arena, glutton: DeployedContract
) -> None:
    arena.gas_limit = Gas(6_000_000)
    with ends_in("vm-trap-value-size"):
        glutton.return_large()
    glutton.return_crumbs(1_000)
    assert 8_000 < len(_result(glutton)) <= RESULT_BYTES_MAX


def _result(contract: DeployedContract) -> bytes:
    assert contract.receipt is not None
    return contract.receipt.result
