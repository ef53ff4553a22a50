import pytest

from node.execution.founding import compiled_contract
from node.execution.library import LIBRARY_BYTES_MAX, Library
from node.execution.local_chain import LocalChain, TransactionFailedError
from node.execution.warm_code import (
    LOAD_GAS_PER_BYTE,
    WARM_BYTES_MAX,
    WARM_COUNT_MAX,
    WarmCode,
    warm_up,
)
from node.ledger.contract import read_code, read_contract
from node.ledger.overlay import EmptyState, Overlay
from node.vm.module import decode_module
from node.vm.verifier import verify
from primitives.hashing import sha256
from primitives.ids import Digest

SOURCE = """
class Number(Contract):
    total: Int

    @external
    def add(self, amount: Int) -> Int:
        require(amount > 0, "amount must be positive")
        self.total += amount
        return self.total
"""


def digest_of(number: int) -> Digest:
    return sha256(number.to_bytes(4, "big"))


def warm_overlay(count: int, *, size_bytes: int) -> Overlay:
    overlay = Overlay(EmptyState())
    for number in range(count):
        warm_up(overlay, digest_of(number), size_bytes=size_bytes)
    return overlay


def held(overlay: Overlay, count: int) -> list[int]:
    warm = WarmCode()
    return [number for number in range(count) if warm.holds(overlay, digest_of(number))]


def flush(chain: LocalChain) -> None:
    """Fill the list with other code."""
    overlay = Overlay(chain.state)
    for other in range(WARM_COUNT_MAX):
        warm_up(overlay, digest_of(other), size_bytes=1)
    chain.state.write(dict(overlay.changes()))


@pytest.mark.parametrize(
    ("size_bytes", "kept"), [(1, WARM_COUNT_MAX), (WARM_BYTES_MAX // 8, 8), (WARM_BYTES_MAX, 1)]
)
def test_what_came_in_first_goes_when_there_is_no_room(size_bytes: int, kept: int) -> None:
    count = kept + 3
    assert held(warm_overlay(count, size_bytes=size_bytes), count) == list(range(3, count))


def test_code_that_is_warm_takes_no_second_place() -> None:
    overlay = warm_overlay(2, size_bytes=WARM_BYTES_MAX // 2)
    warm_up(overlay, digest_of(1), size_bytes=WARM_BYTES_MAX // 2)
    assert held(overlay, 2) == [0, 1]


def test_a_rolled_back_load_is_not_warm() -> None:
    overlay, warm = warm_overlay(1, size_bytes=1), WarmCode()
    mark = overlay.mark()
    warm_up(overlay, digest_of(1), size_bytes=1)
    assert warm.holds(overlay, digest_of(1))
    overlay.rollback(mark)
    assert not warm.holds(overlay, digest_of(1))
    assert warm.holds(overlay, digest_of(0))


def test_the_first_call_of_cold_code_pays_for_loading_it_and_the_next_does_not() -> None:
    chain = LocalChain()
    number = chain.deploy(SOURCE)
    number.add(1)
    usual = number.gas_used
    record = read_contract(chain.state, number.address)
    assert record is not None
    size_bytes = len(read_code(chain.state, record.code_digest))
    flush(chain)
    number.add(1)
    assert number.gas_used == usual + size_bytes * LOAD_GAS_PER_BYTE
    number.add(1)
    assert number.gas_used == usual


def test_a_call_that_fails_after_it_paid_for_the_load_leaves_the_code_warm() -> None:
    chain = LocalChain()
    number = chain.deploy(SOURCE)
    number.add(1)
    usual = number.gas_used
    flush(chain)
    with pytest.raises(TransactionFailedError):
        number.add(0)
    number.add(1)
    assert number.gas_used == usual


def test_nobody_can_make_the_contracts_of_genesis_cold() -> None:
    chain = LocalChain(contracts=(compiled_contract("number", SOURCE),))
    number = chain.contract("number")
    number.add(1)
    usual = number.gas_used
    flush(chain)
    number.add(1)
    assert number.gas_used == usual


def test_what_a_node_has_in_memory_does_not_change_the_gas() -> None:
    chain = LocalChain()
    number = chain.deploy(SOURCE)
    number.add(1)
    usual = number.gas_used
    chain.machine = type(chain.machine)(engine=chain.machine.engine, library=Library())
    number.add(1)
    assert number.gas_used == usual


def make_cold(chain: LocalChain) -> None:
    overlay = Overlay(chain.state)
    for other in range(WARM_COUNT_MAX):
        warm_up(overlay, digest_of(other), size_bytes=1)
    chain.state.write(dict(overlay.changes()))


def test_the_contracts_of_genesis_are_always_warm() -> None:
    # Their timers were paid for with no load in mind, and whoever deploys enough could stop them.
    chain = LocalChain(contracts=[compiled_contract("number", SOURCE)])
    number = chain.contract("number")
    number.add(1)
    number.add(1)
    usual = number.gas_used
    make_cold(chain)
    number.add(1)
    assert number.gas_used == usual


def test_a_node_keeps_a_bounded_number_of_bytes_of_code() -> None:
    chain, library = LocalChain(), Library()
    number = chain.deploy(SOURCE)
    record = read_contract(chain.state, number.address)
    assert record is not None
    raw = read_code(chain.state, record.code_digest)
    module = verify(decode_module(raw))
    for other in range(4):
        library.add(digest_of(other), module, size_bytes=LIBRARY_BYTES_MAX // 2)
    assert library.size_bytes == LIBRARY_BYTES_MAX


def test_a_lone_module_is_kept_whatever_its_size() -> None:
    library = Library()
    chain = LocalChain()
    number = chain.deploy(SOURCE)
    record = read_contract(chain.state, number.address)
    assert record is not None
    library.load(chain.state, record.code_digest)
    assert library.size_bytes == len(read_code(chain.state, record.code_digest))
