"""Iteration over sets, whose order differs between processes, where the order can reach a result.

Theory of operation: the syntax tree does not say what type an expression has, so this check learns
names. A first pass over all files notes which attributes and functions are declared as sets, or as
mappings to sets; a name that is declared otherwise elsewhere teaches nothing. A second pass goes
through each function with its local names and reports every walk through a set whose result has
an order. A sort or a minimum with a key keeps the order of ties, so it counts as a walk. What the
check cannot see, such as a set behind an undeclared name, is left to the runs under several hash
seeds.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto

from tests.tidy.sources import Finding, Source, scopes

SET_TYPES = frozenset({"set", "frozenset", "Set", "AbstractSet", "MutableSet"})
MAPPING_TYPES = frozenset({"dict", "defaultdict", "Mapping", "MutableMapping"})
SET_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})
LOOKUPS = frozenset({"get", "setdefault", "pop"})
ORDERLESS = frozenset({"sorted", "min", "max", "set", "frozenset", "len", "sum", "any", "all"})
ORDERED = frozenset(
    {"list", "tuple", "enumerate", "iter", "zip", "map", "filter", "deque", "dict", "reversed"}
)
ORDERED_METHODS = frozenset({"join", "extend", "extendleft", "fromkeys"})


class Kind(Enum):
    """What the check knows of a name's type."""

    SET = auto()
    MAPPING_TO_SETS = auto()
    OTHER = auto()


def set_walks(sources: Iterable[Source]) -> Iterator[Finding]:
    """Report every place where the order of a set can reach a result."""
    known = list(sources)
    declared = _declared_names(known)
    for source in known:
        for name, scope in [("", source.tree), *scopes(source.tree)]:
            nodes = list(_own_nodes(scope))
            kinds = _Kinds(declared, nodes)
            place = f"{source.path}::{name}" if name else source.path
            for line in sorted(_walks(nodes, kinds)):
                yield Finding("set walk", place, f"line {line}: sort the set first")


class _Kinds:
    """The kinds of the expressions of one scope."""

    def __init__(self, declared: Mapping[str, Kind], nodes: Iterable[ast.AST]) -> None:
        self._declared = declared
        self._local: dict[str, Kind] = {}
        for node in nodes:
            self._learn(node)

    def of(self, node: ast.expr) -> Kind:
        match node:
            case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
                return Kind.SET
            case ast.Name(id=name):
                return self._local.get(name, Kind.OTHER)
            case ast.Call(func=ast.Name(id="defaultdict"), args=[ast.Name(id="set")]):
                return Kind.MAPPING_TO_SETS
            case ast.Attribute(attr=name) | ast.Call(func=ast.Name(id=name)):
                return self._declared.get(name, Kind.OTHER)
            case ast.Call(func=ast.Attribute() as method):
                return self._of_method(method)
            case _:
                return self._of_compound(node)

    def _of_method(self, method: ast.Attribute) -> Kind:
        owner = self.of(method.value)
        if owner is Kind.SET and method.attr in SET_METHODS:
            return Kind.SET
        if owner is Kind.MAPPING_TO_SETS and method.attr in LOOKUPS:
            return Kind.SET
        return self._declared.get(method.attr, Kind.OTHER)

    def _of_compound(self, node: ast.expr) -> Kind:
        match node:
            case ast.Subscript(value=owner):
                held = self.of(owner) is Kind.MAPPING_TO_SETS
                return Kind.SET if held else Kind.OTHER
            case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
                sides = (left, node.right)
                made = any(self.of(side) is Kind.SET or _is_key_view(side) for side in sides)
                return Kind.SET if made else Kind.OTHER
            case ast.IfExp(body=body, orelse=orelse):
                return Kind.SET if Kind.SET in {self.of(body), self.of(orelse)} else Kind.OTHER
            case ast.DictComp(value=value) if self.of(value) is Kind.SET:
                return Kind.MAPPING_TO_SETS
            case _:
                return Kind.OTHER

    def _learn(self, node: ast.AST) -> None:
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as annotation):
                self._local[name] = kind_of_annotation(annotation)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                self._local[name] = kind_of_annotation(annotation)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._local[name] = self.of(value)
            case ast.NamedExpr(target=ast.Name(id=name), value=value):
                self._local[name] = self.of(value)
            case (
                ast.For(target=target, iter=walked) | ast.comprehension(target=target, iter=walked)
            ):
                self._learn_target(target, walked)
            case _:
                pass

    def _learn_target(self, target: ast.expr, walked: ast.expr) -> None:
        match walked:
            case ast.Call(func=ast.Attribute(value=owner, attr="values" | "items")):
                if self.of(owner) is not Kind.MAPPING_TO_SETS:
                    return
            case _:
                return
        match target:
            case ast.Name(id=name) | ast.Tuple(elts=[_, ast.Name(id=name)]):
                self._local[name] = Kind.SET
            case _:
                pass


