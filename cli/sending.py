"""Sign an action, send it as a transaction, and tell what became of it."""

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cli.amounts import hanse
from cli.exit_codes import RefusedError, WaitOverError
from cli.online import Signing
from cli.printing import print_json, print_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from node.ledger.transaction import Action, SignedTransaction
    from node.rpc.client import NodeClient
    from node.rpc.schemas import Receipt
    from primitives.ids import ChainId, Digest
    from primitives.keys import PrivateKey

VALIDITY_MS: Final = 30 * 60_000
WAIT_S: Final = 60.0
_CALL_GAS: Final = 5_000_000
_STAKING_GAS: Final = 300_000
_FEE_FACTOR: Final = 2


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends on which chain; what an action may need to know."""

    chain_id: "ChainId"
    key: "PrivateKey"


def send(line: Signing, action: "Callable[[Sender], Action]") -> "Receipt | None":
    """Sign and send an action and wait for its receipt; None where the command does not wait.

    Raises:
        RefusedError: the transaction was committed and refused, or failed.
        NodeAnswerError: the node does not take it.
        ConfigurationError: the node is of another chain than the folder.
    """
    key = line.private_key()

    async def main(client: "NodeClient") -> "tuple[Digest, Receipt | None]":
        signed = await _signed(client, line, key, action)
        transaction_id = await client.submit(signed)
        if line.no_wait:
            return transaction_id, None
        return transaction_id, await awaited(client, transaction_id, timeout_s=WAIT_S)

    transaction_id, receipt = line.ask(main)
    if receipt is None:
        facts = {"transaction": transaction_id.hex()}
        print_json(facts) if line.as_json else print_record(facts)
        return None
    check(receipt)
    return receipt


async def awaited(client: "NodeClient", transaction_id: "Digest", *, timeout_s: float) -> "Receipt":
    """Return the receipt of a transaction once a commit has it.

    Raises:
        WaitOverError: none had it in time.
    """
    try:
        return await client.wait_receipt(transaction_id, timeout_s=timeout_s)
    except TimeoutError as error:
        raise WaitOverError(
            f"no commit has the transaction after {timeout_s:g} s; "
            f"see later: hanse tx wait {transaction_id.hex()}"
        ) from error


def tell(line: Signing, receipt: "Receipt | None", **facts: object) -> None:
    """Print the receipt of a transaction that was done, and what else it brought."""
    if receipt is None:
        return
    if line.as_json:
        print_json({"receipt": _plain(receipt), **facts})
        return
    print_record({**facts, **receipt_record(receipt)})


def send_and_tell(line: Signing, action: "Callable[[Sender], Action]", **facts: object) -> None:
    """Send an action and print its receipt."""
    tell(line, send(line, action), **facts)


def receipt_record(receipt: "Receipt") -> dict[str, object]:
    """Return the lines about a receipt."""
    lines: dict[str, object] = {
        "transaction": receipt.transaction_id,
        "height": receipt.height,
        "status": receipt.status,
        "gas used": receipt.gas_used,
        "fee": hanse(receipt.fee),
    }
    if receipt.code:
        lines["code"] = receipt.code
    if receipt.trap:
        lines["reason"] = receipt.trap
    if receipt.created is not None:
        lines["created"] = receipt.created
    return lines


def check(receipt: "Receipt") -> None:
    """Refuse a receipt of a transaction that was not done.

    Raises:
        RefusedError: it was refused or failed; the message holds the code.
    """
    if receipt.status == "done":
        return
    reason = f": {receipt.trap}" if receipt.trap else ""
    raise RefusedError(
        f"the transaction {receipt.status} at height {receipt.height} with {receipt.code}{reason}"
    )


async def _signed(
    client: "NodeClient", line: Signing, key: "PrivateKey", action: "Callable[[Sender], Action]"
) -> "SignedTransaction":
    from node.ledger.transaction import Transaction, sign_transaction
    from primitives.ids import Address, Gas, Grain, TimestampMs

    head = await client.head()
    account = await client.account(key.public.did_key)
    chain_id = line.chain(head.chain_id)
    wanted = action(Sender(chain_id, key))
    price = await client.fees()
    fee = line.fee or _FEE_FACTOR * int(price.base_fee) + line.tip
    gas = line.gas or min(gas_for(wanted), int(price.transaction_gas_max))
    transaction = Transaction(
        chain_id=chain_id,
        sender=Address(key.public.raw),
        nonce=int(account.next_nonce),
        gas_limit=Gas(gas),
        fee_per_gas_max=Grain(fee),
        tip_per_gas=Grain(line.tip),
        # Not the same twice, so that a second command with the same words is no replay.
        valid_until=TimestampMs(head.time_ms + VALIDITY_MS + secrets.randbelow(1_000)),
        action=wanted,
    )
    return sign_transaction(transaction, key)


def gas_for(action: "Action") -> int:
    """Return a gas limit that is plenty for most of what an action may do."""
    from node.ledger.admission import intrinsic_gas
    from node.ledger.transaction import Call, Deploy, Transfer

    size_bytes = _size_of(action)
    needed = intrinsic_gas(action, size_bytes=size_bytes)
    match action:
        case Transfer():
            return needed + needed // 2
        case Call() | Deploy():
            return needed + _CALL_GAS
        case _:
            return needed + _STAKING_GAS


def _size_of(action: "Action") -> int:
    """Return the size of a signed transaction with this action, rounded up."""
    from node.ledger.transaction import Call, Deploy, Evidence

    fixed = 512
    match action:
        case Deploy(code=code, arguments=arguments):
            return fixed + len(code) + len(arguments)
        case Call(arguments=arguments):
            return fixed + len(arguments)
        case Evidence(proof=proof):
            return fixed + len(proof)
        case _:
            return fixed


def _plain(receipt: "Receipt") -> object:
    import msgspec

    return msgspec.to_builtins(receipt)
