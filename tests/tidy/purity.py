"""What a pure room may not do: real numbers, identity hashes, clocks, dice, and the world."""

import ast
from collections.abc import Iterable, Iterator

from tests.tidy.sources import Finding, Source, scopes

PURE_ROOMS = ("primitives", "consensus", "fl.rules", "node.ledger", "node.vm", "node.execution")
# Shells that live in a pure room. They touch the world, so the pure files may not import them.
SHELLS = ("consensus.driver",)
WORLD = frozenset(
    {
        "asyncio",
        "datetime",
        "logging",
        "os",
        "random",
        "secrets",
        "socket",
        "structlog",
        "subprocess",
        "threading",
        "time",
        "uuid",
    }
)


def is_pure(source: Source) -> bool:
    """Tell whether the file belongs to a pure room and is not its shell."""
    inside = any(f"{source.module}.".startswith(f"{room}.") for room in PURE_ROOMS)
    return inside and source.module not in SHELLS


def real_numbers(sources: Iterable[Source]) -> Iterator[Finding]:
    """Report float literals, true division and conversions to float."""
    for place, node in _places(sources):
        match node:
            case ast.Constant(value=float() | complex() as value):
                yield Finding("real number", place, f"line {node.lineno}: {value}")
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield Finding("real number", place, f"line {node.lineno}: true division")
            case ast.Call(func=ast.Name(id="float" | "complex" as name)):
                yield Finding("real number", place, f"line {node.lineno}: {name}()")
            case _:
                pass


def identity_hashes(sources: Iterable[Source]) -> Iterator[Finding]:
    """Report `hash()` and `id()`, which differ between two processes of one program."""
    for place, node in _places(sources):
        match node:
            case ast.Call(func=ast.Name(id="hash" | "id" as name)):
                yield Finding("identity hash", place, f"line {node.lineno}: {name}()")
            case _:
                pass


def world_imports(sources: Iterable[Source]) -> Iterator[Finding]:
    """Report imports of the world and of the room's own shell."""
    for place, node in _places(sources):
        match node:
            case ast.Import(names=aliases):
                modules = [alias.name for alias in aliases]
            case ast.ImportFrom(module=str(module), names=aliases):
                modules = [module, *(f"{module}.{alias.name}" for alias in aliases)]
            case _:
                continue
        for name in modules:
            if name.split(".", 1)[0] in WORLD or name in SHELLS:
                yield Finding("world import", place, f"line {node.lineno}: {name}")


def _places(sources: Iterable[Source]) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of the files with the innermost class or function that holds it."""
    for source in sources:
        owners: dict[ast.AST, str] = {}
        # Outer scopes come first, so an inner one overwrites what it holds.
        for name, scope in scopes(source.tree):
            owners.update((node, name) for node in ast.walk(scope))
        for node in ast.walk(source.tree):
            owner = owners.get(node)
            yield f"{source.path}::{owner}" if owner else source.path, node
