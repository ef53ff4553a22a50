"""Send transactions of one account through the API of a node, and wait for what became of them."""

import secrets
from dataclasses import dataclass
from typing import Final

from devnet.local.errors import NotReadyError
from node.ledger.transaction import (
    Action,
    SignedTransaction,
    Transaction,
    sign_transaction,
)
from node.rpc.client import NodeClient
from node.rpc.errors import NodeAnswerError
from node.rpc.schemas import Receipt
from primitives.ids import Address, ChainId, Gas, Grain, TimestampMs
from primitives.keys import PrivateKey

FEE_MAX: Final = Grain(100_000)
"""For a gas; a thousand times what a devnet asks for at first. Only the present price is paid."""
VALID_MS: Final = 120_000
WAIT_S: Final = 60.0
_JITTER_MS: Final = 10_000
"""So that the same words twice are two transactions."""


@dataclass(frozen=True, slots=True)
class Purse:
    """One account behind one node."""

    client: NodeClient
    key: PrivateKey
    chain_id: ChainId

    @property
    def account(self) -> str:
        """Return the account as the API names it."""
        return self.key.public.did_key

    async def carry_out(self, action: Action, *, gas_limit: Gas) -> Receipt:
        """Send an action and return its receipt.

        Raises:
            NotReadyError: no commit had it in time.
            NodeAnswerError: the node does not take it, or the chain refused or failed it.
        """
        account = await self.client.account(self.account)
        now_ms = (await self.client.head()).time_ms
        signed = self.signed(
            action, nonce=int(account.next_nonce), gas_limit=gas_limit, now_ms=now_ms
        )
        name = await self.client.submit(signed)
        try:
            receipt = await self.client.wait_receipt(name, timeout_s=WAIT_S)
        except TimeoutError as error:
            raise NotReadyError(f"transaction {name.hex()} was not executed in time") from error
        if receipt.status != "done":
            said = f"{receipt.code} {receipt.trap}".strip()
            raise NodeAnswerError(
                f"the transaction {receipt.status}: {said}", status=409, code="tx"
            )
        return receipt

    def signed(
        self, action: Action, *, nonce: int, gas_limit: Gas, now_ms: int
    ) -> SignedTransaction:
        """Return a signed transaction.

        Args:
            action: what it does.
            nonce: of the account.
            gas_limit: the most gas.
            now_ms: chain time.
        """
        transaction = Transaction(
            chain_id=self.chain_id,
            sender=Address(self.key.public.raw),
            nonce=nonce,
            gas_limit=gas_limit,
            fee_per_gas_max=FEE_MAX,
            tip_per_gas=Grain(0),
            valid_until=TimestampMs(now_ms + VALID_MS + secrets.randbelow(_JITTER_MS)),
            action=action,
        )
        return sign_transaction(transaction, self.key)
