"""Compile a contract: source text in, a module that the verifier accepts out.

The same text gives the same bytes everywhere: everything is numbered in the order of the source.
"""

import ast

from node.vm.lang.codegen import FunctionCode, Pool
from node.vm.lang.collect import Collection, Collector
from node.vm.lang.declarations import Declarations, Method, Signature
from node.vm.lang.effects import Effects, check_calls, effects_of
from node.vm.lang.errors import Findings, ProblemError
from node.vm.lang.expressions import lower
from node.vm.lang.flow import Paths
from node.vm.lang.losses import Losses
from node.vm.lang.outgrown import checked_module
from node.vm.lang.scope import Registry, Scope, World
from node.vm.lang.source import Source, parse, too_deep
from node.vm.lang.statements import body
from node.vm.lang.tree import Literal, Origin, Step, Variable
from node.vm.lang.types import UNIT_TYPE
from node.vm.module import (
    MODULE_VERSION,
    Event,
    Function,
    FunctionKind,
    InterfaceMethod,
    Module,
)
from node.vm.types import Field


def compile_contract(source: str, *, filename: str) -> Module:
    """Return the module of a contract's source.

    Args:
        source: the whole text.
        filename: how messages call the source.

    Raises:
        ContractError: the source is wrong; it lists what, where, and how to put it right.
    """
    parsed = parse(source, file=filename)
    try:
        return _compiled(parsed)
    except RecursionError:
        # Depths are bounded far below the limit of the interpreter, but not the stack of callers.
        raise too_deep(filename) from None


def _compiled(parsed: Source) -> Module:
    findings = Findings(file=parsed.file, locate=parsed.locate)
    collection = Collector(parsed.tree, findings=findings).collect()
    world = World(
        declarations=collection.declarations,
        types=collection.types,
        registry=Registry(),
        findings=findings,
        locate=parsed.locate,
        lower=lower,
    )
    _check_constants(collection, world)
    bodies = {
        method.index: _Body(method, world) for method in collection.declarations.methods.values()
    }
    for each in bodies.values():
        each.check()
    _check_effects(bodies, world)
    findings.check()
    return _module(list(bodies.values()), world, parsed)


def _check_constants(collection: Collection, world: World) -> None:
    """Compute the constants at the top, each from those above it."""
    declarations = collection.declarations
    nobody = Signature(name="", kind=FunctionKind.INTERNAL, params=(), result=UNIT_TYPE)
    for name, node in collection.constants.items():
        declarations.faulty.add(name)
        with world.findings:
            scope = Scope(world, nobody)
            if isinstance(node, ast.AnnAssign) and node.value is not None:
                expected = collection.types.value(node.annotation)
                value = scope.typed(node.value, expected, repr(name))
            else:
                assert node.value is not None
                value = scope.value(node.value)
            if not isinstance(value, Literal):
                hint = "a constant is computed beforehand; write a method instead"
                raise ProblemError(node.value, f"{name!r} is not known beforehand", hint=hint)
            declarations.constants[name] = value
            declarations.faulty.discard(name)


class _Body:
    """One method, checked once."""

    def __init__(self, method: Method, world: World) -> None:
        self.method = method
        self.params: tuple[Variable, ...] = ()
        self.steps: tuple[Step, ...] = ()
        self._world = world

    def check(self) -> None:
        """Check the method and note its problems."""
        findings = self._world.findings
        cut_count = findings.cut_count
        node, signature = self.method.node, self.method.signature
        scope = Scope(self._world, signature)
        self.params = tuple(
            scope.declare(part.name, part.type, origin=Origin.PARAMETER, node=node)
            for part in signature.params
        )
        with findings:
            self.steps = body(node.body, scope)
        if findings.cut_count > cut_count:
            # What flows through lines that were left out cannot be judged.
            return
        behind = Paths(findings).walk(self.steps, frozenset(self.params))
        if behind is not None and signature.result is not UNIT_TYPE:
            message = f"{signature.name}() may end without a result"
            hint = f"end every way with `return` and a value of type {signature.result}"
            findings.note(ProblemError(node, message, hint=hint))
        Losses(findings).walk(self.steps, frozenset())


def _check_effects(bodies: dict[int, _Body], world: World) -> None:
    views = frozenset(
        number
        for (interface, name), number in world.registry.methods.items()
        if _interface_method(world.declarations, interface, name).kind is FunctionKind.VIEW
    )
    effects: dict[int, Effects] = {
        index: effects_of(each.steps, view_methods=views) for index, each in bodies.items()
    }
    check_calls(effects, world.declarations, world.findings)


def _interface_method(declarations: Declarations, interface: str, name: str) -> Signature:
    return declarations.interfaces[interface].methods[name]


def _module(bodies: list[_Body], world: World, source: Source) -> Module:
    pool = Pool()
    declarations, registry = world.declarations, world.registry
    storage = tuple(
        Field(field.name, pool.types.number(field.type)) for field in declarations.fields.values()
    )
    events = tuple(
        Event(name, tuple(Field(part.name, pool.types.number(part.type)) for part in event.parts))
        for name, event in registry.events.items()
    )
    methods = tuple(
        _outside_method(interface, _interface_method(declarations, interface, name), pool)
        for interface, name in registry.methods
    )
    functions = tuple(_function(each, pool) for each in bodies)
    module = Module(
        version=MODULE_VERSION,
        name=declarations.name,
        types=pool.types.entries,
        constants=pool.constants,
        storage=storage,
        events=events,
        methods=methods,
        functions=functions,
    )
    return checked_module(module, nodes=[each.method.node for each in bodies], source=source)


def _outside_method(interface: str, signature: Signature, pool: Pool) -> InterfaceMethod:
    return InterfaceMethod(
        interface=interface,
        name=signature.name,
        kind=signature.kind,
        params=tuple(pool.types.number(param.type) for param in signature.params),
        result=pool.types.number(signature.result),
    )


def _function(each: _Body, pool: Pool) -> Function:
    signature = each.method.signature
    code = FunctionCode(pool, each.params)
    code.whole(each.steps)
    return Function(
        name=signature.name,
        kind=signature.kind,
        params=tuple(pool.types.number(param.type) for param in signature.params),
        result=pool.types.number(signature.result),
        locals=code.local_types,
        code=code.code,
    )
