"""Send the transactions of one account: nonces, fees, and waiting until one is done.

Guards: two transactions of this wallet never carry one nonce while both may execute, and a nonce
that was skipped because its transaction never came is given to the next one, so nothing waits for
ever. Nothing is kept on disk: after a restart the chain says which nonce is next, and what was sent
before may still execute, which must be harmless to whoever sends it again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from node.chain.feed import Feed
from node.duties.errors import TransactionFailedError, TransactionLostError
from node.ledger.account import read_account
from node.ledger.chain import read_chain
from node.ledger.errors import FeeTooLowError, NonceGapError, NonceWindowError, ReplayedNonceError
from node.ledger.overlay import StateReader
from node.ledger.receipt import Receipt, ReceiptStatus
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    Action,
    Transaction,
    sign_transaction,
    transaction_id,
)
from primitives.errors import HanseError, InvalidTransactionError
from primitives.ids import Address, ChainId, Digest, Gas, Grain, Height, TimestampMs
from primitives.keys import PrivateKey

Submit = Callable[[bytes], Awaitable[Digest]]
"""Hands a signed transaction to the mempool and returns its id.

Raises an error of the family `InvalidTransactionError` if it may not enter.
"""

ATTEMPTS_MAX: Final = 6
_WHOLE_PERCENT: Final = 100

_log: Final = structlog.get_logger("node.duties.wallet")


class OpenView(StateReader, Protocol):
    """A state that is left when it is no longer read."""

    def __enter__(self) -> StateReader:
        """Read it."""
        ...

    def __exit__(self, *_: object) -> None:
        """Leave it."""
        ...


class HeadTime(Protocol):
    """Where the chain is."""

    @property
    def time_ms(self) -> TimestampMs:
        """Return the time of the last commit."""
        ...


class Ledger(Protocol):
    """What a wallet asks of the chain; `node.chain.chain.Chain` is one."""

    @property
    def chain_id(self) -> ChainId:
        """Return the digest of genesis."""
        ...

    @property
    def feed(self) -> Feed:
        """Return what tells of commits."""
        ...

    @property
    def head(self) -> HeadTime:
        """Return where the chain is."""
        ...

    def view(self) -> OpenView:
        """Return the newest state."""
        ...

    def find_transaction(self, transaction_id: Digest, /) -> tuple[Height, int] | None:
        """Return where a transaction was executed."""
        ...

    def receipt(self, height: Height, index: int) -> Receipt | None:
        """Return a receipt; None if it was pruned."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """What a wallet offers, and how long it waits.

    Args:
        headroom_percent: above the present base fee, of what it pays at most.
        tip: per gas.
        bump_percent: more, each time the mempool wants more.
        valid_ms: of a transaction, in chain time.
        resend_ms: after which one that was not executed is handed over again.
    """

    headroom_percent: int = 100
    tip: int = 1
    bump_percent: int = 30
    valid_ms: int = 30_000
    resend_ms: int = 2_000


@dataclass(frozen=True, slots=True)
class _Sent:
    raw: bytes
    nonce: int
    valid_until: TimestampMs


@dataclass(slots=True)
class Wallet:
    """Sends what one account asks of the chain.

    Args:
        key: of the account.
        chain: is asked for nonces, fees and receipts.
        submit: the mempool of this node, or a client of another.
    """

    key: PrivateKey
    chain: Ledger
    submit: Submit
    fees: Fees = field(default_factory=Fees)
    _waiting: dict[Digest, _Sent] = field(default_factory=dict, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    @property
    def address(self) -> Address:
        """Return the account."""
        return Address(self.key.public.raw)

    def balance(self) -> Grain:
        """Return what the account holds."""
        with self.chain.view() as state:
            return read_account(state, self.address).balance

    async def send(self, action: Action, *, gas_limit: Gas) -> Digest:
        """Sign an action and hand it over; return the id to wait for.

        Raises:
            InvalidTransactionError: it may not enter; the class says why.
        """
        async with self._turn:
            for attempt in range(ATTEMPTS_MAX):
                sent, name = self._signed(action, gas_limit=gas_limit, attempt=attempt)
                self._waiting[name] = sent
                try:
                    await self.submit(sent.raw)
                except InvalidTransactionError as error:
                    del self._waiting[name]
                    if not _is_about_place(error) or attempt == ATTEMPTS_MAX - 1:
                        raise
                    _log.debug("transaction is signed anew", error=str(error))
                    await self._next_commit()
                except BaseException:
                    # It may have got there all the same, so its nonce is not free.
                    _log.debug("transaction may have been sent", nonce=sent.nonce)
                    raise
                else:
                    return name
        raise AssertionError("the last attempt returns or raises")

    async def settle(self, name: Digest) -> Receipt:
        """Wait until a transaction was executed; hand it over again for as long as it was not.

        Raises:
            TransactionLostError: its time is over; it will not be executed any more.
        """
        with self.chain.feed.subscribe() as commits:
            while (receipt := self._receipt_of(name)) is None:
                sent = self._waiting.get(name)
                if sent is None or self.chain.head.time_ms > sent.valid_until:
                    self._waiting.pop(name, None)
                    raise TransactionLostError(name)
                try:
                    async with asyncio.timeout(self.fees.resend_ms / 1_000):
                        await anext(commits)
                except TimeoutError:
                    await self._send_again(sent)
        self._waiting.pop(name, None)
        return receipt

    async def carry_out(self, action: Action, *, gas_limit: Gas) -> Receipt:
        """Send an action and wait until it is done.

        Raises:
            InvalidTransactionError: it may not enter.
            TransactionLostError: it was not executed in time.
            TransactionFailedError: it failed.
        """
        receipt = await self.settle(await self.send(action, gas_limit=gas_limit))
        if receipt.status is not ReceiptStatus.DONE:
            raise TransactionFailedError(receipt)
        return receipt

    def _signed(self, action: Action, *, gas_limit: Gas, attempt: int) -> tuple[_Sent, Digest]:
        with self.chain.view() as state:
            nonce = self._free_nonce(read_account(state, self.address).nonce)
            base_fee = read_chain(state).base_fee
        percent = _WHOLE_PERCENT + attempt * self.fees.bump_percent
        tip = -(-self.fees.tip * percent // _WHOLE_PERCENT)
        most = base_fee * (_WHOLE_PERCENT + self.fees.headroom_percent) * percent
        valid_until = TimestampMs(self.chain.head.time_ms + self.fees.valid_ms)
        transaction = Transaction(
            chain_id=self.chain.chain_id,
            sender=self.address,
            nonce=nonce,
            gas_limit=gas_limit,
            fee_per_gas_max=Grain(most // _WHOLE_PERCENT**2 + tip),
            tip_per_gas=Grain(tip),
            valid_until=valid_until,
            action=action,
        )
        raw = SIGNED_TRANSACTION_CODEC.encode(sign_transaction(transaction, self.key))
        return _Sent(raw, nonce, valid_until), transaction_id(transaction)

    def _free_nonce(self, nonce: int) -> int:
        """Return the least nonce that neither the chain nor one of ours that waits has taken."""
        now_ms = self.chain.head.time_ms
        self._waiting = {
            name: sent
            for name, sent in self._waiting.items()
            if sent.valid_until >= now_ms and sent.nonce >= nonce
        }
        taken = {sent.nonce for sent in self._waiting.values()}
        while nonce in taken:
            nonce += 1
        return nonce

    def _receipt_of(self, name: Digest) -> Receipt | None:
        place = self.chain.find_transaction(name)
        return None if place is None else self.chain.receipt(*place)

    async def _send_again(self, sent: _Sent) -> None:
        try:
            await self.submit(sent.raw)
        except HanseError as error:
            # It waits there already, or was executed this moment; else its time will run out.
            _log.debug("transaction was not taken again", error=str(error))

    async def _next_commit(self) -> None:
        try:
            async with asyncio.timeout(self.fees.resend_ms / 1_000):
                await self.chain.feed.wait_for(lambda _: True)
        except TimeoutError:
            return


def _is_about_place(error: InvalidTransactionError) -> bool:
    """Tell whether another nonce or fee would have been taken."""
    kinds = (FeeTooLowError, NonceGapError, NonceWindowError, ReplayedNonceError)
    return isinstance(error, kinds) or "underpriced" in error.code or "replace" in error.code
