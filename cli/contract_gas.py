"""`hanse contract gas`: what each method of a contract costs, before anybody calls it."""

import json
from typing import TYPE_CHECKING, TypeAlias

import typer

from cli.contract import AsJson, File, read_file

if TYPE_CHECKING:
    from node.vm.gas_report import DynamicPart, StraightRun
    from node.vm.module import Module
    from node.vm.verified import VerifiedFunction, VerifiedModule

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int"


def gas(*, file: File, as_json: AsJson = False) -> None:
    """Print the gas of each straight run of each method, and that of the deployment.

    A run is charged as a whole each time that it is reached; what depends on sizes comes on top.
    """
    from node.vm.lang.compiler import compile_contract
    from node.vm.verifier import verify

    module = compile_contract(read_file(file), filename=str(file))
    verified = verify(module)
    size_bytes, deployment = _deployment(module)
    functions = [_function(verified, function) for function in verified.functions]
    if as_json:
        whole: Json = {
            "contract": module.name,
            "size_bytes": size_bytes,
            "deployment_gas": deployment,
            "functions": [*functions],
        }
        typer.echo(json.dumps(whole))
        return
    typer.echo(f"{module.name}: {size_bytes} bytes, deployment: {deployment} gas before its init")
    for function, row in zip(verified.functions, functions, strict=True):
        typer.echo()
        typer.echo(f"{row['signature']}: {row['gas_once']} gas if every run is taken once")
        _print_runs(verified, function)


def _deployment(module: "Module") -> tuple[int, int]:
    """Return the size of the code, and the gas of a deployment whose init takes nothing."""
    from node.ledger.admission import intrinsic_gas
    from node.ledger.transaction import (
        SIGNED_TRANSACTION_CODEC,
        Deploy,
        SignedTransaction,
        Transaction,
    )
    from node.vm.module import encode_module
    from primitives.ids import Address, ChainId, Gas, Grain, TimestampMs

    code = encode_module(module)
    action = Deploy(code, b"", Grain(0))
    # Of everyday size: the encoding of a small number is shorter than that of a great one.
    transaction = Transaction(
        chain_id=ChainId(bytes(32)),
        sender=Address(bytes(32)),
        nonce=0,
        gas_limit=Gas(1_000_000),
        fee_per_gas_max=Grain(1_000),
        tip_per_gas=Grain(0),
        valid_until=TimestampMs(1_700_000_000_000),
        action=action,
    )
    size_bytes = len(SIGNED_TRANSACTION_CODEC.encode(SignedTransaction(transaction, bytes(64))))
    return len(code), intrinsic_gas(action, size_bytes=size_bytes)


def _function(module: "VerifiedModule", function: "VerifiedFunction") -> dict[str, Json]:
    from node.vm.gas_report import straight_runs

    runs = straight_runs(function)
    return {
        "name": function.name,
        "kind": function.kind.name.lower(),
        "signature": _signature(module, function),
        "gas_once": sum(run.gas for run in runs),
        "runs": [
            {
                "offset": run.offset,
                "gas": run.gas,
                "loop_depth": run.loop_depth,
                "dynamic": [
                    {
                        "op": part.op.name,
                        "count": part.count,
                        "gas": part.rate.gas,
                        "per": 1 << part.rate.shift,
                        "of": part.rate.measure.value,
                    }
                    for part in run.dynamic
                ],
                "calls": [*_callees(module, run)],
            }
            for run in runs
        ],
    }


def _signature(module: "VerifiedModule", function: "VerifiedFunction") -> str:
    params = ", ".join(map(module.types.name, function.params))
    result = module.types.name(function.result)
    return f"{function.kind.name.lower()} {function.name}({params}) -> {result}"


def _callees(module: "VerifiedModule", run: "StraightRun") -> list[str]:
    names = [module.functions[function].name for function in run.calls]
    methods = [module.methods[place] for place in run.methods]
    return names + [f"{method.interface}.{method.name}" for method in methods]


def _print_runs(module: "VerifiedModule", function: "VerifiedFunction") -> None:
    from node.vm.gas_report import straight_runs

    for run in straight_runs(function):
        notes = [_part(part) for part in run.dynamic]
        notes += [f"calls {name}" for name in _callees(module, run)]
        if run.loop_depth:
            notes.append("each time round" if run.loop_depth == 1 else f"{run.loop_depth} loops")
        first, *rest = notes or [""]
        typer.echo(f"  at {run.offset:<5} {run.gas:>6}  {first}".rstrip())
        for note in rest:
            typer.echo(f"{'':17}  {note}")


def _part(part: "DynamicPart") -> str:
    gas, unit, measure = part.rate.gas, 1 << part.rate.shift, part.rate.measure.value
    times = f"{part.count} x " if part.count > 1 else ""
    share = f"{gas}/{unit} of the " if unit > 1 else f"{gas} x the " if gas > 1 else "the "
    return f"+ {times}{part.op.name}: {share}{measure}"
