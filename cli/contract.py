"""`hanse contract`: check a contract's source, and look at what it becomes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from node.vm.lang.errors import Problem
    from node.vm.module import Module

app = typer.Typer(no_args_is_help=True, help="Write contracts.")

_SHOWN_LENGTH_MAX = 200

File: TypeAlias = Annotated[Path, typer.Argument(help="The source, NAME.contract.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def group() -> None:
    """Write contracts."""


@app.command()
def check(*, file: File, as_json: AsJson = False) -> None:
    """Say everything that is wrong with a contract; exit 0 if nothing is."""
    from node.vm.lang.compiler import compile_contract
    from node.vm.lang.errors import ContractError
    from node.vm.lang.source import lines_of

    text = read_file(file)
    try:
        module = compile_contract(text, filename=str(file))
    except ContractError as error:
        if as_json:
            typer.echo(json.dumps({"problems": [_row(problem) for problem in error.problems]}))
        else:
            lines = lines_of(text)
            typer.echo("\n\n".join(_shown(problem, lines) for problem in error.problems), err=True)
        raise typer.Exit(1) from error
    summary = _summary(module)
    typer.echo(json.dumps(summary) if as_json else _told(summary))


@app.command()
def disassemble(*, file: File) -> None:
    """Print the bytecode of a contract, with the gas of each straight run of it."""
    from node.vm.disassembler import disassemble as listing
    from node.vm.lang.compiler import compile_contract

    module = compile_contract(read_file(file), filename=str(file))
    typer.echo(listing(module), nl=False)


def read_file(file: Path) -> str:
    """Return the text of a contract, as far as the compiler can take it."""
    from node.vm.lang.source import SOURCE_BYTES_MAX
    from primitives.errors import ConfigurationError

    try:
        with file.open("rb") as stream:
            raw = stream.read(SOURCE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    if len(raw) > SOURCE_BYTES_MAX:
        # The compiler says that it is too long, wherever the last letter was cut.
        return raw.decode("utf-8", errors="replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{file}:{line}: the file is not UTF-8") from error


def _row(problem: "Problem") -> dict[str, str | int]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "hint": problem.hint,
    }


def _shown(problem: "Problem", lines: tuple[str, ...]) -> str:
    """Word a problem with the line it is about and a mark under the place."""
    place, _, hint = str(problem).partition("\n")
    written = lines[problem.line - 1][:_SHOWN_LENGTH_MAX]
    # A source that is not trusted yet must not write to the terminal what is no text.
    line = "".join(letter if letter.isprintable() else " " for letter in written)
    mark = " " * (problem.column - 1) + "^"
    return "\n".join(filter(None, [place, f"    {line}", f"    {mark}", hint]))


def _summary(module: "Module") -> dict[str, str | int]:
    from node.vm.module import FunctionKind, encode_module

    kinds = [function.kind for function in module.functions]
    return {
        "contract": module.name,
        "size_bytes": len(encode_module(module)),
        "methods": sum(kind is not FunctionKind.INTERNAL for kind in kinds),
        "fields": len(module.storage),
        "events": len(module.events),
    }


def _told(summary: dict[str, str | int]) -> str:
    return (
        f"{summary['contract']}: {summary['size_bytes']} bytes, methods: {summary['methods']}, "
        f"fields: {summary['fields']}, events: {summary['events']}"
    )
