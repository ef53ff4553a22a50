"""Random programs that the verifier accepts: a seed in, the same module, call and arguments out.

Programs are grown from types: to push an Int, pick an opcode that pushes one, and push its operands
first. Now and then a statement stands between two operands, so that values wait on the stack while
locals change. What it computes has no sense, but every opcode meets the edges of its range.
"""

import random
from dataclasses import dataclass
from typing import Final

from node.vm.bytecode import encode_instruction
from node.vm.declarations import checked_storage
from node.vm.instruction_set import spec_of
from node.vm.module import MODULE_VERSION, Function, FunctionKind, Module
from node.vm.opcodes import Op
from node.vm.shapes import Value, encode_narrow
from node.vm.slots import item_slot, slot_of
from node.vm.types import (
    BOOL,
    COMPOSITE_FIRST,
    INT,
    STR,
    UNIT,
    ListType,
    OptionType,
    RecordType,
    TypeIndex,
)
from node.vm.values import ValueCodec
from node.vm.verified import StorageShape, VerifiedModule
from node.vm.verifier import verify
from tests.vm import palette
from tests.vm.expressions import PAIRS, PRODUCERS, STATEMENTS, Line, is_prone

FUNCTIONS: Final = 4
LOCALS: Final = 10
FUEL: Final = 120
"""Instructions that a function may grow to, more or less; what is open is still closed."""

