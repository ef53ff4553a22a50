"""Find everything that a source declares, before any method is checked."""

import ast
from dataclasses import dataclass, field
from typing import Final

from node.vm.lang.annotations import SCALARS, TypeReader
from node.vm.lang.declarations import (
    RESERVED,
    Declarations,
    Interface,
    Method,
    StorageField,
)
from node.vm.lang.errors import Findings, NotedError, ProblemError
from node.vm.lang.forbidden import forbidden
from node.vm.lang.signatures import contract_signature, interface_signature
from node.vm.lang.suggest import hint_for
from node.vm.lang.types import Part, RecordOf, leaves
from node.vm.limits import (
    FUNCTIONS_MAX,
    RECORD_FIELDS_MAX,
    STORAGE_FIELDS_MAX,
    TYPE_DEPTH_MAX,
    TYPE_LEAVES_MAX,
)
from node.vm.module import FunctionKind

_KINDS: Final = ("Contract", "Record", "Interface")
_DUNDERS: Final = frozenset({"__init__"})


@dataclass(slots=True)
class Collection:
    """The declarations, and the values of constants, which are checked like expressions."""

    declarations: Declarations
    constants: dict[str, ast.Assign | ast.AnnAssign] = field(default_factory=dict)
    types: TypeReader = field(init=False)


