"""What the verifier says about code holds along every path that control can take."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from node.vm.assembler import assemble
from node.vm.bytecode import decode_code, encode_instruction
from node.vm.disassembler import disassemble
from node.vm.instruction_set import spec_of
from node.vm.limits import STACK_HEIGHT_MAX
from node.vm.module import encode_module
from node.vm.opcodes import Op
from node.vm.verified import Instruction, VerifiedFunction
from node.vm.verifier import load_module, verify
from tests.vm.code.listing import SUBJECT, with_code
from tests.vm.code.programs import programs

STEPS_MAX = 400
_ALWAYS = {Op.ELSE, Op.BREAK, Op.CONTINUE, Op.REPEAT}
_STOPS = {Op.RETURN, Op.FAIL}

few = settings(deadline=None, max_examples=40, database=None)


def _subject(code: str) -> VerifiedFunction:
    return verify(with_code(code)).functions[SUBJECT]


def _next_places(index: int, instruction: Instruction) -> list[int]:
    if instruction.op in _STOPS:
        return []
    if instruction.op in _ALWAYS:
        return [instruction.target]
    if instruction.op is Op.IF:
        return [index + 1, instruction.target]
    return [index + 1]


@few
@given(programs())
def test_stack_has_one_height_and_one_set_of_types_wherever_paths_meet(code: str) -> None:
    function = _subject(code)
    stacks: dict[int, tuple[int, ...]] = {}
    waiting: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    while waiting:
        index, stack = waiting.pop()
        assert stacks.setdefault(index, stack) == stack
        instruction = function.instructions[index]
        assert len(stack) == instruction.height <= STACK_HEIGHT_MAX
        keep = len(stack) - len(instruction.operands)
        assert stack[keep:] == instruction.operands
        after = stack[:keep] + instruction.results
        assert len(after) <= function.stack_height_max
        places = _next_places(index, instruction)
        waiting.extend((place, after) for place in places if place not in stacks)
        assert all(stacks.get(place, after) == after for place in places)


@few
@given(programs(), st.integers())
def test_gas_of_the_segments_is_the_static_gas_of_the_path(code: str, seed: int) -> None:
    function = _subject(code)
    dice = random.Random(seed)
    charged = static = index = 0
    for _ in range(STEPS_MAX):
        instruction = function.instructions[index]
        charged += instruction.segment_gas
        static += spec_of(instruction.op).static_gas
        assert charged >= static, "work is never done before it is charged"
        places = _next_places(index, instruction)
        if not places:
            assert charged == static
            break
        index = dice.choice(places)


@few
@given(programs())
def test_text_of_a_module_is_read_back_to_the_same_module(code: str) -> None:
    module = with_code(code)
    assert assemble(disassemble(module)) == module


@few
@given(programs())
def test_instructions_are_written_back_to_the_same_bytes(code: str) -> None:
    raw = with_code(code).functions[SUBJECT].code
    parts = [encode_instruction(each.spec, each.immediates) for each in decode_code(raw)]
    assert b"".join(parts) == raw


@few
@given(programs())
def test_verdict_on_bytes_is_the_verdict_on_the_module(code: str) -> None:
    module = with_code(code)
    loaded = load_module(encode_module(module))
    assert loaded.module == module
    assert loaded.functions == verify(module).functions
