"""A linked module as Python functions, translated all at once or each when it is first called."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

from node.vm.fast.storing import loader, storer, teller
from node.vm.fast.translator import translate
from node.vm.linked import LinkedModule
from node.vm.meter import Meter
from node.vm.operations import parts, storage, world
from node.vm.operations.lists import LIST_OPERATIONS, contains_text
from node.vm.operations.numbers import NUMBER_OPERATIONS
from node.vm.operations.texts import TEXT_OPERATIONS
from node.vm.run import Run
from node.vm.shapes import Value, text_size
from node.vm.slots import field_slot, key_encoder
from node.vm.traps import Trap, VmTrap
from node.vm.types import COMPOSITE_FIRST, MAP_KEY_TYPES, SCALAR_NAMES, TypeIndex


def _trapper(trap: Trap) -> Callable[[Meter, int], NoReturn]:
    def end(meter: Meter, gas: int) -> NoReturn:
        meter.gas = gas
        raise VmTrap(trap)

    return end


_WORDS: Final[dict[str, object]] = {
    "__builtins__": {},
    "abs": abs,
    "len": len,
    "exhaust": Meter.exhaust,
    "revert": world.revert,
    "text_size": text_size,
    "trap_overflow": _trapper(Trap.OVERFLOW),
    "trap_division": _trapper(Trap.DIVISION_BY_ZERO),
    "trap_range": _trapper(Trap.RANGE),
    "trap_index": _trapper(Trap.INDEX),
    "trap_memory": _trapper(Trap.MEMORY),
    "trap_unwrap": _trapper(Trap.UNWRAP),
    **{f"op_{op.name}": operation for op, operation in NUMBER_OPERATIONS.items()},
    **{f"op_{op.name}": operation for op, operation in TEXT_OPERATIONS.items()},
    **{f"op_{op.name}": operation for op, operation in LIST_OPERATIONS.items()},
    **{f"op_{op.name}": operation for op, operation in world.QUESTIONS.items()},
    "op_LCONTAINS_sized": contains_text,
    "op_WITH": parts.replace_field,
    "op_LOAD_OPTION": storage.load_option,
    "op_REMOVE": storage.remove,
    "op_HAS": storage.has,
    "op_SLLEN": storage.list_length,
    "op_SLGET": storage.list_item,
    "op_SLSET": storage.set_list_item,
    "op_SLAPPEND": storage.append_list_item,
    "op_SLPOP": storage.pop_list_item,
    "op_SLCLEAR": storage.clear_list,
    "op_SLLOAD": storage.load_list,
    "op_TRANSFER": world.transfer,
    "op_SCHEDULE": world.schedule,
    "op_INVOKE": world.invoke,
    **{
        f"K{key}": encoder
        for key in MAP_KEY_TYPES
        if (encoder := key_encoder(TypeIndex(key))) is not None
    },
}
"""The only words that translated code can say besides its own locals; there are no builtins."""


class Program:
    """The functions of one module; threads may share it.

    A function that two threads call at once for the first time may be translated twice, no harm.
    """

    __slots__ = ("_is_translated", "_namespace", "linked")

    def __init__(self, linked: LinkedModule) -> None:
        self.linked: Final = linked
        self._is_translated = False
        self._namespace = _WORDS | dict(self._words())
        for index in range(len(linked.module.functions)):
            self._namespace[f"f{index}"] = self._untranslated(index)

    def translate_all(self) -> None:
        """Translate every function now; harmless if that was done before."""
        if not self._is_translated:
            for index in range(len(self.linked.module.functions)):
                self._translate(index)
            self._is_translated = True

    def call(self, run: Run, *, function: int, arguments: tuple[Value, ...]) -> Value:
        """Return the result of the function.

        Raises:
            VmTrap: it ended in a trap.
        """
        translated: Any = self._namespace[f"f{function}"]
        result: Value = translated(run, *arguments)
        return result

    def _words(self) -> Iterator[tuple[str, object]]:
        module = self.linked.module
        for index, constant in enumerate(module.constants):
            yield f"C{index}", constant
        for place in range(len(module.storage)):
            yield f"F{place}", self.linked.field(place)
            yield f"P{place}", field_slot(place)
            yield f"load{place}", loader(self.linked.field(place))
            yield f"store{place}", storer(self.linked.field(place))
        for event in range(len(module.events)):
            yield f"emit{event}", teller(self.linked, event)
        composites = range(COMPOSITE_FIRST, COMPOSITE_FIRST + len(module.module.types))
        for index in (*range(len(SCALAR_NAMES)), *composites):
            if not module.types.is_map(TypeIndex(index)):
                yield f"Z{index}", self.linked.zero(TypeIndex(index))

    def _untranslated(self, index: int) -> Callable[..., Value]:
        def translate_and_call(run: Run, *arguments: Value) -> Value:
            self._translate(index)
            translated: Any = self._namespace[f"f{index}"]
            result: Value = translated(run, *arguments)
            return result

        return translate_and_call

    def _translate(self, index: int) -> None:
        source = translate(self.linked, index)
        code = compile(source, f"<function {index}>", "exec", dont_inherit=True, optimize=0)
        # The source is made of our own words, integers and generated names only (see `translator`),
        # from code that the verifier accepted; nothing that a contract's author wrote is in it.
        exec(code, self._namespace)  # noqa: S102