class Collector:
    """Read the top of a source and the bodies of its classes, once.

    Args:
        findings: where problems go; a declaration with one is left out and called faulty.
    """

    def __init__(self, tree: ast.Module, *, findings: Findings) -> None:
        self._tree = tree
        self._findings = findings
        self._found = Collection(Declarations())
        self._classes: dict[str, list[ast.ClassDef]] = {kind: [] for kind in _KINDS}
        self._records: dict[str, ast.ClassDef] = {}
        self._open: list[str] = []
        self._lines: dict[str, int] = {}
        self._found.types = TypeReader(self._record, record_names=self._records)

    def collect(self) -> Collection:
        """Return what the source declares."""
        for node in _without_docstring(self._tree.body):
            with self._findings:
                self._sort(node)
        for name in self._records:
            with self._findings:
                self._record(name)
        for node in self._classes["Interface"]:
            self._interface(node)
        with self._findings:
            self._contract()
        return self._found

    def _sort(self, node: ast.stmt) -> None:
        match node:
            case ast.ClassDef():
                self._sort_class(node)
            case ast.Assign(targets=[ast.Name(id=name)]):
                self._new_name(name, node)
                self._found.constants[name] = node
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                self._new_name(name, node)
                self._found.constants[name] = node
            case ast.Expr() | ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.Pass():
                hint = "at the top stand classes and constants such as LIMIT = 100"
                raise ProblemError(node, "this has no meaning outside a class", hint=hint)
            case _:
                raise forbidden(node)

    def _sort_class(self, node: ast.ClassDef) -> None:
        self._new_name(node.name, node)
        if node.decorator_list:
            raise ProblemError(node.decorator_list[0], "a class has no decorators")
        match node.bases:
            case [ast.Name(id="Contract" | "Record" | "Interface" as kind)] if not node.keywords:
                self._classes[kind].append(node)
                if kind == "Record":
                    self._records[node.name] = node
            case [ast.Name(id=name) as parent]:
                raise ProblemError(parent, f"a class cannot extend {name}", hint=_class_hint(name))
            case _:
                hint = f"write class {node.name}(Record), or (Interface), or (Contract)"
                raise ProblemError(node, "the class does not say what it is", hint=hint)

    def _new_name(self, name: str, node: ast.AST) -> None:
        if name in RESERVED or name in SCALARS:
            raise ProblemError(node, f"{name!r} belongs to the language", hint="rename it")
        line = getattr(node, "lineno", 1)
        first = self._lines.setdefault(name, line)
        if first != line:
            raise ProblemError(node, f"{name!r} is declared twice", hint=f"first in line {first}")

    def _record(self, name: str) -> RecordOf | None:
        """Read a record when it is first needed, so that records may stand in any order."""
        declarations = self._found.declarations
        known = declarations.records.get(name)
        if known is not None or name not in self._records:
            return known
        if name in declarations.faulty:
            raise NotedError
        node = self._records[name]
        if name in self._open:
            raise self._cycle(name)
        if len(self._open) > TYPE_DEPTH_MAX:
            declarations.faulty.add(name)
            message = f"records are nested more than {TYPE_DEPTH_MAX} deep"
            raise ProblemError(node, message, hint="keep the inner ones in Maps of the contract")
        self._open.append(name)
        try:
            record = RecordOf(name, self._parts(node))
            self._check_leaves(node, record)
        except (ProblemError, NotedError):
            declarations.faulty.add(name)
            raise
        finally:
            self._open.pop()
        declarations.records[name] = record
        return record

    def _check_leaves(self, node: ast.ClassDef, record: RecordOf) -> None:
        if leaves(record) > TYPE_LEAVES_MAX:
            message = f"the record has more than {TYPE_LEAVES_MAX} fields, inner ones counted"
            raise ProblemError(node, message, hint="keep a part of it under a key of its own")

    def _cycle(self, name: str) -> ProblemError:
        path = " -> ".join([*self._open[self._open.index(name) :], name])
        hint = "keep the inner one in a Map of the contract and its key here"
        return ProblemError(self._records[name], f"the record contains itself: {path}", hint=hint)

    def _parts(self, node: ast.ClassDef) -> tuple[Part, ...]:
        parts: dict[str, Part] = {}
        for line in _without_docstring(node.body):
            match line:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=None):
                    if name in parts:
                        raise ProblemError(line, f"the field {name!r} is declared twice")
                    parts[name] = Part(name, self._found.types.value(annotation))
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                    hint = f"give it when you make one: {node.name}({name}=...)"
                    raise ProblemError(line, "a record field has no default", hint=hint)
                case ast.FunctionDef():
                    hint = "make it a method of the contract that takes the record"
                    raise ProblemError(line, "a record has no methods", hint=hint)
                case _:
                    hint = "write one `name: Type` in each line"
                    raise ProblemError(line, "a record consists of fields", hint=hint)
        if not parts:
            raise ProblemError(node, "the record has no fields", hint="add `name: Type`")
        if len(parts) > RECORD_FIELDS_MAX:
            raise ProblemError(node, f"the record has more than {RECORD_FIELDS_MAX} fields")
        return tuple(parts.values())

    def _interface(self, node: ast.ClassDef) -> None:
        methods = {}
        for line in _without_docstring(node.body):
            with self._findings:
                match line:
                    case ast.FunctionDef(name=name):
                        if name in methods:
                            raise ProblemError(line, f"the method {name!r} is declared twice")
                        methods[name] = interface_signature(line, self._found.types)
                    case _:
                        hint = "write `def name(self, ...) -> Type: ...`"
                        message = "an interface consists of methods without code"
                        raise ProblemError(line, message, hint=hint)
        self._found.declarations.interfaces[node.name] = Interface(node.name, methods)

    def _contract(self) -> None:
        match self._classes["Contract"]:
            case [node]:
                pass
            case [_, second, *_]:
                hint = "put it into a file of its own; declare it here as an Interface"
                raise ProblemError(second, "a source has one contract", hint=hint)
            case _ if self._findings.cut_count:
                # A class with a problem may have been meant.
                return
            case _:
                hint = "write class Counter(Contract): ..."
                raise ProblemError(self._tree, "the source has no contract", hint=hint)
        self._found.declarations.name = node.name
        for line in _without_docstring(node.body):
            with self._findings:
                self._member(line)
        self._check_members(node)

    def _member(self, line: ast.stmt) -> None:
        match line:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=None):
                self._field(name, annotation, line)
            case ast.AnnAssign(
                target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value
            ):
                self._field(name, annotation, line)
                hint = f"set it in the @init method: self.{name} = {ast.unparse(value)[:30]}"
                raise ProblemError(value, "a contract field has no default", hint=hint)
            case ast.Assign(targets=[ast.Name(id=name)]):
                hint = f"write `{name}: Type`; a constant stands above the class"
                raise ProblemError(line, f"the field {name!r} has no type", hint=hint)
            case ast.FunctionDef(name=name):
                self._method(name, line)
            case ast.Pass():
                pass
            case ast.Expr() | ast.Assign() | ast.AugAssign() | ast.AnnAssign():
                hint = "a contract consists of fields, `name: Type`, and methods"
                raise ProblemError(line, "this has no meaning here", hint=hint)
            case _:
                raise forbidden(line)

    def _field(self, name: str, annotation: ast.expr, line: ast.stmt) -> None:
        declarations = self._found.declarations
        if name in declarations.fields:
            raise ProblemError(line, f"the field {name!r} is declared twice")
        try:
            found = self._found.types.storage(annotation)
        except (ProblemError, NotedError):
            declarations.faulty.add(name)
            raise
        index = len(declarations.fields)
        declarations.fields[name] = StorageField(index, name, found)

    def _method(self, name: str, line: ast.FunctionDef) -> None:
        declarations = self._found.declarations
        if name in declarations.methods:
            raise ProblemError(line, f"the method {name!r} is declared twice")
        if name.startswith("__"):
            hint = "mark a method of any name with @init" if name in _DUNDERS else "rename it"
            raise ProblemError(line, f"{name!r} has no special meaning here", hint=hint)
        try:
            signature = contract_signature(line, self._found.types)
        except (ProblemError, NotedError):
            declarations.faulty.add(name)
            raise
        others = [other.signature for other in declarations.methods.values()]
        if signature.kind is FunctionKind.INIT:
            for other in others:
                if other.kind is FunctionKind.INIT:
                    message = f"{other.name!r} is @init already"
                    raise ProblemError(line, message, hint="call the one from the other")
        index = len(declarations.methods)
        declarations.methods[name] = Method(index, signature, line)

    def _check_members(self, node: ast.ClassDef) -> None:
        declarations = self._found.declarations
        for name, method in declarations.methods.items():
            if name in declarations.fields:
                message = f"{name!r} is a field and a method"
                self._findings.note(ProblemError(method.node, message, hint="rename one"))
        if len(declarations.fields) > STORAGE_FIELDS_MAX:
            message = f"the contract has more than {STORAGE_FIELDS_MAX} fields"
            raise ProblemError(node, message, hint="keep some of them together in a Record")
        if len(declarations.methods) > FUNCTIONS_MAX:
            message = f"the contract has more than {FUNCTIONS_MAX} methods"
            raise ProblemError(node, message, hint="split the contract in two")
        if not declarations.methods and not self._findings.cut_count:
            hint = "add a method with @external above it"
            raise ProblemError(node, "the contract has no methods", hint=hint)


def _class_hint(name: str) -> str:
    return hint_for(name, _KINDS) or "write Contract, Record or Interface"


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
        case _:
            return body
