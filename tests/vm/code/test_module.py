"""A module has one encoding, and it never changes."""

import msgpack
import msgspec
import pytest

from node.vm.assembler import assemble
from node.vm.limits import MODULE_BYTES_MAX
from node.vm.module import MalformedModuleError, decode_module, encode_module
from node.vm.opcodes import Op
from node.vm.traps import Trap, VmTrap
from node.vm.verifier import load_module
from primitives.errors import LocalProtocolError
from tests.vectors import Row, cases
from tests.vm.code.effects import USES
from tests.vm.code.listing import lines, with_bytes, with_code

EVERY_OPCODE = with_code("\n".join(use.instruction for use in USES))


def test_module_comes_back() -> None:
    assert decode_module(encode_module(EVERY_OPCODE)) == EVERY_OPCODE


@pytest.mark.parametrize("row", cases("vm_module", "modules"))
def test_encoding_of_a_module_is_the_one_that_is_deployed(row: Row) -> None:
    # Another encoding would give deployed contracts another meaning, or another address.
    module = assemble("\n".join(row["text"]))
    assert encode_module(module).hex() == row["encoded"]
    assert load_module(bytes.fromhex(row["encoded"])).module == module


@pytest.mark.parametrize("row", cases("vm_module", "modules"))
def test_golden_module_reads_the_same_elsewhere(row: Row) -> None:
    raw = bytes.fromhex(row["encoded"])
    fields = msgpack.unpackb(raw)
    assert msgpack.packb(fields) == raw
    module = decode_module(raw)
    assert fields[:2] == [module.version, module.name]
    assert [function[5] for function in fields[7]] == [each.code for each in module.functions]


@pytest.mark.parametrize("row", cases("vm_module", "code"))
def test_byte_of_an_opcode_never_changes(row: Row) -> None:
    assert with_code(row["instruction"]).functions[0].code.hex() == row["code"]


def test_every_opcode_has_its_golden_byte() -> None:
    rows = [case.values[0] for case in cases("vm_module", "code")]
    assert {row["instruction"].split()[0] for row in rows} == {op.name for op in Op}


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xc0", b"\x90", bytes(MODULE_BYTES_MAX + 1), encode_module(EVERY_OPCODE) + b"\x00"],
    ids=["empty", "nil", "no fields", "too long", "trailing byte"],
)
def test_bytes_that_are_no_module_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedModuleError) as caught:
        decode_module(raw)
    assert caught.value.code == "malformed_module"


def test_function_of_a_kind_that_does_not_exist_is_refused() -> None:
    raw = encode_module(with_code(lines("UNIT; RETURN")))
    assert raw.count(b"\xa7subject\x00") == 1
    with pytest.raises(MalformedModuleError):
        decode_module(raw.replace(b"\xa7subject\x00", b"\xa7subject\x06"))


def test_module_that_no_node_could_read_is_not_written() -> None:
    large = msgspec.structs.replace(with_bytes(b""), name="x" * MODULE_BYTES_MAX)
    with pytest.raises(LocalProtocolError):
        encode_module(large)


def test_trap_says_its_name_and_its_message() -> None:
    assert str(VmTrap(Trap.OUT_OF_GAS)) == "out_of_gas"
    trap = VmTrap(Trap.REVERTED, message="no")
    assert (str(trap), trap.trap, trap.message) == ("reverted: no", Trap.REVERTED, "no")


def test_codes_of_traps_are_the_ones_in_receipts() -> None:
    assert [trap.value for trap in Trap] == list(range(1, 22))
    assert Trap(10) is Trap.REVERTED
    assert Trap(21) is Trap.WRITE_LIMIT
