import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from node.execution.commit import Machine
from node.execution.founding import compiled_contract
from node.execution.library import LIBRARY_BYTES_MAX, MODULES_MAX, Library
from node.execution.local_chain import LocalChain, TransactionFailedError
from node.execution.warm_code import (
    FOUNDED_COUNT_MAX,
    LOAD_GAS_PER_BYTE,
    WARM_BYTES_MAX,
    WARM_COUNT_MAX,
    WarmCode,
    warm_up,
)
from node.ledger.contract import read_code, read_contract
from node.ledger.overlay import EmptyState, Overlay
from node.vm.engine import FastTier
from node.vm.limits import MODULE_BYTES_MAX
from node.vm.module import decode_module
from node.vm.shelf import SHELF_BYTES_MAX, SHELF_MODULES_MAX
from node.vm.verifier import verify
from primitives.hashing import sha256
from primitives.ids import Digest
from tests.effort import calls_made

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


LONG = (
    """
class Long(Contract):
    total: Int

    @external
    def ping(self, amount: Int) -> Int:
        return self.long(amount) if amount > 0 else 1

    def long(self, x: Int) -> Int:
"""
    + "        x = x * 3 + 1\n" * 150
    + "        return x\n"
)


def test_no_call_of_warm_code_does_the_work_that_its_load_was_paid_for() -> None:
    chain = LocalChain(engine=FastTier())
    long = chain.deploy(LONG)
    first = calls_made(lambda: long.ping(1))
    again = calls_made(lambda: long.ping(1))
    # Translating takes tens of calls for each of 600 instructions.
    assert first < again + 600


def test_a_load_does_all_the_work_that_it_is_paid_for() -> None:
    chain = LocalChain(engine=FastTier())
    long = chain.deploy(LONG)
    chain.machine = Machine(engine=FastTier(), library=Library())
    flush(chain)
    cold = calls_made(lambda: long.ping(0))
    branch = calls_made(lambda: long.ping(1))
    assert cold > 6_000
    assert branch < 4_000 < cold


def test_a_node_that_starts_again_recalls_what_is_expected_in_memory() -> None:
    chain = LocalChain(engine=FastTier(), contracts=[compiled_contract("number", SOURCE)])
    long = chain.deploy(LONG)
    usual = calls_made(lambda: long.ping(1))
    started = Machine(engine=FastTier(), library=Library())
    assert calls_made(lambda: started.recall(chain.state)) > 6_000
    assert started.library.size_bytes == chain.machine.library.size_bytes
    chain.machine = started
    assert calls_made(lambda: long.ping(1)) < usual + 600


def test_threads_share_a_library_and_an_engine() -> None:
    chain = LocalChain(engine=FastTier())
    contracts = [chain.deploy(SOURCE.replace("amount > 0", f"amount > {n}")) for n in range(6)]
    library, engine = Library(), FastTier()
    start = threading.Barrier(6)

    def load() -> list[int]:
        start.wait()
        seen = []
        for _ in range(40):
            for contract in contracts:
                entry = library.at(chain.state, contract.address)
                assert entry is not None
                engine.prepare(entry.module)
                seen.append(id(entry))
        return seen[-len(contracts) :]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(6) as threads:
            found = [future.result() for future in [threads.submit(load) for _ in range(6)]]
    finally:
        sys.setswitchinterval(interval)
    assert all(seen == found[0] for seen in found)
    raw = [read_contract(chain.state, contract.address) for contract in contracts]
    sizes = [len(read_code(chain.state, record.code_digest)) for record in raw if record]
    assert library.size_bytes == sum(sizes)


def test_what_the_chain_calls_warm_is_never_loaded_again_for_nothing() -> None:
    # All that is warm at the last load of a module, and all that came in since while it is warm.
    assert MODULES_MAX >= 2 * WARM_COUNT_MAX + FOUNDED_COUNT_MAX
    assert min(SHELF_BYTES_MAX, LIBRARY_BYTES_MAX) >= (
        2 * WARM_BYTES_MAX + FOUNDED_COUNT_MAX * MODULE_BYTES_MAX
    )
    assert SHELF_MODULES_MAX >= MODULES_MAX