HEIGHT_MAX: Final = 40
NESTING_MAX: Final = 6
DEPTH_MAX: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A verified module, and a call of its last function."""

    module: VerifiedModule
    function: int
    arguments: tuple[Value, ...]


def generate(seed: int) -> Program:
    """Return the program of this seed."""
    dice = random.Random(seed)
    functions: list[Function] = []
    for index in range(FUNCTIONS):
        functions.append(_Growth(dice, functions, index=index).function())
    module = Module(
        version=MODULE_VERSION,
        name="Generated",
        types=palette.TYPES,
        constants=palette.CONSTANTS,
        storage=palette.STORAGE,
        events=palette.EVENTS,
        methods=palette.METHODS,
        functions=tuple(functions),
    )
    last = functions[-1]
    return Program(
        module=verify(module),
        function=FUNCTIONS - 1,
        arguments=tuple(random_value(dice, index) for index in last.params),
    )


def random_slots(seed: int) -> dict[bytes, bytes]:
    """Return some storage for a generated program to find, as earlier calls may have left it."""
    dice = random.Random(seed)
    slots: dict[bytes, bytes] = {}
    for place, field in enumerate(checked_storage(palette.STORAGE, palette.TYPE_TABLE)):
        codec = ValueCodec.of_type(palette.TYPES, field.element)
        for _ in range(4 if field.keys else 1):
            keys = tuple(random_value(dice, key) for key in field.keys)
            if any(isinstance(key, bytes | str) and len(key) > 128 for key in keys):
                continue
            slot = slot_of(place, field, keys)
            if field.shape is StorageShape.VALUE:
                slots[slot] = codec.encode(random_value(dice, field.element))
                continue
            slots[slot] = encode_narrow(3)
            for item in range(3):
                slots[item_slot(slot, item)] = codec.encode(random_value(dice, field.element))
    return slots


def random_value(dice: random.Random, index: TypeIndex) -> Value:
    """Return some value of a type of the palette."""
    if index == BOOL:
        return dice.random() < 0.5
    if index < COMPOSITE_FIRST:
        return dice.choice(palette.LITERALS[index])
    match palette.TYPES[index - COMPOSITE_FIRST]:
        case ListType(item=item):
            return tuple(random_value(dice, item) for _ in range(dice.choice((0, 1, 2, 3, 17))))
        case OptionType(item=item):
            return (random_value(dice, item),) if dice.random() < 0.7 else None
        case RecordType(fields=fields):
            return tuple(random_value(dice, field.type) for field in fields)
        case _:
            raise AssertionError("maps are no values")


class _Growth:
    """The code of one function while it grows."""

    def __init__(self, dice: random.Random, earlier: list[Function], *, index: int) -> None:
        self._dice = dice
        self._earlier = earlier
        self._index = index
        self._params = tuple(dice.choice(palette.VALUE_TYPES) for _ in range(dice.randrange(4)))
        self._locals = tuple(dice.choice(palette.VALUE_TYPES) for _ in range(LOCALS))
        self._result = TypeIndex(dice.choice((UNIT, INT, *palette.VALUE_TYPES)))
        self._code = bytearray()
        self._fuel = FUEL
        self._height = 0
        self._nesting = 0
        self._loops: list[int] = []

    def function(self) -> Function:
        """Return the function, fully grown."""
        while self._fuel > 0:
            self._statement()
        self._return()
        return Function(
            name=f"f{self._index}",
            kind=self._kind(),
            params=tuple(map(TypeIndex, self._params)),
            result=self._result,
            locals=tuple(map(TypeIndex, self._locals)),
            code=bytes(self._code),
        )

    def _kind(self) -> FunctionKind:
        if self._index == FUNCTIONS - 1:
            return FunctionKind.PAYABLE
        if self._result == UNIT:
            return FunctionKind.SCHEDULED
        return FunctionKind.INTERNAL

    def _put(self, op: Op, *immediates: int) -> None:
        self._code += encode_instruction(spec_of(op), immediates)
        self._fuel -= 1

    def _push(self, index: TypeIndex, *, depth: int) -> None:
        """Grow code that pushes a value of this type."""
        producers = PRODUCERS[index]
        deep = depth > 0 and self._fuel > 0 and self._height < HEIGHT_MAX
        if not deep or not producers or self._dice.random() < 0.2:
            self._push_leaf(index)
        elif self._dice.random() < 0.1 and self._push_call(index, depth=depth):
            pass
        else:
            self._follow(self._dice.choice(producers), depth=depth)
            return
        self._height += 1

    def _follow(self, line: Line, *, depth: int) -> None:
        """Push the operands of an opcode, then put it."""
        before: TypeIndex | None = None
        tame = is_prone(line) and self._dice.random() < 0.9
        for operand in line.operands:
            if tame and self._push_tame(operand):
                before = None
                continue
            if self._dice.random() < 0.05 and self._fuel > 0:
                self._statement()
            if operand == before and self._dice.random() < 0.2:
                self._put(Op.DUP)
                self._height += 1
            else:
                self._push(operand, depth=depth - 1)
            before = operand
        self._put(line.op, *line.immediates)
        self._height += len(line.results) - len(line.operands)

    def _push_tame(self, index: TypeIndex) -> bool:
        """Push an operand that fits well to others of its kind: few items, a low place."""
        items = palette.TYPE_TABLE.list_item(index)
        held = palette.TYPE_TABLE.option_item(index)
        if index == INT:
            self._put(Op.INT, self._dice.choice((0, 1, 1, 2)))
        elif items is not None:
            for _ in range(2):
                self._push_leaf(items)
            self._put(Op.LIST, 2, index)
        elif held is not None:
            self._push_leaf(held)
            self._put(Op.SOME, index)
        else:
            return False
        self._height += 1
        return True

    def _push_leaf(self, index: TypeIndex) -> None:
        slots = [place for place, kind in enumerate(self._all_locals()) if kind == index]
        if index == UNIT:
            self._put(Op.UNIT)
        elif slots and self._dice.random() < 0.6:
            self._put(Op.GET, self._dice.choice(slots))
        elif index == INT and self._dice.random() < 0.6:
            self._put(Op.INT, self._dice.choice((0, 1, 2, 3, 7, 8, 16, 32, 255, 256, -1, -2)))
        elif index in palette.LITERALS:
            value = self._dice.choice(palette.LITERALS[index])
            first = sum(len(palette.LITERALS[kind]) for kind in palette.LITERALS if kind < index)
            self._put(Op.CONST, first + palette.LITERALS[index].index(value))
        elif index == BOOL:
            self._put(self._dice.choice((Op.TRUE, Op.FALSE)))
        else:
            self._put(Op.DEFAULT, index)

    def _push_call(self, index: TypeIndex, *, depth: int) -> bool:
        callees = [
            place
            for place, callee in enumerate(self._earlier)
            if callee.result == index and callee.kind is FunctionKind.INTERNAL
        ]
        if not callees:
            return False
        callee = self._dice.choice(callees)
        for param in self._earlier[callee].params:
            self._push(param, depth=depth - 1)
        self._put(Op.CALL, callee)
        self._height -= len(self._earlier[callee].params)
        return True

    def _statement(self) -> None:
        roll = self._dice.random()
        if roll < 0.35:
            self._set()
        elif roll < 0.6:
            self._follow(self._dice.choice(STATEMENTS), depth=DEPTH_MAX)
        elif roll < 0.7:
            self._require()
        elif roll < 0.73:
            self._schedule()
        elif roll < 0.76:
            self._take_apart()
        elif self._nesting < NESTING_MAX:
            self._block()

    def _set(self) -> None:
        kinds = self._all_locals()
        place = self._dice.randrange(len(kinds))
        self._push(TypeIndex(kinds[place]), depth=DEPTH_MAX)
        self._put(Op.SET, place)
        self._height -= 1

    def _require(self) -> None:
        # Mostly true, or little of any program would run.
        self._push(BOOL, depth=DEPTH_MAX)
        self._put(Op.TRUE)
        self._put(Op.OR)
        first = sum(len(palette.LITERALS[kind]) for kind in palette.LITERALS if kind < STR)
        self._put(Op.REQUIRE, first)
        self._height -= 1

    def _schedule(self) -> None:
        targets = [
            place
            for place, callee in enumerate(self._earlier)
            if callee.kind is FunctionKind.SCHEDULED
        ]
        if targets:
            target = self._dice.choice(targets)
            params = self._earlier[target].params
            self._push(INT, depth=1)
            self._put(Op.INT, 20_000)
            self._height += 1
            for param in params:
                self._push(param, depth=1)
            self._put(Op.SCHEDULE, target)
            self._height -= 2 + len(params)

    def _take_apart(self) -> None:
        """Pop two results, if there are locals for them."""
        line = self._dice.choice(PAIRS)
        kinds = self._all_locals()
        if all(result in kinds for result in line.results):
            self._follow(line, depth=2)
            for result in reversed(line.results):
                self._put(Op.SET, kinds.index(result))
            self._height -= len(line.results)

    def _block(self) -> None:
        self._nesting += 1
        if self._dice.random() < 0.4:
            self._loop()
        else:
            self._if()
        self._nesting -= 1

    def _if(self) -> None:
        self._push(BOOL, depth=DEPTH_MAX)
        self._put(Op.IF)
        self._height -= 1
        # At most one arm stops, or nothing might stand behind the END.
        stopping = self._dice.choice(("none", "none", "then", "else"))
        self._body()
        if stopping == "then":
            self._stop()
        if self._dice.random() < 0.5:
            self._put(Op.ELSE)
            self._body()
            if stopping == "else":
                self._stop()
        self._put(Op.END)

    def _body(self) -> None:
        for _ in range(self._dice.randrange(3)):
            if self._fuel > 0:
                self._statement()

    def _stop(self) -> None:
        roll = self._dice.random()
        if self._loops and self._loops[-1] == self._height and roll < 0.7:
            self._put(Op.BREAK if roll < 0.4 else Op.CONTINUE)
        elif roll < 0.9:
            self._return()
        else:
            self._push(STR, depth=1)
            self._put(Op.FAIL)
            self._height -= 1

    def _loop(self) -> None:
        self._put(Op.LOOP)
        self._loops.append(self._height)
        self._body()
        self._push(BOOL, depth=DEPTH_MAX)
        self._put(Op.IF)
        self._height -= 1
        self._put(Op.BREAK)
        self._put(Op.END)
        self._body()
        self._loops.pop()
        self._put(Op.REPEAT)

    def _return(self) -> None:
        self._push(self._result, depth=DEPTH_MAX)
        self._put(Op.RETURN)
        self._height -= 1

    def _all_locals(self) -> tuple[int, ...]:
        return (*self._params, *self._locals)
