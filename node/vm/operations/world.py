"""Ask and move the world outside the contract, through the host."""

from collections.abc import Callable
from typing import Any, Final

from node.vm.gas import DYNAMIC_GAS
from node.vm.limits import MESSAGE_LENGTH_MAX, PLACE_MS_PER_GAS, SCHEDULED_GAS_MIN
from node.vm.opcodes import Op
from node.vm.operations.storage import encode_charged
from node.vm.run import Run
from node.vm.shapes import Value
from node.vm.traps import Trap, VmTrap

TIME_MS_MAX: Final = (1 << 63) - 1

_EMIT: Final = DYNAMIC_GAS["EMIT"]
_SCHEDULE: Final = DYNAMIC_GAS["SCHEDULE"]
_INVOKE: Final = DYNAMIC_GAS["INVOKE"]
_COMMITTEE: Final = DYNAMIC_GAS["COMMITTEE"]
_SIGNATURE: Final = DYNAMIC_GAS["VERIFY_SIGNATURE"]
_CERTIFICATE: Final = DYNAMIC_GAS["VERIFY_CERTIFICATE"]


def revert(message: str) -> None:
    """FAIL, or REQUIRE when its condition is false."""
    raise VmTrap(Trap.REVERTED, message=message[:MESSAGE_LENGTH_MAX])


def transfer(run: Run, to: bytes, amount: int) -> None:
    """TRANSFER."""
    if amount < 0:
        raise VmTrap(Trap.RANGE)
    run.host.transfer(to, amount)


def emit(run: Run, event: int, fields: tuple[Value, ...]) -> None:
    """EMIT."""
    codec = run.linked.event_codec(event)
    encoded = encode_charged(run.meter, codec, fields, rate=_EMIT)
    run.meter.count_event()
    run.host.emit(event, encoded)


def schedule(run: Run, function: int, at_ms: int, gas: int, arguments: tuple[Value, ...]) -> None:
    """SCHEDULE."""
    if not 0 <= at_ms <= TIME_MS_MAX:
        raise VmTrap(Trap.SCHEDULE, message="the time is out of range")
    if gas < SCHEDULED_GAS_MIN:
        detail = f"{gas} gas for the call, the least is {SCHEDULED_GAS_MIN}"
        raise VmTrap(Trap.SCHEDULE, message=detail)
    codec = run.linked.arguments_codec(function)
    encoded = encode_charged(run.meter, codec, arguments, rate=_SCHEDULE)
    waits_ms = max(0, at_ms - run.frame.time_ms)
    run.meter.charge(gas + waits_ms // PLACE_MS_PER_GAS)
    run.meter.count_schedule()
    run.host.schedule(at_ms, function, encoded, gas=gas)


def invoke(run: Run, method: int, target: bytes, value: int, arguments: tuple[Value, ...]) -> Value:
    """INVOKE."""
    if value < 0:
        raise VmTrap(Trap.RANGE)
    encode_charged(run.meter, run.linked.invocation_codec(method), arguments, rate=_INVOKE)
    called = run.linked.module.methods[method]
    return run.host.invoke(target, called, arguments, value=value, meter=run.meter)


def committee(run: Run) -> tuple[bytes, ...]:
    """COMMITTEE."""
    members = run.host.committee()
    run.meter.take_items(_COMMITTEE.cost(len(members)), count=len(members))
    return members


def verify_signature(run: Run, key: bytes, message: bytes, signature: bytes) -> bool:
    """VERIFY_SIGNATURE."""
    run.meter.charge(_SIGNATURE.cost(len(message)))
    return run.host.verify_signature(key, message, signature)


def verify_certificate(run: Run, committee_bytes: bytes, certificate: bytes) -> bool:
    """VERIFY_CERTIFICATE."""
    run.meter.charge(_CERTIFICATE.cost(len(committee_bytes) + len(certificate)))
    return run.host.verify_certificate(committee_bytes, certificate)


def balance_of(run: Run, address: bytes) -> int:
    """BALANCE."""
    return run.host.balance_of(address)


def stake_of(run: Run, address: bytes) -> int:
    """STAKE_OF."""
    return run.host.stake_of(address)


def power_of(run: Run, address: bytes) -> int:
    """POWER_OF."""
    return run.host.power_of(address)


def quorum(run: Run) -> int:
    """QUORUM."""
    return run.host.quorum()


def has_code(run: Run, address: bytes) -> bool:
    """CODE_AT."""
    return run.host.has_code(address)


def gas_left(run: Run) -> int:
    """GAS_LEFT."""
    return run.meter.gas


QUESTIONS: Final[dict[Op, Callable[..., Any]]] = {
    Op.BALANCE: balance_of,
    Op.STAKE_OF: stake_of,
    Op.POWER_OF: power_of,
    Op.COMMITTEE: committee,
    Op.QUORUM: quorum,
    Op.VERIFY_SIGNATURE: verify_signature,
    Op.VERIFY_CERTIFICATE: verify_certificate,
    Op.CODE_AT: has_code,
    Op.GAS_LEFT: gas_left,
}
"""By opcode: the run, then the operands, deepest first; each has one result."""

FRAME_FIELDS: Final[dict[Op, str]] = {
    Op.SENDER: "sender",
    Op.SELF: "self_address",
    Op.VALUE: "value",
    Op.NOW: "time_ms",
    Op.HEIGHT: "height",
    Op.BEACON: "beacon",
}
"""By opcode: what it pushes of the frame."""
