"""Run what contracts scheduled, at the first commit after its time.

Guards: one commit wakes contracts for at most half of its gas, so that a schedule that many filled
for one moment delays its own calls and nobody's transactions.
"""

import msgspec

from node.execution.facts import CommitFacts
from node.execution.penalties import carry_out_penalties
from node.execution.schedule import ScheduledCall, drop_first, due_call
from node.execution.transactions import TransactionRunner, failure_code, failure_text
from node.ledger.overlay import Overlay
from node.ledger.receipt import Receipt, ReceiptStatus
from node.vm.meter import Meter
from node.vm.traps import VmTrap
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Digest, Gas


def run_due_calls(
    overlay: Overlay, *, facts: CommitFacts, runner: TransactionRunner
) -> list[Receipt]:
    """Run the calls that are due, the earliest first, as far as the gas for them goes."""
    receipts: list[Receipt] = []
    gas_left = facts.parameters.limits.commit_gas_max // 2
    while (call := due_call(overlay, now_ms=facts.time_ms)) is not None:
        # The first one runs at any gas: waiting for ever, it would hold up everybody's.
        if receipts and call.gas > gas_left:
            break
        drop_first(overlay)
        gas_left -= call.gas
        receipts.append(_wake(overlay, call, facts=facts, runner=runner, place=len(receipts)))
    return receipts


def _wake(
    overlay: Overlay,
    call: ScheduledCall,
    *,
    facts: CommitFacts,
    runner: TransactionRunner,
    place: int,
) -> Receipt:
    calls, meter = runner.calls(), Meter(call.gas)
    name = _name(facts, call, place)
    mark = overlay.mark()
    try:
        calls.wake(call.contract, call.function, call.arguments, meter=meter)
    except VmTrap as trap:
        overlay.rollback(mark)
        calls.keep_loaded()
        runner.spend(Gas(call.gas - meter.gas))
        return Receipt(
            transaction_id=name,
            status=ReceiptStatus.FAILED,
            code=failure_code(trap),
            gas_used=Gas(call.gas - meter.gas),
            trap=failure_text(trap),
        )
    carry_out_penalties(calls)
    runner.spend(Gas(call.gas - meter.gas))
    return Receipt(
        transaction_id=name,
        status=ReceiptStatus.DONE,
        gas_used=Gas(call.gas - meter.gas),
        events=tuple(calls.events),
    )


def _name(facts: CommitFacts, call: ScheduledCall, place: int) -> Digest:
    """Return what stands where a transaction has its id."""
    parts = (facts.height, place, call.contract)
    return tagged_hash(Domain.SCHEDULED_CALL, msgspec.msgpack.encode(parts))