def kind_of_annotation(annotation: ast.expr) -> Kind:
    """Read a declared type; `set[T] | None` counts as a set."""
    match annotation:
        case ast.BinOp(left=left, right=right, op=ast.BitOr()):
            sides = {kind_of_annotation(left), kind_of_annotation(right)}
            return Kind.SET if Kind.SET in sides else Kind.OTHER
        case ast.Subscript(
            value=ast.Name(id="ClassVar" | "Final" | "Annotated"), slice=ast.Tuple(elts=[inner, *_])
        ):
            return kind_of_annotation(inner)
        case ast.Subscript(value=ast.Name(id="ClassVar" | "Final"), slice=inner):
            return kind_of_annotation(inner)
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Tuple(elts=[_, held])):
            mapping = name in MAPPING_TYPES and kind_of_annotation(held) is Kind.SET
            return Kind.MAPPING_TO_SETS if mapping else Kind.OTHER
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
            return Kind.SET if name in SET_TYPES else Kind.OTHER
        case _:
            return Kind.OTHER


def _declared_names(sources: Iterable[Source]) -> dict[str, Kind]:
    """Learn the attributes and functions that are declared with one kind everywhere."""
    kinds: dict[str, Kind] = {}
    for source in sources:
        for node in ast.walk(source.tree):
            for name, annotation in _declarations(node):
                kind = kind_of_annotation(annotation)
                if kinds.setdefault(name, kind) is not kind:
                    kinds[name] = Kind.OTHER
    return kinds


def _declarations(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.AnnAssign(target=ast.Attribute(attr=name), annotation=annotation):
            yield name, annotation
        case ast.FunctionDef(name=name, returns=ast.expr() as annotation):
            yield name, annotation
        case ast.ClassDef(body=body):
            for line in body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    yield line.target.id, line.annotation
        case _:
            pass


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a scope in the order of the text, without the scopes inside it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _own_nodes(child)


def _walks(nodes: list[ast.AST], kinds: _Kinds) -> Iterator[int]:
    """Yield the lines of one scope that walk through a set in its own order."""
    hidden = {id(part) for node in nodes for part in _hidden_parts(node, kinds)}
    for node in nodes:
        if id(node) not in hidden:
            for walked in _walked_in_order(node):
                if kinds.of(walked) is Kind.SET:
                    yield walked.lineno


def _walked_in_order(node: ast.AST) -> list[ast.expr]:
    match node:
        case (
            ast.For(iter=walked)
            | ast.AsyncFor(iter=walked)
            | ast.Starred(value=walked)
            | ast.YieldFrom(value=walked)
            | ast.Call(func=ast.Attribute(value=walked, attr="pop"), args=[])
        ):
            return [walked]
        case ast.ListComp() | ast.DictComp() | ast.GeneratorExp():
            return [part.iter for part in node.generators]
        case ast.Call(func=ast.Name(id=name)) if name in ORDERED or _has_key(node):
            return node.args
        case ast.Call(func=ast.Attribute(attr=name)) if name in ORDERED_METHODS:
            return node.args
        case _:
            return []


def _hidden_parts(node: ast.AST, kinds: _Kinds) -> list[ast.expr]:
    """List the parts of an expression whose order its value does not show."""
    match node:
        case ast.Set(elts=parts):
            return parts
        case ast.Call(func=ast.Name(id=name)) if name in ORDERLESS and not _has_key(node):
            return node.args
        case ast.Call(func=ast.Attribute(value=owner)) if kinds.of(owner) is Kind.SET:
            return node.args
        case _:
            return []


def _has_key(call: ast.Call) -> bool:
    return any(word.arg == "key" for word in call.keywords)


def _is_key_view(node: ast.expr) -> bool:
    """Tell whether this is `d.keys()`: a view in order, but `|` and `&` make a set of it."""
    match node:
        case ast.Call(func=ast.Attribute(attr="keys")):
            return True
        case _:
            return False
