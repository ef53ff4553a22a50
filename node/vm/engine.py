"""The two engines behind one port, and the rules of how a function may be entered.

Both give the same result, the same gas, the same trap and the same state for every call. Threads
may share an engine.
"""

import enum
from typing import Final, Protocol, runtime_checkable

from typing_extensions import override

from node.vm.fast.program import Program
from node.vm.frame import Access, Frame
from node.vm.host import Host
from node.vm.interpreter.engine import interpret
from node.vm.linked import LinkedModule
from node.vm.meter import Meter
from node.vm.module import METHOD_KINDS, FunctionKind, InterfaceMethod
from node.vm.run import Run
from node.vm.shapes import Value
from node.vm.shelf import Shelf
from node.vm.traps import Trap, VmTrap
from node.vm.verified import VerifiedModule

_TAKES_MONEY: Final = (FunctionKind.PAYABLE, FunctionKind.INIT)


@runtime_checkable
class Engine(Protocol):
    """Whatever runs verified modules."""

    def link(self, module: VerifiedModule) -> LinkedModule:
        """Return the module with its codecs, which the engine keeps for a while."""
        ...

    def prepare(self, module: VerifiedModule) -> None:
        """Do now whatever would make the first calls of a module slower than their gas.

        For whoever has just been paid for loading the module; calls work without it.
        """
        ...

    def run(
        self,
        module: VerifiedModule,
        *,
        function: int,
        arguments: tuple[Value, ...],
        frame: Frame,
        host: Host,
        meter: Meter,
    ) -> Value:
        """Run a function to its end and return its result; the meter has what is left.

        Raises:
            VmTrap: it may not be entered like this, or it ended in a trap.
        """
        ...


class Interpreter(Engine):
    """The reference."""

    __slots__ = ("_linked",)

    def __init__(self) -> None:
        self._linked = Shelf(LinkedModule)

    @override
    def link(self, module: VerifiedModule) -> LinkedModule:
        return self._linked.take(module)

    @override
    def prepare(self, module: VerifiedModule) -> None:
        self._linked.take(module)

    @override
    def run(
        self,
        module: VerifiedModule,
        *,
        function: int,
        arguments: tuple[Value, ...],
        frame: Frame,
        host: Host,
        meter: Meter,
    ) -> Value:
        check_entry(module, function=function, arguments=arguments, frame=frame)
        run = Run(self._linked.take(module), frame=frame, host=host, meter=meter)
        return interpret(run, function=function, arguments=arguments)


class Translation(enum.Enum):
    """When the fast tier translates the functions of a module."""

    ON_LOAD = "on-load"
    """All of them in `prepare`, which a transaction pays for: for nodes."""

    ON_CALL = "on-call"
    """Each when it is first called, at nobody's expense: for tests, which call a few of many."""


class FastTier(Engine):
    """The engine of a node: modules become Python functions.

    Args:
        translation: a node takes `ON_LOAD`. Otherwise whoever deployed much code over time could
            have all of it translated in one commit, for calls of a few thousand gas.
    """

    __slots__ = ("_program", "_translation")

    def __init__(self, *, translation: Translation = Translation.ON_LOAD) -> None:
        self._program = Shelf(_program_of)
        self._translation = translation

    @override
    def link(self, module: VerifiedModule) -> LinkedModule:
        return self._program.take(module).linked

    @override
    def prepare(self, module: VerifiedModule) -> None:
        program = self._program.take(module)
        if self._translation is Translation.ON_LOAD:
            program.translate_all()

    @override
    def run(
        self,
        module: VerifiedModule,
        *,
        function: int,
        arguments: tuple[Value, ...],
        frame: Frame,
        host: Host,
        meter: Meter,
    ) -> Value:
        check_entry(module, function=function, arguments=arguments, frame=frame)
        program = self._program.take(module)
        run = Run(program.linked, frame=frame, host=host, meter=meter)
        return program.call(run, function=function, arguments=arguments)


def _program_of(module: VerifiedModule) -> Program:
    return Program(LinkedModule(module))


def check_entry(
    module: VerifiedModule, *, function: int, arguments: tuple[Value, ...], frame: Frame
) -> None:
    """Refuse a call that the function is not made for.

    Args:
        module: of the contract that is called.
        function: an index of it, of any kind but INTERNAL.
        arguments: of the types of its parameters, if they are as many.
        frame: of the call.

    Raises:
        VmTrap: NO_METHOD, BAD_ARGUMENTS, NOT_PAYABLE or STATIC.
    """
    called = module.functions[function]
    if called.kind is FunctionKind.INTERNAL:
        raise VmTrap(Trap.NO_METHOD, message=called.name)
    if len(arguments) != len(called.params):
        detail = f"{called.name} takes {len(called.params)}, got {len(arguments)}"
        raise VmTrap(Trap.BAD_ARGUMENTS, message=detail)
    if frame.value and called.kind not in _TAKES_MONEY:
        raise VmTrap(Trap.NOT_PAYABLE, message=called.name)
    if frame.access is Access.READ and called.writes:
        raise VmTrap(Trap.STATIC, message=called.name)


def find_method(module: VerifiedModule, name: str) -> int:
    """Return the function that a transaction or another contract means by this name.

    Raises:
        VmTrap: NO_METHOD.
    """
    function = module.function_named(name)
    if function is None or module.functions[function].kind not in METHOD_KINDS:
        raise VmTrap(Trap.NO_METHOD, message=name)
    return function


def resolve_invocation(
    caller: VerifiedModule, method: InterfaceMethod, *, callee: VerifiedModule
) -> int:
    """Return the function that a contract means by a method of its interface.

    Raises:
        VmTrap: NO_METHOD; BAD_CALL, it is of another kind, or takes or returns other types.
    """
    function = find_method(callee, method.name)
    found = callee.functions[function]
    wanted, given = caller.types.signature_digest, callee.types.signature_digest
    declared = [wanted(index) for index in (*method.params, method.result)]
    actual = [given(index) for index in (*found.params, found.result)]
    if found.kind is not method.kind or declared != actual:
        raise VmTrap(Trap.BAD_CALL, message=method.name)
    return function


def decode_arguments(linked: LinkedModule, raw: bytes, *, function: int) -> tuple[Value, ...]:
    """Return the arguments that somebody encoded for the function.

    Raises:
        VmTrap: BAD_ARGUMENTS.
    """
    try:
        arguments = linked.arguments_codec(function).decode(raw)
    except VmTrap as trap:
        raise VmTrap(Trap.BAD_ARGUMENTS, message=trap.message) from trap
    assert isinstance(arguments, tuple)
    return arguments
