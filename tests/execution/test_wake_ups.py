import pytest

from node.execution.founding import compiled_contract
from node.execution.local_chain import LocalChain, TransactionFailedError
from node.execution.schedule import (
    _COUNT_CODEC,
    _COUNT_KEY,
    SCHEDULE_HORIZON_MS,
    SCHEDULE_LENGTH_MAX,
    SCHEDULE_OPEN_MAX,
    _Count,
    _slot_key,
)
from node.ledger.receipt import ReceiptStatus
from node.vm.limits import PLACE_MS_PER_GAS

ALARM = """
class Alarm(Contract):
    rung: Int
    last: Int

    @external
    def set(self, at_ms: Int, times: Int, gas: Int):
        schedule(at_ms, self.ring, times, gas=gas)

    @scheduled
    def ring(self, times: Int):
        require(times < 100, "too loud")
        self.rung += times
        self.last = now()
        emit("Rang", times=times)

    @external
    def press(self, times: Int):
        self.rung += times

    @view
    def count(self) -> Int:
        return self.rung
"""

GAS = 100_000


def test_a_scheduled_call_runs_in_the_first_commit_at_or_after_its_time() -> None:
    chain = LocalChain()
    alarm = chain.deploy(ALARM)
    alarm.set(chain.now_ms + 1_000, 3, GAS)
    assert chain.advance(999) == ()
    (receipt,) = chain.advance(1)
    assert receipt.status is ReceiptStatus.DONE
    assert receipt.fee == 0
    assert alarm.count() == 3


def test_calls_of_one_commit_run_by_time_then_in_the_order_of_asking() -> None:
    chain = LocalChain()
    alarm = chain.deploy(ALARM)
    for after_ms, times in ((2_000, 1), (1_000, 2), (1_000, 4)):
        alarm.set(chain.now_ms + after_ms, times, GAS)
    receipts = chain.advance(5_000)
    assert [receipt.events[0].fields[-1] for receipt in receipts] == [2, 4, 1]


def test_the_gas_of_a_scheduled_call_is_paid_by_whoever_asks_for_it() -> None:
    chain = LocalChain()
    alarm = chain.deploy(ALARM)
    alarm.set(chain.now_ms + 1_000, 1, GAS)
    cheap = alarm.gas_used
    alarm.set(chain.now_ms + 1_000, 1, GAS + 100_000)
    assert alarm.gas_used - cheap == 100_000


def test_a_scheduled_call_that_traps_leaves_a_receipt_and_nothing_else() -> None:
    chain = LocalChain()
    alarm = chain.deploy(ALARM)
    alarm.set(chain.now_ms + 1_000, 100, GAS)
    (receipt,) = chain.advance(1_000)
    assert (receipt.status, receipt.code) == (ReceiptStatus.FAILED, "vm-trap-reverted")
    assert alarm.count() == 0
    assert chain.advance(1_000) == ()


def test_a_scheduled_call_gets_the_gas_that_was_paid_and_no_more() -> None:
    chain = LocalChain()
    alarm = chain.deploy(ALARM)
    alarm.set(chain.now_ms + 1_000, 1, 20_000)
    (receipt,) = chain.advance(1_000)
    assert receipt.gas_used <= 20_000


@pytest.mark.parametrize("offset_ms", [0, -1, SCHEDULE_HORIZON_MS + 1])
def test_the_past_and_the_far_future_cannot_be_scheduled(offset_ms: int) -> None:
    chain = LocalChain()
    alarm = chain.deploy(ALARM)
    with pytest.raises(TransactionFailedError) as failure:
        alarm.set(chain.now_ms + offset_ms, 1, GAS)
    assert failure.value.receipt.code == "vm-trap-schedule"


@pytest.mark.parametrize("gas", [-1, 0, 19_999])
def test_a_call_without_gas_cannot_be_scheduled(gas: int) -> None:
    chain = LocalChain()
    alarm = chain.deploy(ALARM)
    with pytest.raises(TransactionFailedError) as failure:
        alarm.set(chain.now_ms + 1_000, 1, gas)
    assert failure.value.receipt.code == "vm-trap-schedule"


def test_a_full_schedule_delays_its_own_calls_and_not_the_transactions() -> None:
    chain = LocalChain()
    alarm = chain.deploy(ALARM)
    gas = 10_000_000
    for _ in range(4):
        alarm.set(chain.now_ms + 1_000, 1, gas)
    assert len(chain.advance(1_000)) == 2
    alarm.press(10)
    assert alarm.count() == 14


def test_a_call_pays_for_the_time_that_it_takes_a_place_in_the_schedule() -> None:
    chain = LocalChain()
    alarm = chain.deploy(ALARM)
    alarm.set(chain.now_ms + PLACE_MS_PER_GAS, 1, GAS)
    soon = alarm.gas_used
    alarm.set(chain.now_ms + 1_001 * PLACE_MS_PER_GAS, 1, GAS)
    # A later time has more digits in the transaction, too.
    assert 1_000 <= alarm.gas_used - soon <= 1_100


def fill_schedule(chain: LocalChain, waiting: int) -> None:
    """Let so many calls wait: the first one, and those on the way from there to the next place."""
    values = chain.state.values
    values[_COUNT_KEY] = _COUNT_CODEC.encode(_Count(waiting, waiting))
    far = (chain.now_ms + SCHEDULE_HORIZON_MS).to_bytes(8, "big") + bytes(8)
    place = waiting
    while place:
        place = (place - 1) // 2
        values[_slot_key(place)] = far


@pytest.mark.parametrize(
    ("waiting", "open_to_all"), [(SCHEDULE_OPEN_MAX - 1, True), (SCHEDULE_OPEN_MAX, False)]
)
def test_the_last_half_of_the_schedule_is_for_the_contracts_of_genesis(
    waiting: int, *, open_to_all: bool
) -> None:
    for name in ("founded", "deployed"):
        chain = LocalChain(contracts=[compiled_contract("alarm", ALARM)])
        alarm = chain.contract("alarm") if name == "founded" else chain.deploy(ALARM)
        fill_schedule(chain, waiting)
        if open_to_all or name == "founded":
            alarm.set(chain.now_ms + 1_000, 1, GAS)
        else:
            with pytest.raises(TransactionFailedError) as failure:
                alarm.set(chain.now_ms + 1_000, 1, GAS)
            assert failure.value.receipt.code == "vm-trap-schedule"


def test_a_schedule_without_a_place_takes_no_call_of_anybody() -> None:
    chain = LocalChain(contracts=[compiled_contract("alarm", ALARM)])
    fill_schedule(chain, SCHEDULE_LENGTH_MAX)
    with pytest.raises(TransactionFailedError) as failure:
        chain.contract("alarm").set(chain.now_ms + 1_000, 1, GAS)
    assert failure.value.receipt.code == "vm-trap-schedule"
