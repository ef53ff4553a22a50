"""`hanse light`: believe a chain by three files, with no node running."""

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from node.ledger.light_client import LightClient
    from node.vm.abi import PythonValue
    from primitives.ids import Address, TimestampMs

app = typer.Typer(no_args_is_help=True, help="Check facts of a chain without a node.")

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"

Genesis: TypeAlias = Annotated[Path, typer.Option(help="The genesis file that you trust.")]
Certificates: TypeAlias = Annotated[Path, typer.Option(help="The certificate chain from there.")]
Proof: TypeAlias = Annotated[Path, typer.Option(help="The proof of what you want to know.")]
Account: TypeAlias = Annotated[
    str | None, typer.Option(help="A balance: the account, did:key or 64 hexadecimal digits.")
]
Receipt: TypeAlias = Annotated[bool, typer.Option("--receipt", help="A receipt, as it is proven.")]
Stored: TypeAlias = Annotated[
    str | None,
    typer.Option(help="A value of a standard contract: CONTRACT.FIELD, as registry.models."),
]
Key: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="A key of that field, from left to right; may be repeated.")
]
Fresh: TypeAlias = Annotated[
    bool, typer.Option("--fresh", help="Refuse certificates older than the trusting period.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def group() -> None:
    """Check facts of a chain without a node."""


@app.command()
def verify(  # noqa: PLR0913 - an option each
    *,
    genesis: Genesis,
    certificates: Certificates,
    proof: Proof,
    account: Account = None,
    receipt: Receipt = False,
    stored: Stored = None,
    key: Key = None,
    fresh: Fresh = False,
    as_json: AsJson = False,
) -> None:
    """Prove a balance, a receipt or a stored value; exit 1 and say why if it is not proven.

    Old certificates prove what was, and nothing about now: a committee that is gone could sign
    another past. Their age is printed, with a warning if it is above the trusting period.
    """
    from node.ledger.light_client import LightClient
    from primitives.errors import ConfigurationError

    if (account is not None) + receipt + (stored is not None) != 1:
        raise ConfigurationError("name one of --account, --receipt and --stored")
    client = LightClient.from_genesis(_read(genesis)).follow(_read(certificates))
    now_ms = _now_ms()
    if fresh:
        client.check_age(now_ms)
    raw = _read(proof)
    if account is not None:
        fact = _account(client, raw, account)
    elif stored is not None:
        fact = _stored(client, raw, stored, key or [])
    else:
        fact = _receipt(client, raw)
    _print({**_place(client, now_ms), **fact}, as_json=as_json)
    _warn_of_age(client, now_ms)


def _read(path: Path) -> bytes:
    from node.ledger.light_client import CHAIN_FILE_BYTES_MAX
    from primitives.errors import ConfigurationError

    try:
        with path.open("rb") as stream:
            raw = stream.read(CHAIN_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    if len(raw) > CHAIN_FILE_BYTES_MAX:
        raise ConfigurationError(f"{path} is longer than any file of a light client")
    return raw


def _now_ms() -> "TimestampMs":
    from primitives.ids import TimestampMs

    return TimestampMs(int(dt.datetime.now(tz=dt.UTC).timestamp() * 1_000))


def _warn_of_age(client: "LightClient", now_ms: "TimestampMs") -> None:
    from node.ledger.errors import TrustExpiredError

    try:
        client.check_age(now_ms)
    except TrustExpiredError as error:
        typer.echo(f"warning: the certificates are {error}; --fresh refuses them", err=True)


def _place(client: "LightClient", now_ms: "TimestampMs") -> dict[str, Json]:
    head = client.head
    assert head is not None, "a chain that was followed has a head"
    seconds = head.timestamp_ms // 1_000
    return {
        "chain": client.chain_id.hex(),
        "epoch": head.epoch,
        "height": head.height,
        "time": dt.datetime.fromtimestamp(seconds, tz=dt.UTC).isoformat(),
        "age_s": (now_ms - head.timestamp_ms) // 1_000,
    }


def _account(client: "LightClient", raw: bytes, account: str) -> dict[str, Json]:
    address = _address(account)
    held = client.account(raw, address=address)
    return {"account": address.hex(), "balance": held.balance, "nonce": held.nonce}


def _receipt(client: "LightClient", raw: bytes) -> dict[str, Json]:
    proven = client.receipt(raw)
    return {
        "transaction": proven.transaction_id.hex(),
        "status": proven.status.name.lower(),
        "code": proven.code,
        "gas_used": proven.gas_used,
        "fee": proven.fee,
        "events": [f"{event.contract.hex()} {event.name}" for event in proven.events],
    }


def _stored(client: "LightClient", raw: bytes, stored: str, keys: list[str]) -> dict[str, Json]:
    from node.contracts import read_source
    from node.ledger.contract import genesis_contract_address
    from node.vm.lang.compiler import compile_contract
    from node.vm.stored import StoredField
    from node.vm.verifier import verify as verified
    from primitives.errors import ConfigurationError

    contract, _, name = stored.partition(".")
    try:
        source = read_source(contract)
    except OSError as error:
        raise ConfigurationError(f"{contract!r} is no standard contract") from error
    module = verified(compile_contract(source, filename=f"{contract}.contract"))
    field = StoredField(module, name)
    values = [_key(kind, text) for kind, text in zip(field.key_names, keys, strict=False)]
    slot = field.slot([*values, *keys[len(values) :]])
    found = client.slot(raw, contract=genesis_contract_address(contract), slot=slot)
    value = None if found is None else _jsonable(field.read(found))
    return {"stored": stored, "keys": list(keys), "value": value}


def _key(kind: str, text: str) -> "PythonValue":
    from primitives.errors import ConfigurationError

    try:
        match kind:
            case "Int":
                return int(text)
            case "Address":
                return _address(text)
            case "Bytes":
                return bytes.fromhex(text)
            case _:
                return text
    except ValueError as error:
        raise ConfigurationError(f"the key {text!r} is no {kind}") from error


def _address(text: str) -> "Address":
    from primitives.errors import ConfigurationError
    from primitives.ids import Address
    from primitives.keys import PUBLIC_KEY_SIZE_BYTES, PublicKey

    if text.startswith("did:"):
        return Address(PublicKey.from_did_key(text).raw)
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != PUBLIC_KEY_SIZE_BYTES:
        raise ConfigurationError(f"{text!r} is neither a did:key nor 64 hexadecimal digits")
    return Address(raw)


def _jsonable(value: "PythonValue") -> Json:
    match value:
        case None | bool() | int() | str():
            return value
        case bytes():
            return value.hex()
        case dict():
            return {name: _jsonable(part) for name, part in value.items()}
        case list():
            return [_jsonable(part) for part in value]
        case other:
            return str(other)


def _print(fact: dict[str, Json], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(fact))
        return
    width = max(map(len, fact))
    for name, value in fact.items():
        shown = value if isinstance(value, str) else json.dumps(value)
        typer.echo(f"{name:<{width}}  {shown}")
