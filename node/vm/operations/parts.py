"""Records and options; a record is a tuple of its fields, an option None or a tuple of one."""

from node.vm.meter import Meter
from node.vm.shapes import Value
from node.vm.traps import Trap, VmTrap


def make_record(meter: Meter, *fields: Value) -> tuple[Value, ...]:
    """RECORD."""
    meter.allocate_items(len(fields))
    return fields


def replace_field(
    meter: Meter, record: tuple[Value, ...], value: Value, *, place: int
) -> tuple[Value, ...]:
    """WITH."""
    meter.allocate_items(len(record))
    return (*record[:place], value, *record[place + 1 :])


def unwrap(option: tuple[Value] | None) -> Value:
    """UNWRAP."""
    if option is None:
        raise VmTrap(Trap.UNWRAP)
    return option[0]


def unwrap_or(option: tuple[Value] | None, otherwise: Value) -> Value:
    """UNWRAP_OR."""
    return otherwise if option is None else option[0]
